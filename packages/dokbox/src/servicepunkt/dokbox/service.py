"""What clerks do with deposits: announce them, and ask the box for things.

The centre decides nothing about compartments: it asks, and `intake` mirrors what the box has journaled.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from servicepunkt.core import mail
from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError, ServicepunktError
from servicepunkt.core.ids import new_id
from servicepunkt.core.phone import NumberRefused, mobile_number
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import identity, model, store, wakeups, wire
from servicepunkt.dokbox.model import Event, State
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.settings import countries_of, settings_of
from servicepunkt.dokbox.store import DepositRow
from servicepunkt.dokbox.trust import store as trust
from servicepunkt.dokbox.vault import seal_to
from servicepunkt.web.devices import service as devices

if TYPE_CHECKING:
    from servicepunkt.dokbox.wire import CommandKind

DOCUMENT_NUMBER = re.compile(r"^[A-Z0-9][A-Z0-9/.-]{3,29}$")
REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
EARLIEST_BIRTH = date(1900, 1, 1)
LONGEST_NAME = 120  # longer than any in a document


class Personal(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a person until the hand-over is over; sealed with the key of the case."""

    document_number: str
    phone: str = ""
    email: str = ""
    birth_date: str = ""
    old_document: str = ""
    family_name: str = ""

    def __repr__(self) -> str:
        return "Personal()"


class BoxClosingError(ServicepunktError):
    code = "SP3123"
    status = 409
    citizen = "The box is being emptied before it is moved, and takes nothing in."
    staff = "The box is being emptied before it is moved, and takes nothing in."
    next_step = "Choose another box, or end the emptying on the page of boxes."


class BoxUnknownError(ServicepunktError):
    code = "SP3120"
    status = 409
    citizen = "This box cannot be used at the moment."
    staff = "The box is not enrolled: it has no key to which a number could be sealed."
    next_step = "Enrol the box on the devices page."


class SecondPersonError(ServicepunktError):
    code = "SP3124"
    status = 409
    citizen = "This document is laid in by another person than the one who announced it."
    staff = "This document is laid in by another person than the one who announced it."
    next_step = "Ask a colleague to sign in and to open the compartment."


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What a clerk says of a document that shall go into a box. What the kind does not need stays empty.

    `birth_date`: of the person who collects, as YYYY-MM-DD or DD.MM.YYYY. `family_name`: as it stands on the identity
    document. `old_document`: number of the old one, where the slot reads it. `low`: a compartment that can be reached
    from a wheelchair.
    """

    box: str
    kind: str
    document_number: str
    phone: str = ""
    email: str = ""
    birth_date: str = ""
    old_document: str = ""
    family_name: str = ""
    low: bool = False
    locale: str

    def __repr__(self) -> str:
        return f"Announcement(box={self.box!r}, kind={self.kind!r})"


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What a clerk says anew of the person who collects."""

    phone: str = ""
    email: str = ""
    birth_date: str = ""
    old_document: str = ""
    family_name: str = ""

    def __repr__(self) -> str:
        return "Correction()"


async def announce(deployment: Deployment, ctx: TenantContext, *, actor: str, wanted: Announcement) -> DepositRow:
    """A document shall go into a box: the box is asked for a compartment. Raises InvalidInputError."""
    settings = settings_of(ctx)
    now = deployment.clock.now()
    number = wanted.document_number.strip().upper()
    policy = settings.document(wanted.kind)
    mistakes: list[tuple[str, str]] = []
    if not DOCUMENT_NUMBER.match(number):
        mistakes.append(("document_number", "The document number has 4 to 30 letters and digits."))
    if policy is None:
        mistakes.append(("kind", "Choose the kind of document."))
    if settings.box(wanted.box) is None:
        mistakes.append(("box", "Choose a box."))
    if wanted.locale not in ctx.languages:
        mistakes.append(("locale", "Choose a language."))
    personal = personal_from(wanted, policy, countries_of(ctx), today=now.date(), mistakes=mistakes)
    if mistakes or policy is None:
        raise InvalidInputError(mistakes)
    async with deployment.database.tenant(ctx) as tx:
        row_of_box = await store.find_box(tx, wanted.box, lock=True)
        public_key = await key_of_box(tx, wanted.box)
        if row_of_box is None or row_of_box.closing:
            raise BoxClosingError
        index = await deployment.keyring.blind_index(tx, number, field="document")
        await tx.lock(f"document:{index.hex()}")
        if any(row.state not in store.FINAL for row in await store.deposits(tx, document_index=index)):
            raise InvalidInputError([("document_number", "This document is already on its way or in a box.")])
        deposit_id = new_id()
        row = DepositRow(
            id=deposit_id,
            box=wanted.box,
            reference=new_reference(deployment),
            kind=wanted.kind,
            document_index=index,
            personal=await deployment.keyring.seal(tx, deposit_id, msgspec.json.encode(personal), field="deposit"),
            locale=wanted.locale,
            low=wanted.low,
            created_by=actor,
            created_at=now,
            updated_at=now,
        )
        await store.insert_deposit(tx, row)
        sealed = sealed_person(public_key, personal, ctx.id, wanted.box, deposit_id)
        await queue_command(
            tx,
            wanted.box,
            "reserve",
            at=now,
            deposit=deposit_id,
            document=wanted.kind,
            actor=actor,
            sealed=sealed,
            low=wanted.low,
        )
        await audit.record(
            tx,
            at=now,
            actor=actor,
            action="deposit.announce",
            subject=f"deposit:{deposit_id}",
            box=wanted.box,
            kind=wanted.kind,
        )
    return row


