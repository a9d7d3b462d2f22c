"""The table of accounts."""

from __future__ import annotations

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
    sa.Column("roles", ARRAY(sa.Text), nullable=False),
    sa.Column("totp", sa.LargeBinary, nullable=True),
    sa.Column("totp_used", sa.BigInteger, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("locked_until", Instant, nullable=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("tenant_id", "login"),
    key=("id",),
)


async def insert(tx: Transaction, new: Account) -> None:
    values = {name: getattr(new, name) for name in new.__struct_fields__}
    await tx.execute(sa.insert(account).values(tenant_id=tx.tenant_id, **{**values, "roles": list(new.roles)}))


async def by_login(tx: Transaction, login: str, *, lock: bool = False) -> Account | None:
    query = sa.select(account).where(account.c.tenant_id == tx.tenant_id, account.c.login == login)
    return _account((await tx.execute(query.with_for_update() if lock else query)).first())


async def by_id(tx: Transaction, account_id: UUID, *, lock: bool = False) -> Account | None:
    query = sa.select(account).where(account.c.tenant_id == tx.tenant_id, account.c.id == account_id)
    return _account((await tx.execute(query.with_for_update() if lock else query)).first())


async def all_accounts(tx: Transaction) -> list[Account]:
    query = sa.select(account).where(account.c.tenant_id == tx.tenant_id).order_by(account.c.login)
    return [found for row in await tx.execute(query) if (found := _account(row)) is not None]


async def update(tx: Transaction, account_id: UUID, **values: Any) -> None:
    statement = sa.update(account).where(account.c.tenant_id == tx.tenant_id, account.c.id == account_id)
    await tx.execute(statement.values(**values))


def _account(row: sa.Row[Any] | None) -> Account | None:
    if row is None:
        return None
    values = dict(row._mapping)
    del values["tenant_id"]
    return Account(**{**values, "roles": tuple(values["roles"])})
