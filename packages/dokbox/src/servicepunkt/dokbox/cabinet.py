"""A cabinet of compartments for asyncio: open one, read all, and a stream of what changes.

    async with open_cabinet("krcu16:/dev/ttyUSB0?boards=3&compartments=48") as cabinet:
        await cabinet.unlock(7)
        async for event in cabinet.events(): ...

Every stream tells of a compartment first by a `Snapshot`; after a line or a board was lost and came back there is
a new one for its compartments. Nothing is asked on a line before the first stream is opened.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial
from typing import cast

import msgspec

from servicepunkt.dokbox.addresses import Opening, parse_addresses
from servicepunkt.dokbox.boards import UNTRUSTED, BoardError, NoSuchCompartmentError, Reading
from servicepunkt.dokbox.bus import BusFound, BusLost, BusLostError, Noise, Supply, utc_now
from servicepunkt.dokbox.debounce import Debounce
from servicepunkt.dokbox.events import BoardBack, BoardSilent, Event, Events, KeysTyped, LineFound, LineLost, LineNoise
from servicepunkt.dokbox.lines import Line, LineNews, NotReadyError, Typed, Unlocked
from servicepunkt.dokbox.ports import Port, serial_port

__all__ = ["Cabinet", "Pace", "connect", "open_cabinet"]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds between two readings, at rest and while a compartment is watched.

    `debounce`: in how many consecutive readings a value has to be seen before it counts.
    """

    idle: float = 0.5
    watched: float = 0.1
    debounce: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.watched <= self.idle or self.debounce < 1:
            raise ValueError("a pace has 0 < watched <= idle and a debounce of at least one reading")


class _Sight:
    """What the cabinet knows of one line: whether it is there, and which of its boards are silent."""

    def __init__(self, index: int, line: Line) -> None:
        self.index = index
        self.line = line
        self.compartments = tuple(line.board.table)
        self.lost: LineLost | None = None
        self.silent: dict[int, BoardSilent] = {}
        self.age = 0  # grows whenever the line is lost: what was asked before says nothing about afterwards


def _cause(answer: dict[int, Reading] | BaseException) -> dict[int, Reading] | BaseException:
    return answer.reason if isinstance(answer, NotReadyError) else answer


