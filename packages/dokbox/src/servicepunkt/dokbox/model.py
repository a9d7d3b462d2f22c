"""The hand-over: all states and moves of a deposit as tables, what a journal entry is, and how replaying gives state.

Everything that decides whether a document may leave the box lives in this file; it does no I/O and knows no clock.
State is what replaying the journal gives, at the box and in the centre's mirror alike. The diagram in the
documentation is drawn from `MOVES`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from servicepunkt.dokbox.errors import IllegalMoveError, JournalError
from servicepunkt.dokbox.policy import BEFORE_THE_DOOR, LASTING, Step


class State(StrEnum):
    RESERVED = "reserved"  # a compartment is kept for a document that is not in it yet
    LOADING = "loading"  # the door was opened for a clerk
    STORED = "stored"  # in the box behind a closed door; the code is made and on its way
    NOTIFIED = "notified"  # a provider has accepted the message with the code
    PRESENTED = "presented"  # the code was right; the citizen is asked for confirmations
    RELEASING = "releasing"  # the code is spent, the lock was told to open
    TAKING = "taking"  # the door stands open for the citizen
    CONFIRMING = "confirming"  # the door is closed, no sensor tells what was taken: the citizen is asked
    DONE = "done"  # handed over
    LOCKED_OUT = "locked_out"  # too many wrong codes
    EXPIRED = "expired"  # not collected in time
    RECALLING = "recalling"  # the door was opened for staff to take the document back
    RETURNED = "returned"  # back with the office
    BLOCKED = "blocked"  # something does not add up: only staff may touch it
    MISSING = "missing"  # staff found the compartment empty and nobody saw the hand-over
    CANCELLED = "cancelled"  # given up before anything was laid in


class Event(StrEnum):
    RESERVE = "reserve"
    CANCEL = "cancel"
    OPEN_FOR_LOAD = "open_for_load"
    CONFIRM_LOADED = "confirm_loaded"
    DOOR_OPENED = "door_opened"
    CLOSED_FULL = "closed_full"
    CLOSED_EMPTY = "closed_empty"
    CLOSED_UNPROVEN = "closed_unproven"  # the sensor never saw the document, or there is none
    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    NOT_OPENED = "not_opened"
    LEFT_OPEN = "left_open"
    FORCED = "forced"
    ITEM_GONE = "item_gone"  # the compartment got empty and no open door was seen
    NOTICE_ACCEPTED = "notice_accepted"
    NOTICE_FAILED = "notice_failed"
    NEW_CODE = "new_code"
    EXTEND = "extend"
    INVENTORY = "inventory"  # somebody was at the doors with a key: every compartment has to be looked into
    ATTEMPT = "attempt"
    ATTEMPT_VOID = "attempt_void"
    CODE_WRONG = "code_wrong"
    LOCK = "lock"
    CODE_RIGHT = "code_right"
    FRESH_CODE = "fresh_code"  # a second code was made and sent, good for minutes
    PROOF_WRONG = "proof_wrong"  # what was typed besides the code was wrong
    STEP_DONE = "step_done"
    WITHDRAW = "withdraw"
    REDEEM = "redeem"
    EXPIRE = "expire"
    RECALL = "recall"
    FOUND_EMPTY = "found_empty"
    TAKEN_BACK = "taken_back"  # staff say that the document is with them
    NOT_THERE = "not_there"  # staff say that the compartment was empty


S, E = State, Event

MOVES: Mapping[tuple[State | None, Event], State] = {
    (None, E.RESERVE): S.RESERVED,
    (S.RESERVED, E.CANCEL): S.CANCELLED,
    (S.RESERVED, E.OPEN_FOR_LOAD): S.LOADING,
    (S.RESERVED, E.CONFIRM_LOADED): S.STORED,  # a thin booklet that the item sensor did not see
    (S.RESERVED, E.FORCED): S.BLOCKED,
    (S.LOADING, E.DOOR_OPENED): S.LOADING,
    (S.LOADING, E.CLOSED_FULL): S.STORED,
    (S.LOADING, E.CLOSED_EMPTY): S.RESERVED,
    (S.LOADING, E.NOT_OPENED): S.RESERVED,
    (S.LOADING, E.LEFT_OPEN): S.LOADING,
    (S.STORED, E.NOTICE_ACCEPTED): S.NOTIFIED,
    (S.STORED, E.NOTICE_FAILED): S.STORED,
    # A code is known only through its message; when the network goes dark right after it went out, the box must
    # still open for it. Hence all moves with a code exist from STORED too.
    **{
        move: target
        for state in (S.STORED, S.NOTIFIED)
        for move, target in {
            (state, E.ATTEMPT): state,
            (state, E.ATTEMPT_VOID): state,  # the code opened another document of the same person
            (state, E.CODE_WRONG): state,
            (state, E.LOCK): S.LOCKED_OUT,
            (state, E.CODE_RIGHT): S.PRESENTED,
        }.items()
    },
    (S.NOTIFIED, E.NOTICE_ACCEPTED): S.NOTIFIED,
    (S.PRESENTED, E.NOTICE_ACCEPTED): S.PRESENTED,
    (S.PRESENTED, E.FRESH_CODE): S.PRESENTED,
    (S.PRESENTED, E.ATTEMPT): S.PRESENTED,  # what else is typed is counted like a code
    (S.PRESENTED, E.PROOF_WRONG): S.PRESENTED,
    (S.PRESENTED, E.STEP_DONE): S.PRESENTED,
    (S.PRESENTED, E.LOCK): S.LOCKED_OUT,
    (S.PRESENTED, E.WITHDRAW): S.NOTIFIED,
    (S.PRESENTED, E.REDEEM): S.RELEASING,
    (S.PRESENTED, E.FORCED): S.BLOCKED,
    (S.RELEASING, E.DOOR_OPENED): S.TAKING,
    (S.RELEASING, E.NOT_OPENED): S.BLOCKED,
    (S.TAKING, E.CLOSED_EMPTY): S.DONE,
    (S.TAKING, E.CLOSED_FULL): S.BLOCKED,  # never armed again by itself
    (S.TAKING, E.LEFT_OPEN): S.TAKING,
    (S.TAKING, E.CLOSED_UNPROVEN): S.CONFIRMING,
    (S.CONFIRMING, E.TAKEN): S.DONE,
    (S.CONFIRMING, E.NOT_TAKEN): S.BLOCKED,
    (S.CONFIRMING, E.FORCED): S.BLOCKED,
    (S.RECALLING, E.DOOR_OPENED): S.RECALLING,
    (S.RECALLING, E.LEFT_OPEN): S.RECALLING,
    (S.RECALLING, E.CLOSED_EMPTY): S.RETURNED,
    (S.RECALLING, E.FOUND_EMPTY): S.MISSING,
    (S.RECALLING, E.CLOSED_FULL): S.BLOCKED,
    (S.RECALLING, E.CLOSED_UNPROVEN): S.BLOCKED,  # no sensor tells whether it was taken out: staff are asked
    (S.BLOCKED, E.TAKEN_BACK): S.RETURNED,
    (S.BLOCKED, E.NOT_THERE): S.MISSING,
    (S.RECALLING, E.NOT_OPENED): S.BLOCKED,
    (S.BLOCKED, E.DOOR_OPENED): S.BLOCKED,
    (S.BLOCKED, E.FORCED): S.BLOCKED,
    (S.BLOCKED, E.CONFIRM_LOADED): S.STORED,  # staff have opened it, looked, and closed it with the document inside
    (S.EXPIRED, E.FORCED): S.BLOCKED,
    **{(state, E.FORCED): S.BLOCKED for state in (S.STORED, S.NOTIFIED, S.LOCKED_OUT)},
    **{(state, E.ITEM_GONE): S.BLOCKED for state in (S.STORED, S.NOTIFIED, S.PRESENTED, S.LOCKED_OUT, S.EXPIRED)},
    # Staff say that an old document is void of which the box did not hear the end.
    **{(state, E.STEP_DONE): state for state in (S.STORED, S.NOTIFIED)},
    (S.RESERVED, E.INVENTORY): S.RESERVED,
    (S.BLOCKED, E.INVENTORY): S.BLOCKED,
    **{(state, E.INVENTORY): S.BLOCKED for state in (S.STORED, S.NOTIFIED, S.PRESENTED, S.LOCKED_OUT, S.EXPIRED)},
    **{(state, E.EXTEND): state for state in (S.STORED, S.NOTIFIED, S.LOCKED_OUT)},
    **{(state, E.NEW_CODE): S.STORED for state in (S.STORED, S.NOTIFIED, S.LOCKED_OUT, S.EXPIRED)},
    **{(state, E.EXPIRE): S.EXPIRED for state in (S.STORED, S.NOTIFIED, S.LOCKED_OUT)},
    **{(state, E.RECALL): S.RECALLING for state in (S.STORED, S.NOTIFIED, S.LOCKED_OUT, S.EXPIRED, S.BLOCKED)},
}

FINAL = frozenset({S.DONE, S.RETURNED, S.MISSING, S.CANCELLED})
COLLECTABLE = frozenset({S.STORED, S.NOTIFIED})
DOOR_COMMANDED = frozenset({S.LOADING, S.RELEASING, S.TAKING, S.RECALLING})
NEEDS_STAFF = frozenset({S.BLOCKED, S.MISSING, S.LOCKED_OUT, S.EXPIRED})

MAX_ATTEMPTS = 5
MAX_DEPOSITS_PER_PHONE = 3
UNHEARD_DAYS = 3
GENESIS = "0" * 64
UUID_PATTERN = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# What an entry may say about something; no NUL, because the centre's database has no word for it.
Value = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*\Z")] | Annotated[int, Meta(le=2**53)] | bool | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal: what happened, at the box's own time (UTC), with the state that it led to.

    `data` names ids, sensor values, versions; never a code, a number that a person typed, or a name.
    """

    seq: Annotated[int, Meta(ge=1, le=2**53)]
    at: Annotated[datetime, Meta(tz=True)]
    event: Annotated[str, Meta(pattern=r"^[a-z_]{1,40}\Z")]
    deposit: Annotated[str, Meta(pattern=rf"^({UUID_PATTERN})?\Z")] = ""
    compartment: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    state: Annotated[str, Meta(pattern=r"^[a-z_]{0,20}\Z")] = ""
    data: dict[Annotated[str, Meta(pattern=r"^[a-z_]{1,40}\Z")], Value] = {}
    previous: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")] = GENESIS
    hash: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""


