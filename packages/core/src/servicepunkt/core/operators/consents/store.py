"""The tables of consents and of sessions that operators have by them; both are the tenant's who gave the consent."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.operators.consents.model import ROLES, Consent, OperatorSession

operator_consent = tenant_table(
    "operator_consent",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("granted_by", sa.Uuid, nullable=False),
    sa.Column("granted_at", Instant, nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("withdrawn_at", Instant, nullable=True),
    sa.Column("operator", sa.Uuid, nullable=True),
    sa.CheckConstraint(sa.column("role").in_(ROLES), name="role"),
    key=("id",),
)

operator_session = tenant_table(
    "operator_session",
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("consent", sa.Uuid, nullable=False),
    sa.Column("operator", sa.Uuid, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant_id", "consent"], ["operator_consent.tenant_id", "operator_consent.id"], ondelete="CASCADE"
    ),
    key=("key",),
)

TABLES = (operator_consent, operator_session)


async def insert(tx: Transaction, new: Consent) -> None:
    await tx.insert(operator_consent, new)


async def find(tx: Transaction, consent_id: UUID, *, lock: bool = False) -> Consent | None:
    of = operator_consent.c
    query = sa.select(operator_consent).where(of.tenant_id == tx.tenant_id, of.id == consent_id)
    return await tx.first(Consent, query.with_for_update() if lock else query)


async def newest(tx: Transaction, *, most: int = 50) -> list[Consent]:
    """Those that were given last."""
    of = operator_consent.c
    query = sa.select(operator_consent).where(of.tenant_id == tx.tenant_id)
    return await tx.all(Consent, query.order_by(of.granted_at.desc(), of.id.desc()).limit(most))


async def update(tx: Transaction, consent_id: UUID, **values: Any) -> None:
    of = operator_consent.c
    statement = sa.update(operator_consent).where(of.tenant_id == tx.tenant_id, of.id == consent_id)
    await tx.execute(statement.values(**values))


async def delete_ended(tx: Transaction, before: datetime) -> int:
    of = operator_consent.c
    gone = await tx.execute(sa.delete(operator_consent).where(of.tenant_id == tx.tenant_id, of.ends_at < before))
    return int(gone.rowcount)


async def insert_session(tx: Transaction, new: OperatorSession) -> None:
    await tx.insert(operator_session, new)


async def find_session(tx: Transaction, key: bytes) -> OperatorSession | None:
    of = operator_session.c
    query = sa.select(operator_session).where(of.tenant_id == tx.tenant_id, of.key == key)
    return await tx.first(OperatorSession, query)


async def touch(tx: Transaction, key: bytes, at: datetime) -> None:
    of = operator_session.c
    statement = sa.update(operator_session).where(of.tenant_id == tx.tenant_id, of.key == key)
    await tx.execute(statement.values(seen_at=at))


async def delete_session(tx: Transaction, key: bytes) -> None:
    of = operator_session.c
    await tx.execute(sa.delete(operator_session).where(of.tenant_id == tx.tenant_id, of.key == key))


async def delete_of(tx: Transaction, consent_id: UUID) -> int:
    """End the sessions that stand on a consent; how many there were."""
    of = operator_session.c
    gone = await tx.execute(sa.delete(operator_session).where(of.tenant_id == tx.tenant_id, of.consent == consent_id))
    return int(gone.rowcount)


async def delete_older(tx: Transaction, before: datetime) -> int:
    of = operator_session.c
    gone = await tx.execute(sa.delete(operator_session).where(of.tenant_id == tx.tenant_id, of.seen_at < before))
    return int(gone.rowcount)
