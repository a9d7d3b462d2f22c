"""Applications: what is personal of them is sealed with a key of their own."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicepunkt.core.applications.model import STATES, Application
from servicepunkt.core.db.schema import TENANT, Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.keys import store as keys

MOST_LISTED = 300
application = tenant_table(
    "application",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("session", sa.LargeBinary, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("point", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=True),
    sa.Column("connector", sa.Text, nullable=False),
    sa.Column("keep_days", sa.Integer, nullable=False),
    sa.Column("receipt", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("submitted_at", Instant, nullable=True),
    sa.Column("ends_at", Instant, nullable=True),
    sa.UniqueConstraint(TENANT, "reference"),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.CheckConstraint("place IN ('terminal', 'web')", name="place"),
    sa.Index("ix_application_session", TENANT, "session"),
    sa.Index("ix_application_submitted_at", TENANT, "submitted_at"),
    key=("id",),
)


async def add(tx: Transaction, new: Application) -> bool:
    """Whether it was stored: its reference was not there."""
    values = {TENANT: tx.tenant_id, **msgspec.structs.asdict(new)}
    made = insert(application).values(values).on_conflict_do_nothing()
    return (await tx.execute(made.returning(application.c.id))).first() is not None


async def by_id(tx: Transaction, application_id: UUID, *, lock: bool = False) -> Application | None:
    query = sa.select(application).where(application.c.tenant_id == tx.tenant_id, application.c.id == application_id)
    return await tx.first(Application, query.with_for_update() if lock else query)


async def by_reference(tx: Transaction, reference: str) -> Application | None:
    query = sa.select(application).where(application.c.tenant_id == tx.tenant_id, application.c.reference == reference)
    return await tx.first(Application, query)


async def of_session(
    tx: Transaction, session: bytes, service: str | None = None, *, lock: bool = False
) -> list[Application]:
    """What was begun in a browser's session, for one service or for all, the newest first."""
    query = sa.select(application).where(application.c.tenant_id == tx.tenant_id, application.c.session == session)
    if service is not None:
        query = query.where(application.c.service == service)
    query = query.order_by(application.c.created_at.desc(), application.c.id.desc())
    return await tx.all(Application, query.with_for_update() if lock else query)


async def listed(tx: Transaction, states: Collection[str]) -> list[Application]:
    """Submitted applications in these states, the newest first."""
    query = sa.select(application).where(application.c.tenant_id == tx.tenant_id, application.c.state.in_(states))
    query = query.order_by(application.c.submitted_at.desc(), application.c.id).limit(MOST_LISTED)
    return await tx.all(Application, query)


async def count_failed(tx: Transaction) -> int:
    query = sa.select(sa.func.count()).select_from(application)
    query = query.where(application.c.tenant_id == tx.tenant_id, application.c.state == "failed")
    return int(await tx.scalar(query))


async def update(tx: Transaction, application_id: UUID, **values: Any) -> None:
    statement = sa.update(application).where(
        application.c.tenant_id == tx.tenant_id, application.c.id == application_id
    )
    await tx.execute(statement.values(**values))


async def delete(tx: Transaction, application_id: UUID) -> None:
    """Delete an application, and the key without which its content is nothing."""
    gone = sa.delete(application).where(application.c.tenant_id == tx.tenant_id, application.c.id == application_id)
    await tx.execute(gone)
    await keys.erase(tx, application_id)


async def erase_due(tx: Transaction, before: datetime) -> int:
    """Erase the content of what was forwarded and whose days are over, with its key; delete drafts that were left."""
    query = sa.select(application.c.id, application.c.state).where(
        application.c.tenant_id == tx.tenant_id,
        application.c.state.in_(("draft", "forwarded")),
        application.c.ends_at < before,
    )
    found = (await tx.execute(query.with_for_update())).all()
    for row in found:
        if row.state == "draft":
            await delete(tx, row.id)
        else:
            await update(tx, row.id, state="closed", sealed=None, session=b"", ends_at=None, changed_at=tx.now())
            await keys.erase(tx, row.id)
    return len(found)


async def delete_closed(tx: Transaction, before: datetime) -> int:
    """Delete what is left of applications that were closed before an instant."""
    gone = sa.delete(application).where(
        application.c.tenant_id == tx.tenant_id, application.c.state == "closed", application.c.changed_at < before
    )
    return int((await tx.execute(gone)).rowcount)
