"""What a cabinet tells: doors, items, and who cannot be heard; and the stream that carries it to one reader.

A `line` is the index of a line of the cabinet, from 0 in the order of its addresses.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from servicepunkt.dokbox.boards import LocalError, Reading

UNREAD_EVENTS = 1024  # a stream that lags further behind ends with `FellBehindError`


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """The confirmed state of compartments that were not seen until now, or not since their board fell silent."""

    readings: dict[int, Reading]
    at: datetime


class DoorOpened(msgspec.Struct, frozen=True, tag=True):
    """The door of a compartment is open."""

    compartment: int
    at: datetime


class DoorClosed(msgspec.Struct, frozen=True, tag=True):
    """The door is closed and locked; `item` is what lies behind it, None where no sensor is fitted."""

    compartment: int
    item: bool | None
    at: datetime


class ItemChanged(msgspec.Struct, frozen=True, tag=True):
    """Something was put in or taken out."""

    compartment: int
    item: bool | None
    at: datetime


class BoardSilent(msgspec.Struct, frozen=True, tag=True):
    """A board gave no answer that can be used; told once, until `BoardBack` or `LineLost`.

    Nobody sees its compartments. `reason`: the code of the error; `UNTRUSTED` is an alarm, because what answered
    may not be the board.
    """

    line: int
    board: int
    compartments: tuple[int, ...]
    reason: str
    at: datetime


class BoardBack(msgspec.Struct, frozen=True, tag=True):
    """A silent board answers again; a snapshot of its compartments follows."""

    line: int
    board: int
    at: datetime


class LineLost(msgspec.Struct, frozen=True, tag=True):
    """The port of a line cannot be used since `at`; told once, until `LineFound`. Nobody sees its compartments."""

    line: int
    reason: str
    compartments: tuple[int, ...]
    at: datetime


class LineFound(msgspec.Struct, frozen=True, tag=True):
    """The port of a line is open again; a snapshot of its compartments follows."""

    line: int
    at: datetime


class LineNoise(msgspec.Struct, frozen=True, tag=True):
    """`count` bytes came on a line while a reply was awaited that belong to no frame."""

    line: int
    count: int
    at: datetime


class KeysTyped(msgspec.Struct, frozen=True, tag=True):
    """Keys were pressed at a board, digits and * and #. They may be somebody's code: not for a log."""

    line: int
    board: int
    keys: str
    at: datetime


DoorEvent = Snapshot | DoorOpened | DoorClosed | ItemChanged
BoardEvent = BoardSilent | BoardBack | KeysTyped
LineEvent = LineLost | LineFound | LineNoise
Event = DoorEvent | BoardEvent | LineEvent


class FellBehindError(LocalError):
    """The reader of a stream was too slow; what it missed is lost, a new stream begins with a snapshot."""

    code = "SP3215"

    def __init__(self) -> None:
        super().__init__(f"More than {UNREAD_EVENTS} events were not read.")


class Events(AsyncIterator[Event]):
    """One reader's stream; ends when the cabinet is closed.

    Raises `FellBehindError`, and a fault of the reading task if that has ended with one.
    """

    def __init__(self) -> None:
        self._unread: deque[Event] = deque()
        self._end: BaseException | None = None
        self._news = asyncio.Event()

    async def __anext__(self) -> Event:
        while not self._unread:
            if self._end is not None:
                raise self._end
            self._news.clear()
            await self._news.wait()
        return self._unread.popleft()

    @property
    def ended(self) -> bool:
        """Whether nothing more is taken."""
        return self._end is not None

    def put(self, event: Event) -> None:
        """Append an event, or end the stream when too many are unread."""
        if self._end is not None:
            return
        if len(self._unread) >= UNREAD_EVENTS:
            self._unread.clear()
            self.end(FellBehindError())
            return
        self._unread.append(event)
        self._news.set()

    def end(self, reason: BaseException) -> None:
        """What is unread is still delivered, then `reason` is raised."""
        if self._end is None:
            self._end = reason
            self._news.set()
