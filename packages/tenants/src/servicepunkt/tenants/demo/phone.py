"""The rehearsal telephone: keeps the SMS that would have been sent, each reference once, over restarts too."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

MAX_MESSAGES = 1000


class Incoming(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the channel posts."""

    reference: str
    recipient: str
    text: str
    qr: str = ""


class Received(msgspec.Struct, frozen=True):
    """A message on the telephone. `shown` is the moment by the rehearsal's clock, `at` by the real one."""

    reference: str
    recipient: str
    text: str
    at: datetime
    shown: datetime | None = None
    qr: str = ""


class Phone:
    """A file of JSON lines; a repeated reference is the same message."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._messages: dict[str, Received] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                message = msgspec.json.decode(line, type=Received)
                self._messages[message.reference] = message

    def receive(self, incoming: Incoming, *, shown: datetime | None = None) -> bool:
        """False when it was known already."""
        if incoming.reference in self._messages:
            return False
        message = Received(incoming.reference, incoming.recipient, incoming.text, datetime.now(UTC), shown, incoming.qr)
        self._messages[message.reference] = message
        while len(self._messages) > MAX_MESSAGES:
            del self._messages[next(iter(self._messages))]
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(message) + b"\n")
        return True

    def messages(self) -> list[Received]:
        """The newest first."""
        return list(reversed(self._messages.values()))
