"""What the box and the centre say to each other: configuration and commands down, journal entries up.

The box asks, the centre answers: no port of the point is open to the outside. Events are idempotent by (box, seq),
commands by their own sequence; a command that opens a door is void after `valid_until`, so that a box which comes
back after an hour opens nothing that nobody stands in front of.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servicepunkt.dokbox.model import DocumentPolicy, Entry

MAX_EVENTS = 100
MAX_COMMANDS = 100
OPENING_TTL_SECONDS = 90
EARLIEST_YEAR, LATEST_YEAR = 1970, 2199  # a box without a battery believes that it is 1970

CommandKind = Literal[
    "reserve",
    "open_for_load",
    "confirm_loaded",
    "notice_accepted",
    "notice_failed",
    "new_code",
    "recall",
    "cancel",
    "compartment_in",
]
OPENS_A_DOOR: frozenset[str] = frozenset({"open_for_load", "recall"})


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of messages: an unknown key is refused."""


class Command(Strict, frozen=True, kw_only=True):
    """One order of the centre. `sealed` holds the mobile number, sealed to the box (reserve)."""

    seq: int
    kind: CommandKind
    deposit: str = ""
    compartment: int | None = None
    document: str = ""
    version: int = 0
    actor: str = ""
    sealed: str = ""
    valid_until: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether the box may still carry it out."""
        return self.valid_until is None or now <= self.valid_until


class Commands(Strict, frozen=True, kw_only=True):
    """`now` is the centre's time: what it hands out is judged by the later of both clocks."""

    commands: list[Command]
    now: datetime | None = None


class SentEntry(Strict, frozen=True, kw_only=True):
    """A journal entry on its way to the centre, with what is sealed for the notice worker (hexadecimal)."""

    entry: Entry
    sealed: Annotated[str, Meta(pattern=r"^([0-9a-f]{2}){0,1024}\Z")] = ""

    def __post_init__(self) -> None:
        if not EARLIEST_YEAR <= self.entry.at.year <= LATEST_YEAR:
            raise ValueError("the entry's instant lies in no year in which a box can run")


class Events(Strict, frozen=True, kw_only=True):
    events: list[SentEntry]


class Acknowledged(Strict, frozen=True, kw_only=True):
    """Everything up to `seq` is in the centre's database."""

    seq: int


class BoxConfig(Strict, frozen=True, kw_only=True):
    """What a box must know to work for days without the centre. `hours` is core's algebra, encoded."""

    tenant: int
    tenant_name: str
    box: str
    point: str
    point_name: dict[str, str]
    languages: tuple[str, ...]
    zone: str
    subdivision: str
    hours: msgspec.Raw
    compartments: int
    rows: int
    rows_by_reach: tuple[int, ...]
    policies: tuple[DocumentPolicy, ...]
    countries: tuple[str, ...]
    notice_key: str
    max_attempts: int = 5
    help_phone: str = ""
    centre_url: str = ""

    def policy(self, kind: str) -> DocumentPolicy | None:
        return next((policy for policy in self.policies if policy.type == kind), None)


def phone_context(tenant: int, box: str, deposit: str) -> str:
    """HPKE info of a mobile number on its way to the box."""
    return f"dokbox-phone/1|{tenant}|{box}|{deposit}"


def code_context(tenant: int, box: str, deposit: str, version: int) -> str:
    """HPKE info of a pick-up code on its way to the notice worker."""
    return f"dokbox-code/1|{tenant}|{box}|{deposit}|{version}"
