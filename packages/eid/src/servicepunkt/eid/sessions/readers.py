"""Card readers as the house sees them: where their pages are, and whether they are heard of."""

from __future__ import annotations

from typing import Literal

import msgspec

from servicepunkt.core.db.session import Transaction
from servicepunkt.eid.settings import ReaderSettings, settings_of
from servicepunkt.web.devices import service as devices
from servicepunkt.web.devices.model import MISSING_AFTER, Device

KIND = "reader"
NOT_ENROLLED = "The card reader has not been enrolled yet."
SILENT = "The card reader has not reported for more than two minutes."
WELL = "The card reader reports regularly."


class ReaderSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A reader; `words` is a message id, `url` empty where nobody has said where its pages are."""

    id: str
    point: str
    url: str
    state: Literal["online", "away", "unknown"]
    words: str


async def seen(tx: Transaction, reader: ReaderSettings) -> ReaderSeen:
    device = await devices.active(tx, KIND, reader.id)
    state, words = _state(device, tx)
    return ReaderSeen(id=reader.id, point=reader.point, url=_url(reader, device), state=state, words=words)


def _state(device: Device | None, tx: Transaction) -> tuple[Literal["online", "away", "unknown"], str]:
    if device is None or device.seen_at is None:
        return "unknown", NOT_ENROLLED
    return ("away", SILENT) if tx.now() - device.seen_at > MISSING_AFTER else ("online", WELL)


def _url(reader: ReaderSettings, device: Device | None) -> str:
    """What the file says; else what the reader has said of itself."""
    told = reader.local_url or (device.info.get("url", "") if device else "")
    return told.rstrip("/") if told.startswith(("http://", "https://")) else ""


async def at_point(tx: Transaction, point: str) -> ReaderSeen | None:
    """The reader to which a terminal leads: of several one that is heard of. None where none has pages."""
    found = [await seen(tx, one) for one in settings_of(tx.ctx).readers_at(point)]
    found = [one for one in found if one.url]
    return next((one for one in found if one.state == "online"), found[0] if found else None)


class ReadersSeen:
    """One reader: seen lately, or not."""

    def __init__(self, reader: ReaderSettings) -> None:
        self.name = reader.id
        self._reader = reader

    async def check(self, tx: Transaction) -> tuple[bool, str]:
        found = await seen(tx, self._reader)
        return found.state == "online", found.words
