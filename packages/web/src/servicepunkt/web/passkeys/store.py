"""The table of passkeys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.web.passkeys.model import Passkey

passkey = tenant_table(
    "passkey",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("account", sa.Uuid, nullable=False),
    sa.Column("credential", sa.LargeBinary, nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("used_at", Instant, nullable=True),
    sa.UniqueConstraint("tenant_id", "credential"),
    sa.ForeignKeyConstraint(["tenant_id", "account"], ["account.tenant_id", "account.id"], ondelete="CASCADE"),
    key=("id",),
    kept="a way to sign in stays as long as its account",
)


async def insert(tx: Transaction, new: Passkey) -> None:
    await tx.insert(passkey, new)


async def by_credential(tx: Transaction, credential: bytes) -> Passkey | None:
    """Locked: of two who show the same passkey at the same moment the second sees the first one's count."""
    query = sa.select(passkey).where(passkey.c.tenant_id == tx.tenant_id, passkey.c.credential == credential)
    return await tx.first(Passkey, query.with_for_update())


async def of_account(tx: Transaction, account: UUID) -> list[Passkey]:
    query = sa.select(passkey).where(passkey.c.tenant_id == tx.tenant_id, passkey.c.account == account)
    return await tx.all(Passkey, query.order_by(passkey.c.created_at))


async def accounts(tx: Transaction) -> set[UUID]:
    """Those that have a passkey."""
    query = sa.select(passkey.c.account).where(passkey.c.tenant_id == tx.tenant_id).distinct()
    return set((await tx.execute(query)).scalars())


async def update(tx: Transaction, passkey_id: UUID, **values: Any) -> None:
    statement = sa.update(passkey).where(passkey.c.tenant_id == tx.tenant_id, passkey.c.id == passkey_id)
    await tx.execute(statement.values(**values))


async def delete(tx: Transaction, account: UUID, passkey_id: UUID) -> int:
    """How many were deleted: none where it is another account's."""
    statement = sa.delete(passkey).where(
        passkey.c.tenant_id == tx.tenant_id, passkey.c.account == account, passkey.c.id == passkey_id
    )
    return int((await tx.execute(statement)).rowcount)


async def delete_of_account(tx: Transaction, account: UUID) -> None:
    await tx.execute(sa.delete(passkey).where(passkey.c.tenant_id == tx.tenant_id, passkey.c.account == account))
