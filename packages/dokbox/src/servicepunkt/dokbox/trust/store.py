"""The table of what the centre knows of a box's own keys, and keeps for it."""

from __future__ import annotations

from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicepunkt.core.db.schema import tenant_table
from servicepunkt.core.db.session import Transaction

box_trust = tenant_table(
    "box_trust",
    sa.Column("box", sa.Text, nullable=False),
    sa.Column("device", sa.Uuid, nullable=False),
    sa.Column("signing_key", sa.LargeBinary, nullable=False),
    sa.Column("peppers", sa.LargeBinary, nullable=True),
    sa.Column("asked_at", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "box"], ["box.tenant_id", "box.id"]),
    key=("box",),
    kept="public keys of a thing",
)


class TrustRow(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of the device that is the box now. `peppers` are sealed under the device's own key in the keyring.

    `asked_at`: the end of the journal with which peppers were last asked for.
    """

    box: str
    device: UUID
    signing_key: bytes
    peppers: bytes | None = None
    asked_at: int = 0


async def find(tx: Transaction, box_id: str, *, lock: bool = False) -> TrustRow | None:
    query = sa.select(box_trust).where(box_trust.c.tenant_id == tx.tenant_id, box_trust.c.box == box_id)
    return await tx.first(TrustRow, query.with_for_update() if lock else query)


async def delete(tx: Transaction, box_id: str) -> None:
    await tx.execute(sa.delete(box_trust).where(box_trust.c.tenant_id == tx.tenant_id, box_trust.c.box == box_id))


async def put(tx: Transaction, row: TrustRow) -> None:
    values = msgspec.structs.asdict(row)
    statement = insert(box_trust).values(tenant_id=tx.tenant_id, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "box"], set_=values))
