"""The table of what went wrong with plugins, in all processes together; it names no person."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicepunkt.core.db.schema import TENANT, Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.plugins.failures import Failure, together

plugin_failure = tenant_table(
    "plugin_failure",
    sa.Column("plugin", sa.Text, nullable=False),
    sa.Column("hook", sa.Text, nullable=False),
    sa.Column("fault", sa.Text, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("last", Instant, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.CheckConstraint(sa.column("fault").in_(("failed", "slow")), name="fault"),
    key=("plugin", "hook", "fault"),
)


async def add(tx: Transaction, new: Failure) -> None:
    """Add to what is known; processes that write at once wait for each other."""
    await tx.lock("plugin_failure")
    of = plugin_failure.c
    one = (of.tenant_id == tx.tenant_id, of.plugin == new.plugin, of.hook == new.hook, of.fault == new.fault)
    before = [_failure(row) for row in await tx.execute(sa.select(plugin_failure).where(*one))]
    values = msgspec.structs.asdict(together(before[0], new) if before else new)
    values[TENANT] = values.pop("tenant")
    made = insert(plugin_failure).values(**values)
    await tx.execute(made.on_conflict_do_update(constraint="pk_plugin_failure", set_=values))


async def failures_since(tx: Transaction, instant: datetime) -> list[Failure]:
    """By plugin and hook, those that happened after the instant."""
    of = plugin_failure.c
    query = sa.select(plugin_failure).where(of.tenant_id == tx.tenant_id, of.last > instant)
    return [_failure(row) for row in await tx.execute(query.order_by(of.plugin, of.hook, of.fault))]


async def delete_failures(tx: Transaction, before: datetime) -> int:
    of = plugin_failure.c
    gone = await tx.execute(sa.delete(plugin_failure).where(of.tenant_id == tx.tenant_id, of.last < before))
    return int(gone.rowcount)


def _failure(row: sa.Row[tuple[object, ...]]) -> Failure:
    values = dict(row._mapping)
    return Failure(tenant=values.pop(TENANT), **values)
