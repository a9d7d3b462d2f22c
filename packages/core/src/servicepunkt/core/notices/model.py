"""Notices: states as a table, what a receipt may change, and what a channel must offer. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ConflictError, ServicepunktError

# All moves of a notice. `sending` may be entered again: a worker that died in between leaves it behind. The provider
# that was being asked is then asked first; one that compares references knows the message, any other sends it again.
# An attempt that failed can still become `sent`: by the word of another one that ran beside it.
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "created": frozenset({"sending", "permanent-failure"}),
    "sending": frozenset({"sending", "sent", "temporary-failure", "permanent-failure", "technical-failure"}),
    "temporary-failure": frozenset({"sending", "sent", "permanent-failure", "technical-failure"}),
    "sent": frozenset({"delivered", "temporary-failure", "permanent-failure"}),
    "delivered": frozenset(),
    "permanent-failure": frozenset(),
    "technical-failure": frozenset(),
}
STATES = tuple(TRANSITIONS)
UNSENT = ("created", "sending", "temporary-failure")

# Why a notice ended without a provider's doing; where an attempt was made its reference is the provider's.
SUPERSEDED, LIMIT, NUMBER, REHEARSAL = "superseded", "limit", "number", "rehearsal"
UNREADABLE, INCOMPLETE, EXPIRED = "unreadable", "incomplete", "expired"
NEVER_SENT = (SUPERSEDED, LIMIT, NUMBER, REHEARSAL, UNREADABLE, INCOMPLETE, EXPIRED)

Outcome = Literal["sent", "delivered", "temporary-failure", "permanent-failure"]
MAX_REFERENCE = 200
# What a provider may call a message: it goes into tables and queues, so that nothing else may come along.
REFERENCE = rf"^[\x21-\x7e]{{1,{MAX_REFERENCE}}}\Z"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one person. `recipient` is sealed with the key of its case; `sealed` holds what nobody but the
    worker may read (a pick-up code), opened only while it is sent. `recipient_index` is the keyed hash by which
    messages to one number are counted, `source` an opaque label of what caused it. At `until` and after it the message
    is of no use. `provider` is who is being asked or was asked last, `sent_at` when one accepted it."""

    id: UUID
    case: UUID
    channel: str
    template: str
    locale: str
    params: dict[str, str]
    recipient: bytes
    recipient_index: bytes = b""
    source: str = ""
    until: datetime | None = None
    sealed: bytes | None = None
    sealed_context: str = ""
    state: str = "created"
    attempts: int = 0
    provider: str = ""
    reference: str = ""
    sent_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def sendable(self) -> bool:
        """Whether nobody has accepted it yet and nothing speaks against sending it."""
        return self.state in UNSENT and self.sent_at is None


class NoticeTemplate(msgspec.Struct, frozen=True):
    """A text by language; places are written {name}. `segments` is the most that an SMS of it may take.

    `values`: all that may stand in places that only its area knows; with each of them the text is checked. `qr`: what a
    QR code beside the text says, where the channel can show one, with the same places.
    """

    name: str
    texts: Mapping[str, str]
    channel: str = "sms"
    segments: int = 1
    values: Mapping[str, Collection[str]] = {}
    qr: str = ""


class Attachment(msgspec.Struct, frozen=True):
    """A file beside a text. `kind` is its media type, as in text/html."""

    name: str
    kind: str
    content: bytes

    def __repr__(self) -> str:
        return f"Attachment(kind={self.kind!r})"


class Message(msgspec.Struct, frozen=True):
    """What a channel is given. `reference` is the notice's id, the same however often it is tried: a provider that
    compares it sends once, of any other somebody may get the message twice after a crash. After `until` the message is
    of no use, and the provider may give it up. Mail alone carries `attachments`."""

    reference: str
    recipient: str
    text: str
    subject: str = ""
    qr: str = ""
    until: datetime | None = None
    attachments: tuple[Attachment, ...] = ()

    def __repr__(self) -> str:
        return f"Message(reference={self.reference!r})"


class Receipt(msgspec.Struct, frozen=True):
    """What a provider says later of a message that it accepted. `sent` means: still on its way.

    `accepted_at` is when the provider took the message, for providers that use their references again.
    """

    reference: Annotated[str, msgspec.Meta(pattern=REFERENCE)]
    outcome: Outcome
    accepted_at: datetime | None = None


class DeliveryError(ServicepunktError):
    """A provider did not accept a message; `permanent` says whether trying again is pointless."""

    code = "SP0040"
    status = 502
    staff = "The message could not be handed to the provider."

    def __init__(self, staff: str | None = None, *, permanent: bool) -> None:
        super().__init__(staff)
        self.permanent = permanent


class NoticeChannel(Protocol):
    """A way to a person. `kind` is sms or email; `send` returns the provider's reference or raises DeliveryError."""

    name: str
    kind: str

    async def send(self, message: Message) -> str: ...


def is_reference(text: str) -> bool:
    return re.match(REFERENCE, text) is not None


def move(state: str, to: str) -> str:
    """The next state. Raises ConflictError for a move that the table does not have."""
    if to not in TRANSITIONS.get(state, frozenset()):
        raise ConflictError(f"a notice cannot go from {state} to {to}")
    return to
