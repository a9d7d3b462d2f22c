"""The "8A/80" boards of one bus as bytes in, bytes out: 24 channels a board, every frame closed by an exclusive or.

Source: the project's protocol reference, section 2.2, frames recomputed by hand. A request is
``HEADER BOARD CHANNEL FUNCTION XOR``, where XOR is that of everything before it; boards and channels count from 1.
A failed opening is answered with the very bytes of the request, so an adapter that echoes sounds like it.

Not in the reference, and how it is settled here:
- Boards carry the numbers 1 to 255; 0 is nobody, and so is a channel beyond 24.
- An opening has worked when the switch at the latch reads open afterwards, also if the door was open before.
- The other headers that some of these boards know (9A, 9B, 9D: power of a channel, of all) begin no frame here.
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import reduce
from operator import xor
from random import Random

from servicepunkt.dokbox.simulator.boards import BoardsOnBus, Transmission, pack
from servicepunkt.dokbox.simulator.model import Cabinet, What

CHANNELS_PER_BOARD = 24
MOST_BOARDS = 0xFF
FRAME_LENGTH = 5
EVERY_CHANNEL = 0x00
DEFAULT_ACTION_SECONDS = 0.3


class Header(IntEnum):
    OPEN = 0x8A
    STATE = 0x80


FUNCTIONS: dict[int, int] = {Header.OPEN: 0x11, Header.STATE: 0x33}
"""The function that a request with this header has; with any other it is none."""


class Code(IntEnum):
    """What a reply says about one channel; after an opening, closed is that it has failed."""

    OPEN = 0x00
    CLOSED = 0x11


class Xor8aBoards(BoardsOnBus):
    """The 8A/80 boards of one bus.

    ``codes_reversed``: the firmware whose replies about one channel say 11 for open (and opened), 00 for closed
    (and failed). ``bits_reversed``: the one whose state of all channels has 1 for open. Each is a variant of its own.
    ``action_seconds`` pass before the reply to an opening leaves, because the board waits for the lock.
    """

    def __init__(
        self,
        cabinet: Cabinet,
        random: Random,
        *,
        codes_reversed: bool = False,
        bits_reversed: bool = False,
        action_seconds: float = DEFAULT_ACTION_SECONDS,
    ) -> None:
        super().__init__(cabinet, random, locks_per_board=CHANNELS_PER_BOARD, most_boards=MOST_BOARDS)
        self._codes_reversed = codes_reversed
        self._bits_reversed = bits_reversed
        self._action_seconds = action_seconds

    def _possible_lengths(self, start: bytearray) -> tuple[int, ...]:
        function = FUNCTIONS.get(start[0])
        begins = function is not None and (len(start) < 4 or start[3] == function)
        return (FRAME_LENGTH,) if begins else ()

    def _is_whole(self, request: bytes) -> bool:
        return _check(request[:-1]) == request[-1]

    def _obey(self, request: bytes, time: float) -> Iterable[Transmission]:
        header, board, channel = Header(request[0]), request[1], request[2]
        if not 1 <= board <= self._boards or channel > CHANNELS_PER_BOARD:
            return []
        if channel == EVERY_CHANNEL:
            return self._all(header, board, time)
        return self._one(header, board, channel, time)

    def _all(self, header: Header, board: int, time: float) -> list[Transmission]:
        if header is Header.OPEN:
            self.cabinet.record(What.FORBIDDEN_COMMAND, time=time)
            return []
        bits = [self._reads_closed(number) is not self._bits_reversed for number in self._numbers(board - 1)]
        # bit 0 of a byte is the lowest channel, but the byte of the highest channels comes first
        return [Transmission(_frame(header, board, *reversed(pack(bits)), FUNCTIONS[header]))]

    def _one(self, header: Header, board: int, channel: int, time: float) -> list[Transmission]:
        number = self._numbers(board - 1)[channel - 1]
        if header is Header.OPEN:
            self.cabinet.pulse(number, time=time)
        closed = self._reads_closed(number) is not self._codes_reversed
        reply = _frame(header, board, channel, Code.CLOSED if closed else Code.OPEN)
        return [Transmission(reply, self._action_seconds if header is Header.OPEN else 0.0)]


def _check(body: Iterable[int]) -> int:
    return reduce(xor, body)


def _frame(*body: int) -> bytes:
    return bytes([*body, _check(body)])
