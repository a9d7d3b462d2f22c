"""What the box and the centre say to each other: configuration and commands down, journal entries up.

The box asks, the centre answers: no port of the point is open to the outside. Both sign what they say, so that
neither a proxy on the way nor a stolen token can speak for them; an old message is no use, because entries count, a
condition says when it was, and an answer belongs to one request. Events are idempotent by (box, seq), commands by their
own sequence; a command that opens a door is void after `valid_until`, so that a box which comes back after an hour
opens nothing that nobody stands in front of.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servicepunkt.dokbox.errors import UnknownKindError
from servicepunkt.dokbox.model import Entry
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.vault.model import VaultKind

MAX_EVENTS = 100
MAX_COMMANDS = 100
MAX_PEPPERS = 50
OPENING_TTL_SECONDS = 90
CONDITION_TTL_SECONDS = 60
IDENTIFY_SECONDS = 600.0  # how long somebody may take to identify at the terminal
CODE, FRESH = "dokbox-code/1", "dokbox-fresh/1"
EARLIEST_YEAR, LATEST_YEAR = 1970, 2199  # a box without a battery believes that it is 1970

CommandKind = Literal[
    "reserve",
    "open_for_load",
    "confirm_loaded",
    "notice_accepted",
    "notice_failed",
    "new_code",
    "new_person",
    "extend",
    "attest",
    "identified",
    "old_document_void",
    "recall",
    "taken_back",
    "not_there",
    "cancel",
    "compartment_in",
    "inventory",
    "rotate_pepper",
]
# Why a box hands nothing out although it sees its doors: its disk failed, its journal is not believed, its peppers were
# not delivered, its counter does not answer, the centre has switched it off, its keys are not those of its journal or
# cannot be changed, its clock is far behind its journal.
Trouble = Literal["disk", "distrusted", "pepper", "counter", "revoked", "vault", "clock"]
Key = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Kid = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,8}\Z")]
SIGNATURE = "servicepunkt-signature"  # header: Ed25519 over `signed(...)`, in hexadecimal
NONCE = "servicepunkt-nonce"  # header of a request: 32 random hexadecimal digits that the answer is bound to
Purpose = Literal["events", "commands", "config", "peppers", "condition"]
OPENS_A_DOOR: frozenset[str] = frozenset({"open_for_load", "recall"})
#: What is meant for whoever stands at the box at this moment.
SHORT_LIVED: frozenset[str] = OPENS_A_DOOR | {"attest", "identified"}


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of messages: an unknown key is refused."""


class Command(Strict, frozen=True, kw_only=True):
    """One order of the centre.

    `sealed` holds a `Person`, sealed to the box (reserve, new_person). `low`: a compartment that can be reached from a
    wheelchair. `until`: the last day that the citizen was told of (notice_accepted, extend). `answer`: what staff say
    of the person who stands at the box and called them with the entry `call` (attest), or whether who identified there
    is the person to whom the document belongs (identified).
    """

    seq: int
    kind: CommandKind
    deposit: str = ""
    compartment: int | None = None
    document: str = ""
    version: int = 0
    actor: str = ""
    sealed: str = ""
    low: bool = False
    until: date | None = None
    answer: bool = False
    call: int = 0
    valid_until: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether the box may still carry it out."""
        if self.valid_until is None:
            return self.kind not in SHORT_LIVED
        return now <= self.valid_until


class Person(Strict, frozen=True, kw_only=True):
    """By what the box knows who may collect; it keeps no more than keyed hashes of it.

    `phone` in E.164; `birth_date` where the policy asks for it; `old_document`: the number in the old one's chip.
    `identifiable`: the centre knows enough to compare who identifies; what it knows it keeps to itself.
    """

    phone: str = ""
    birth_date: date | None = None
    old_document: str = ""
    identifiable: bool = False

    def __repr__(self) -> str:
        return "Person()"


class Commands(Strict, frozen=True, kw_only=True):
    """`now` is the centre's time: what it hands out is judged by the later of both clocks."""

    commands: list[Command]
    now: datetime


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
    """Everything up to `seq` is in the centre's database; `head` is the hash of that entry.

    Less than was acknowledged before means that the centre was restored: the box sends the rest again.
    """

    seq: int
    head: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class BoxKeys(Strict, frozen=True, kw_only=True):
    """The key by which the centre shall know what this box says: raw Ed25519, hexadecimal. Told once."""

    signing_key: Key


