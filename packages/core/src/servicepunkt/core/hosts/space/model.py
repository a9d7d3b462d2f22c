"""A slot of a space: who wants it when and for what, and on which way it goes. Pure.

Slots begin and end on quarters of an hour. A slot that is asked for or approved takes each quarter of its space; the
database gives a quarter to one slot only, so two that overlap cannot both be there, whoever asks at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ConflictError, InvalidInputError, ServicepunktError

MOVES: Mapping[tuple[str | None, str], str] = {
    (None, "ask"): "asked",
    ("asked", "approve"): "approved",
    ("asked", "veto"): "vetoed",
    ("approved", "veto"): "vetoed",
    ("asked", "withdraw"): "withdrawn",
    ("approved", "withdraw"): "withdrawn",
}
STATES = ("asked", "approved", "vetoed", "withdrawn")
#: Those that take their quarters of an hour.
TAKING = frozenset({"asked", "approved"})
#: How loud it will be, as message ids.
NOISE: Mapping[str, str] = {"quiet": "Quiet", "talk": "Talking", "loud": "Loud: music, crowd, microphone"}
QUARTER = timedelta(minutes=15)
LONGEST, FARTHEST = timedelta(days=3), timedelta(days=366)
MOST_NAME, MOST_WORDS = 100, 500

NO_SPACE = "Choose a space."
NO_NOISE = "Choose how loud it will be."
NO_ORGANISATION = "Say which organisation it is for, in at most 100 characters."
NO_PURPOSE = "Say what for, in at most 500 characters."
TOO_LONG = "Say it in at most 500 characters."
NO_QUARTER = "Begin and end lie on quarters of an hour."
REVERSED = "The end comes after the beginning."
TOO_LONG_SLOT = "A slot lasts three days at most; ask for several."
NOT_AHEAD = "The slot begins within the next year."
NEEDS_REASON = "Say why, in at most 500 characters."


class SpaceTakenError(ServicepunktError):
    """Another slot of this space overlaps."""

    code = "SP8101"
    status = 409
    citizen = "The space is already taken at this time."
    staff = "Another slot of this space overlaps."
    next_step = "Look at the calendar, and choose another time or another space."


class SlotBegunError(ServicepunktError):
    """The slot has begun: nobody can say no to it any more."""

    code = "SP8102"
    status = 409
    citizen = "This slot has already begun."
    staff = "The slot has begun; it can be neither approved, vetoed nor withdrawn."
    next_step = "Talk to those who are there."


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for. `key` is the form's: the same form sent twice is one slot. Instants in UTC."""

    key: UUID
    host: str
    space: str
    organisation: str
    purpose: str
    equipment: str = ""
    noise: str = "talk"
    begins_at: datetime
    ends_at: datetime


class Slot(Wish, frozen=True, kw_only=True):
    """`reason`: why the host said no. `asked_by`, `changed_by`: as the audit chain names them."""

    id: UUID
    state: str = "asked"
    reason: str = ""
    asked_by: str
    changed_by: str
    created_at: datetime
    changed_at: datetime


def check(wish: Wish, spaces: frozenset[str], now: datetime) -> None:
    """`spaces`: those of the house. Raises InvalidInputError with every mistake."""
    found = {
        "space": NO_SPACE if wish.space not in spaces else "",
        "noise": NO_NOISE if wish.noise not in NOISE else "",
        "organisation": NO_ORGANISATION if not 0 < len(wish.organisation) <= MOST_NAME else "",
        "purpose": NO_PURPOSE if not 0 < len(wish.purpose) <= MOST_WORDS else "",
        "equipment": TOO_LONG if len(wish.equipment) > MOST_WORDS else "",
        "begins": _mistake_of_begin(wish, now),
        "ends": _mistake_of_end(wish),
    }
    if mistakes := [(place, sentence) for place, sentence in found.items() if sentence]:
        raise InvalidInputError(mistakes)


def _mistake_of_begin(wish: Wish, now: datetime) -> str:
    if not _is_quarter(wish.begins_at):
        return NO_QUARTER
    return "" if now < wish.begins_at <= now + FARTHEST else NOT_AHEAD


def _mistake_of_end(wish: Wish) -> str:
    if not _is_quarter(wish.ends_at):
        return NO_QUARTER
    if wish.ends_at <= wish.begins_at:
        return REVERSED
    return TOO_LONG_SLOT if wish.ends_at - wish.begins_at > LONGEST else ""


def _is_quarter(at: datetime) -> bool:
    return at.minute % 15 == 0 and not at.second and not at.microsecond


def quarters(slot: Wish) -> Iterator[datetime]:
    """The beginnings of the quarters of an hour that a slot takes, in order."""
    at = slot.begins_at
    while at < slot.ends_at:
        yield at
        at += QUARTER


def move(slot: Slot, event: str, now: datetime) -> str:
    """The next state. Raises ConflictError for a move that the table does not have, SlotBegunError when it began."""
    if (to := MOVES.get((slot.state, event))) is None:
        raise ConflictError(f"a slot that is {slot.state} cannot {event}")
    if slot.begins_at <= now:
        raise SlotBegunError
    return to


def events(slot: Slot, now: datetime) -> list[str]:
    """What can be done with a slot."""
    return [event for state, event in MOVES if state == slot.state] if now < slot.begins_at else []
