"""Somebody at a box identifies at the terminal beside it, and the box is told yes or no.

The box's own page leads here with a ticket, of which an entry of its journal holds the hash: so the terminal's browser
is known for the one that stands at the box. What the person said is compared and forgotten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from servicepunkt.core import doors
from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError, ServicepunktError
from servicepunkt.core.identification import Identified, IdentityProvider, IdentityWish
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import identity, service, store, wire
from servicepunkt.dokbox.model import Event, State
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.settings import settings_of
from servicepunkt.dokbox.store import DepositRow, EventRow

PURPOSE = "So that your document goes to nobody but you"
LIFE = timedelta(seconds=wire.IDENTIFY_SECONDS)


class NobodyWaitsError(ServicepunktError):
    """No visit at the box waits for this browser: it is over, was answered, or never was."""

    code = "SP3129"
    status = 409
    citizen = "The box does not wait for you any more."
    staff = "Nobody at the box waits for an identification by this terminal."
    next_step = "Please begin at the box again; your code stays valid."


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody identifies: the box, the terminal beside it, and the ticket that its browser brought."""

    box: str
    device: UUID
    ticket: str

    @property
    def key(self) -> UUID:
        """The key for the door: for this ticket at this terminal, and known to nobody else."""
        text = f"dokbox-identify/1|{self.box}|{self.device}|{self.ticket}"
        return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A visit that waits: its deposit, the entry by which it called, and the document's policy."""

    deposit: DepositRow
    call: int
    policy: DocumentPolicy


async def heard_of(tx: Transaction, here: Here) -> bool:
    """Whether the box's entry with this ticket has arrived; it does within a moment, or not at all."""
    return await _entry(tx, here) is not None


async def _entry(tx: Transaction, here: Here) -> EventRow | None:
    """The box's newest call, if it was made with this ticket."""
    newest = await store.newest_events(tx, here.box, (store.IDENTITY_WANTED,), limit=1)
    known = bool(newest and here.ticket) and newest[0].data.get("ticket") == wire.ticket_hash(here.ticket)
    return newest[0] if known else None


async def waiting(tx: Transaction, here: Here) -> Waiting:
    """The visit that waits for this browser; its deposit is locked. Raises NobodyWaitsError."""
    entry = await _entry(tx, here)
    if entry is None or tx.now() - entry.received_at > LIFE:
        raise NobodyWaitsError
    row = await service.locked(tx, UUID(entry.deposit))
    policy = settings_of(tx.ctx).document(row.kind)
    # Who is disowned has another person's data here until the box has taken the right ones.
    can_be_compared = row.personal is not None and not row.disowned
    if policy is None or not can_be_compared or row.box != here.box or row.state != State.PRESENTED:
        raise NobodyWaitsError
    after = [found for found in await store.events_of(tx, entry.deposit) if (found.life, found.seq) > _place(entry)]
    answers = await store.waiting_commands(tx, row.box, deposit_id=row.id)
    if any(map(_ends, after)) or any(_is_answer(found.command, entry.seq) for found in answers):
        raise NobodyWaitsError
    return Waiting(deposit=row, call=entry.seq, policy=policy)


def _place(entry: EventRow) -> tuple[int, int]:
    return entry.life, entry.seq


def _ends(entry: EventRow) -> bool:
    """Whether an entry after the call means that it was answered, or its visit is over."""
    return bool(entry.state) and entry.event != Event.NOTICE_ACCEPTED


def _is_answer(command: wire.Command, call: int) -> bool:
    return command.kind == "identified" and command.call == call


def doors_for(deployment: Deployment, ctx: TenantContext, found: Waiting) -> Sequence[IdentityProvider]:
    """The doors that reach the level of the document."""
    return [door for _, door in doors.doors(deployment, ctx, found.policy.identify_level).values()]


async def begin(deployment: Deployment, ctx: TenantContext, here: Here, *, door: str, return_path: str) -> str:
    """The path at which the person goes on. Raises NobodyWaitsError, DoorFailedError; NotFoundError for a door that is
    none or does not reach the level."""
    async with deployment.database.tenant(ctx) as tx:
        found = await waiting(tx, here)
        level = found.policy.identify_level
        chosen = doors.doors(deployment, ctx, level).get(door)
        if chosen is None:
            raise NotFoundError
        wish = IdentityWish(
            key=here.key,
            purpose={language: deployment.texts.translate(language, PURPOSE) for language in ctx.languages},
            required=identity.REQUIRED,
            level=level,
            return_path=return_path,
            device=here.device,
        )
        return await doors.begin(deployment, tx, chosen, wish)


async def finish(deployment: Deployment, ctx: TenantContext, here: Here, *, door: str, key: UUID) -> bool:
    """Whether an answer is on its way to the box: the same for the right person and for a wrong one.

    False where nobody came through the door. Raises NobodyWaitsError, DoorFailedError.
    """
    if key != here.key:
        raise NobodyWaitsError
    chosen = doors.doors(deployment, ctx, 1).get(door)
    async with deployment.database.tenant(ctx) as tx:  # of its own: forgotten by the door, whatever follows
        person = await doors.take(deployment, tx, chosen, key) if chosen else None
    if person is None:
        return False
    async with deployment.database.tenant(ctx) as tx:
        found = await waiting(tx, here)
        if person.level < found.policy.identify_level:
            return False
        await _answer(deployment, tx, here, found, person)
    return True


async def _answer(deployment: Deployment, tx: Transaction, here: Here, found: Waiting, person: Identified) -> None:
    """Tell the box, and write down that somebody identified, not who."""
    row, at = found.deposit, tx.now()
    personal = await service.personal_of(deployment, tx, row)
    answer = identity.fits(personal.family_name, personal.birth_date, person.attributes)
    actor = f"device:{here.device}"
    await service.queue_command(
        tx,
        row.box,
        "identified",
        at=at,
        deposit=row.id,
        actor=actor,
        answer=answer,
        call=found.call,
        valid_until=at + timedelta(seconds=wire.OPENING_TTL_SECONDS),
    )
    await audit.record(
        tx,
        at=at,
        actor=actor,
        action="deposit.identified" if answer else "deposit.identified_other",
        subject=f"deposit:{row.id}",
        provider=person.provider,
        level=person.level,
    )
