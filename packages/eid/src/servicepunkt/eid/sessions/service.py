"""Begin an identification, keep what its door has to remember, write down who came through, give it out once, end it.

Every end is told: `identified` when it was given out, otherwise `cancelled`, `refused` or `expired`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import msgspec

from servicepunkt.core import doors
from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.identification import Identified, IdentityWish
from servicepunkt.core.ids import new_id
from servicepunkt.core.jobs import job
from servicepunkt.core.keys import store as keys
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.sessions import model, store
from servicepunkt.eid.sessions.model import LIFE, TICKET, Door, IdentificationGoneError, Session

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

KEPT, FOUND = "kept", "found"
S = TypeVar("S")


async def begin(deployment: Deployment, tx: Transaction, door: Door, wish: IdentityWish, *, point: str) -> Session:
    """A new one; what was begun under its key before is ended."""
    await tx.lock(f"identification/{wish.key}")
    if (known := await store.by_key(tx, wish.key)) is not None:
        await end(deployment, tx, known, "cancelled")
    at = tx.now()
    made = Session(
        id=new_id(),
        key=wish.key,
        door=door,
        wish=msgspec.json.encode(wish),
        device=wish.device,
        point=point,
        created_at=at,
        ends_at=at + LIFE,
    )
    await store.add(tx, made)
    await _note(tx, made, "begun")
    await expire.defer(tx, in_seconds=int(LIFE.total_seconds()) + 1, session_id=made.id)
    return made


async def live(tx: Transaction, session_id: UUID, door: Door) -> Session:
    """Locked. Raises IdentificationGoneError."""
    return _live(await store.by_id(tx, session_id), door, tx.now())


async def shown(tx: Transaction, session_id: UUID, door: Door) -> Session:
    """For the page that waits, also when it was refused; locked. Raises IdentificationGoneError."""
    found = await store.by_id(tx, session_id)
    if found is None or found.door != door or not found.is_live(tx.now()):
        raise IdentificationGoneError
    return found


def _live(found: Session | None, door: Door, at: datetime) -> Session:
    if found is None or found.door != door or found.state == "refused" or not found.is_live(at):
        raise IdentificationGoneError
    return found


async def new_ticket(deployment: Deployment, tx: Transaction, own: Session) -> str:
    """What the terminal's browser carries to the reader; the one before is void. Raises IdentificationGoneError."""
    if own.state != "open":
        raise IdentificationGoneError
    ticket = deployment.randomness(32).hex()
    await store.update(tx, own.id, ticket=model.digest(ticket), ticket_until=tx.now() + TICKET)
    return ticket


async def claim(tx: Transaction, ticket: str, *, point: str) -> Session:
    """A reader takes it over, once, at the point of the terminal. Raises IdentificationGoneError."""
    own = _live(await store.by_ticket(tx, model.digest(ticket)), "card", tx.now())
    if own.ticket_until is None or tx.now() >= own.ticket_until or own.point != point:
        raise IdentificationGoneError
    await store.update(tx, own.id, ticket=None, ticket_until=None)
    return await go(tx, own)


async def go(tx: Transaction, own: Session) -> Session:
    """What is to be done was fetched. Raises ConflictError where it was before."""
    await store.update(tx, own.id, state=model.move(own.state, "reading"))
    return msgspec.structs.replace(own, state="reading")


async def keep(deployment: Deployment, tx: Transaction, own: Session, kept: msgspec.Struct) -> None:
    """What the door has to remember."""
    sealed = await deployment.keyring.seal(tx, own.id, msgspec.json.encode(kept), field=KEPT)
    await store.update(tx, own.id, kept=sealed)


async def kept(deployment: Deployment, tx: Transaction, own: Session, kind: type[S]) -> S:
    """Raises IdentificationGoneError where nothing is."""
    if own.kept is None:
        raise IdentificationGoneError
    return msgspec.json.decode(await deployment.keyring.unseal(tx, own.id, own.kept, field=KEPT), type=kind)


async def found(deployment: Deployment, tx: Transaction, own: Session, person: Identified) -> None:
    """Somebody came through; what the door remembers is forgotten. Raises ConflictError."""
    state = model.move(own.state, "identified")
    sealed = await deployment.keyring.seal(tx, own.id, msgspec.json.encode(person), field=FOUND)
    await store.update(tx, own.id, state=state, kept=None, found=sealed)


async def take(deployment: Deployment, tx: Transaction, door: Door, key: UUID) -> Identified | None:
    """Who came through, once. None while nobody has, and for what is over."""
    own = await store.by_key(tx, key)
    if own is None or own.door != door or own.found is None or not own.is_live(tx.now()):
        return None
    person = msgspec.json.decode(await deployment.keyring.unseal(tx, own.id, own.found, field=FOUND), type=Identified)
    await end(deployment, tx, own, "identified")
    return person


async def refuse(deployment: Deployment, tx: Transaction, own: Session, code: str) -> None:
    """Forget everything but the code of what was refused, and tell whoever listens. Raises ConflictError."""
    state = model.move(own.state, "refused")
    await keys.erase(tx, own.id)
    await store.update(tx, own.id, state=state, kept=None, found=None, refused_by=code)
    await doors.closed(deployment, tx, own.key, "refused")


async def forget(deployment: Deployment, tx: Transaction, door: Door, key: UUID) -> None:
    """End what whoever has asked does not want any more."""
    own = await store.by_key(tx, key)
    if own is not None and own.door == door:
        await end(deployment, tx, own, "cancelled")


async def end(deployment: Deployment, tx: Transaction, own: Session, outcome: doors.Outcome) -> None:
    """Forget it, and tell whoever listens and has not heard yet."""
    await store.delete(tx, own.id)
    await _note(tx, own, outcome)
    if own.state != "refused":
        await doors.closed(deployment, tx, own.key, outcome)


async def _note(tx: Transaction, own: Session, what: str) -> None:
    """The fact alone: by which door, where, and how it ended."""
    await audit.record(
        tx,
        at=tx.now(),
        actor=f"device:{own.device}" if own.device else "applicant",
        action=f"identification.{what}",
        subject=f"identification:{own.id}",
        door=own.door,
        point=own.point,
    )


@job(plugin="eid", name="eid.sessions.expire")
async def expire(deployment: Deployment, ctx: TenantContext, *, session_id: str) -> None:
    """End what nobody has ended."""
    async with deployment.database.tenant(ctx) as tx:
        own = await store.by_id(tx, UUID(session_id))
        if own is not None:
            await end(deployment, tx, own, "expired")


JOBS = (expire,)