class CentreKeys(Strict, frozen=True, kw_only=True):
    """By which the box knows what the centre says, and who the box is."""

    tenant: int
    box: str
    signing_key: Key


class PepperRequest(Strict, frozen=True, kw_only=True):
    """`keep` are the peppers that codes need, without a word about them all of them; `make` is the next one's kid.

    `seq` and `head` are the end of the box's journal.
    """

    seq: Annotated[int, Meta(ge=0, le=2**53)]
    head: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    keep: Annotated[tuple[Kid, ...], Meta(max_length=MAX_PEPPERS)] | None = None
    make: Kid | None = None


class SealedPeppers(Strict, frozen=True, kw_only=True):
    """`Peppers`, sealed to the box, and the end of its journal as the centre has it."""

    sealed: Annotated[str, Meta(pattern=r"^([0-9a-f]{2}){1,65536}\Z")]
    acknowledged: int
    head: str


class Peppers(Strict, frozen=True, kw_only=True):
    """In hexadecimal: the key of the locators, and peppers by kid."""

    locator_key: Key
    peppers: dict[Kid, Key]

    def __repr__(self) -> str:
        return f"Peppers({sorted(self.peppers)})"


class Condition(Strict, frozen=True, kw_only=True):
    """How the box is, for staff: where its keys lie, and why it hands nothing out.

    `heard`: the centre's time as the box heard it last, by which an old message is known for one.
    """

    vault: VaultKind
    heard: datetime
    troubles: Annotated[tuple[Trouble, ...], Meta(max_length=8)] = ()


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
    low_rows: tuple[int, ...] = ()
    policies: tuple[DocumentPolicy, ...]
    countries: tuple[str, ...]
    notice_key: str
    max_attempts: int = 5
    help_phone: str = ""
    centre_url: str = ""

    def row(self, compartment: int) -> int:
        """The row of a compartment, from 1 at the top."""
        return (compartment - 1) % self.rows + 1

    def policy(self, kind: str) -> DocumentPolicy | None:
        """The policy of a kind, None for one that the tenant file does not name any more."""
        return next((policy for policy in self.policies if policy.type == kind), None)

    def policy_of(self, kind: str) -> DocumentPolicy:
        """The policy of a document that lies here. Raises UnknownKindError: nothing is made up in its place."""
        found = self.policy(kind)
        if found is None:
            raise UnknownKindError(kind=kind)
        return found


def person_context(tenant: int, box: str, deposit: str) -> str:
    """HPKE info of a `Person` on the way to the box."""
    return f"dokbox-person/1|{tenant}|{box}|{deposit}"


def code_context(tenant: int, box: str, deposit: str, version: int) -> str:
    """HPKE info of a pick-up code on its way to the notice worker: a JSON object of the message's secret values."""
    return f"{CODE}|{tenant}|{box}|{deposit}|{version}"


def fresh_context(tenant: int, box: str, deposit: str, version: int) -> str:
    """HPKE info of a fresh code, which is good for minutes."""
    return f"{FRESH}|{tenant}|{box}|{deposit}|{version}"


def pepper_context(tenant: int, box: str) -> str:
    """HPKE info of peppers on their way to the box."""
    return f"dokbox-peppers/1|{tenant}|{box}"


def ticket_hash(ticket: str) -> str:
    """What an entry says of the ticket with which a visit goes on at the terminal: SHA-256 in hexadecimal."""
    return hashlib.sha256(f"dokbox-ticket/1|{ticket}".encode()).hexdigest()


def signed(purpose: Purpose, *, tenant: int, box: str, body: bytes, nonce: str = "") -> bytes:
    """What is signed of a message: what it is for, whose box it concerns, and the bytes that go over the wire.

    An answer also holds the request's nonce, so that nobody can give an old one to a new request.
    """
    return f"dokbox-{purpose}/2|{tenant}|{box}|{nonce}|".encode() + body
