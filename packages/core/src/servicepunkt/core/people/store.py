"""The table of accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.people.model import Account

account = tenant_table(
    "account",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("login", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("roles", ARRAY(sa.Text, as_tuple=True), nullable=False),
    sa.Column("totp", sa.LargeBinary, nullable=True),
    sa.Column("totp_used", sa.BigInteger, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("locked_until", Instant, nullable=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("external", sa.LargeBinary, nullable=True),
    sa.Column("code_hash", sa.LargeBinary, nullable=True),
    sa.Column("code_until", Instant, nullable=True),
    sa.Column("ended_at", Instant, nullable=True),
    sa.UniqueConstraint("tenant_id", "login"),
    # Unique by the lock "accounts", under which they are made: a constraint would be new to the version before.
    sa.Index("ix_account_external", "tenant_id", "external"),
    key=("id",),
)


async def insert(tx: Transaction, new: Account) -> None:
    await tx.insert(account, new)


async def by_login(tx: Transaction, login: str, *, lock: bool = False) -> Account | None:
    query = sa.select(account).where(account.c.tenant_id == tx.tenant_id, account.c.login == login)
    return await tx.first(Account, query.with_for_update() if lock else query)


async def by_id(tx: Transaction, account_id: UUID, *, lock: bool = False) -> Account | None:
    query = sa.select(account).where(account.c.tenant_id == tx.tenant_id, account.c.id == account_id)
    return await tx.first(Account, query.with_for_update() if lock else query)


async def by_external(tx: Transaction, key: bytes, *, lock: bool = False) -> Account | None:
    query = sa.select(account).where(account.c.tenant_id == tx.tenant_id, account.c.external == key)
    return await tx.first(Account, query.with_for_update() if lock else query)


async def all_accounts(tx: Transaction) -> list[Account]:
    query = sa.select(account).where(account.c.tenant_id == tx.tenant_id).order_by(account.c.login)
    return await tx.all(Account, query)


async def count(tx: Transaction) -> int:
    """How many there are, those that are switched off as well."""
    query = sa.select(sa.func.count()).select_from(account).where(account.c.tenant_id == tx.tenant_id)
    return int(await tx.scalar(query))


async def update(tx: Transaction, account_id: UUID, **values: Any) -> None:
    statement = sa.update(account).where(account.c.tenant_id == tx.tenant_id, account.c.id == account_id)
    await tx.execute(statement.values(**values))


async def ended(tx: Transaction, before: datetime) -> list[Account]:
    """Accounts that were switched off before an instant, and are off."""
    of_tenant = (account.c.tenant_id == tx.tenant_id, account.c.active.is_(False), account.c.ended_at < before)
    return await tx.all(Account, sa.select(account).where(*of_tenant).order_by(account.c.id).with_for_update())


async def delete(tx: Transaction, account_id: UUID) -> None:
    await tx.execute(sa.delete(account).where(account.c.tenant_id == tx.tenant_id, account.c.id == account_id))
