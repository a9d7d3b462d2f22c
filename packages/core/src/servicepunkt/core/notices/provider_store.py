"""The tables of providers: every attempt with what became of it, and the weights that have moved."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.notices.choice import SLOW_AFTER, WINDOW, Standing

AttemptOutcome = Literal["accepted", "failed", "refused"]

notice_attempt = tenant_table(
    "notice_attempt",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("notice", sa.Uuid, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("answers", sa.Boolean, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("receipt", sa.Text, nullable=False),
    sa.Column("receipt_at", Instant, nullable=True),
    sa.CheckConstraint(sa.column("outcome").in_(("accepted", "failed", "refused")), name="outcome"),
    sa.CheckConstraint(
        sa.column("receipt").in_(("", "delivered", "temporary-failure", "permanent-failure")), name="receipt"
    ),
    sa.Index("ix_notice_attempt_provider", "tenant_id", "provider", "at"),
    sa.Index("ix_notice_attempt_reference", "tenant_id", "provider", "reference"),
    sa.Index("ix_notice_attempt_notice", "tenant_id", "notice"),
    key=("id",),
)
provider_weight = tenant_table(
    "provider_weight",
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("weight", sa.Integer, nullable=False),
    sa.Column("moved_at", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.CheckConstraint("weight BETWEEN 1 AND 100", name="weight"),
    key=("provider",),
    kept="what staff have set for a company",
)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a provider was given a message. `answers` says whether a receipt is to be expected; `receipt` is
    its last word, empty until it said one."""

    id: UUID
    notice: UUID
    provider: str
    at: datetime
    outcome: AttemptOutcome
    answers: bool = False
    reference: str = ""
    receipt: str = ""
    receipt_at: datetime | None = None


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """A weight that has moved, when it did last and why."""

    provider: str
    weight: int
    moved_at: datetime
    reason: str


async def add_attempt(tx: Transaction, new: Attempt) -> None:
    await tx.insert(notice_attempt, new)


async def accepted_attempt(
    tx: Transaction, provider: str, reference: str, *, between: tuple[datetime, datetime] | None = None
) -> Attempt | None:
    """The newest attempt that the provider took under this reference, within `between` where that is known; locked."""
    query = sa.select(notice_attempt).where(
        notice_attempt.c.tenant_id == tx.tenant_id,
        notice_attempt.c.provider == provider,
        notice_attempt.c.reference == reference,
        notice_attempt.c.outcome == "accepted",
    )
    if between is not None:
        query = query.where(notice_attempt.c.at.between(*between))
    return await tx.first(Attempt, query.order_by(notice_attempt.c.at.desc()).limit(1).with_for_update())


async def set_receipt(tx: Transaction, attempt_id: UUID, *, receipt: str, at: datetime) -> None:
    statement = sa.update(notice_attempt).where(
        notice_attempt.c.tenant_id == tx.tenant_id, notice_attempt.c.id == attempt_id
    )
    await tx.execute(statement.values(receipt=receipt, receipt_at=at))


async def delete_attempts(tx: Transaction, before: datetime) -> int:
    """Attempts hold no personal data; after a while nobody asks for them."""
    statement = sa.delete(notice_attempt).where(
        notice_attempt.c.tenant_id == tx.tenant_id, notice_attempt.c.at < before
    )
    return int((await tx.execute(statement)).rowcount)


async def standings(tx: Transaction, resting: dict[str, int], *, now: datetime) -> list[Standing]:
    """How each provider did within the window; only an attempt that is answered at all can be slow."""
    row, one = notice_attempt.c, sa.func.count()
    overdue = row.at < now - SLOW_AFTER
    query = (
        sa.select(
            row.provider,
            one.label("tried"),
            one.filter(row.outcome == "failed").label("failed"),
            one.filter(row.answers, sa.or_(row.receipt_at.is_not(None), overdue)).label("answered"),
            one.filter(row.answers, sa.func.coalesce(row.receipt_at, now) > row.at + SLOW_AFTER).label("slow"),
        )
        .where(row.tenant_id == tx.tenant_id, row.provider.in_(list(resting)), row.at > now - WINDOW)
        .group_by(row.provider)
    )
    counted = {each.provider: each for each in await tx.execute(query)}
    moved = {weight.provider: weight for weight in await weights(tx)}
    found = []
    for name, points in resting.items():
        standing = Standing(name=name, resting=points)
        if (weight := moved.get(name)) is not None:
            standing = msgspec.structs.replace(standing, weight=weight.weight, moved_at=weight.moved_at)
        if (each := counted.get(name)) is not None:
            standing = msgspec.structs.replace(
                standing, tried=each.tried, failed=each.failed, answered=each.answered, slow=each.slow
            )
        found.append(standing)
    return found


async def weights(tx: Transaction) -> list[Weight]:
    return await tx.all(Weight, sa.select(provider_weight).where(provider_weight.c.tenant_id == tx.tenant_id))


async def save_weight(tx: Transaction, new: Weight) -> None:
    statement = insert(provider_weight).values(tenant_id=tx.tenant_id, **msgspec.structs.asdict(new))
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "provider"],
            set_={name: statement.excluded[name] for name in ("weight", "moved_at", "reason")},
        )
    )
