"""KR-CU16 lock boards (Kerong): frames, decoder and board; bytes in, events out.

Source: reference "Lock boards: byte-exact", section "KR-CU16". A frame is

    STX  ADDR  CMD  [DATA]  ETX  SUM        SUM = sum of all bytes before it, mod 256
                                            ADDR = board << 4 | (lock - 1); low nibble 0 for a whole board

STX and ETX are not escaped, so a data byte may equal either: a frame's end follows from its command alone,
never from searching ETX. All lengths live in `DATA_LENGTHS`, all request/reply pairs in `REPLY`.

What the decoder promises: it tries every byte as the start of a frame, from left to right, and gives up on a
start one byte at a time. A valid frame is therefore delivered unless a valid frame that began earlier covers
some of its bytes. Bytes that may still become an earlier frame are held back (at most `LONGEST` - 1), so a
valid frame behind them can be delivered late, when the bytes that decide have come. Where the input is split
changes nothing but the grouping of `Junk`.

The board's command that opens every lock at once and the one that opens a lock later are left out on purpose.
"""

import enum
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from servicepunkt.dokbox.boards import base
from servicepunkt.dokbox.boards.base import (
    Echo,
    Junk,
    NoSuchBoardError,
    NoSuchCompartmentError,
    Reading,
    Request,
)

STX = 0x02  # starts every frame
ETX = 0x03  # stands before the checksum
LOCKS = 16  # locks per board
MOST_BOARDS = 10  # ids 0 to 9 on one bus


class Command(enum.IntEnum):
    """CMD, the third byte of a frame."""

    STATUS = 0x30  # request: state of one board
    UNLOCK = 0x31  # request: open one lock
    STATUS_REPLY = 0x35  # reply: latches 1-8, latches 9-16, items 1-8, items 9-16; bit 0 is the first lock
    PULSE_TIME = 0x37  # request: query (no data) or set (two bytes) how long a lock draws current
    PULSE_TIME_REPLY = 0x38  # reply: the time, high byte first, in units of 10 ms


#: Data bytes by command, in the order in which they are tried. The echo of setting a time whose first byte is
#: 03 and whose second is a query's checksum reads as a query and two bytes of junk; replies are not touched.
DATA_LENGTHS: dict[int, tuple[int, ...]] = {
    Command.STATUS: (0,),
    Command.UNLOCK: (0,),
    Command.STATUS_REPLY: (4,),
    Command.PULSE_TIME: (0, 2),
    Command.PULSE_TIME_REPLY: (2,),
}
#: Which command answers which; UNLOCK has no reply to rely on, some firmware sends one and some does not.
REPLY: dict[int, int] = {
    Command.STATUS: Command.STATUS_REPLY,
    Command.PULSE_TIME: Command.PULSE_TIME_REPLY,
}
REQUESTS = frozenset({Command.STATUS, Command.UNLOCK, Command.PULSE_TIME})
OVERHEAD = 5  # STX, ADDR, CMD, ETX, SUM
LONGEST = OVERHEAD + max(max(lengths) for lengths in DATA_LENGTHS.values())

REPLY_DEADLINE = 0.2  # seconds
STATUS_TRIES = 3
PULSE_UNIT = 10  # milliseconds
LONGEST_PULSE = 60_000  # milliseconds


# ---- Frames ----------------------------------------------------------------------------------------------


class Frame(base.Frame, frozen=True):
    """A valid frame of a board."""

    @property
    def address(self) -> int:
        return self.raw[1]

    @property
    def board(self) -> int:
        return self.raw[1] >> 4

    @property
    def command(self) -> int:
        return self.raw[2]

    @property
    def data(self) -> bytes:
        return self.raw[3:-2]


def checksum(head: bytes) -> int:
    """SUM over everything before it."""
    return sum(head) % 256


def encode(command: Command, address: int, *, data: bytes = b"") -> bytes:
    """The bytes of one frame."""
    head = bytes([STX, address, command, *data, ETX])
    return head + bytes([checksum(head)])