def personal_from(
    wanted: Announcement | Correction,
    policy: DocumentPolicy | None,
    countries: tuple[str, ...],
    *,
    today: date,
    mistakes: list[tuple[str, str]],
) -> Personal:
    """What is kept of the person, as far as the kind needs it; what is wrong is added to `mistakes`."""
    phone = email = birth_date = old_document = family_name = ""
    if policy is None or policy.needs_phone:
        try:
            phone = mobile_number(wanted.phone, countries)
        except NumberRefused as refused:
            mistakes.append(("phone", refused.sentence))
    if policy is not None and policy.channel == "email":
        email = wanted.email.strip()
        if not mail.ADDRESS.match(email):
            mistakes.append(("email", "Type an e-mail address such as name@example.org."))
    if policy is not None and policy.needs_birth_date:
        born = read_date(wanted.birth_date)
        if born is None or not EARLIEST_BIRTH <= born <= today:
            mistakes.append(("birth_date", "Type the date of birth, for example 12.08.1964."))
        else:
            birth_date = born.isoformat()
    if policy is not None and "old_document_chip" in policy.steps:
        old_document = wanted.old_document.strip().upper()
        if not DOCUMENT_NUMBER.match(old_document):
            mistakes.append(("old_document", "Type the number of the old document, which is in its chip."))
    if policy is not None and policy.needs_name:
        family_name = " ".join(wanted.family_name.split())
        if not is_name(family_name):
            mistakes.append(("family_name", "Type the family name as it stands on the identity document."))
    number = wanted.document_number.strip().upper() if isinstance(wanted, Announcement) else ""
    return Personal(
        document_number=number,
        phone=phone,
        email=email,
        birth_date=birth_date,
        old_document=old_document,
        family_name=family_name,
    )


def is_name(text: str) -> bool:
    """Whether this can stand as a family name in the machine readable zone of a document."""
    found = identity.letters(text)
    return len(text) <= LONGEST_NAME and text.isprintable() and found != "" and found.isascii()


def read_date(text: str) -> date | None:
    """A day as people write it, 12.08.1964 or 1964-08-12; None for anything else."""
    found = re.fullmatch(r"\s*(\d{1,2})\s*\.\s*(\d{1,2})\s*\.\s*(\d{4})\s*", text)
    try:
        return date(*map(int, found.group(3, 2, 1))) if found else date.fromisoformat(text.strip())
    except ValueError:
        return None


async def key_of_box(tx: Transaction, box_id: str) -> bytes:
    """The public key to which a box's secrets are sealed. Raises BoxUnknownError."""
    # The computer whose journal is stored here, also where another one has a token already.
    trusted = await trust.find(tx, box_id)
    device = await devices.find(tx, trusted.device) if trusted else await devices.active(tx, "box", box_id)
    if device is None or device.public_key is None or device.state != "active":
        raise BoxUnknownError
    return device.public_key


def sealed_person(public_key: bytes, personal: Personal, tenant: int, box: str, deposit: UUID) -> str:
    """What the box is told of the person, in hexadecimal, readable for the box alone."""
    person = wire.Person(
        phone=personal.phone,
        birth_date=date.fromisoformat(personal.birth_date) if personal.birth_date else None,
        old_document=personal.old_document,
        identifiable=bool(personal.family_name and personal.birth_date),
    )
    return seal_to(
        public_key, msgspec.json.encode(person), context=wire.person_context(tenant, box, str(deposit))
    ).hex()


def new_reference(deployment: Deployment) -> str:
    """A short name that people can read out; it opens nothing."""
    letters = [REFERENCE_ALPHABET[b % len(REFERENCE_ALPHABET)] for b in deployment.randomness(8)]
    return f"{''.join(letters[:4])}-{''.join(letters[4:])}"


