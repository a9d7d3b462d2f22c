"""The table of help calls."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.hosts.figures.counting import per_day
from servicepunkt.web.help.model import TRANSITIONS, HelpCall

help_call = tenant_table(
    "help_call",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("point", sa.Text, nullable=False),
    sa.Column("device", sa.Uuid, nullable=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.CheckConstraint(sa.column("state").in_(tuple(TRANSITIONS)), name="state"),
    sa.Index("ix_help_call_state", "tenant_id", "state", "created_at"),
    key=("id",),
)


async def insert(tx: Transaction, new: HelpCall) -> None:
    await tx.insert(help_call, new)


async def by_id(tx: Transaction, call_id: UUID, *, lock: bool = False) -> HelpCall | None:
    query = sa.select(help_call).where(help_call.c.tenant_id == tx.tenant_id, help_call.c.id == call_id)
    return await tx.first(HelpCall, query.with_for_update() if lock else query)


async def waiting(
    tx: Transaction, *, device: UUID | None = None, points: frozenset[str] | None = None
) -> list[HelpCall]:
    """Calls that are not closed, the oldest first; of one device, or at some points, if they are named."""
    query = (
        sa.select(help_call)
        .where(help_call.c.tenant_id == tx.tenant_id, help_call.c.state != "closed")
        .order_by(help_call.c.created_at)
        .limit(200)
    )
    if device is not None:
        query = query.where(help_call.c.device == device)
    if points is not None:
        query = query.where(help_call.c.point.in_(sorted(points)))
    return await tx.all(HelpCall, query)


async def update(tx: Transaction, call_id: UUID, *, state: str, at: datetime) -> None:
    statement = sa.update(help_call).where(help_call.c.tenant_id == tx.tenant_id, help_call.c.id == call_id)
    await tx.execute(statement.values(state=state, changed_at=at))


class HelpCalls:
    """How often help was called at each point, for the figures of its host."""

    title = "Help calls"

    async def per_day(self, tx: Transaction, since: datetime, until: datetime) -> dict[tuple[str, date], int]:
        return await per_day(
            tx,
            help_call.c.point,
            help_call.c.created_at,
            help_call.c.tenant_id == tx.tenant_id,
            help_call.c.created_at >= since,
            help_call.c.created_at < until,
        )


async def delete_closed(tx: Transaction, before: datetime) -> int:
    """Delete calls that were closed before an instant."""
    statement = sa.delete(help_call).where(
        help_call.c.tenant_id == tx.tenant_id, help_call.c.state == "closed", help_call.c.changed_at < before
    )
    return int((await tx.execute(statement)).rowcount)
