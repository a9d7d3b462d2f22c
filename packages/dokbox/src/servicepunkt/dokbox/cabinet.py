"""A cabinet of compartments for asyncio: open one, read all, and a stream of what changes.

    async with open_cabinet("krcu16:/dev/ttyUSB0?boards=3&compartments=48") as cabinet:
        await cabinet.unlock(7)
        async for event in cabinet.events(): ...

Every stream begins with a `Snapshot` before it tells of any compartment; after `BusLost` and `BusFound` there
is a new one. `BusLost`, `BoardSilent` and `Noise` may come earlier: without them a cabinet that never answers
would be mute. Nothing is asked on the bus before the first stream is opened.

A value counts after it was seen in `Pace.confirmations` consecutive readings of its board; the snapshot waits
for that too. A closed door counts only together with its item sensor, so that `DoorClosed.item` is confirmed;
an open door counts alone, so that a flickering item sensor cannot hide it.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial
from urllib.parse import parse_qsl, unquote

import msgspec

from servicepunkt.dokbox.boards import (
    BadSettingError,
    Board,
    BoardError,
    LocalError,
    NoSuchCompartmentError,
    Reading,
    Request,
    build_board,
    kinds,
)
from servicepunkt.dokbox.bus import Bus, BusFound, BusLost, BusLostError, Noise, Port, serial_port, utc_now

__all__ = [
    "OPENERS",
    "BoardBack",
    "BoardSilent",
    "BusFound",
    "BusLost",
    "Cabinet",
    "Confirmation",
    "DoorClosed",
    "DoorOpened",
    "Event",
    "Events",
    "FellBehindError",
    "ItemChanged",
    "Noise",
    "Opener",
    "Pace",
    "Reading",
    "Snapshot",
    "Unlocked",
    "connect",
    "open_cabinet",
    "parse_address",
]

UNREAD_EVENTS = 1024  # a stream that lags further behind ends with `FellBehindError`

# ---- Events ----------------------------------------------------------------------------------------------


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """The confirmed state of every compartment."""

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
    """A board gave no readable answer; told once, until `BoardBack` or `BusLost`.

    Its compartments keep their last confirmed state.
    """

    board: int
    at: datetime


class BoardBack(msgspec.Struct, frozen=True, tag=True):
    """A silent board answers again."""

    board: int
    at: datetime


Event = Snapshot | DoorOpened | DoorClosed | ItemChanged | BoardSilent | BoardBack | BusLost | BusFound | Noise


class FellBehindError(LocalError):
    """The reader of a stream was too slow; what it missed is lost, a new stream begins with a snapshot."""

    code = "SP3215"

    def __init__(self) -> None:
        super().__init__(f"More than {UNREAD_EVENTS} events were not read.")


class Unlocked(msgspec.Struct, frozen=True):
    """The frame that left, in hexadecimal, and the instant when its last byte was written."""

    compartment: int
    frame: str
    at: datetime


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds between two readings, at rest and while a compartment is watched.

    `confirmations`: in how many consecutive readings a value has to be seen before it counts.
    """

    idle: float = 0.5
    watched: float = 0.1
    confirmations: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.watched <= self.idle or self.confirmations < 1:
            raise ValueError("a pace has 0 < watched <= idle and at least one confirmation")


# ---- Confirmation ----------------------------------------------------------------------------------------


class _Compartment:
    """What was seen of one compartment and what counts."""

    def __init__(self) -> None:
        self.confirmed: Reading | None = None
        self._last: Reading | None = None
        self._same_door = 0
        self._same_item = 0

    def see(self, reading: Reading, *, confirmations: int) -> None:
        last, self._last = self._last, reading
        self._same_door = self._same_door + 1 if last and last.closed == reading.closed else 1
        self._same_item = self._same_item + 1 if last and last.item == reading.item else 1
        item_counts = self._same_item >= confirmations
        door_counts = self._same_door >= confirmations and (item_counts or not reading.closed)
        if self.confirmed is None:
            self.confirmed = reading if item_counts and door_counts else None
            return
        self.confirmed = Reading(
            closed=reading.closed if door_counts else self.confirmed.closed,
            item=reading.item if item_counts else self.confirmed.item,
        )


def _changes(compartment: int, *, before: Reading, after: Reading, at: datetime) -> Iterator[Event]:
    """The order of a hand: open, take or put, close."""
    if before.closed and not after.closed:
        yield DoorOpened(compartment, at)
    if before.item != after.item:
        yield ItemChanged(compartment, after.item, at)
    if after.closed and not before.closed:
        yield DoorClosed(compartment, after.item, at)


