"""A line: the compartments that one bus reaches, for asyncio, whatever speaks on it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from servicepunkt.dokbox.boards import Board, BoardError, Reading, Request
from servicepunkt.dokbox.bus import Bus, BusLost, BusNews, Port, Reply, Report, Supply


class NotReadyError(BoardError):
    """The board did not answer before its lock was to fire; nothing was opened."""

    code = "SP3224"
    certainly_not_written = True

    def __init__(self, reason: BoardError) -> None:
        super().__init__(f"Nothing was opened, because the board could not be prepared: {reason}")


class Unlocked(msgspec.Struct, frozen=True):
    """The frame that left, in hexadecimal, and the instant when its last byte was written."""

    compartment: int
    frame: str
    at: datetime


class Line(Protocol):
    """What the cabinet asks of a line. Compartments have the numbers of the cabinet."""

    @property
    def boards(self) -> Sequence[int]:
        """The ids of the boards on the line."""

    def on(self, board: int) -> Sequence[int]:
        """The compartments of one board."""

    async def unlock(self, compartment: int) -> Unlocked:
        """Fire one lock, once. Raises `BoardError`, `BusClosedError`."""

    async def status(self, board: int, *, once: bool) -> dict[int, Reading]:
        """How the compartments of a board are; with `once` without a second try. Raises as `unlock`."""

    def close(self) -> None:
        """Give the port back; blocks as long as that takes."""


class BoardLine:
    """Lock boards on a `Bus`, opened by `open_port`.

    A board that may have been left switched on is put at rest before it is used: at the start, after it was
    silent, and after the bus was lost. `report`, `supply` and `now` are as `Bus` takes them.
    """

    def __init__(
        self,
        board: Board,
        open_port: Callable[[], Port],
        *,
        supply: Supply,
        report: Report,
        now: Callable[[], datetime],
    ) -> None:
        self.boards = board.boards
        self._board = board
        self._report = report
        self._age = 0  # grows with every loss of the bus
        self._at_rest: dict[int, int] = {}  # the age in which a board was put at rest
        self._bus = Bus(board, open_port, supply=supply, report=self._hear, now=now)

    def on(self, board: int) -> Sequence[int]:
        return [compartment for compartment, place in self._board.table.items() if place.board == board]

    async def unlock(self, compartment: int) -> Unlocked:
        request = self._board.unlock(compartment)
        try:
            await self._rest(self._board.table[compartment].board)
        except BoardError as error:
            raise NotReadyError(error) from error
        written = await asyncio.wrap_future(self._bus.submit(request))
        return Unlocked(compartment, frame=request.frame.hex(), at=written.at)

    async def status(self, board: int, *, once: bool) -> dict[int, Reading]:
        request = self._board.status(board)
        try:
            await self._rest(board, once=once)
            reply = await self._ask(request, once=once)
        except BoardError:
            self._at_rest.pop(board, None)
            raise
        return self._board.readings(reply.frame) if reply.frame is not None else {}

    def close(self) -> None:
        self._bus.close()

    async def _ask(self, request: Request, *, once: bool) -> Reply:
        tries = 1 if once else request.tries
        return await asyncio.wrap_future(self._bus.submit(msgspec.structs.replace(request, tries=tries)))

    async def _rest(self, board: int, *, once: bool = False) -> None:
        age = self._age
        if self._at_rest.get(board) != age:
            for request in self._board.rest(board):
                await self._ask(request, once=once)
            self._at_rest[board] = age

    def _hear(self, news: BusNews) -> None:
        if isinstance(news, BusLost):
            self._age += 1
        self._report(news)
