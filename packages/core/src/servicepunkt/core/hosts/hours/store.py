"""The table of what hosts say of the hours of their houses themselves: one row for a house."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.hosts.hours.model import OwnHours

host_hours = tenant_table(
    "host_hours",
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("said", JSONB, nullable=False),
    sa.Column("below", JSONB, nullable=False),
    sa.Column("key", sa.Uuid, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    key=("host",),
    kept="opening hours of a house, which hold until its host says others",
)


async def everything(tx: Transaction) -> list[OwnHours]:
    """What every host says of its house."""
    query = sa.select(host_hours).where(host_hours.c.tenant_id == tx.tenant_id).order_by(host_hours.c.host)
    return await tx.all(OwnHours, query)


async def of_host(tx: Transaction, host_id: str) -> OwnHours | None:
    query = sa.select(host_hours).where(host_hours.c.tenant_id == tx.tenant_id, host_hours.c.host == host_id)
    return await tx.first(OwnHours, query)


async def save(tx: Transaction, own: OwnHours) -> None:
    made = upsert(host_hours).values(tenant_id=tx.tenant_id, **msgspec.structs.asdict(own))
    changed = {name: made.excluded[name] for name in own.__struct_fields__ if name != "host"}
    await tx.execute(made.on_conflict_do_update(index_elements=["tenant_id", "host"], set_=changed))