class Confirmation:
    """Turns raw readings into events; knows neither time nor bus."""

    def __init__(self, compartments: tuple[int, ...], *, confirmations: int) -> None:
        self._confirmations = confirmations
        self._compartments = {n: _Compartment() for n in compartments}
        self._complete = False

    def snapshot(self, at: datetime) -> Snapshot | None:
        """The confirmed state, None until it is complete."""
        readings = {n: seen.confirmed for n, seen in self._compartments.items() if seen.confirmed is not None}
        return Snapshot(readings, at) if len(readings) == len(self._compartments) else None

    def see(self, readings: Mapping[int, Reading], at: datetime) -> list[Event]:
        """Take one reading of some or all compartments."""
        events: list[Event] = []
        for n, reading in readings.items():
            seen = self._compartments[n]
            before = seen.confirmed
            seen.see(reading, confirmations=self._confirmations)
            if self._complete and before is not None and seen.confirmed is not None:
                events += _changes(n, before=before, after=seen.confirmed, at=at)
        if not self._complete and (snapshot := self.snapshot(at)) is not None:
            self._complete = True
            return [snapshot]
        return events


# ---- Streams ---------------------------------------------------------------------------------------------


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


# ---- Cabinet ---------------------------------------------------------------------------------------------


class Cabinet:
    """An open cabinet; made by `open_cabinet` or `connect`, used in the event loop that opened it."""

    def __init__(
        self,
        board: Board,
        open_port: Callable[[], Port],
        *,
        pace: Pace,
        sleep: Callable[[float], Awaitable[object]],
        now: Callable[[], datetime],
    ) -> None:
        self.compartments: tuple[int, ...] = tuple(board.compartments)
        self._board = board
        self._pace = pace
        self._sleep = sleep
        self._now = now
        self._streams: list[Events] = []
        self._watched: Counter[int] = Counter()
        self._silent: set[int] = set()
        self._gone: BusLost | None = None
        self._end: BaseException | None = None
        self._poller: asyncio.Task[None] | None = None
        self._confirmation = self._unconfirmed()
        loop = asyncio.get_running_loop()
        self._bus = Bus(
            board,
            open_port,
            report=lambda news: loop.call_soon_threadsafe(self._hear, news),
            now=now,
        )

    async def unlock(self, compartment: int) -> Unlocked:
        """Open one compartment: write its frame once; return when it has left.

        Whether the door opened is known from `events()` or `read()`. Waits while another lock draws current.
        Raises `NoSuchCompartmentError`, `BusClosedError` (nothing was sent) or `BusLostError`, whose
        `certainly_not_written` says whether the lock can have fired. Cancelled before its turn it writes
        nothing; cancelled later, the frame is written all the same.
        """
        written = await asyncio.wrap_future(self._bus.submit(self._board.unlock(compartment)))
        return Unlocked(compartment, frame=written.request.frame.hex(), at=written.at)

    async def read(self) -> dict[int, Reading]:
        """Ask all boards now; unconfirmed. Raises the first `BoardError`, or `BusClosedError`."""
        readings: dict[int, Reading] = {}
        for answer in (await self._ask_all()).values():
            if isinstance(answer, BaseException):
                raise answer
            readings |= answer
        return dict(sorted(readings.items()))

    @contextmanager
    def watch(self, compartment: int) -> Iterator[None]:
        """Read at the quick pace within the block. Raises `NoSuchCompartmentError`."""
        if compartment not in self.compartments:
            raise NoSuchCompartmentError(compartment)
        self._watched[compartment] += 1
        try:
            yield
        finally:
            self._watched[compartment] -= 1

    def events(self) -> Events:
        """A new stream; it holds events from this call on, so open it before you unlock."""
        stream = Events()
        if self._end is not None:
            stream.end(self._end)
            return stream
        for event in self._standing():
            stream.put(event)
        self._streams.append(stream)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
            self._poller.add_done_callback(self._poller_ended)
        return stream

    async def close(self) -> None:
        """Stop reading, end all streams, close the port. What waits to be sent is not sent."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])
        self._end_streams(StopAsyncIteration())
        await asyncio.to_thread(self._bus.close)

    # ---- reading -----------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        naps_at_rest = max(1, round(self._pace.idle / self._pace.watched))
        naps = naps_at_rest
        while True:
            if naps >= naps_at_rest or self._watched.total():
                await self._scan()
                naps = 0
            await self._sleep(self._pace.watched)
            naps += 1

    async def _scan(self) -> None:
        confirmation = self._confirmation
        answers = await self._ask_all()
        lost = any(isinstance(answer, BusLostError) for answer in answers.values())
        if lost or self._confirmation is not confirmation:
            return  # what was read before the bus was lost says nothing about afterwards
        at = self._now()
        readings: dict[int, Reading] = {}
        for board, answer in answers.items():
            if isinstance(answer, BoardError):
                self._note_silence(board, at)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self._note_answer(board, at)
                readings |= answer
        for event in confirmation.see(readings, at):
            self._tell(event)

    async def _ask_all(self) -> dict[int, dict[int, Reading] | BaseException]:
        asked = [asyncio.wrap_future(self._bus.submit(self._status(board))) for board in self._board.boards]
        replies = await asyncio.gather(*asked, return_exceptions=True)
        return {
            board: reply
            if isinstance(reply, BaseException)
            else self._board.readings(reply.frame)
            if reply.frame is not None
            else {}
            for board, reply in zip(self._board.boards, replies, strict=True)
        }

    def _status(self, board: int) -> Request:
        request = self._board.status(board)
        # a board known to be silent is asked once, so that it does not hold up the others
        return msgspec.structs.replace(request, tries=1) if board in self._silent else request

    # ---- telling -----------------------------------------------------------------------------------------

    def _hear(self, event: BusLost | BusFound | Noise) -> None:
        if isinstance(event, BusLost):
            self._gone = event
            self._silent.clear()
            self._confirmation = self._unconfirmed()
        elif isinstance(event, BusFound):
            self._gone = None
        self._tell(event)

    def _note_silence(self, board: int, at: datetime) -> None:
        if board not in self._silent:
            self._silent.add(board)
            self._tell(BoardSilent(board, at))

    def _note_answer(self, board: int, at: datetime) -> None:
        if board in self._silent:
            self._silent.remove(board)
            self._tell(BoardBack(board, at))

    def _standing(self) -> Iterator[Event]:
        """What a stream that is opened now has missed and has to know."""
        at = self._now()
        if (snapshot := self._confirmation.snapshot(at)) is not None:
            yield snapshot
        if self._gone is not None:
            yield self._gone
        for board in sorted(self._silent):
            yield BoardSilent(board, at)

    def _tell(self, event: Event) -> None:
        for stream in self._streams:
            stream.put(event)
        self._streams = [stream for stream in self._streams if not stream.ended]

    def _unconfirmed(self) -> Confirmation:
        return Confirmation(self.compartments, confirmations=self._pace.confirmations)

    def _poller_ended(self, poller: asyncio.Task[None]) -> None:
        if not poller.cancelled() and (fault := poller.exception()) is not None:
            self._end_streams(fault)

    def _end_streams(self, reason: BaseException) -> None:
        if self._end is None:
            self._end = reason
        for stream in self._streams:
            stream.end(reason)
        self._streams.clear()


# ---- Opening ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def connect(
    board: Board,
    open_port: Callable[[], Port],
    *,
    pace: Pace | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    now: Callable[[], datetime] = utc_now,
) -> AsyncIterator[Cabinet]:
    """The cabinet of these boards on that port; `sleep` and `now` are the reader's."""
    cabinet = Cabinet(board, open_port, pace=pace or Pace(), sleep=sleep, now=now)
    try:
        yield cabinet
    finally:
        await cabinet.close()


