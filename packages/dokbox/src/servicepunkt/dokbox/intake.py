"""What the centre takes in from a box: journal entries, each once, and what follows from them.

Entries are believed as far as they follow the chain and the table of moves, and tell of the box's own deposits; the
mirror of a deposit is therefore what replaying the box's journal gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError, ServicepunktError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import messages, model, service, store, wire
from servicepunkt.dokbox.errors import IllegalMoveError
from servicepunkt.dokbox.model import Event, State
from servicepunkt.dokbox.store import BoxRow, DepositRow, EventRow
from servicepunkt.dokbox.trust import service as trust

if TYPE_CHECKING:
    from servicepunkt.dokbox.wire import Command, SentEntry

# Entries that an auditor wants to find without reading a box's journal.
AUDITED = frozenset(str(event) for event in Event) - {Event.ATTEMPT, Event.ATTEMPT_VOID} | {
    "compartment_out",
    "compartment_in",
    "unlock_lost",
    "bus_lost",
    "bus_found",
    "board_silent",
    "board_back",
    "board_untrusted",
    "distrusted",
    "inventory_begun",
    "person_corrected",
    "staff_wanted",
    "identity_wanted",
    "started",
}


# After these there is a code, if the deposit is stored then.
CORRECTED = frozenset({"person_corrected", str(Event.NEW_CODE)})
CODE_EVENTS = frozenset(map(str, (Event.CLOSED_FULL, Event.CONFIRM_LOADED, Event.NEW_CODE)))


class JournalForkError(ServicepunktError):
    """The box sends a history that does not follow the one that is stored here: rolled back or cloned."""

    code = "SP3121"
    status = 409
    staff = "The box's journal does not follow what it reported before; it may have been restored or copied."
    next_step = "Take the box out of service and compare both journals with `servicepunkt box verify`."


class ImpossibleEntryError(ServicepunktError):
    """The box tells of a move that no deposit can make, or of a deposit that is not its own."""

    code = "SP3122"
    status = 409
    staff = "The box reports something that cannot be; what it reported before it is stored."
    next_step = "Take the box out of service and look into it; `servicepunkt box verify` checks its journal."


class Facts(msgspec.Struct, frozen=True):
    """What the centre reads of an entry's `data`; the rest is kept as it came."""

    version: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    attempt: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    reason: str | None = None
    kind: str | None = None
    until: datetime | None = None
    command: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    step: str | None = None


async def commands_for(deployment: Deployment, ctx: TenantContext, box_id: str, *, after: int) -> list[Command]:
    """What the box has not dealt with yet."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        await store.update_box(tx, box_id, seen_at=now)
        bodies = await store.commands_after(tx, box_id, after, limit=wire.MAX_COMMANDS)
    return msgspec.convert(bodies, list[wire.Command])


async def ingest(deployment: Deployment, ctx: TenantContext, box_id: str, events: list[SentEntry]) -> wire.Acknowledged:
    """Take in journal entries, each once; returns the end of the stored journal.

    Entries behind a gap are not stored: the end tells the box where to go on, after the centre was restored.

    Raises InvalidInputError, JournalForkError, or ImpossibleEntryError; what stands before the entry that cannot be
    is stored, and the first refusal is told to staff and to the audit chain.
    """
    facts = _facts(events)
    try:
        return await _store(deployment, ctx, box_id, events, facts)
    except ImpossibleEntryError as error:
        at = int(error.details["seq"])
        possible = [sent for sent in events if sent.entry.seq < at]
        if possible:
            await _store(deployment, ctx, box_id, possible, facts)
        await _dispute(deployment, ctx, box_id, at, "box.impossible_entry")
        raise
    except JournalForkError as error:
        await _dispute(deployment, ctx, box_id, int(error.details["seq"]), "box.journal_fork")
        raise


def _facts(events: list[SentEntry]) -> dict[int, Facts]:
    """What is read of each entry, by sequence. Raises InvalidInputError with every mistake."""
    facts, mistakes = {}, []
    for sent in events:
        try:
            facts[sent.entry.seq] = msgspec.convert(sent.entry.data, Facts)
        except msgspec.ValidationError as error:
            mistakes.append((f"events.{sent.entry.seq}.data", str(error)))
    if mistakes:
        raise InvalidInputError(mistakes)
    return facts


async def _store(
    deployment: Deployment, ctx: TenantContext, box_id: str, events: list[SentEntry], facts: Mapping[int, Facts]
) -> wire.Acknowledged:
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_box(tx, box_id, lock=True)
        if row is None:
            raise NotFoundError
        if events and events[0].entry.seq > row.acknowledged + 1:
            return wire.Acknowledged(seq=row.acknowledged, head=row.head)
        old = [sent.entry.seq for sent in events if sent.entry.seq <= row.acknowledged]
        if fork := _fork(row, events, await store.hashes(tx, box_id, old) if old else {}):
            raise JournalForkError(seq=fork)
        for sent in events:
            if sent.entry.seq > row.acknowledged:
                row = await _take_in(deployment, tx, row, sent, facts[sent.entry.seq], now)
        # What the box has dealt with is gone by its own signed word, not by what somebody asks for. A centre that was
        # restored counts on from where the box is.
        taken_in = [facts[sent.entry.seq] for sent in events if sent.entry.seq <= row.acknowledged]
        dealt_with = max((found.command or 0 for found in taken_in), default=0)
        await store.delete_commands(tx, box_id, dealt_with)
        await store.update_box(
            tx,
            box_id,
            acknowledged=row.acknowledged,
            head=row.head,
            commands=max(row.commands, dealt_with),
            seen_at=now,
            disputed=0,
            troubles=[trouble for trouble in row.troubles if trouble != trust.UNSIGNED],
        )
    return wire.Acknowledged(seq=row.acknowledged, head=row.head)


async def _dispute(deployment: Deployment, ctx: TenantContext, box_id: str, seq: int, action: str) -> None:
    """Say once that the journal is not believed from `seq` on."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_box(tx, box_id, lock=True)
        if row is not None and row.disputed != seq:
            await store.update_box(tx, box_id, disputed=seq)
            await audit.record(tx, at=now, actor=f"box:{box_id}", action=action, subject=f"box:{box_id}", seq=seq)


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


