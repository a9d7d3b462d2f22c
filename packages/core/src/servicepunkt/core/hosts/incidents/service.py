"""Report an incident in a house, and answer it."""

from __future__ import annotations

from uuid import UUID

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import ConflictError, NotFoundError
from servicepunkt.core.hosts.forms import the_same
from servicepunkt.core.hosts.hours.model import points_of
from servicepunkt.core.hosts.incidents import model, store
from servicepunkt.core.hosts.incidents.model import Incident, Report
from servicepunkt.core.ids import new_id


async def report(tx: Transaction, catalogue: Catalogue, report: Report, *, actor: str) -> Incident:
    """A new incident, or the one that was made with this key. Raises InvalidInputError, ConflictError."""
    model.check(report, frozenset(point.id for point in points_of(catalogue, report.host)))
    at = tx.now()
    made = Incident(
        id=new_id(),
        reported_by=actor,
        changed_by=actor,
        created_at=at,
        changed_at=at,
        **msgspec.structs.asdict(report),
    )
    if await store.add(tx, made):
        await _audited(tx, made, actor=actor)
        return made
    known = await store.by_key(tx, report.key)
    if known is None:
        raise ConflictError("neither new nor known")
    return the_same(known, report, "incident")


async def find(tx: Transaction, incident_id: UUID) -> Incident:
    """Raises NotFoundError."""
    if (found := await store.by_id(tx, incident_id)) is None:
        raise NotFoundError
    return found


async def answer(tx: Transaction, incident_id: UUID, *, to: str, actor: str) -> Incident:
    """Say that it was seen, or that it is done. Raises NotFoundError, ConflictError."""
    found = await store.by_id(tx, incident_id, lock=True)
    if found is None:
        raise NotFoundError
    state = model.move(found.state, to)
    answered = msgspec.structs.replace(found, state=state, changed_by=actor, changed_at=tx.now())
    await store.update(tx, answered)
    await _audited(tx, answered, actor=actor)
    return answered


async def _audited(tx: Transaction, incident: Incident, *, actor: str) -> None:
    """Who did what at which point; never what was written."""
    await audit.record(
        tx,
        at=tx.now(),
        actor=actor,
        action=f"incident.{incident.state}",
        subject=f"incident:{incident.id}",
        host=incident.host,
        point=incident.point,
    )
