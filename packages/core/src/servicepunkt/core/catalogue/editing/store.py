"""The table of edits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from servicepunkt.core.catalogue.editing.model import OPEN, STATES, Edit
from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction

catalogue_edit = tenant_table(
    "catalogue_edit",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("below", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("authors", ARRAY(sa.Text), nullable=False),
    sa.Column("approver", sa.Text, nullable=False),
    sa.Column("remark", sa.Text, nullable=False),
    sa.Column("publish_on", sa.Date, nullable=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.Index("ix_catalogue_edit_state", "tenant_id", "state", "service"),
    sa.Index("ix_catalogue_edit_service", "tenant_id", "service", "path"),
    key=("id",),
)


async def insert(tx: Transaction, edit: Edit) -> None:
    await tx.insert(catalogue_edit, edit)


async def find(tx: Transaction, edit_id: UUID) -> Edit | None:
    table = catalogue_edit
    found = await tx.all(Edit, sa.select(table).where(table.c.tenant_id == tx.tenant_id, table.c.id == edit_id))
    return _read(found[0]) if found else None


async def update(tx: Transaction, edit_id: UUID, *, at: datetime, **values: Any) -> None:
    table = catalogue_edit
    statement = sa.update(table).where(table.c.tenant_id == tx.tenant_id, table.c.id == edit_id)
    await tx.execute(statement.values(changed_at=at, **values))


async def edits(tx: Transaction, states: Sequence[str], *, service: str | None = None) -> list[Edit]:
    """The edits in these states, the oldest first."""
    table = catalogue_edit
    query = sa.select(table).where(table.c.tenant_id == tx.tenant_id, table.c.state.in_(states)).order_by(table.c.id)
    if service is not None:
        query = query.where(table.c.service == service)
    return [_read(edit) for edit in await tx.all(Edit, query)]


async def open_at(tx: Transaction, service: str, path: str) -> Edit | None:
    """The edit of this value that somebody works on."""
    table = catalogue_edit
    query = sa.select(table).where(
        table.c.tenant_id == tx.tenant_id,
        table.c.service == service,
        table.c.path == path,
        table.c.state.in_(OPEN),
    )
    found = await tx.first(Edit, query)
    return _read(found) if found else None


async def count(tx: Transaction, states: Sequence[str], *, with_reason: bool = False) -> int:
    table = catalogue_edit
    query = (
        sa.select(sa.func.count())
        .select_from(table)
        .where(table.c.tenant_id == tx.tenant_id, table.c.state.in_(states))
    )
    return int(await tx.scalar(query.where(table.c.reason != "") if with_reason else query))


async def has_due(tx: Transaction, day: date) -> bool:
    """Whether an approved edit waits for a day that has come."""
    table = catalogue_edit
    query = (
        sa.select(sa.func.count())
        .select_from(table)
        .where(table.c.tenant_id == tx.tenant_id, table.c.state == "approved", table.c.publish_on <= day)
    )
    return int(await tx.scalar(query)) > 0


async def delete_ended(tx: Transaction, before: datetime) -> int:
    """What was withdrawn, and not touched since `before`."""
    table = catalogue_edit
    statement = sa.delete(table).where(
        table.c.tenant_id == tx.tenant_id, table.c.state == "withdrawn", table.c.changed_at < before
    )
    return (await tx.execute(statement)).rowcount


def _read(edit: Edit) -> Edit:
    # The database gives arrays as lists.
    return edit if isinstance(edit.authors, tuple) else Edit(**{**_fields(edit), "authors": tuple(edit.authors)})


def _fields(edit: Edit) -> dict[str, Any]:
    return {name: getattr(edit, name) for name in edit.__struct_fields__}