# ---- Decoder ---------------------------------------------------------------------------------------------


class _Verdict(enum.Enum):
    NOT_YET = enum.auto()  # more bytes decide
    NEVER = enum.auto()  # no frame starts here


def _candidate(window: bytes, data_length: int) -> bytes | _Verdict:
    etx_at = OVERHEAD - 2 + data_length
    if len(window) > etx_at and window[etx_at] != ETX:
        return _Verdict.NEVER
    if len(window) <= etx_at + 1:
        return _Verdict.NOT_YET
    if window[etx_at + 1] != checksum(window[: etx_at + 1]):
        return _Verdict.NEVER
    return window[: etx_at + 2]


def _frame_at_start(window: bytes) -> bytes | _Verdict:
    if window[0] != STX or (len(window) > 1 and window[1] >> 4 >= MOST_BOARDS):
        return _Verdict.NEVER
    if len(window) < 3:
        return _Verdict.NOT_YET
    for data_length in DATA_LENGTHS.get(window[2], ()):
        found = _candidate(window, data_length)
        if found is not _Verdict.NEVER:
            return found
    return _Verdict.NEVER


class Decoder:
    """Incremental decoder; what it promises is said at the top of this module."""

    def __init__(self) -> None:
        self._pending = b""

    @property
    def pending(self) -> bytes:
        """The bytes held back, at most `LONGEST` - 1."""
        return self._pending

    def feed(self, data: bytes) -> list[Frame | Echo | Junk]:
        """Take bytes as they come; return frames, echoes of requests and junk in the order of the line."""
        buffer = self._pending + data
        events: list[Frame | Echo | Junk] = []
        start = junk_from = 0
        while start < len(buffer):
            found = _frame_at_start(buffer[start : start + LONGEST])
            if found is _Verdict.NOT_YET:
                break
            if isinstance(found, _Verdict):
                start += 1
                continue
            if junk_from < start:
                events.append(Junk(buffer[junk_from:start]))
            events.append(Echo(found) if found[2] in REQUESTS else Frame(found))
            start = junk_from = start + len(found)
        if junk_from < start:
            events.append(Junk(buffer[junk_from:start]))
        self._pending = buffer[start:]
        return events


# ---- Board -----------------------------------------------------------------------------------------------


