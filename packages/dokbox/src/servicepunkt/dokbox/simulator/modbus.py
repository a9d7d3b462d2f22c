"""Boards on Modbus RTU as bytes in, bytes out: relays with inputs, and the profile of Kerong's CU48.

Sources: the project's protocol reference, section 2.3; "Modbus application protocol" V1.1b3, sections 6.1, 6.2, 6.5
and 7; "Modbus over serial line" V1.02, section 2.5. A frame is ``UNIT FUNCTION DATA CRC``, the CRC with its low byte
first; units count from 1, and 0 is a broadcast, which is obeyed and never answered.

Not in the sources, and how it is settled here:
- Modbus ends a frame by silence, which no pty keeps. These boards know how long each request is instead, and drop
  one byte when the CRC is wrong. They ignore functions whose length they don't know; those that they know but don't
  have get exception 01.
- A current lasts from the writing of its coil to the next one that switches it off, whoever holds the line: with the
  plug out, or the driver dead, it goes on.
- A lock that had current for too long is burnt; the current of its coil still counts for an overload.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from enum import IntEnum
from random import Random

from servicepunkt.dokbox.simulator.boards import BoardsOnBus, Transmission, pack
from servicepunkt.dokbox.simulator.model import Cabinet, What

BROADCAST = 0
MOST_UNITS = 247
MOST_BITS = 2000
"""How many coils or inputs one request may read."""
ON = 0xFF00
OFF = 0x0000
EXCEPTION = 0x80
"""What is added to the function of a request that is refused."""
CU48_LOCKS = 48
DEFAULT_RELAYS = 16
DEFAULT_BURN_AFTER = 5.0
SHORTEST_FRAME = 4


class Function(IntEnum):
    READ_COILS = 0x01
    READ_DISCRETE_INPUTS = 0x02
    WRITE_SINGLE_COIL = 0x05


class Refused(IntEnum):
    """The exception codes that these boards give."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_DATA_ADDRESS = 2
    ILLEGAL_DATA_VALUE = 3


FRAME_LENGTHS: dict[int, int] = {
    **dict.fromkeys(range(0x01, 0x07), 8),
    0x07: 4,
    0x08: 8,
    0x0B: 4,
    0x0C: 4,
    0x11: 4,
    0x16: 10,
    0x18: 6,
}
"""How many bytes the requests of a function have, of those that always have the same number."""
BITS_PER_ITEM: dict[int, int] = {0x0F: 1, 0x10: 16}
"""The functions whose requests carry data: bytes 4 and 5 count its items, byte 6 its bytes."""


class ModbusBoards(BoardsOnBus):
    """What all Modbus boards do: they know their unit, read bits, write one coil, and refuse the rest by exception."""

    def _possible_lengths(self, start: bytearray) -> tuple[int, ...]:
        if len(start) < 2:
            return (SHORTEST_FRAME,)
        if start[1] in BITS_PER_ITEM:
            return _lengths_with_data(start)
        return (FRAME_LENGTHS[start[1]],) if start[1] in FRAME_LENGTHS else ()

    def _is_whole(self, request: bytes) -> bool:
        return _crc(request[:-2]) == request[-2:]

    def _obey(self, request: bytes, time: float) -> Iterable[Transmission]:
        unit, asked = request[0], request[1:-2]
        if unit == BROADCAST:
            for board in range(self._boards if asked[0] == Function.WRITE_SINGLE_COIL else 0):
                self._answer(board, asked, time)
            return []
        if unit > self._boards:
            return []
        answer = self._answer(unit - 1, asked, time)
        if isinstance(answer, Refused):
            answer = bytes([asked[0] | EXCEPTION, answer])
        body = bytes([unit]) + answer
        return [Transmission(body + _crc(body))]

    def _answer(self, board: int, asked: bytes, time: float) -> bytes | Refused:
        """Function and data of the reply; the order of the checks is that of the specification's diagrams."""
        function, first, value = asked[0], int.from_bytes(asked[1:3], "big"), int.from_bytes(asked[3:5], "big")
        if function == Function.WRITE_SINGLE_COIL:
            if value not in (ON, OFF):
                return Refused.ILLEGAL_DATA_VALUE
            if first >= self._locks_per_board:
                return Refused.ILLEGAL_DATA_ADDRESS
            self._write_coil(self._numbers(board)[first], value == ON, time)
            return asked
        bits = self._bits(function, board)
        if bits is None:
            return Refused.ILLEGAL_FUNCTION
        if not 1 <= value <= MOST_BITS:
            return Refused.ILLEGAL_DATA_VALUE
        if first + value > len(bits):
            return Refused.ILLEGAL_DATA_ADDRESS
        packed = pack(bits[first : first + value])
        return bytes([function, len(packed)]) + packed

    @abstractmethod
    def _bits(self, function: int, board: int) -> Sequence[bool] | None:
        """All that a board has to read with this function; None if it has no such function."""

    @abstractmethod
    def _write_coil(self, number: int, on: bool, time: float) -> None:
        """Switch the coil of a compartment, which need not be wired."""


