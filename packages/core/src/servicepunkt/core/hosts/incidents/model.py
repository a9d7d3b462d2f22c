"""An incident on the floor: what it is and on which way it goes. Pure. It says where and what, never who."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ConflictError, InvalidInputError

TRANSITIONS: Mapping[str, frozenset[str]] = {
    "reported": frozenset({"acknowledged", "closed"}),
    "acknowledged": frozenset({"closed"}),
    "closed": frozenset(),
}
STATES = tuple(TRANSITIONS)
#: Kinds, as message ids.
KINDS: Mapping[str, str] = {
    "damage": "Something is broken",
    "cleaning": "Something is dirty",
    "power": "Power, light or network is out",
    "access": "Door, lift or way is blocked",
    "noise": "It is too loud",
    "crowd": "Too many people at once",
    "safety": "Somebody could get hurt",
    "other": "Something else",
}
MOST_PLACE, MOST_WORDS = 100, 500

NO_KIND = "Choose what it is."
NO_POINT = "Choose the service point."
NO_PLACE = "Say where it is, in at most 100 characters."
TOO_LONG = "Say it in at most 500 characters."


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is the form's: the same form sent twice is one incident."""

    id: UUID
    key: UUID
    host: str
    point: str
    kind: str
    place: str
    words: str
    state: str = "reported"
    reported_by: str
    changed_by: str
    created_at: datetime
    changed_at: datetime

    @property
    def is_open(self) -> bool:
        return bool(TRANSITIONS[self.state])


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a host reports of its house."""

    key: UUID
    host: str
    point: str
    kind: str
    place: str
    words: str = ""


def check(report: Report, points: frozenset[str]) -> None:
    """`points`: those in the house. Raises InvalidInputError with every mistake."""
    mistakes = []
    if report.point not in points:
        mistakes.append(("point", NO_POINT))
    if report.kind not in KINDS:
        mistakes.append(("kind", NO_KIND))
    if not 0 < len(report.place) <= MOST_PLACE:
        mistakes.append(("place", NO_PLACE))
    if len(report.words) > MOST_WORDS:
        mistakes.append(("words", TOO_LONG))
    if mistakes:
        raise InvalidInputError(mistakes)


def move(state: str, to: str) -> str:
    """Raises ConflictError for a move that the table does not have."""
    if to not in TRANSITIONS.get(state, frozenset()):
        raise ConflictError(f"an incident cannot go from {state} to {to}")
    return to
