"""The centre's part of the hand-over: announce, command, take in what the box reports, send the code.

The centre decides nothing about compartments. It mirrors what the box has journaled, and asks the box for things.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import model as catalogue_model
from servicepunkt.core.catalogue.service import Published
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError, ServicepunktError
from servicepunkt.core.ids import new_id
from servicepunkt.core.notices import service as notices
from servicepunkt.core.notices.model import Notice
from servicepunkt.core.phone import NumberRefused, mobile_number
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import model, store, wakeups, wire
from servicepunkt.dokbox.model import Event, State
from servicepunkt.dokbox.settings import BoxSettings, DokboxSettings
from servicepunkt.dokbox.store import BoxRow, DepositRow, EventRow
from servicepunkt.dokbox.vault import seal_to
from servicepunkt.web.devices import store as devices

if TYPE_CHECKING:
    from servicepunkt.dokbox.wire import Command, CommandKind, SentEntry

SECTION = "dokbox"
DOCUMENT_NUMBER = re.compile(r"^[A-Z0-9][A-Z0-9/.-]{3,29}$")
REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
FINAL = frozenset(str(state) for state in model.FINAL) | {"refused"}
# Entries that an auditor wants to find without reading a box's journal.
AUDITED = frozenset(str(event) for event in Event) - {Event.ATTEMPT, Event.ATTEMPT_VOID} | {
    "compartment_out",
    "compartment_in",
    "unlock_lost",
    "bus_lost",
    "bus_found",
    "started",
}


class BoxUnknownError(ServicepunktError):
    code = "SP3120"
    status = 409
    citizen = "This box cannot be used at the moment."
    staff = "The box is not enrolled: it has no key to which a number could be sealed."
    next_step = "Enrol the box on the devices page."


class JournalForkError(ServicepunktError):
    """The box sends a history that does not follow the one that is stored here: rolled back or cloned."""

    code = "SP3121"
    status = 409
    staff = "The box's journal does not follow what it reported before; it may have been restored or copied."
    next_step = "Take the box out of service and compare both journals with `servicepunkt box verify`."


def settings_of(ctx: TenantContext) -> DokboxSettings:
    return ctx.section(SECTION, DokboxSettings)


# --- clerks -------------------------------------------------------------------------------------------------------


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
        if any(row.state not in FINAL for row in await store.deposits(tx, document_index=index)):
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
        await _command(
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
        until = now + timedelta(seconds=wire.OPENING_TTL_SECONDS) if kind in wire.OPENS_A_DOOR else None
        await _command(tx, row.box, kind, at=now, deposit=deposit_id, actor=actor, valid_until=until)
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
        await _command(tx, box_id, "compartment_in", at=now, compartment=compartment, actor=actor)
        await audit.record(
            tx, at=now, actor=actor, action="box.compartment_in", subject=f"box:{box_id}", compartment=compartment
        )


async def find_by_document(deployment: Deployment, ctx: TenantContext, document_number: str) -> list[DepositRow]:
    async with deployment.database.tenant(ctx) as tx:
        number = document_number.strip().upper()
        index = await deployment.keyring.blind_index(tx, number, field="document")
        return await store.deposits(tx, document_index=index)


async def _command(
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


# --- the box ------------------------------------------------------------------------------------------------------


async def commands_for(deployment: Deployment, ctx: TenantContext, box_id: str, *, after: int) -> list[Command]:
    """What the box has not dealt with yet."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        await store.update_box(tx, box_id, seen_at=now)
        await store.delete_commands(tx, box_id, after)
        bodies = await store.commands_after(tx, box_id, after, limit=wire.MAX_COMMANDS)
    return msgspec.convert(bodies, list[wire.Command])