class Deposit(msgspec.Struct, frozen=True, kw_only=True):
    """A deposit as the journal tells it. `until` is the end of the last day that the citizen was told of.

    `done` are steps that stay done although the visit ended, such as an old document that was made void.
    `code_digits`: how many digits its code has, `code_checked`: the last of them being a check digit. `steps` are those
    of the day on which it was reserved, `without_old_document` where who has none goes on and `without_identity` where
    who cannot identify does: what the tenant file says later holds for later documents.
    """

    id: str
    kind: str
    compartment: int
    state: State
    version: int = 0
    attempts: int = 0
    door_seen: bool = False
    sensed: bool = False
    confirmable: bool = False
    item_before: bool | None = None
    opened_at: datetime | None = None
    loaded_at: datetime | None = None
    coded_at: datetime | None = None
    notified_at: datetime | None = None
    until: datetime | None = None
    hold_days: int = 14
    announced_by: str = ""
    done: tuple[str, ...] = ()
    code_digits: int = 6
    code_checked: bool = False
    steps: tuple[Step, ...] = ()
    without_old_document: str = "counter"
    without_identity: str = "counter"

    @property
    def asked(self) -> tuple[Step, ...]:
        """What comes between the right code and the open door, and is not done for good."""
        return tuple(step for step in self.steps if step in BEFORE_THE_DOOR and step not in self.done)

    def expires_at(self) -> datetime | None:
        """The hold period runs from the notice: nobody can collect what he was not told of.

        Where nobody ever heard whether the message arrived, the code ends too, a margin later.
        """
        if self.until is not None:
            return self.until
        if self.notified_at is not None:
            return self.notified_at + timedelta(days=self.hold_days)
        if self.coded_at is not None:
            return self.coded_at + timedelta(days=self.hold_days + UNHEARD_DAYS)
        return None


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that replaying a journal gives. `command` is the last command of the centre that was dealt with."""

    seq: int = 0
    head: str = GENESIS
    at: datetime | None = None
    deposits: Mapping[str, Deposit] = {}
    out_of_service: frozenset[int] = frozenset()
    command: int = 0

    def in_compartment(self, compartment: int) -> Deposit | None:
        return next((d for d in self.deposits.values() if d.compartment == compartment), None)


def move(state: State | None, event: Event) -> State:
    """The state after `event`. Raises IllegalMoveError."""
    try:
        return MOVES[state, event]
    except KeyError:
        raise IllegalMoveError(state=str(state), event=str(event)) from None


def entry_hash(entry: Entry) -> str:
    """SHA-256 over the previous hash and the canonical form, in hexadecimal."""
    body = msgspec.to_builtins(entry)
    del body["hash"]
    return hashlib.sha256(bytes.fromhex(entry.previous) + msgspec.json.encode(body, order="sorted")).hexdigest()


def next_entry(
    box: Box,
    *,
    at: datetime,
    event: Event | str,
    deposit: Deposit | None = None,
    deposit_id: str = "",
    compartment: int | None = None,
    data: Mapping[str, str | int | bool | None] | None = None,
) -> Entry:
    """The entry that follows `box`; raises IllegalMoveError before anything is written."""
    state = ""
    if isinstance(event, Event) and (deposit is not None or event is Event.RESERVE):
        state = str(move(deposit.state if deposit else None, event))
    entry = Entry(
        seq=box.seq + 1,
        at=at,
        event=str(event),
        deposit=deposit.id if deposit else deposit_id,
        compartment=deposit.compartment if deposit else compartment,
        state=state,
        data=dict(data or {}),
        previous=box.head,
    )
    return msgspec.structs.replace(entry, hash=entry_hash(entry))


def apply(box: Box, entry: Entry) -> Box:
    """The box after one entry. Raises JournalError when the entry does not follow or was changed."""
    if entry.seq != box.seq + 1 or entry.previous != box.head or entry.hash != entry_hash(entry):
        raise JournalError(seq=entry.seq)
    deposits = dict(box.deposits)
    out_of_service = box.out_of_service
    if entry.state:
        event = Event(entry.event)
        before = deposits.get(entry.deposit)
        after = _deposit(before, event, entry, at=max(entry.at, box.at) if box.at else entry.at)
        if str(after.state) != entry.state:
            raise JournalError(seq=entry.seq)
        deposits[entry.deposit] = after
        if after.state in FINAL:
            del deposits[entry.deposit]
    elif entry.event == "compartment_out" and entry.compartment is not None:
        out_of_service |= {entry.compartment}
    elif entry.event == "compartment_in" and entry.compartment is not None:
        out_of_service -= {entry.compartment}
    # The clock may be set back; the journal's own time never goes back, and expiry follows it.
    at = max(entry.at, box.at) if box.at else entry.at
    command = int(entry.data.get("command") or box.command)
    return Box(seq=entry.seq, head=entry.hash, at=at, deposits=deposits, out_of_service=out_of_service, command=command)


def _deposit(before: Deposit | None, event: Event, entry: Entry, *, at: datetime) -> Deposit:
    """The deposit after `event`, with the fields that the event sets; `at` is the journal's time, never set back."""
    state = move(before.state if before else None, event)
    if before is None:
        return Deposit(
            id=entry.deposit,
            kind=str(entry.data.get("kind", "")),
            compartment=entry.compartment or 0,
            state=state,
            hold_days=int(entry.data.get("hold_days") or 14),
            announced_by=str(entry.data.get("actor") or ""),
            steps=_steps(str(entry.data.get("steps") or "")),
            without_old_document=str(entry.data.get("without_old_document") or "counter"),
            without_identity=str(entry.data.get("without_identity") or "counter"),
        )
    changed: dict[str, object] = {"state": state}
    match event:
        case Event.OPEN_FOR_LOAD | Event.REDEEM | Event.RECALL:
            changed |= {
                "door_seen": False,
                "opened_at": at,
                "confirmable": False,
                "item_before": entry.data.get("item"),
            }
        case Event.DOOR_OPENED:
            changed |= {"door_seen": True}
        case Event.CLOSED_EMPTY if before.state is State.LOADING:
            changed |= {"confirmable": before.door_seen}
        case Event.CLOSED_FULL if before.state is State.RECALLING:
            changed |= {"confirmable": before.door_seen, "sensed": True}
        case Event.CLOSED_UNPROVEN if before.state is State.RECALLING:
            changed |= {"confirmable": before.door_seen}
        case Event.FORCED | Event.ITEM_GONE | Event.INVENTORY:
            changed |= {"confirmable": False}  # what staff saw before says nothing any more
        case Event.CLOSED_FULL if before.state is State.LOADING:
            changed |= {"sensed": True, "loaded_at": at, **_new_code(before, entry, at)}
        case Event.CONFIRM_LOADED:
            seen = before.state is State.BLOCKED and before.sensed
            changed |= {"sensed": seen, "loaded_at": at, "confirmable": False, **_new_code(before, entry, at)}
        case Event.NEW_CODE:
            changed |= _new_code(before, entry, at)
        case Event.NOTICE_ACCEPTED:
            # Prolonged while the message was under way: the later day counts.
            days = [day for day in (before.until, _instant(entry, "until")) if day is not None]
            changed |= {"notified_at": before.notified_at or at, "until": max(days, default=None)}
        case Event.EXTEND:
            changed |= {"until": _instant(entry, "until") or before.until}
        case Event.STEP_DONE if entry.data.get("step") in LASTING:
            changed |= {"done": (*before.done, str(entry.data["step"]))}
        case Event.ATTEMPT_VOID:
            changed |= {"attempts": max(0, before.attempts - 1)}
        case Event.ATTEMPT:
            changed |= {"attempts": before.attempts + 1}
        case Event.CODE_RIGHT:
            # Its own attempt is given back, never those that were wrong: else a known code would buy new guesses
            # at what else has to be typed.
            changed |= {"attempts": max(0, before.attempts - 1), "notified_at": before.notified_at or at}
        case Event.STEP_DONE if entry.data.get("counted"):
            changed |= {"attempts": max(0, before.attempts - 1)}
        case _:
            pass
    return msgspec.structs.replace(before, **changed)


