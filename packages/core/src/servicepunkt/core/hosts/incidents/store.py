"""The table of incidents."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicepunkt.core.db.schema import TENANT, Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.hosts.incidents.model import STATES, Incident

MOST_LISTED = 200
host_incident = tenant_table(
    "host_incident",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("key", sa.Uuid, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("point", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reported_by", sa.Text, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.UniqueConstraint(TENANT, "key"),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.Index("ix_host_incident_point", TENANT, "point", "created_at"),
    key=("id",),
)


async def add(tx: Transaction, new: Incident) -> bool:
    """Whether its key was not there yet."""
    values = {TENANT: tx.tenant_id, **msgspec.structs.asdict(new)}
    made = insert(host_incident).values(values).on_conflict_do_nothing()
    return (await tx.execute(made.returning(host_incident.c.id))).first() is not None


async def by_id(tx: Transaction, incident_id: UUID, *, lock: bool = False) -> Incident | None:
    query = sa.select(host_incident).where(host_incident.c.tenant_id == tx.tenant_id, host_incident.c.id == incident_id)
    return await tx.first(Incident, query.with_for_update() if lock else query)


async def by_key(tx: Transaction, key: UUID) -> Incident | None:
    query = sa.select(host_incident).where(host_incident.c.tenant_id == tx.tenant_id, host_incident.c.key == key)
    return await tx.first(Incident, query)


async def listed(tx: Transaction, *, host: str | None = None, points: Collection[str] | None = None) -> list[Incident]:
    """Those of a house, or of points (None for all): the open ones first, the newest first among them."""
    table = host_incident
    query = sa.select(table).where(table.c.tenant_id == tx.tenant_id)
    if host is not None:
        query = query.where(table.c.host == host)
    if points is not None:
        query = query.where(table.c.point.in_(sorted(points)))
    order = (table.c.state == "closed", table.c.created_at.desc(), table.c.id)
    return await tx.all(Incident, query.order_by(*order).limit(MOST_LISTED))


async def update(tx: Transaction, incident: Incident) -> None:
    statement = sa.update(host_incident).where(
        host_incident.c.tenant_id == tx.tenant_id, host_incident.c.id == incident.id
    )
    await tx.execute(
        statement.values(state=incident.state, changed_by=incident.changed_by, changed_at=incident.changed_at)
    )


async def delete_old(tx: Transaction, before: datetime) -> int:
    """Delete incidents of which nobody has said anything since an instant, closed or not."""
    gone = sa.delete(host_incident).where(
        host_incident.c.tenant_id == tx.tenant_id, host_incident.c.changed_at < before
    )
    return int((await tx.execute(gone)).rowcount)
