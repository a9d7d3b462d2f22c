"""Slots, and the quarters of an hour that they take of a space."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicepunkt.core.db.schema import TENANT, Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.hosts.space.model import STATES, Slot, SpaceTakenError, quarters

MOST_LISTED = 300
host_slot = tenant_table(
    "host_slot",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("key", sa.Uuid, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("space", sa.Text, nullable=False),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("equipment", sa.Text, nullable=False),
    sa.Column("noise", sa.Text, nullable=False),
    sa.Column("begins_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.UniqueConstraint(TENANT, "key"),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.CheckConstraint("begins_at < ends_at", name="order"),
    sa.Index("ix_host_slot_begins_at", TENANT, "host", "begins_at"),
    key=("id",),
)

# An exclusion constraint would need btree_gist, which the embedded server has not, and Citus takes none without the
# tenant under a plain "=": see docs/decisions. A primary key is refused by every PostgreSQL in the same moment.
host_slot_quarter = tenant_table(
    "host_slot_quarter",
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("space", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("slot", sa.Uuid, nullable=False),
    sa.ForeignKeyConstraint([TENANT, "slot"], ["host_slot.tenant_id", "host_slot.id"], ondelete="CASCADE"),
    sa.Index("ix_host_slot_quarter_slot", TENANT, "slot"),
    key=("host", "space", "at"),
    kept="a part of its slot, and deleted with it",
)
TABLES = (host_slot, host_slot_quarter)


async def add(tx: Transaction, new: Slot) -> bool:
    """Whether its key was not there yet. Raises SpaceTakenError; nothing is left of the slot then."""
    values = {TENANT: tx.tenant_id, **msgspec.structs.asdict(new)}
    made = insert(host_slot).values(values).on_conflict_do_nothing(index_elements=[TENANT, "key"])
    if (await tx.execute(made.returning(host_slot.c.id))).first() is None:
        return False
    await _take(tx, new)
    return True


async def _take(tx: Transaction, slot: Slot) -> None:
    """Quarters in order of time: two that want the same wait for each other at the first one that both want."""
    row = {TENANT: tx.tenant_id, "host": slot.host, "space": slot.space, "slot": slot.id}
    rows = [{**row, "at": at} for at in quarters(slot)]
    taken = insert(host_slot_quarter).values(rows).on_conflict_do_nothing()
    if len((await tx.execute(taken.returning(host_slot_quarter.c.at))).all()) < len(rows):
        raise SpaceTakenError


async def release(tx: Transaction, slot_id: UUID) -> None:
    """Others may have its quarters of an hour."""
    table = host_slot_quarter
    await tx.execute(sa.delete(table).where(table.c.tenant_id == tx.tenant_id, table.c.slot == slot_id))


async def by_id(tx: Transaction, slot_id: UUID, *, lock: bool = False) -> Slot | None:
    query = sa.select(host_slot).where(host_slot.c.tenant_id == tx.tenant_id, host_slot.c.id == slot_id)
    return await tx.first(Slot, query.with_for_update() if lock else query)


async def by_key(tx: Transaction, key: UUID) -> Slot | None:
    query = sa.select(host_slot).where(host_slot.c.tenant_id == tx.tenant_id, host_slot.c.key == key)
    return await tx.first(Slot, query)


async def listed(
    tx: Transaction, *, ending_after: datetime, hosts: Collection[str] | None = None, until: datetime | None = None
) -> list[Slot]:
    """Slots that end after an instant and begin before `until`, of these houses or of all, the first ones first."""
    table = host_slot
    query = sa.select(table).where(table.c.tenant_id == tx.tenant_id, table.c.ends_at > ending_after)
    if hosts is not None:
        query = query.where(table.c.host.in_(hosts))
    if until is not None:
        query = query.where(table.c.begins_at < until)
    return await tx.all(Slot, query.order_by(table.c.begins_at, table.c.id).limit(MOST_LISTED))


async def update(tx: Transaction, slot: Slot) -> None:
    statement = sa.update(host_slot).where(host_slot.c.tenant_id == tx.tenant_id, host_slot.c.id == slot.id)
    values = {"state": slot.state, "reason": slot.reason, "changed_by": slot.changed_by, "changed_at": slot.changed_at}
    await tx.execute(statement.values(**values))


async def delete_past(tx: Transaction, before: datetime) -> int:
    """Delete slots that ended before an instant, with their quarters."""
    gone = sa.delete(host_slot).where(host_slot.c.tenant_id == tx.tenant_id, host_slot.c.ends_at < before)
    return int((await tx.execute(gone)).rowcount)