def _steps(said: str) -> tuple[Step, ...]:
    """The steps as an entry names them. Raises JournalError."""
    try:
        return msgspec.convert(said.split(",") if said else [], tuple[Step, ...])
    except msgspec.ValidationError:
        raise JournalError(reason=f"unknown steps: {said}") from None


def _new_code(before: Deposit, entry: Entry, at: datetime) -> dict[str, object]:
    return {
        "version": before.version + 1,
        "attempts": 0,
        "notified_at": None,
        "until": None,
        "coded_at": at,
        "code_digits": int(entry.data.get("digits") or 6),
        "code_checked": bool(entry.data.get("check")),
    }


def _instant(entry: Entry, name: str) -> datetime | None:
    """An instant among what an entry says, None where there is none."""
    try:
        found: datetime = msgspec.convert(entry.data.get(name), Annotated[datetime, Meta(tz=True)])
    except msgspec.ValidationError:
        return None
    return found


def after_closing(deposit: Deposit, item: bool | None) -> Event:
    """What a closed door means, given what the item sensor says (None: no sensor).

    What the sensor contradicts is left to staff; what it cannot know is asked of the citizen where the document's
    steps say so, and left to staff where they do not: nothing is handed over, and nothing is with the office again,
    only because a door was closed.
    """
    match deposit.state:
        case State.LOADING:
            return Event.CLOSED_FULL if item else Event.CLOSED_EMPTY
        case State.TAKING:
            taken = item is False and deposit.sensed and deposit.item_before is True
            unknown = "removal" in deposit.steps and not item and not deposit.sensed
            return Event.CLOSED_EMPTY if taken else Event.CLOSED_UNPROVEN if unknown else Event.CLOSED_FULL
        case State.RECALLING if item:
            return Event.CLOSED_FULL
        case State.RECALLING if item is False and deposit.item_before:
            return Event.CLOSED_EMPTY
        case State.RECALLING if item is False and deposit.sensed:
            return Event.FOUND_EMPTY
        case _:
            return Event.CLOSED_UNPROVEN