class Address(msgspec.Struct, frozen=True):
    """Where a compartment is wired: board 0 to 9, lock 0 to 15 (the maker's lock 1 to 16)."""

    board: int
    lock: int

    def __post_init__(self) -> None:
        if not (0 <= self.board < MOST_BOARDS and 0 <= self.lock < LOCKS):
            raise ValueError(f"no KR-CU16 has board {self.board}, lock {self.lock}")

    @property
    def byte(self) -> int:
        """ADDR."""
        return self.board << 4 | self.lock


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a bus of KR-CU16 boards.

    `compartments`: how many of the locks are in use, all when None.
    `latch_closed_bit`: the value of a latch bit of a closed lock; firmware differs, found at commissioning.
    `pulse_ms`: how long a lock draws current, as set on the boards: 500 solenoid, 1000 motor lock.
    `items`: whether the infrared item sensors are fitted.
    """

    boards: Annotated[int, msgspec.Meta(ge=1, le=MOST_BOARDS)] = 1
    compartments: Annotated[int, msgspec.Meta(ge=1)] | None = None
    latch_closed_bit: Annotated[int, msgspec.Meta(ge=0, le=1)] = 1
    pulse_ms: Annotated[int, msgspec.Meta(ge=PULSE_UNIT, le=LONGEST_PULSE)] = 500
    items: bool = True
    baud: Literal[9600, 19200, 57600, 115200] = 19200

    def __post_init__(self) -> None:
        if (self.compartments or 0) > self.boards * LOCKS:
            raise ValueError(f"{self.compartments} compartments are too many for {self.boards} board(s)")


def row_by_row(options: Options) -> dict[int, Address]:
    """The usual wiring: compartment 1 is lock 1 of board 0, compartment 17 is lock 1 of board 1."""
    count = options.compartments or options.boards * LOCKS
    return {n + 1: Address(*divmod(n, LOCKS)) for n in range(count)}


class KrCu16:
    """Up to ten KR-CU16 on one bus. `table` says where each compartment is wired, row by row when None."""

    def __init__(self, options: Options | None = None, *, table: Mapping[int, Address] | None = None) -> None:
        self._options = options or Options()
        self._table = dict(row_by_row(self._options) if table is None else table)
        if len(set(self._table.values())) != len(self._table):
            raise ValueError("two compartments are wired to one lock")
        self.baudrate: int = self._options.baud
        self.compartments = tuple(sorted(self._table))
        self.boards = tuple(sorted({address.board for address in self._table.values()}))

    def unlock(self, compartment: int) -> Request:
        """Open one compartment. No reply is waited for: firmware differs, the next status tells the truth."""
        address = self._table.get(compartment)
        if address is None:
            raise NoSuchCompartmentError(compartment)
        frame = encode(Command.UNLOCK, address.byte)
        return Request(frame=frame, deadline=0.0, pulse=self._options.pulse_ms / 1000)

    def status(self, board: int) -> Request:
        """Ask one board for all its latches and item sensors."""
        return self._ask(Command.STATUS, board)

    def query_pulse_time(self, board: int) -> Request:
        """Ask one board how long its locks draw current."""
        return self._ask(Command.PULSE_TIME, board)

    def set_pulse_time(self, board: int, milliseconds: int) -> Request:
        """Tell one board how long its locks draw current: 10 to 60,000 ms in steps of 10. Raises ValueError.

        The bus keeps locks apart by the option `pulse_ms`, which has to be set to the same value.
        """
        units, rest = divmod(milliseconds, PULSE_UNIT)
        if rest or not PULSE_UNIT <= milliseconds <= LONGEST_PULSE:
            raise ValueError(f"a pulse of {milliseconds} ms is not 10 to 60000 in steps of 10")
        return self._ask(Command.PULSE_TIME, board, data=units.to_bytes(2, "big"))

    def decoder(self) -> Decoder:
        """A fresh decoder."""
        return Decoder()

    def answers(self, request: Request, frame: base.Frame) -> bool:
        """Same board, and the command that belongs to the request."""
        return (
            isinstance(frame, Frame)
            and frame.address == request.frame[1]
            and frame.command == REPLY.get(request.frame[2])
        )

    def readings(self, frame: base.Frame) -> dict[int, Reading]:
        """The compartments on the board that sent this status reply; empty for any other frame."""
        if not isinstance(frame, Frame) or frame.command != Command.STATUS_REPLY:
            return {}
        latches = int.from_bytes(frame.data[:2], "little")
        items = int.from_bytes(frame.data[2:], "little")
        return {
            compartment: self._reading(latches >> address.lock & 1, items >> address.lock & 1)
            for compartment, address in self._table.items()
            if address.board == frame.board
        }

    def _ask(self, command: Command, board: int, *, data: bytes = b"") -> Request:
        if board not in self.boards:
            raise NoSuchBoardError(board)
        frame = encode(command, board << 4, data=data)
        return Request(frame=frame, deadline=REPLY_DEADLINE, tries=STATUS_TRIES)

    def _reading(self, latch: int, item: int) -> Reading:
        closed = latch == self._options.latch_closed_bit
        return Reading(closed=closed, item=bool(item) if self._options.items else None)


def pulse_time(frame: base.Frame) -> int | None:
    """Milliseconds that a pulse time reply names; None for any other frame."""
    if not isinstance(frame, Frame) or frame.command != Command.PULSE_TIME_REPLY:
        return None
    return int.from_bytes(frame.data, "big") * PULSE_UNIT


base.register(base.Kind(name="krcu16", options=Options, build=KrCu16))
