"""The slot for old documents: it reads a chip, keeps the document and makes it void, or gives it back.

    unix:/run/servicepunkt/slot.sock      a program beside the box that drives the maker's device

That program answers lines of ASCII with lines: `read` with `number C01X00T47`, `empty` or `unreadable`; `keep`, which
draws the document in and makes it void, with `kept` or `jammed`; `give`, which pushes it out again, with `given`. A
slot of somebody else's is an entry point `servicepunkt.slots` that makes a `Slot` of what stands behind its name.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal, Protocol

from servicepunkt.dokbox.errors import DokboxError

LONGEST_LINE = 200  # bytes
ANSWER_SECONDS = 30.0
NUMBER = re.compile(r"number ([A-Z0-9]{4,30})")

Reason = Literal["empty", "unreadable", "jammed", "silent"]


class SlotError(DokboxError):
    """The slot could not do it; `reason` says why."""

    code = "SP3107"
    sentence = "The slot for old documents could not do this."

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason=reason)
        self.reason: Reason = reason


class Slot(Protocol):
    """A slot with one document in it or none."""

    async def read(self) -> str:
        """The number in the chip of the document. Raises `SlotError`."""

    async def keep(self) -> None:
        """Draw the document in and make it void; it does not come back. Raises `SlotError`."""

    async def give_back(self) -> None:
        """Push the document out. Raises `SlotError`."""


class LineSlot:
    """A slot behind a Unix socket; one connection for each question, so that either side may be started anew."""

    def __init__(self, path: Path, *, seconds: float = ANSWER_SECONDS) -> None:
        self._path = path
        self._seconds = seconds

    async def read(self) -> str:
        answer = await self._ask("read")
        if found := NUMBER.fullmatch(answer):
            return found.group(1)
        raise SlotError("empty" if answer == "empty" else "unreadable")

    async def keep(self) -> None:
        if await self._ask("keep") != "kept":
            raise SlotError("jammed")

    async def give_back(self) -> None:
        await self._ask("give")

    async def _ask(self, question: str) -> str:
        try:
            async with asyncio.timeout(self._seconds):
                reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST_LINE)
                try:
                    writer.write(f"{question}\n".encode("ascii"))
                    await writer.drain()
                    line = await reader.readline()
                finally:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
        except (OSError, TimeoutError, ValueError):
            raise SlotError("silent") from None
        return line.decode("ascii", "replace").strip()


def open_slot(address: str) -> Slot:
    """The slot that an address names. Raises ValueError for one that names none."""
    kind, _, rest = address.partition(":")
    if kind == "unix" and rest:
        return LineSlot(Path(rest))
    made: dict[str, Callable[[str], Slot]] = {
        point.name: point.load() for point in entry_points(group="servicepunkt.slots") if point.name == kind
    }
    if kind not in made or not rest:
        raise ValueError(f"{address!r} names no slot, as in unix:/run/servicepunkt/slot.sock")
    return made[kind](rest)