def is_gone(deposit: Deposit, item: bool | None) -> bool:
    """Whether a document that the sensor had seen lies there no longer, behind a door that nobody saw open."""
    return item is False and deposit.sensed and (deposit.state, Event.ITEM_GONE) in MOVES


def after_darkness(deposit: Deposit, *, closed: bool, item: bool | None) -> Event | None:
    """What the first look at the sensors means after a restart or a lost bus; None when nothing has changed.

    A hand-over counts as done only if the open door had been journaled before the lights went out.
    """
    if deposit.state not in DOOR_COMMANDED:
        if not closed:
            return None if deposit.state is State.BLOCKED else Event.FORCED
        if is_gone(deposit, item):
            return Event.ITEM_GONE
        return Event.WITHDRAW if deposit.state is State.PRESENTED else None
    if not closed:
        return None if deposit.door_seen else Event.DOOR_OPENED
    if deposit.state is State.LOADING:
        if deposit.door_seen:
            return after_closing(deposit, item)
        # The compartment was seen empty before: what lies in it now came through the door.
        return Event.CLOSED_FULL if item and deposit.item_before is False else Event.NOT_OPENED
    return after_closing(deposit, item) if deposit.door_seen else Event.NOT_OPENED


def replay(entries: Iterable[Entry]) -> Box:
    """The box after all entries. Raises JournalError at the first that does not hold."""
    box = Box()
    for entry in entries:
        box = apply(box, entry)
    return box


