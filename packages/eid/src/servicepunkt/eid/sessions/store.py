"""Identifications that are under way."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from servicepunkt.core.db.schema import TENANT, Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.keys import store as keys
from servicepunkt.eid.sessions.model import DOORS, STATES, Session

session = tenant_table(
    "eid_session",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("key", sa.Uuid, nullable=False),
    sa.Column("door", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("wish", sa.LargeBinary, nullable=False),
    sa.Column("device", sa.Uuid, nullable=True),
    sa.Column("point", sa.Text, nullable=False),
    sa.Column("binding", sa.LargeBinary, nullable=False),
    sa.Column("ticket", sa.LargeBinary, nullable=True),
    sa.Column("ticket_until", Instant, nullable=True),
    sa.Column("kept", sa.LargeBinary, nullable=True),
    sa.Column("found", sa.LargeBinary, nullable=True),
    sa.Column("refused_by", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.UniqueConstraint(TENANT, "key"),
    sa.UniqueConstraint(TENANT, "ticket"),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.CheckConstraint(sa.column("door").in_(DOORS), name="door"),
    key=("id",),
)
TABLES = (session,)


async def add(tx: Transaction, new: Session) -> None:
    await tx.insert(session, new)


async def by_id(tx: Transaction, session_id: UUID) -> Session | None:
    """Locked."""
    query = sa.select(session).where(session.c.tenant_id == tx.tenant_id, session.c.id == session_id)
    return await tx.first(Session, query.with_for_update())


async def by_key(tx: Transaction, key: UUID) -> Session | None:
    """Locked."""
    query = sa.select(session).where(session.c.tenant_id == tx.tenant_id, session.c.key == key)
    return await tx.first(Session, query.with_for_update())


async def by_ticket(tx: Transaction, ticket: bytes) -> Session | None:
    """Locked."""
    query = sa.select(session).where(session.c.tenant_id == tx.tenant_id, session.c.ticket == ticket)
    return await tx.first(Session, query.with_for_update())


async def update(tx: Transaction, session_id: UUID, **values: Any) -> None:
    changed = sa.update(session).where(session.c.tenant_id == tx.tenant_id, session.c.id == session_id)
    await tx.execute(changed.values(**values))


async def delete(tx: Transaction, session_id: UUID) -> None:
    """Delete it, and the key without which what it held is nothing."""
    await tx.execute(sa.delete(session).where(session.c.tenant_id == tx.tenant_id, session.c.id == session_id))
    await keys.erase(tx, session_id)


async def erase_old(tx: Transaction, before: datetime) -> int:
    """Delete what no job has ended."""
    query = sa.select(session.c.id).where(session.c.tenant_id == tx.tenant_id, session.c.ends_at < before)
    found = (await tx.execute(query.with_for_update())).scalars().all()
    for session_id in found:
        await delete(tx, session_id)
    return len(found)
