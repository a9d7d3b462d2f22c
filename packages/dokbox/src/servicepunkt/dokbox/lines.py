"""A line: the compartments that one bus reaches, for asyncio."""

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic

import msgspec

from servicepunkt.dokbox.boards import Board, BoardError, NotPreparedError, Reading, Request
from servicepunkt.dokbox.bus import Bus, BusLost, BusNews, Reply, Supply
from servicepunkt.dokbox.ports import Port


class NotReadyError(BoardError):
    """The board could not be put at rest, so it was not asked; `reason` says what went wrong."""

    code = "SP3224"
    certainly_not_written = True

    def __init__(self, reason: BoardError) -> None:
        super().__init__(f"The board was not asked, because it could not be prepared: {reason}")
        self.reason = reason


class Unlocked(msgspec.Struct, frozen=True):
    """The frame that left, in hexadecimal, and the instant when its last byte was written."""

    compartment: int
    frame: str
    at: datetime


class Typed(msgspec.Struct, frozen=True, tag=True):
    """Keys that were pressed at a board: digits, * and #."""

    board: int
    keys: str
    at: datetime


LineNews = BusNews | Typed
#: Whom a line tells; called in any thread, and must not block.
Report = Callable[[LineNews], object]


class Line:
    """Boards of one kind on a `Bus`, opened by `open_port`.

    A board that may have been left switched on is put at rest before it is used: at the start, after it failed to
    answer, after the bus was lost, and where the kind asks for it after a while of silence. `supply` and `now` are
    as `Bus` takes them; `after` is called when the line is closed.
    """

    def __init__(
        self,
        board: Board,
        open_port: Callable[[], Port],
        *,
        supply: Supply,
        report: Report,
        now: Callable[[], datetime],
        after: Callable[[], object] = lambda: None,
    ) -> None:
        self.board = board
        self._after = after
        self._report = report
        self._now = now
        self._preparing = {each: asyncio.Lock() for each in board.boards}
        self._age = 0  # grows with every loss of the bus
        self._at_rest: dict[int, int] = {}  # the age in which a board was put at rest
        self._heard: dict[int, float] = {}  # when a board was asked last without fault
        self._bus = Bus(board, open_port, supply=supply, report=self._hear, now=now)

    @property
    def boards(self) -> Sequence[int]:
        """The ids of the boards on the line."""
        return self.board.boards

    def on(self, board: int) -> Sequence[int]:
        """The compartments of one board."""
        return [compartment for compartment, place in self.board.table.items() if place.board == board]

    async def unlock(self, compartment: int) -> Unlocked:
        """Fire one lock, once. Raises `BoardError`, `BusClosedError`."""
        request = self.board.unlock(compartment)
        board = self.board.table[compartment].board
        written = await self.ask(board, request)
        return Unlocked(compartment, frame=request.frame.hex(), at=written.at)

    async def status(self, board: int, *, once: bool = False) -> dict[int, Reading]:
        """How the compartments of a board are; with `once` without a second try. Raises as `unlock`.

        What was typed at the board meanwhile is reported.
        """
        readings: dict[int, Reading] = {}
        for request in (self.board.status(board), *self.board.polls(board)):
            reply = await self.ask(board, request, once=once)
            if reply.frame is not None:
                readings |= self.board.readings(reply.frame)
                if keys := self.board.keys(reply.frame):
                    self._report(Typed(board, keys, self._now()))
        return readings

    async def ask(self, board: int, request: Request, *, once: bool = False) -> Reply:
        """Ask a board anything, also what only its kind knows (a pulse time, a light). Raises as `unlock`."""
        try:
            await self._rest(board, once=once)
            return await self._submit(board, request, once=once)
        except NotPreparedError:  # somebody else's request has failed between the two
            await self._rest(board, once=once)
            return await self._submit(board, request, once=once)

    def close(self) -> None:
        """Give the port back; blocks as long as that takes."""
        self._bus.close()
        self._after()

    async def _rest(self, board: int, *, once: bool = False) -> None:
        async with self._preparing[board]:
            age = self._age
            lapsed = monotonic() - self._heard.get(board, -math.inf) > self.board.lapses_after
            if self._at_rest.get(board) != age or lapsed:
                try:
                    for request in self.board.rest(board):
                        await self._submit(board, request, once=once)
                except BoardError as error:
                    raise NotReadyError(error) from error
                self._at_rest[board] = age

    async def _submit(self, board: int, request: Request, *, once: bool = False) -> Reply:
        tries = 1 if once else request.tries
        try:
            reply = await asyncio.wrap_future(self._bus.submit(msgspec.structs.replace(request, tries=tries)))
        except BoardError:
            self._at_rest.pop(board, None)
            raise
        self._heard[board] = monotonic()
        return reply

    def _hear(self, news: BusNews) -> None:
        if isinstance(news, BusLost):
            self._age += 1
        self._report(news)
