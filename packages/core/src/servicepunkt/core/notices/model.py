"""Notices: states as a table, templates and their length, and what a channel must offer. Pure."""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ConflictError, ServicepunktError

# All moves of a notice. `sending` may be entered again: a worker that died in between leaves it behind, and the
# provider recognises the notice's id as the one it has already accepted.
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "created": frozenset({"sending", "permanent-failure"}),
    "sending": frozenset({"sending", "sent", "temporary-failure", "permanent-failure", "technical-failure"}),
    "temporary-failure": frozenset({"sending", "permanent-failure", "technical-failure"}),
    "sent": frozenset({"delivered", "temporary-failure", "permanent-failure"}),
    "delivered": frozenset(),
    "permanent-failure": frozenset(),
    "technical-failure": frozenset(),
}
STATES = tuple(TRANSITIONS)
UNSENT = ("created", "sending", "temporary-failure")

# GSM 03.38: the basic alphabet takes one septet a character, the extension table two.
GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("^{}\\[~]|€\f")


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one person. `recipient` is sealed with the key of its case; `sealed` holds what nobody but the
    worker may read (a pick-up code), opened only while it is sent."""

    id: UUID
    case: UUID
    channel: str
    template: str
    locale: str
    params: dict[str, str]
    recipient: bytes
    sealed: bytes | None = None
    sealed_context: str = ""
    state: str = "created"
    attempts: int = 0
    provider: str = ""
    reference: str = ""
    created_at: datetime
    updated_at: datetime


class NoticeTemplate(msgspec.Struct, frozen=True):
    """A text by language; places are written {name}. `segments` is the most that an SMS of it may take.

    `longest`: the longest value of each place, `tenant` excepted; with it the text is checked. `qr`: what a QR code
    beside the text says, where the channel can show one, with the same places.
    """

    name: str
    texts: Mapping[str, str]
    channel: str = "sms"
    segments: int = 1
    longest: Mapping[str, str] = {}
    qr: str = ""


class Message(msgspec.Struct, frozen=True):
    """What a channel is given. `reference` is the notice's id: a provider that has seen it must not send again."""

    reference: str
    recipient: str
    text: str
    subject: str = ""
    qr: str = ""

    def __repr__(self) -> str:
        return f"Message(reference={self.reference!r})"


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


def move(state: str, to: str) -> str:
    """The next state. Raises ConflictError for a move that the table does not have."""
    if to not in TRANSITIONS.get(state, frozenset()):
        raise ConflictError(f"a notice cannot go from {state} to {to}")
    return to


def sms_segments(text: str) -> tuple[str, int]:
    """(alphabet, count of segments): GSM-7 holds 160 septets or 153 in each of several, UCS-2 70 or 67."""
    if all(character in GSM_BASIC or character in GSM_EXTENDED for character in text):
        return "GSM-7", _segments([2 if character in GSM_EXTENDED else 1 for character in text], 160, 153)
    return "UCS-2", _segments([2 if ord(character) > 0xFFFF else 1 for character in text], 70, 67)


def _segments(sizes: list[int], alone: int, part: int) -> int:
    """How many segments take characters of these sizes, none of which may be cut in two."""
    if sum(sizes) <= alone:
        return 1
    count, filled = 1, 0
    for size in sizes:
        if filled + size > part:
            count, filled = count + 1, 0
        filled += size
    return count


def template_mistakes(template: NoticeTemplate, tenant: str) -> list[str]:
    """What is wrong with the texts when every place is filled with its longest value; empty when all is well."""
    mistakes = []
    longest = {"tenant": tenant, **template.longest}
    for language, text in (*template.texts.items(), *([("qr", template.qr)] if template.qr else [])):
        place = f"{template.name}/{language}"
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
            if unknown := sorted(names - set(longest)):
                mistakes.append(f"{place}: unknown places {', '.join(unknown)}")
                continue
            filled = text.format(**longest)
        except (ValueError, LookupError) as error:
            mistakes.append(f"{place}: {error}")
            continue
        if template.channel == "sms":
            mistakes += [f"{place}: {sentence}" for sentence in _sms_mistakes(filled, template.segments)]
    return mistakes


def _sms_mistakes(text: str, most: int) -> list[str]:
    mistakes = []
    alphabet, segments = sms_segments(text)
    if alphabet != "GSM-7":
        foreign = sorted({c for c in text if c not in GSM_BASIC and c not in GSM_EXTENDED})
        mistakes.append(f"characters outside the SMS alphabet: {' '.join(foreign)}")
    if segments > most:
        mistakes.append(f"{segments} SMS instead of {most}")
    if "://" in text or "www." in text:
        mistakes.append("an SMS holds no link")
    return mistakes