Opener = Callable[[str, Pace], AbstractAsyncContextManager[Cabinet]]

#: Kinds of cabinet that are no boards on a port: each opens what follows the first colon of the address.
OPENERS: dict[str, Opener] = {}


def open_cabinet(
    address: str,
    *,
    pace: Pace | None = None,
    open_port: Callable[[str, int], Port] = serial_port,
) -> AbstractAsyncContextManager[Cabinet]:
    """The cabinet at `address`: kind, colon, port, options (`krcu16:/dev/ttyUSB0?boards=3&compartments=48`).

    Raises `BadSettingError` with every mistake in the address. A port that is absent raises nothing: the bus
    is lost until it appears (a name under /dev/serial/by-id stays when the adapter is plugged in again).
    """
    kind, _, rest = address.partition(":")
    if (opener := OPENERS.get(kind)) is not None:
        return opener(rest, pace or Pace())
    path, board = parse_address(address)
    return connect(board, partial(open_port, path, board.baudrate), pace=pace)


def parse_address(address: str) -> tuple[str, Board]:
    """The port's path and the boards that an address names. Raises `BadSettingError`."""
    kind, _, rest = address.partition(":")
    path, _, query = rest.partition("?")
    if kind not in kinds():
        known = ", ".join(sorted({*kinds(), *OPENERS}))
        raise BadSettingError([f"{address!r} names no known kind of cabinet, known are: {known}"])
    mistakes = []
    if not path:
        mistakes.append(f"{address!r} names no port, as in {kind}:/dev/ttyUSB0")
    if path.startswith("//"):
        mistakes.append(f"{address!r} names a host; a port has one slash, as in {kind}:/dev/ttyUSB0")
    try:
        board = build_board(kind, _options(query))
    except BadSettingError as bad:
        raise BadSettingError([*mistakes, *bad.mistakes]) from None
    if mistakes:
        raise BadSettingError(mistakes)
    return unquote(path), board


def _options(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError as error:
        raise BadSettingError([f"options are written name=value&name=value ({error})"]) from None
