"""The table of sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.web.sessions.model import Session

session = tenant_table(
    "session",
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("account", sa.Uuid, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("proof", sa.Text, nullable=True),
    sa.Column("link", sa.Uuid, nullable=True),
    sa.ForeignKeyConstraint(["tenant_id", "account"], ["account.tenant_id", "account.id"], ondelete="CASCADE"),
    key=("key",),
)


async def insert(tx: Transaction, new: Session) -> None:
    await tx.insert(session, new)


async def find(tx: Transaction, key: bytes) -> Session | None:
    query = sa.select(session).where(session.c.tenant_id == tx.tenant_id, session.c.key == key)
    return await tx.first(Session, query)


async def touch(tx: Transaction, key: bytes, at: datetime) -> None:
    statement = sa.update(session).where(session.c.tenant_id == tx.tenant_id, session.c.key == key)
    await tx.execute(statement.values(seen_at=at))


async def delete(tx: Transaction, key: bytes) -> None:
    await tx.execute(sa.delete(session).where(session.c.tenant_id == tx.tenant_id, session.c.key == key))


async def delete_of_account(tx: Transaction, account: UUID) -> None:
    await tx.execute(sa.delete(session).where(session.c.tenant_id == tx.tenant_id, session.c.account == account))


async def delete_older(tx: Transaction, before: datetime) -> int:
    statement = sa.delete(session).where(session.c.tenant_id == tx.tenant_id, session.c.seen_at < before)
    return int((await tx.execute(statement)).rowcount)