async def request(
    deployment: Deployment, ctx: TenantContext, *, actor: str, deposit_id: UUID, kind: CommandKind
) -> DepositRow:
    """Ask the box to do something with a deposit: open for loading, recall, a new code, and so on.

    While the box has not answered the same request it is not made again: a door that opens twice opens once for nobody.
    Raises NotFoundError, or ConflictError when the mirrored state says that it cannot be.
    """
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        row = await locked(tx, deposit_id)
        if kind not in allowed_requests(row):
            raise ConflictError(f"a deposit in state {row.state} cannot {kind}")
        if kind in ("open_for_load", "confirm_loaded") and needs_other_eyes(ctx, row, actor):
            raise SecondPersonError
        waiting = await store.waiting_commands(tx, row.box, deposit_id=deposit_id)
        if any(found.command.kind == kind and found.command.is_valid(now) for found in waiting):
            return row
        until = now + timedelta(seconds=wire.OPENING_TTL_SECONDS) if kind in wire.OPENS_A_DOOR else None
        await queue_command(tx, row.box, kind, at=now, deposit=deposit_id, actor=actor, valid_until=until)
        await store.update_deposit(tx, deposit_id, alert="", updated_at=now)
        await audit.record(tx, at=now, actor=actor, action=f"deposit.{kind}", subject=f"deposit:{deposit_id}")
    return row


async def locked(tx: Transaction, deposit_id: UUID) -> DepositRow:
    """The deposit, locked after its box: in the same order as entries are taken in. Raises NotFoundError."""
    known = await store.find_deposit(tx, deposit_id)
    if known is None or await store.find_box(tx, known.box, lock=True) is None:
        raise NotFoundError
    row = await store.find_deposit(tx, deposit_id, lock=True)
    if row is None:
        raise NotFoundError
    return row


def needs_other_eyes(ctx: TenantContext, row: DepositRow, actor: str) -> bool:
    """Whether somebody else has to lay the document in than who announced it; the box decides by the same rule."""
    policy = settings_of(ctx).document(row.kind)
    return policy is not None and policy.four_eyes and actor == row.created_by


REQUESTS: dict[CommandKind, Event] = {
    "open_for_load": Event.OPEN_FOR_LOAD,
    "confirm_loaded": Event.CONFIRM_LOADED,
    "new_code": Event.NEW_CODE,
    "recall": Event.RECALL,
    "cancel": Event.CANCEL,
    "taken_back": Event.TAKEN_BACK,
    "not_there": Event.NOT_THERE,
}


MAKES_CODES: frozenset[CommandKind] = frozenset({"open_for_load", "confirm_loaded", "new_code"})


def allowed_requests(row: DepositRow) -> list[CommandKind]:
    """What a clerk may ask for in the deposit's state: the same table that the box decides by."""
    if row.state == store.ANNOUNCED:
        return ["cancel"]
    # While nobody knows the right number, nothing may happen after which a code goes out.
    kinds = [kind for kind in REQUESTS if not (row.disowned and kind in MAKES_CODES)]
    return [kind for kind in kinds if can(row, REQUESTS[kind])]


def can(row: DepositRow, event: Event) -> bool:
    """Whether the table has this move for the deposit's state; what only the centre knows is none of its states."""
    return row.state in {str(state) for state in State} and (State(row.state), event) in model.MOVES


async def return_to_service(
    deployment: Deployment, ctx: TenantContext, *, actor: str, box_id: str, compartment: int
) -> None:
    """A compartment was looked at and may be used again."""
    now = deployment.clock.now()
    wanted = settings_of(ctx).box(box_id)
    if wanted is None:
        raise NotFoundError
    if not 1 <= compartment <= wanted.compartments:
        raise InvalidInputError([("compartment", "Choose a compartment.")])
    async with deployment.database.tenant(ctx) as tx:
        if await store.find_box(tx, box_id) is None:
            raise NotFoundError
        await queue_command(tx, box_id, "compartment_in", at=now, compartment=compartment, actor=actor)
        await audit.record(
            tx, at=now, actor=actor, action="box.compartment_in", subject=f"box:{box_id}", compartment=compartment
        )


async def find_by_document(deployment: Deployment, ctx: TenantContext, document_number: str) -> list[DepositRow]:
    async with deployment.database.tenant(ctx) as tx:
        number = document_number.strip().upper()
        index = await deployment.keyring.blind_index(tx, number, field="document")
        return await store.deposits(tx, document_index=index)


async def queue_command(
    tx: Transaction, box_id: str, kind: CommandKind, *, at: datetime, deposit: UUID | None = None, **fields: Any
) -> int:
    """Queue a command, and return its sequence.

    Sequences only grow: a box ignores what it has dealt with. They follow the seconds of the clock, so that they also
    grow when the centre was restored and has forgotten the newest ones.
    """
    row = await store.find_box(tx, box_id, lock=True)
    if row is None:
        raise NotFoundError
    seq = max(row.commands + 1, int(at.timestamp()))
    command = wire.Command(seq=seq, kind=kind, deposit=str(deposit) if deposit else "", **fields)
    await store.insert_command(tx, box_id, command.seq, msgspec.to_builtins(command), at=at)
    await store.update_box(tx, box_id, commands=command.seq)
    await wakeups.announce(tx, box_id)
    return command.seq


async def personal_of(deployment: Deployment, tx: Transaction, found: DepositRow) -> Personal:
    """What is kept of the person, as long as it is. Raises UnreadableError."""
    opened = await deployment.keyring.unseal(tx, found.id, found.personal or b"", field="deposit")
    return msgspec.json.decode(opened, type=Personal)
