"""An identification from the page that asks for it to the page that takes it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ConflictError, ServicepunktError
from servicepunkt.core.identification import Identified, IdentityWish
from servicepunkt.eid.model import Identity

Door = Literal["card", "wallet"]
State = Literal["open", "reading", "identified", "refused"]
#: From `open` to `reading` when the reader or the wallet has fetched what it is to do. Whatever ends it deletes it, but
#: for a refusal of which the page that waits still has to hear.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    "open": frozenset({"reading", "refused"}),
    "reading": frozenset({"identified", "refused"}),
    "identified": frozenset({"refused"}),
    "refused": frozenset(),
}
STATES: tuple[State, ...] = tuple(TRANSITIONS)
DOORS: tuple[Door, ...] = ("card", "wallet")
#: How long somebody has, and how long a terminal has to come to its reader.
LIFE = timedelta(minutes=10)
TICKET = timedelta(minutes=1)


class IdentificationGoneError(ServicepunktError):
    """An identification that ended, whose time is over, or that is another terminal's: not told apart."""

    code = "SP4471"
    status = 410
    citizen = "This identification is over."
    staff = "There is no such identification, or not for this device."
    next_step = "Please begin again."


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A row. `wish` says what was asked and holds nothing of the person.

    `device`, `point`: the terminal; None and empty on the web. `binding`: the digest of the browser's cookie on the
    web. `ticket`: the digest of what a reader has to show, until `ticket_until`. `kept` holds what the door has to
    remember, `found` the `Identified`, both sealed with a key of this row. `refused_by`: the code of what has ended it.
    """

    id: UUID
    key: UUID
    door: Door
    state: State = "open"
    wish: bytes
    device: UUID | None = None
    point: str = ""
    binding: bytes = b""
    ticket: bytes | None = None
    ticket_until: datetime | None = None
    kept: bytes | None = None
    found: bytes | None = None
    refused_by: str = ""
    created_at: datetime
    ends_at: datetime

    @property
    def asked(self) -> IdentityWish:
        return msgspec.json.decode(self.wish, type=IdentityWish)

    @property
    def way_back(self) -> str:
        """The path within the tenant to whoever has asked."""
        wish = self.asked
        return f"{wish.return_path}?key={wish.key}"

    def is_live(self, now: datetime) -> bool:
        return now < self.ends_at


def move(state: State, to: State) -> State:
    """The next state. Raises ConflictError for a move that the table does not have."""
    if to not in TRANSITIONS[state]:
        raise ConflictError(f"an identification cannot go from {state} to {to}")
    return to


def digest(secret: str) -> bytes:
    """What is stored of a ticket or a cookie."""
    return hashlib.sha256(secret.encode()).digest()


def identified(identity: Identity, wish: IdentityWish, provider: str) -> Identified:
    """What was asked for of an identity, and nothing else of it, as texts."""
    held = identity.attributes.held()
    named = [name for name in (*wish.required, *wish.optional) if name in held]
    return Identified(
        provider=provider,
        level=int(identity.level),
        at=identity.at,
        proof=identity.proof,
        attributes={name: _text(getattr(identity.attributes, name)) for name in named},
        old_enough=identity.answers.old_enough if wish.age is not None else None,
        lives_there=identity.answers.lives_there if wish.community else None,
    )


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
