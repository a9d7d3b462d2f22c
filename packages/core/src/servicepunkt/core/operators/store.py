"""Tables of the platform: use by minute, counts of rows by tenant, processes; none holds anything of a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.db.schema import TENANT, Instant, platform_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.operators.meters import Used

# The column is not called tenant_id: by that name tables are known that row-level security guards.
tenant_usage = platform_table(
    "tenant_usage",
    sa.Column("minute", Instant, primary_key=True),
    sa.Column("tenant", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("process", sa.Uuid, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("database_seconds", sa.Float, nullable=False),
    sa.Column("refused", sa.BigInteger, nullable=False),
    sa.Column("jobs", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.BigInteger, nullable=False),
)

tenant_count = platform_table(
    "tenant_count",
    sa.Column("tenant", sa.Integer, sa.ForeignKey("tenant.id"), primary_key=True, autoincrement=False),
    sa.Column("counts", JSONB, nullable=False),
    sa.Column("counted_at", Instant, nullable=False),
)

process = platform_table(
    "process",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.CheckConstraint(sa.column("kind").in_(("serve", "worker")), name="kind"),
)

TABLES = (tenant_usage, tenant_count, process)
USED = Used.__struct_fields__


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One that serves or works. The id is drawn when it starts and says nothing about its computer."""

    id: UUID
    kind: str
    version: str
    started_at: datetime
    seen_at: datetime


async def add_usage(connection: AsyncConnection, minute: datetime, who: UUID, used: Mapping[int, Used]) -> None:
    """Add to what is written of this minute and process."""
    rows = [{"tenant": tenant, **msgspec.structs.asdict(one)} for tenant, one in used.items()]
    if not rows:
        return
    statement = insert(tenant_usage).values(minute=minute, process=who)
    added = {name: tenant_usage.c[name] + statement.excluded[name] for name in USED}
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["minute", "tenant", "process"], set_=added), rows
    )


async def thin_out(connection: AsyncConnection, *, usage_before: datetime, processes_before: datetime) -> None:
    await connection.execute(sa.delete(tenant_usage).where(tenant_usage.c.minute < usage_before))
    await connection.execute(sa.delete(process).where(process.c.seen_at < processes_before))


async def seen(connection: AsyncConnection, one: Process) -> None:
    """A process is there."""
    statement = insert(process).values(**msgspec.structs.asdict(one))
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={"seen_at": statement.excluded.seen_at})
    )


async def processes(connection: AsyncConnection, since: datetime) -> list[Process]:
    """Those that were there after this moment, the oldest first."""
    query = sa.select(process).where(process.c.seen_at > since).order_by(process.c.started_at)
    return [Process(**row._mapping) for row in await connection.execute(query)]


async def count_rows(tx: Transaction, tables: Sequence[sa.Table]) -> dict[str, int]:
    """How many rows the tenant has in each of these tables of tenants; one statement."""
    counts = [
        sa.select(sa.func.count()).select_from(table).where(table.c[TENANT] == tx.tenant_id).scalar_subquery()
        for table in tables
    ]
    row = (await tx.execute(sa.select(*counts))).one()
    return {table.name: int(count) for table, count in zip(tables, row, strict=True)}


async def save_counts(connection: AsyncConnection, tenant_id: int, counts: Mapping[str, int], at: datetime) -> None:
    values = {"counts": dict(counts), "counted_at": at}
    statement = insert(tenant_count).values(tenant=tenant_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["tenant"], set_=values))


async def forget(connection: AsyncConnection, tenant_id: int) -> None:
    """The tenant is deleted."""
    for table in (tenant_count, tenant_usage):
        await connection.execute(sa.delete(table).where(table.c.tenant == tenant_id))