class ModbusRelays(ModbusBoards):
    """Units with ``relays`` relays and twice as many inputs each: the contacts of the doors, then the item sensors.

    Coil n is the current of lock n (from 0). Switching it on is the one pulse; nothing but another request switches
    it off. A lock that has current for ``burn_after`` seconds is burnt: ``What.BURNT``, and its latch is stuck. A lock
    that gets current while another still has it, on whatever unit, is ``What.OVERLOAD``, and gets its pulse too.
    """

    def __init__(
        self,
        cabinet: Cabinet,
        random: Random,
        *,
        relays: int = DEFAULT_RELAYS,
        burn_after: float = DEFAULT_BURN_AFTER,
    ) -> None:
        super().__init__(cabinet, random, locks_per_board=relays, most_boards=MOST_UNITS)
        self._burn_after = burn_after
        self._on: set[int] = set()
        self._burns_at: dict[int, float] = {}

    def pass_time(self, *, time: float) -> float | None:
        """Burn the locks whose current has lasted too long; gives when the next one will have."""
        for number, end in sorted(self._burns_at.items(), key=lambda item: item[1]):
            if end <= time:
                del self._burns_at[number]
                self.cabinet.burn(number, time=end)
        return min(self._burns_at.values(), default=None)

    def _bits(self, function: int, board: int) -> Sequence[bool] | None:
        numbers = self._numbers(board)
        if function == Function.READ_COILS:
            return [number in self._on for number in numbers]
        if function == Function.READ_DISCRETE_INPUTS:
            return [*map(self._reads_closed, numbers), *map(self._reads_item, numbers)]
        return None

    def _write_coil(self, number: int, on: bool, time: float) -> None:
        if not on:
            self._on.discard(number)
            self._burns_at.pop(number, None)
        elif number not in self._on:
            self._switch_on(number, time)

    def _switch_on(self, number: int, time: float) -> None:
        overload = number <= self._wired and any(other <= self._wired for other in self._on)
        self._on.add(number)
        self.cabinet.pulse(number, time=time)
        if overload:
            self.cabinet.record(What.OVERLOAD, number, time=time)
        if number <= self._wired:
            self._burns_at[number] = time + self._burn_after


class ModbusCu48(ModbusBoards):
    """Kerong's CU48 with its Modbus profile, the inverse of a relay board: experimental, one source.

    A coil reads 1 while its lock is closed; writing 0000 is the pulse, which the board ends by itself, and FF00 is
    answered and does nothing. There are no inputs and no item sensors.
    """

    def __init__(self, cabinet: Cabinet, random: Random) -> None:
        super().__init__(cabinet, random, locks_per_board=CU48_LOCKS, most_boards=MOST_UNITS)

    def _bits(self, function: int, board: int) -> Sequence[bool] | None:
        return [*map(self._reads_closed, self._numbers(board))] if function == Function.READ_COILS else None

    def _write_coil(self, number: int, on: bool, time: float) -> None:
        if not on:
            self.cabinet.pulse(number, time=time)


def _lengths_with_data(start: bytearray) -> tuple[int, ...]:
    """None if the two counts contradict each other: otherwise garbage could announce a long request too easily."""
    if len(start) < 7:
        return (9,)
    bits = int.from_bytes(start[4:6], "big") * BITS_PER_ITEM[start[1]]
    return (9 + start[6],) if start[6] == -(-bits // 8) else ()


def _crc(body: bytes) -> bytes:
    """CRC-16 with the polynomial A001, from FFFF, as it stands on the line: low byte first."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")