async def ingest(deployment: Deployment, ctx: TenantContext, box_id: str, events: list[SentEntry]) -> int:
    """Take in journal entries, each once; returns the end of the stored journal. Raises JournalForkError."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_box(tx, box_id, lock=True)
        if row is None:
            raise NotFoundError
        old = [sent.entry.seq for sent in events if sent.entry.seq <= row.acknowledged]
        fork = _fork(row, events, await store.hashes(tx, box_id, old) if old else {})
        if not fork:
            for sent in events:
                if sent.entry.seq > row.acknowledged:
                    row = await _take_in(deployment, tx, row, sent, now)
            await store.update_box(tx, box_id, acknowledged=row.acknowledged, head=row.head, seen_at=now)
        else:
            await audit.record(
                tx, at=now, actor=f"box:{box_id}", action="box.journal_fork", subject=f"box:{box_id}", seq=fork
            )
    if fork:
        raise JournalForkError(seq=fork)
    return row.acknowledged


def _fork(row: BoxRow, events: list[SentEntry], stored: Mapping[int, str]) -> int:
    """The sequence at which the box's history leaves the stored one; 0 when it follows.

    Old entries are compared too: a box whose disk was set back writes other entries under old numbers.
    """
    head, seq = row.head, row.acknowledged
    for sent in events:
        entry = sent.entry
        if entry.seq <= row.acknowledged:
            if stored.get(entry.seq) != entry.hash:
                return entry.seq
            continue
        if entry.seq != seq + 1 or entry.previous != head or entry.hash != model.entry_hash(entry):
            return entry.seq
        head, seq = entry.hash, entry.seq
    return 0


async def _take_in(deployment: Deployment, tx: Transaction, row: BoxRow, sent: SentEntry, now: datetime) -> BoxRow:
    entry = sent.entry
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    await store.insert_event(tx, EventRow(box=row.id, received_at=now, **fields))
    if entry.event in AUDITED:
        details: dict[str, str | int | bool | None] = {
            "seq": entry.seq,
            "hash": entry.hash,
            "compartment": entry.compartment,
        }
        subject = f"deposit:{entry.deposit}" if entry.deposit else f"box:{row.id}"
        await audit.record(
            tx, at=entry.at, actor=f"box:{row.id}", action=f"box.{entry.event}", subject=subject, **details
        )
    if entry.deposit:
        await _mirror(deployment, tx, row, sent, now)
    return msgspec.structs.replace(row, acknowledged=entry.seq, head=entry.hash)


async def _mirror(deployment: Deployment, tx: Transaction, row: BoxRow, sent: SentEntry, now: datetime) -> None:
    entry = sent.entry
    found = await store.find_deposit(tx, UUID(entry.deposit), lock=True)
    if found is None:
        return
    changed: dict[str, Any] = {"updated_at": now}
    if entry.state:
        changed |= {"state": entry.state, "compartment": entry.compartment}
    elif entry.event == "command_declined":
        changed["alert"] = str(entry.data.get("reason", ""))
        if entry.data.get("kind") == "reserve" and found.state == "announced":
            changed["state"] = "refused"
    if "version" in entry.data:
        changed["version"] = int(entry.data["version"] or 0)
    changed |= _consequences(found, entry)
    await store.update_deposit(tx, found.id, **changed)
    if sent.sealed:
        await _send_code(deployment, tx, row, found, sent, now)
    if changed.get("state") in FINAL:
        await _forget(deployment, tx, found, now)


def _consequences(found: DepositRow, entry: model.Entry) -> dict[str, Any]:
    """Fields that follow from single events: attempts, and what staff should look at."""
    match entry.event:
        case Event.CODE_WRONG:
            return {"attempts": int(entry.data.get("attempt") or 0)}
        case Event.CODE_RIGHT | Event.NEW_CODE:
            return {"attempts": 0, "alert": ""}
        case Event.CLOSED_EMPTY if found.state == State.LOADING:
            return {"alert": "closed_empty"}
        case Event.NOT_OPENED | Event.LEFT_OPEN | Event.FORCED | Event.NOTICE_FAILED:
            return {"alert": str(entry.event)}
        case Event.ITEM_GONE:
            return {"alert": "item_gone"}
        case Event.WITHDRAW if str(entry.data.get("reason", "")).endswith(":no"):
            return {"alert": f"declined_{str(entry.data['reason']).partition(':')[0]}"}
        case Event.CLOSED_FULL if found.state == State.TAKING:
            return {"alert": "not_taken"}
        case Event.CLOSED_FULL | Event.CONFIRM_LOADED | Event.DOOR_OPENED:
            return {"alert": ""}
        case _:
            return {}


async def _send_code(
    deployment: Deployment, tx: Transaction, row: BoxRow, found: DepositRow, sent: SentEntry, now: datetime
) -> None:
    """The message with the code: one notice for each version, and never two versions under way at once."""
    version = int(sent.entry.data.get("version") or 0)
    policy = settings_of(tx.ctx).document(found.kind)
    personal = await personal_of(deployment, tx, found)
    await notices.supersede(tx, found.id, at=now)
    box_settings = settings_of(tx.ctx).box(row.id)
    days = policy.hold_days if policy else 14
    until = (now + timedelta(days=days)).astimezone(tx.ctx.zone_info)
    await notices.create(
        tx,
        deployment.keyring,
        at=now,
        case=found.id,
        kind="sms",
        recipient=personal["phone"],
        template=policy.notice if policy else "pickup-code",
        locale=found.locale,
        params={
            "tenant": tx.ctx.name,
            "box": catalogue_model.pick(box_settings.name, found.locale) if box_settings else row.id,
            "until": f"{until:%d.%m.}",
        },
        sealed=bytes.fromhex(sent.sealed),
        sealed_context=wire.code_context(tx.tenant_id, row.id, str(found.id), version),
    )


async def personal_of(deployment: Deployment, tx: Transaction, found: DepositRow) -> dict[str, str]:
    """Document number and telephone number of a deposit, as long as they are kept. Raises UnreadableError."""
    opened = await deployment.keyring.unseal(tx, found.id, found.personal or b"", field="deposit")
    return msgspec.json.decode(opened, type=dict[str, str])


async def _forget(deployment: Deployment, tx: Transaction, found: DepositRow, now: datetime) -> None:
    """The hand-over is over: number and code go at once, what remains says only that it happened."""
    await notices.supersede(tx, found.id, at=now)
    await store.update_deposit(tx, found.id, personal=None)
    await deployment.keyring.erase(tx, found.id)


class DepositNotices:
    """Tells the box what became of a message with a code."""

    async def settled(self, tx: Transaction, notice: Notice, *, accepted: bool) -> None:
        found = await store.find_deposit(tx, notice.case)
        if found is None or not notice.sealed_context.startswith("dokbox-code/1|"):
            return
        version = int(notice.sealed_context.rpartition("|")[2])
        kind: CommandKind = "notice_accepted" if accepted else "notice_failed"
        await _command(tx, found.box, kind, at=tx.now(), deposit=found.id, version=version)


# --- configuration ------------------------------------------------------------------------------------------------


class SyncBoxes:
    """Rows for the boxes of the tenant file; a box that is no longer named keeps its row and its history."""

    async def applied(self, tx: Transaction) -> None:
        for wanted in settings_of(tx.ctx).boxes:
            await store.ensure_box(tx, BoxRow(id=wanted.id, point=wanted.point, head=model.GENESIS))


async def config_for(deployment: Deployment, ctx: TenantContext, box_id: str, published: Published) -> wire.BoxConfig:
    """What the box must know to work alone. Raises NotFoundError."""
    settings = settings_of(ctx)
    wanted = settings.box(box_id)
    point = published.catalogue.point(wanted.point) if wanted else None
    if wanted is None or point is None:
        raise NotFoundError
    async with deployment.database.tenant(ctx) as tx:
        notice_key = await deployment.keyring.notice_public_key(tx)
    return box_config(ctx, settings, wanted, published, notice_key=notice_key, centre=deployment.settings.public_url)


def box_config(
    ctx: TenantContext,
    settings: DokboxSettings,
    wanted: BoxSettings,
    published: Published,
    *,
    notice_key: bytes,
    centre: str,
) -> wire.BoxConfig:
    point = published.catalogue.point(wanted.point)
    if point is None:
        raise NotFoundError
    return wire.BoxConfig(
        tenant=ctx.id,
        tenant_name=ctx.name,
        box=wanted.id,
        point=point.id,
        point_name=point.name,
        languages=ctx.languages,
        zone=ctx.zone,
        subdivision=ctx.subdivision,
        hours=msgspec.Raw(msgspec.json.encode(catalogue_model.point_hours(published.catalogue, point))),
        compartments=wanted.compartments,
        rows=wanted.rows,
        rows_by_reach=wanted.rows_by_reach,
        policies=settings.documents,
        countries=settings.countries,
        notice_key=notice_key.hex(),
        max_attempts=settings.max_attempts,
        help_phone=point.help_phone,
        centre_url=f"{centre}/t/{ctx.slug}",
    )
