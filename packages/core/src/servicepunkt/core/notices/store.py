"""The table of notices."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.notices.model import STATES, UNSENT, Notice

notice = tenant_table(
    "notice",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("case", sa.Uuid, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("params", JSONB, nullable=False),
    sa.Column("recipient", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=True),
    sa.Column("sealed_context", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.Index("ix_notice_case", "tenant_id", "case"),
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


async def unsent_of_case(tx: Transaction, case: UUID) -> list[Notice]:
    query = sa.select(notice).where(
        notice.c.tenant_id == tx.tenant_id, notice.c.case == case, notice.c.state.in_(UNSENT)
    )
    # Not waiting: what the worker has in hand at this moment is being settled by the worker.
    return await tx.all(Notice, query.with_for_update(skip_locked=True))


async def delete_of_case(tx: Transaction, case: UUID) -> None:
    await tx.execute(sa.delete(notice).where(notice.c.tenant_id == tx.tenant_id, notice.c.case == case))
