"""The table of handshakes."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.web.handshakes.model import Handshake

handshake = tenant_table(
    "handshake",
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("until", Instant, nullable=False),
    key=("key",),
)


async def insert(tx: Transaction, new: Handshake) -> None:
    await tx.insert(handshake, new)


async def take(tx: Transaction, key: bytes, kind: str) -> Handshake | None:
    """Of several who ask at the same moment one gets it."""
    statement = sa.delete(handshake).where(
        handshake.c.tenant_id == tx.tenant_id, handshake.c.key == key, handshake.c.kind == kind
    )
    return await tx.first(Handshake, statement.returning(handshake))


async def delete_older(tx: Transaction, before: datetime) -> int:
    statement = sa.delete(handshake).where(handshake.c.tenant_id == tx.tenant_id, handshake.c.until < before)
    return int((await tx.execute(statement)).rowcount)
