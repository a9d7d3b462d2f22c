"""The CU48 boards of one bus as bytes in, bytes out: 48 locks a board, six bytes a request.

Source: the project's protocol reference, section 2.3, which knows one source for it: experimental. A request is
``STX DEVICE LOCK COMMAND ETX SUM``, the reply to a query ``STX DEVICE 00 SUCCESS 06 S1..S6 SUM``. SUM is the sum of
everything before it modulo 256, in replies too: that source checks them so. Devices and locks count from 0.

Not in the reference, and how it is settled here:
- An unlock is answered at once with ``STX DEVICE LOCK SUCCESS 00 SUM`` (what that source expects), which says that
  the command was understood, not that the door is open.
- A query whose LOCK is not 0 is ignored, as is a lock beyond 48.
- A bus carries ten devices, 0 to 9, at 19200 baud, as the maker says of the sister board KR-CU16.
"""

from collections.abc import Iterable
from enum import IntEnum
from random import Random

from servicepunkt.dokbox.simulator.boards import BoardsOnBus, Transmission, pack
from servicepunkt.dokbox.simulator.model import Cabinet

STX = 0x02
ETX = 0x03
SUCCESS = 0x75
LOCKS_PER_BOARD = 48
MOST_BOARDS = 10
FRAME_LENGTH = 6


class Command(IntEnum):
    STATUS = 0x60
    UNLOCK = 0x61


class Cu48Boards(BoardsOnBus):
    """The CU48 boards of one bus, at most ten; they have no item sensors."""

    def __init__(self, cabinet: Cabinet, random: Random) -> None:
        super().__init__(cabinet, random, locks_per_board=LOCKS_PER_BOARD, most_boards=MOST_BOARDS)

    def _possible_lengths(self, start: bytearray) -> tuple[int, ...]:
        begins = start[0] == STX and (len(start) < 4 or start[3] in tuple(Command))
        return (FRAME_LENGTH,) if begins else ()

    def _is_whole(self, request: bytes) -> bool:
        return request[-2] == ETX and sum(request[:-1]) % 256 == request[-1]

    def _obey(self, request: bytes, time: float) -> Iterable[Transmission]:
        device, lock, command = request[1], request[2], Command(request[3])
        if device >= self._boards or lock >= LOCKS_PER_BOARD:
            return []
        if command is Command.UNLOCK:
            self.cabinet.pulse(self._numbers(device)[lock], time=time)
            return [_reply(device, lock, b"")]
        if lock:
            return []
        return [_reply(device, lock, pack(map(self._reads_closed, self._numbers(device))))]


def _reply(device: int, lock: int, data: bytes) -> Transmission:
    body = bytes([STX, device, lock, SUCCESS, len(data), *data])
    return Transmission(body + bytes([sum(body) % 256]))