class Layout(Protocol):
    """How the doors of a box are arranged: numbered down the columns, rows counted from 1 at the top.

    `rows_by_reach` lists rows, the most convenient first; `low_rows` those that can be reached from a wheelchair.
    """

    @property
    def compartments(self) -> int: ...
    @property
    def rows_by_reach(self) -> tuple[int, ...]: ...
    @property
    def low_rows(self) -> tuple[int, ...]: ...
    def row(self, compartment: int) -> int: ...


def choose_compartment(
    box: Box, layout: Layout, *, low: bool = False, full: frozenset[int] = frozenset()
) -> int | None:
    """A free compartment, those in the most convenient row first; None when there is none.

    `low`: one that can be reached from a wheelchair; the others leave those free for as long as they can.
    `full` are compartments in which the sensor sees something, whatever the journal says, or that nobody sees.
    """
    taken = {deposit.compartment for deposit in box.deposits.values()} | box.out_of_service | full
    order = {row: place for place, row in enumerate(layout.rows_by_reach)}
    free = [number for number in range(1, layout.compartments + 1) if number not in taken]

    def convenience(number: int) -> tuple[bool, int, int]:
        row = layout.row(number)
        return row in layout.low_rows, order.get(row, len(order)), number

    fitting = [number for number in free if not low or layout.row(number) in layout.low_rows]
    return min(fitting, key=convenience, default=None)
