"""The table of notices, and what staff look up in it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.notices.model import NEVER_SENT, STATES, SUPERSEDED, UNSENT, Notice
from servicepunkt.core.notices.provider_store import notice_attempt

# The last word of an SMS comes within its validity, and nearly always within minutes.
ANSWER_WITHIN = timedelta(hours=24)
SHOWN_FOR = timedelta(days=7)
# A worker that runs has asked a provider long before.
ASKED_WITHIN = timedelta(minutes=15)

notice = tenant_table(
    "notice",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("case", sa.Uuid, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("params", JSONB, nullable=False),
    sa.Column("recipient", sa.LargeBinary, nullable=False),
    sa.Column("recipient_index", sa.LargeBinary, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("until", Instant, nullable=True),
    sa.Column("sealed", sa.LargeBinary, nullable=True),
    sa.Column("sealed_context", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("sent_at", Instant, nullable=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.Index("ix_notice_case", "tenant_id", "case"),
    sa.Index("ix_notice_recipient", "tenant_id", "recipient_index", "created_at"),
    sa.Index("ix_notice_created_at", "tenant_id", "created_at"),
    key=("id",),
)


async def insert(tx: Transaction, new: Notice) -> None:
    await tx.insert(notice, new)


async def find(tx: Transaction, notice_id: UUID, *, lock: bool = False) -> Notice | None:
    query = sa.select(notice).where(notice.c.tenant_id == tx.tenant_id, notice.c.id == notice_id)
    return await tx.first(Notice, query.with_for_update() if lock else query)


async def of_case(tx: Transaction, case: UUID) -> list[Notice]:
    query = sa.select(notice).where(notice.c.tenant_id == tx.tenant_id, notice.c.case == case).order_by(notice.c.id)
    return await tx.all(Notice, query)


async def update(tx: Transaction, notice_id: UUID, *, at: datetime, **values: Any) -> None:
    statement = sa.update(notice).where(notice.c.tenant_id == tx.tenant_id, notice.c.id == notice_id)
    await tx.execute(statement.values(updated_at=at, **values))


async def unsent_of_case(tx: Transaction, case: UUID, **same: Any) -> list[Notice]:
    """What was not sent yet, locked; `same` names columns that are the same for all of it."""
    query = sa.select(notice).where(
        notice.c.tenant_id == tx.tenant_id,
        notice.c.case == case,
        notice.c.state.in_(UNSENT),
        notice.c.sent_at.is_(None),
        *(notice.c[name] == value for name, value in same.items()),
    )
    # Not waiting: the worker may have one in hand and wait for what we hold. It looks for newer ones at each turn.
    return await tx.all(Notice, query.with_for_update(skip_locked=True))


async def has_newer_code(tx: Transaction, old: Notice) -> bool:
    """Whether a newer notice of the same case brings a code."""
    newer = sa.or_(
        notice.c.created_at > old.created_at, sa.and_(notice.c.created_at == old.created_at, notice.c.id > old.id)
    )
    query = sa.select(sa.func.count()).where(
        notice.c.tenant_id == tx.tenant_id, notice.c.case == old.case, notice.c.sealed_context != "", newer
    )
    return int(await tx.scalar(query)) > 0


async def count_before(tx: Transaction, new: Notice, *, since: timedelta, **same: Any) -> int:
    """How many notices of its kind that could be sent were made before `new`, at most `since` ago; `same` names
    columns that are the same for all of them. What was given up before it went out does not count."""
    query = sa.select(sa.func.count()).where(
        notice.c.tenant_id == tx.tenant_id,
        notice.c.channel == new.channel,
        notice.c.created_at > new.created_at - since,
        notice.c.created_at <= new.created_at,
        notice.c.id < new.id,
        sa.or_(notice.c.reference.not_in(NEVER_SENT), notice.c.sent_at.is_not(None)),
        *(notice.c[name] == value for name, value in same.items()),
    )
    return int(await tx.scalar(query))


def _unfortunate(tx: Transaction, now: datetime) -> sa.ColumnElement[bool]:
    """Notices that did not arrive, those that wait although nobody refused them, and those that were accepted and of
    which nothing was heard for a day."""
    unanswered = sa.select(notice_attempt.c.notice).where(
        notice_attempt.c.tenant_id == tx.tenant_id,
        notice_attempt.c.at > now - SHOWN_FOR,
        notice_attempt.c.answers,
        notice_attempt.c.receipt == "",
    )
    silent = sa.and_(notice.c.state == "sent", notice.c.sent_at < now - ANSWER_WITHIN, notice.c.id.in_(unanswered))
    failed = sa.and_(
        notice.c.state.in_(("permanent-failure", "technical-failure", "temporary-failure")),
        notice.c.reference != SUPERSEDED,
    )
    waiting = sa.and_(notice.c.state.in_(("created", "sending")), notice.c.created_at < now - ASKED_WITHIN)
    recent = notice.c.created_at > now - SHOWN_FOR
    return sa.and_(notice.c.tenant_id == tx.tenant_id, recent, sa.or_(silent, failed, waiting))


async def unfortunate(tx: Transaction, now: datetime, *, limit: int = 200) -> list[Notice]:
    """What staff should look at, the newest first."""
    query = sa.select(notice).where(_unfortunate(tx, now)).order_by(notice.c.id.desc()).limit(limit)
    return await tx.all(Notice, query)


async def count_unfortunate(tx: Transaction, now: datetime) -> int:
    return int(await tx.scalar(sa.select(sa.func.count()).select_from(notice).where(_unfortunate(tx, now))))


async def delete_of_case(tx: Transaction, case: UUID) -> None:
    await _delete(tx, notice.c.case == case)


async def delete_older(tx: Transaction, before: datetime) -> int:
    """What nobody has erased with its case: messages that belong to none, or to one that was never finished."""
    return await _delete(tx, notice.c.created_at < before)


async def _delete(tx: Transaction, which: sa.ColumnElement[bool]) -> int:
    ids = sa.select(notice.c.id).where(notice.c.tenant_id == tx.tenant_id, which)
    await tx.execute(
        sa.delete(notice_attempt).where(
            notice_attempt.c.tenant_id == tx.tenant_id, notice_attempt.c.notice.in_(ids.scalar_subquery())
        )
    )
    deleted = await tx.execute(sa.delete(notice).where(notice.c.tenant_id == tx.tenant_id, which))
    return int(deleted.rowcount)
