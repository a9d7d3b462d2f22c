"""What clerks do with deposits: announce them, and ask the box for things.

The centre decides nothing about compartments: it asks, and `intake` mirrors what the box has journaled.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError, ServicepunktError
from servicepunkt.core.ids import new_id
from servicepunkt.core.phone import NumberRefused, mobile_number
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import model, store, wakeups, wire
from servicepunkt.dokbox.model import Event, State
from servicepunkt.dokbox.settings import settings_of
from servicepunkt.dokbox.store import DepositRow
from servicepunkt.dokbox.vault import seal_to
from servicepunkt.web.devices import service as devices

if TYPE_CHECKING:
    from servicepunkt.dokbox.wire import CommandKind

DOCUMENT_NUMBER = re.compile(r"^[A-Z0-9][A-Z0-9/.-]{3,29}$")
REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


class BoxUnknownError(ServicepunktError):
    code = "SP3120"
    status = 409
    citizen = "This box cannot be used at the moment."
    staff = "The box is not enrolled: it has no key to which a number could be sealed."
    next_step = "Enrol the box on the devices page."


async def announce(
    deployment: Deployment,
    ctx: TenantContext,
    *,
    actor: str,
    box_id: str,
    kind: str,
    document_number: str,
    phone: str,
    locale: str,
) -> DepositRow:
    """A document shall go into a box: the box is asked for a compartment. Raises InvalidInputError."""
    settings = settings_of(ctx)
    number = document_number.strip().upper()
    mistakes: list[tuple[str, str]] = []
    e164 = ""
    try:
        e164 = mobile_number(phone, settings.countries)
    except NumberRefused as refused:
        mistakes.append(("phone", refused.sentence))
    if not DOCUMENT_NUMBER.match(number):
        mistakes.append(("document_number", "The document number has 4 to 30 letters and digits."))
    if settings.document(kind) is None:
        mistakes.append(("kind", "Choose the kind of document."))
    if settings.box(box_id) is None:
        mistakes.append(("box", "Choose a box."))
    if locale not in ctx.languages:
        mistakes.append(("locale", "Choose a language."))
    if mistakes:
        raise InvalidInputError(mistakes)
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        device = await devices.active(tx, "box", box_id)
        if device is None or device.public_key is None:
            raise BoxUnknownError
        index = await deployment.keyring.blind_index(tx, number, field="document")
        await tx.lock(f"document:{index.hex()}")
        if any(row.state not in store.FINAL for row in await store.deposits(tx, document_index=index)):
            raise InvalidInputError([("document_number", "This document is already on its way or in a box.")])
        deposit_id = new_id()
        personal = msgspec.json.encode({"document_number": number, "phone": e164})
        row = DepositRow(
            id=deposit_id,
            box=box_id,
            reference=_reference(deployment),
            kind=kind,
            document_index=index,
            personal=await deployment.keyring.seal(tx, deposit_id, personal, field="deposit"),
            locale=locale,
            created_by=actor,
            created_at=now,
            updated_at=now,
        )
        await store.insert_deposit(tx, row)
        sealed = seal_to(device.public_key, e164.encode(), context=wire.phone_context(ctx.id, box_id, str(deposit_id)))
        await queue_command(
            tx, box_id, "reserve", at=now, deposit=deposit_id, document=kind, actor=actor, sealed=sealed.hex()
        )
        await audit.record(
            tx, at=now, actor=actor, action="deposit.announce", subject=f"deposit:{deposit_id}", box=box_id, kind=kind
        )
    return row


def _reference(deployment: Deployment) -> str:
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
        # The box first, then the deposit: in the same order as entries are taken in.
        known = await store.find_deposit(tx, deposit_id)
        if known is None or await store.find_box(tx, known.box, lock=True) is None:
            raise NotFoundError
        row = await store.find_deposit(tx, deposit_id, lock=True)
        if row is None:
            raise NotFoundError
        if kind not in allowed_requests(row):
            raise ConflictError(f"a deposit in state {row.state} cannot {kind}")
        waiting = await store.waiting_commands(tx, row.box, deposit_id=deposit_id)
        if any(found.command.kind == kind and found.command.is_valid(now) for found in waiting):
            return row
        until = now + timedelta(seconds=wire.OPENING_TTL_SECONDS) if kind in wire.OPENS_A_DOOR else None
        await queue_command(tx, row.box, kind, at=now, deposit=deposit_id, actor=actor, valid_until=until)
        await store.update_deposit(tx, deposit_id, alert="", updated_at=now)
        await audit.record(tx, at=now, actor=actor, action=f"deposit.{kind}", subject=f"deposit:{deposit_id}")
    return row


REQUESTS: dict[CommandKind, Event] = {
    "open_for_load": Event.OPEN_FOR_LOAD,
    "confirm_loaded": Event.CONFIRM_LOADED,
    "new_code": Event.NEW_CODE,
    "recall": Event.RECALL,
    "cancel": Event.CANCEL,
}


def allowed_requests(row: DepositRow) -> list[CommandKind]:
    """What a clerk may ask for in the deposit's state: the same table that the box decides by."""
    if row.state not in {str(state) for state in State}:
        return []
    return [kind for kind, event in REQUESTS.items() if (State(row.state), event) in model.MOVES]


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
) -> None:
    """Queue a command. The row of the box is locked, so that sequences have no holes."""
    row = await store.find_box(tx, box_id, lock=True)
    if row is None:
        raise NotFoundError
    command = wire.Command(seq=row.commands + 1, kind=kind, deposit=str(deposit) if deposit else "", **fields)
    await store.insert_command(tx, box_id, command.seq, msgspec.to_builtins(command), at=at)
    await store.update_box(tx, box_id, commands=command.seq)
    await wakeups.announce(tx, box_id)


async def personal_of(deployment: Deployment, tx: Transaction, found: DepositRow) -> dict[str, str]:
    """Document number and telephone number of a deposit, as long as they are kept. Raises UnreadableError."""
    opened = await deployment.keyring.unseal(tx, found.id, found.personal or b"", field="deposit")
    return msgspec.json.decode(opened, type=dict[str, str])
