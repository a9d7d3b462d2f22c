"""The table of footfall: a row for each hour of a house."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa

from servicepunkt.core.db.schema import TENANT, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.hosts.footfall.model import Counts, rows_of

host_footfall = tenant_table(
    "host_footfall",
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("hour", sa.Integer, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.CheckConstraint("hour BETWEEN 0 AND 23", name="hour"),
    sa.CheckConstraint('"count" >= 0', name="count"),
    key=("host", "day", "hour"),
)


async def between(tx: Transaction, host_id: str, first: date, last: date) -> dict[date, dict[int, int]]:
    """What is known of the days from `first` to `last`, both included."""
    table = host_footfall
    query = sa.select(table.c.day, table.c.hour, table.c["count"].label("people")).where(
        table.c.tenant_id == tx.tenant_id, table.c.host == host_id, table.c.day.between(first, last)
    )
    found: dict[date, dict[int, int]] = {}
    for row in await tx.execute(query):
        found.setdefault(row.day, {})[row.hour] = row.people
    return found


async def replace(tx: Transaction, host_id: str, days: Sequence[date], counts: Counts) -> None:
    """Put what `counts` says of these days in place of what was known of them."""
    table = host_footfall
    gone = sa.delete(table).where(
        table.c.tenant_id == tx.tenant_id, table.c.host == host_id, table.c.day.in_(list(days))
    )
    await tx.execute(gone)
    rows = [
        {TENANT: tx.tenant_id, "host": host_id, "day": day, "hour": hour, "count": count}
        for day, hour, count in rows_of(days, counts)
    ]
    if rows:
        await tx.execute(table.insert(), rows)


async def delete_old(tx: Transaction, before: datetime) -> int:
    """Delete what was counted before an instant."""
    table = host_footfall
    gone = sa.delete(table).where(table.c.tenant_id == tx.tenant_id, table.c.day < before.date())
    return int((await tx.execute(gone)).rowcount)