async def _take_in(
    deployment: Deployment, tx: Transaction, row: BoxRow, sent: SentEntry, facts: Facts, now: datetime
) -> BoxRow:
    entry = sent.entry
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    await store.insert_event(tx, EventRow(box=row.id, life=row.life, received_at=now, **fields))
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
        await _mirror(deployment, tx, row, sent, facts, now)
    return msgspec.structs.replace(row, acknowledged=entry.seq, head=entry.hash)


async def _mirror(
    deployment: Deployment, tx: Transaction, row: BoxRow, sent: SentEntry, facts: Facts, now: datetime
) -> None:
    entry = sent.entry
    found = await store.find_deposit(tx, UUID(entry.deposit), lock=True)
    if found is None and entry.event == Event.RESERVE:
        found = await _lost_here(deployment, tx, row, entry, facts, now)
    if found is None:  # erased here, after its time was over
        return
    if found.box != row.id:
        raise ImpossibleEntryError(seq=entry.seq)
    changed: dict[str, Any] = {"updated_at": now}
    if entry.state:
        changed |= {"state": _moved(found, entry), "compartment": entry.compartment}
    elif entry.event == "command_declined":
        changed |= _declined(found, facts)
    if found.correcting and facts.command == found.correcting:
        if entry.event in CORRECTED:
            found = msgspec.structs.replace(found, personal=found.correction, disowned=False)
            changed |= {"personal": found.personal, "disowned": False, "correction": None, "correcting": 0}
        elif facts.kind == "new_person":  # what is kept stays wrong, until somebody says what is right
            changed |= {"correction": None, "correcting": 0}
    if facts.version is not None:
        changed["version"] = facts.version
    changed |= _consequences(found, entry, facts) | _times(tx, found, entry, facts)
    await store.update_deposit(tx, found.id, **changed)
    makes_code = entry.event in CODE_EVENTS and entry.state == State.STORED
    if found.disowned:
        pass  # staff know that what is kept of the person is wrong: nothing goes there
    elif sent.sealed and makes_code:
        await messages.send_code(deployment, tx, found, bytes.fromhex(sent.sealed), version=facts.version or 0, at=now)
    elif makes_code:
        # Its message was erased before the centre could take it: there is no code that anybody could be told.
        await store.update_deposit(tx, found.id, alert=str(Event.NOTICE_FAILED))
    elif sent.sealed and entry.event == Event.FRESH_CODE:
        await messages.send_fresh(deployment, tx, found, bytes.fromhex(sent.sealed), version=found.version, at=now)
    if changed.get("state") in store.FINAL:
        await messages.farewell(deployment, tx, found, after=changed["state"], at=now)