class Cabinet:
    """An open cabinet; made by `open_cabinet` or `connect`, used in the event loop that opened it."""

    def __init__(
        self,
        openings: Sequence[Opening],
        *,
        pace: Pace,
        sleep: Callable[[float], Awaitable[object]],
        now: Callable[[], datetime],
    ) -> None:
        self._pace = pace
        self._sleep = sleep
        self._now = now
        self._streams: list[Events] = []
        self._watched: Counter[int] = Counter()
        self._end: BaseException | None = None
        self._poller: asyncio.Task[None] | None = None
        self._debounce = Debounce(readings=pace.debounce)
        self._sights: list[_Sight] = []
        loop = asyncio.get_running_loop()
        supply = Supply()
        for index, opening in enumerate(openings):
            report = partial(loop.call_soon_threadsafe, cast(Callable[..., object], self._hear), index)
            self._sights.append(_Sight(index, opening(supply, report, now)))
        self._sight_of = {number: sight for sight in self._sights for number in sight.compartments}
        self.compartments: tuple[int, ...] = tuple(sorted(self._sight_of))

    async def unlock(self, compartment: int) -> Unlocked:
        """Open one compartment: write its frame once; return when it has left.

        Whether the door opened is known from `events()` or `read()`. Waits while another lock draws current.
        Raises `NoSuchCompartmentError`, `BusClosedError` (nothing was sent) or a `BoardError`, whose
        `certainly_not_written` says whether the lock can have fired. Cancelled before its turn it writes
        nothing; cancelled later, the frame is written all the same.
        """
        return await self._sight(compartment).line.unlock(compartment)

    @property
    def lines(self) -> Sequence[Line]:
        """The lines in the order of the addresses, for what only their kind of board knows (`Line.ask`)."""
        return [sight.line for sight in self._sights]

    async def read(self) -> dict[int, Reading]:
        """Ask all boards now; unconfirmed. Raises the first `BoardError`, or `BusClosedError`."""
        readings: dict[int, Reading] = {}
        for sight in self._sights:
            for answer in (await self._ask_all(sight)).values():
                if isinstance(answer, BaseException):
                    raise answer
                readings |= answer
        return dict(sorted(readings.items()))

    @contextmanager
    def watch(self, compartment: int) -> Iterator[None]:
        """Read at the quick pace within the block. Raises `NoSuchCompartmentError`."""
        self._sight(compartment)
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
        """Stop reading, end all streams, close the ports. What waits to be sent is not sent."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])
        self._end_streams(StopAsyncIteration())
        await asyncio.gather(*(asyncio.to_thread(sight.line.close) for sight in self._sights))

    def _sight(self, compartment: int) -> _Sight:
        if compartment not in self._sight_of:
            raise NoSuchCompartmentError(compartment)
        return self._sight_of[compartment]

    # ---- reading -----------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        naps_at_rest = max(1, round(self._pace.idle / self._pace.watched))
        naps = naps_at_rest
        while True:
            if naps >= naps_at_rest or self._watched.total():
                await asyncio.gather(*(self._scan(sight) for sight in self._sights))
                naps = 0
            await self._sleep(self._pace.watched)
            naps += 1

    async def _scan(self, sight: _Sight) -> None:
        age = sight.age
        answers = await self._ask_all(sight)
        answers = {board: _cause(answer) for board, answer in answers.items()}
        lost = any(isinstance(answer, BusLostError) for answer in answers.values())
        if lost or sight.age != age:
            return
        at = self._now()
        readings: dict[int, Reading] = {}
        for board, answer in answers.items():
            if isinstance(answer, BoardError):
                self._note_silence(sight, board, answer, at)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self._note_answer(sight, board, at)
                readings |= answer
        for event in self._debounce.see(readings, at):
            self._tell(event)

    async def _ask_all(self, sight: _Sight) -> dict[int, dict[int, Reading] | BaseException]:
        boards = sight.line.boards
        # a board known to be silent is asked once, so that it does not hold up the others
        asked = [sight.line.status(board, once=board in sight.silent) for board in boards]
        return dict(zip(boards, await asyncio.gather(*asked, return_exceptions=True), strict=True))

    # ---- telling -----------------------------------------------------------------------------------------

    def _hear(self, index: int, news: LineNews) -> None:
        sight = self._sights[index]
        match news:
            case BusLost(reason=reason, at=at):
                sight.age += 1
                sight.silent.clear()
                self._debounce.forget(sight.compartments)
                sight.lost = LineLost(index, reason, sight.compartments, at)
                self._tell(sight.lost)
            case BusFound(at=at):
                sight.lost = None
                self._tell(LineFound(index, at))
            case Noise(count=count, at=at):
                self._tell(LineNoise(index, count, at))
            case Typed(board=board, keys=keys, at=at):
                self._tell(KeysTyped(index, board, keys, at))

    def _note_silence(self, sight: _Sight, board: int, error: BoardError, at: datetime) -> None:
        known = sight.silent.get(board)
        if known is None or (error.code == UNTRUSTED and known.reason != UNTRUSTED):
            compartments = tuple(sight.line.on(board))
            self._debounce.forget(compartments)
            sight.silent[board] = BoardSilent(sight.index, board, compartments, error.code, at)
            self._tell(sight.silent[board])

    def _note_answer(self, sight: _Sight, board: int, at: datetime) -> None:
        if sight.silent.pop(board, None) is not None:
            self._tell(BoardBack(sight.index, board, at))

    def _standing(self) -> Iterator[Event]:
        """What a stream that is opened now has missed and has to know."""
        if (snapshot := self._debounce.snapshot(self._now())) is not None:
            yield snapshot
        for sight in self._sights:
            if sight.lost is not None:
                yield sight.lost
            yield from sight.silent.values()

    def _tell(self, event: Event) -> None:
        for stream in self._streams:
            stream.put(event)
        self._streams = [stream for stream in self._streams if not stream.ended]

    def _poller_ended(self, poller: asyncio.Task[None]) -> None:
        if not poller.cancelled() and (fault := poller.exception()) is not None:
            self._end_streams(fault)

    def _end_streams(self, reason: BaseException) -> None:
        if self._end is None:
            self._end = reason
        for stream in self._streams:
            stream.end(reason)
        self._streams.clear()


@asynccontextmanager
async def connect(
    *openings: Opening,
    pace: Pace | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    now: Callable[[], datetime] = utc_now,
) -> AsyncIterator[Cabinet]:
    """The cabinet of these lines; `sleep` and `now` are the reader's. The lines share one supply."""
    cabinet = Cabinet(openings, pace=pace or Pace(), sleep=sleep, now=now)
    try:
        yield cabinet
    finally:
        await cabinet.close()


def open_cabinet(
    *addresses: str,
    pace: Pace | None = None,
    open_port: Callable[[str, int], Port] = serial_port,
) -> AbstractAsyncContextManager[Cabinet]:
    """The cabinet at one or more addresses (`addresses.py` says how they are written), each a line of its own.

    Raises `BadSettingError` with every mistake in them. A port that is absent raises nothing: the line is lost
    until it appears (a name under /dev/serial/by-id stays when the adapter is plugged in again).
    """
    return connect(*(address.opening(open_port) for address in parse_addresses(*addresses)), pace=pace)
