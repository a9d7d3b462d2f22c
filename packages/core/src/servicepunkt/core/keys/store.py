"""The table of wrapped keys. Erasing a row erases everything that was sealed with its key."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicepunkt.core.db.schema import tenant_table
from servicepunkt.core.db.session import Transaction

data_key = tenant_table(
    "data_key",
    sa.Column("subject", sa.Uuid, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("public", sa.LargeBinary, nullable=True),
    key=("subject", "purpose"),
    kept="a key is destroyed with whatever it has sealed",
)


async def find(tx: Transaction, subject: UUID, purpose: str) -> tuple[bytes, bytes | None] | None:
    """(wrapped key, public part)."""
    query = sa.select(data_key.c.wrapped, data_key.c.public).where(
        data_key.c.tenant_id == tx.tenant_id, data_key.c.subject == subject, data_key.c.purpose == purpose
    )
    row = (await tx.execute(query)).first()
    return (row.wrapped, row.public) if row else None


async def add(tx: Transaction, subject: UUID, purpose: str, *, wrapped: bytes, public: bytes | None) -> bool:
    """False when another transaction was first."""
    statement = insert(data_key).values(
        tenant_id=tx.tenant_id, subject=subject, purpose=purpose, wrapped=wrapped, public=public
    )
    result = await tx.execute(statement.on_conflict_do_nothing())
    return bool(result.rowcount)


async def erase(tx: Transaction, subject: UUID) -> None:
    await tx.execute(sa.delete(data_key).where(data_key.c.tenant_id == tx.tenant_id, data_key.c.subject == subject))