async def _lost_here(
    deployment: Deployment, tx: Transaction, row: BoxRow, entry: model.Entry, facts: Facts, now: datetime
) -> DepositRow:
    """A deposit that was announced after the backup from which the centre was restored.

    The box alone knows whose it is. Nothing is sent, whoever knows its code collects it, and staff may take it back.
    """
    found = DepositRow(
        id=UUID(entry.deposit),
        box=row.id,
        reference=service.new_reference(deployment),
        kind=facts.kind or "",
        document_index=b"",
        personal=None,
        disowned=True,
        locale=tx.ctx.locale,
        created_by=f"box:{row.id}",
        created_at=entry.at,
        updated_at=now,
    )
    await store.insert_deposit(tx, found)
    await audit.record(
        tx, at=now, actor=f"box:{row.id}", action="deposit.lost_here", subject=f"deposit:{entry.deposit}"
    )
    return found


def _declined(found: DepositRow, facts: Facts) -> dict[str, Any]:
    """What follows from an order that the box did not carry out."""
    if found.state == store.ANNOUNCED and facts.kind in ("reserve", "cancel"):
        ended = store.REFUSED if facts.kind == "reserve" else State.CANCELLED
        return {"state": str(ended), "alert": facts.reason or ""}
    if facts.kind in ("notice_accepted", "notice_failed"):  # nobody asked for these
        return {}
    if facts.kind in ("attest", "identified"):  # whoever called stands there no longer, or may be looked at again
        return {} if found.state == State.PRESENTED else {"alert": ""}
    return {} if found.alert == store.STAFF_WANTED else {"alert": facts.reason or ""}


def _moved(found: DepositRow, entry: model.Entry) -> str:
    """The state after the entry, by the table that the box moves by. Raises ImpossibleEntryError."""
    try:
        before = None if found.state == store.ANNOUNCED else State(found.state)
        after = model.move(before, Event(entry.event))
    except (ValueError, IllegalMoveError):
        raise ImpossibleEntryError(seq=entry.seq) from None
    if after != entry.state:
        raise ImpossibleEntryError(seq=entry.seq)
    return str(after)


def _consequences(found: DepositRow, entry: model.Entry, facts: Facts) -> dict[str, Any]:
    """Fields that follow from single events: attempts, and what staff should look at."""
    match entry.event:
        case Event.CODE_WRONG | Event.PROOF_WRONG:
            return {"attempts": facts.attempt or 0}
        case Event.NEW_CODE:
            return {"attempts": 0, "alert": ""}
        case Event.CODE_RIGHT | Event.REDEEM | Event.INVENTORY | "person_corrected":
            return {"alert": ""}
        case store.STAFF_WANTED:
            return {"alert": str(entry.event)}
        case store.OLD_DOCUMENT_UNCLEAR:
            return {"unclear": True}
        case Event.STEP_DONE if facts.step == "old_document_chip":
            return {"unclear": False}
        case Event.STEP_DONE if found.alert == store.STAFF_WANTED:
            return {"alert": ""}
        case Event.CLOSED_UNPROVEN if found.state == State.RECALLING:
            return {"alert": str(entry.event)}
        case Event.CLOSED_EMPTY if found.state == State.LOADING:
            return {"alert": "closed_empty"}
        case Event.NOT_OPENED | Event.LEFT_OPEN | Event.FORCED | Event.NOTICE_FAILED:
            return {"alert": str(entry.event)}
        case Event.ITEM_GONE:
            return {"alert": "item_gone"}
        case Event.WITHDRAW if (facts.reason or "").endswith(":no"):
            return {"alert": f"declined_{(facts.reason or '').partition(':')[0]}"}
        case Event.WITHDRAW if found.alert == store.STAFF_WANTED:
            return {"alert": ""}
        case Event.NOT_TAKEN:
            return {"alert": "not_taken"}
        case Event.CLOSED_FULL if found.state == State.TAKING:
            return {"alert": "not_taken"}
        case Event.CLOSED_FULL | Event.CONFIRM_LOADED | Event.DOOR_OPENED:
            return {"alert": ""}
        case _:
            return {}


def _times(tx: Transaction, found: DepositRow, entry: model.Entry, facts: Facts) -> dict[str, Any]:
    """Since when the citizen knows, and until when he may come."""
    told = {}
    if facts.until is not None:
        told["until"] = tx.ctx.local_date(facts.until - timedelta(seconds=1))
    match entry.event:
        case Event.NOTICE_ACCEPTED | Event.CODE_RIGHT:
            days = [day for day in (found.until, told.get("until")) if day is not None]
            return {"notified_at": found.notified_at or entry.at, "until": max(days, default=None)}
        case Event.CLOSED_FULL | Event.CONFIRM_LOADED | Event.NEW_CODE:
            return {"notified_at": None, "reminded": 0}
        case Event.EXTEND:
            return told
        case _:
            return {}
