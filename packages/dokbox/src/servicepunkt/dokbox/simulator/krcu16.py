"""The KR-CU16 lock boards of one bus as bytes in, bytes out: what the firmware does, without a line.

Source: the project's protocol reference, section 2.1, frames recomputed by hand. A frame is
``STX ADDR COMMAND [DATA] ETX SUM``; SUM is the sum of everything before it modulo 256; ADDR is
``board << 4 | lock - 1``. STX and ETX are not escaped, so frames are cut by their length.

Not in the reference, and how it is settled here:
- 36 is one frame a board, laid out like 35 (a published log shows ``02 10 36 00 00 00 00 03 4B``).
- 38 carries the pulse time as hi, lo, and answers a query as well as a setting.
- A query for a board whose low nibble is not 0 is ignored, so that a driver that mixes the two up is found.
- A setting of 7.68 s and more whose bytes happen to be a whole query as well counts as the query.
"""

from collections.abc import Iterable
from enum import IntEnum
from random import Random

from servicepunkt.dokbox.simulator.boards import BoardsOnBus, Transmission, pack
from servicepunkt.dokbox.simulator.model import Cabinet, What

STX = 0x02
ETX = 0x03
LOCKS_PER_BOARD = 16
MOST_BOARDS = 10
"""Boards carry the ids 0 to 9."""
EVERY_BOARD = 0xF0
"""The address of a request to the whole bus."""
DEFAULT_PULSE_TIME = 50
"""In units of 10 ms: 500 ms, what the maker gives for a solenoid."""


class Command(IntEnum):
    STATUS = 0x30
    UNLOCK = 0x31
    STATUS_ALL = 0x32
    UNLOCK_ALL = 0x33
    PULSE_TIME = 0x37


class Reply(IntEnum):
    STATUS = 0x35
    STATUS_ALL = 0x36
    PULSE_TIME = 0x38


FRAME_LENGTHS: dict[int, tuple[int, ...]] = {
    Command.STATUS: (5,),
    Command.UNLOCK: (5,),
    Command.STATUS_ALL: (5,),
    Command.UNLOCK_ALL: (5,),
    Command.PULSE_TIME: (5, 7),
}
"""How many bytes a request may have; a pulse time is queried with 5 and set with 7."""


class KrCu16Boards(BoardsOnBus):
    """The KR-CU16 boards of one bus, at most ten.

    ``answers_unlock``: the firmware that sends its status after an unlock; most sends nothing.
    """

    def __init__(self, cabinet: Cabinet, random: Random, *, answers_unlock: bool = False) -> None:
        super().__init__(cabinet, random, locks_per_board=LOCKS_PER_BOARD, most_boards=MOST_BOARDS)
        self._answers_unlock = answers_unlock
        self._pulse_times = [DEFAULT_PULSE_TIME] * self._boards

    def _possible_lengths(self, start: bytearray) -> tuple[int, ...]:
        if start[0] != STX:
            return ()
        return FRAME_LENGTHS.get(start[2], ()) if len(start) > 2 else (5,)

    def _is_whole(self, request: bytes) -> bool:
        return request[-2] == ETX and sum(request[:-1]) % 256 == request[-1]

    def _obey(self, request: bytes, time: float) -> Iterable[Transmission]:
        return [Transmission(reply) for reply in self._replies(request, time)]

    def _replies(self, request: bytes, time: float) -> list[bytes]:
        address, command = request[1], Command(request[2])
        board, lock = divmod(address, LOCKS_PER_BOARD)
        if command is Command.UNLOCK_ALL:
            self.cabinet.record(What.FORBIDDEN_COMMAND, time=time)
            return []
        if command is Command.STATUS_ALL:
            return self._status_of_all() if address == EVERY_BOARD else []
        if board >= self._boards:
            return []
        if command is Command.UNLOCK:
            self.cabinet.pulse(board * LOCKS_PER_BOARD + lock + 1, time=time)
            return [self._status(board, Reply.STATUS)] if self._answers_unlock else []
        if lock:
            return []
        return [self._pulse_time(board, request[3:-2]) if command is Command.PULSE_TIME
                else self._status(board, Reply.STATUS)]  # fmt: skip

    def _status_of_all(self) -> list[bytes]:
        return [self._status(board, Reply.STATUS_ALL) for board in range(self._boards)]

    def _status(self, board: int, code: Reply) -> bytes:
        """``STX ADDR CODE H1 H2 I1 I2 ETX SUM``; bit 0 of the first byte is lock 1; unwired locks read 0."""
        numbers = self._numbers(board)
        return _frame(board, code, pack(map(self._reads_closed, numbers)) + pack(map(self._reads_item, numbers)))

    def _pulse_time(self, board: int, setting: bytes) -> bytes:
        if setting:
            self._pulse_times[board] = int.from_bytes(setting, "big")
        return _frame(board, Reply.PULSE_TIME, self._pulse_times[board].to_bytes(2, "big"))


def _frame(board: int, code: Reply, data: bytes) -> bytes:
    body = bytes([STX, board << 4, code, *data, ETX])
    return body + bytes([sum(body) % 256])
