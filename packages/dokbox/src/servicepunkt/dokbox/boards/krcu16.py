"""KR-CU16 lock boards (Kerong): frames, decoder and board; bytes in, events out.

Source: reference "Lock boards: byte-exact", section "KR-CU16". A frame is

    STX  ADDR  CMD  [DATA]  ETX  SUM        SUM = sum of all bytes before it, mod 256
                                            ADDR = board << 4 | (lock - 1); low nibble 0 for a whole board

STX and ETX are not escaped, so a data byte may equal either: a frame's end follows from its command alone,
never from searching ETX. All lengths live in `DATA_LENGTHS`, all request/reply pairs in `REPLY`.

The board's command that opens every lock at once and the one that opens a lock later are left out on purpose.
"""

import enum
from typing import Annotated, Literal

from msgspec import Meta

from servicepunkt.dokbox.boards import base
from servicepunkt.dokbox.boards.base import Echo, FrameRow, Place, Reading, Request
from servicepunkt.dokbox.boards.decoding import Decoder, Verdict

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


def _candidate(window: bytes, data_length: int) -> bytes | Verdict:
    etx_at = OVERHEAD - 2 + data_length
    if len(window) > etx_at and window[etx_at] != ETX:
        return Verdict.NEVER
    if len(window) <= etx_at + 1:
        return Verdict.NOT_YET
    if window[etx_at + 1] != checksum(window[: etx_at + 1]):
        return Verdict.NEVER
    return window[: etx_at + 2]


def _at_start(window: bytes) -> Frame | Echo | Verdict:
    if window[0] != STX or (len(window) > 1 and window[1] >> 4 >= MOST_BOARDS):
        return Verdict.NEVER
    if len(window) < 3:
        return Verdict.NOT_YET
    for data_length in DATA_LENGTHS.get(window[2], ()):
        found = _candidate(window, data_length)
        if found is Verdict.NOT_YET:
            return found
        if not isinstance(found, Verdict):
            return Echo(found) if found[2] in REQUESTS else Frame(found)
    return Verdict.NEVER


def decoder() -> Decoder:
    """A fresh decoder of these boards' frames."""
    return Decoder(_at_start, longest=LONGEST)


# ---- Board -----------------------------------------------------------------------------------------------


class Options(base.Options, frozen=True, kw_only=True):
    """Settings of a bus of KR-CU16 boards, with the ids 0 to 9.

    `pulse_ms`: how long a lock draws current, as set on the boards: 500 solenoid, 1000 motor lock.
    """

    boards: Annotated[int, Meta(ge=1, le=MOST_BOARDS)] = 1
    pulse_ms: Annotated[int, Meta(ge=PULSE_UNIT, le=LONGEST_PULSE)] = 500
    baud: Literal[9600, 19200, 57600, 115200] = 19200

    @property
    def places(self) -> list[Place]:
        return self.in_rows(first=0, locks=LOCKS)


class KrCu16(base.WiredBoards[Options]):
    """Up to ten KR-CU16 on one bus. `table` says where each compartment is wired, row by row when None."""

    def unlock(self, compartment: int) -> Request:
        """Open one compartment. No reply is waited for: firmware differs, the next status tells the truth."""
        place = self.place(compartment)
        frame = encode(Command.UNLOCK, place.board << 4 | place.lock)
        return Request(frame=frame, deadline=0.0, pulse=self.options.pulse_ms / 1000)

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

    def decoder(self, _request: Request, /) -> Decoder:
        """A fresh decoder; the frames of these boards say themselves whether they are requests."""
        return decoder()

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
        return self.readings_of(frame.board, latches, items)

    def _ask(self, command: Command, board: int, *, data: bytes = b"") -> Request:
        frame = encode(command, self.require(board) << 4, data=data)
        return Request(frame=frame, deadline=REPLY_DEADLINE, tries=STATUS_TRIES)


def pulse_time(frame: base.Frame) -> int | None:
    """Milliseconds that a pulse time reply names; None for any other frame."""
    if not isinstance(frame, Frame) or frame.command != Command.PULSE_TIME_REPLY:
        return None
    return int.from_bytes(frame.data, "big") * PULSE_UNIT


FRAMES = (
    FrameRow("open", "controller", "02 ADDR 31 03 SUM", "02 10 31 03 46", "board 1: open lock 1"),
    FrameRow("status?", "controller", "02 BOARD<<4 30 03 SUM", "02 00 30 03 35", "board 0: how is it?"),
    FrameRow(
        "status", "board", "02 BOARD<<4 35 H1 H2 I1 I2 03 SUM", "02 00 35 FE FF 00 00 03 37", "lock 1 open, all empty"
    ),
    FrameRow("pulse time?", "controller", "02 BOARD<<4 37 03 SUM", "02 00 37 03 3C", "board 0: how long is a pulse?"),
    FrameRow("set pulse time", "controller", "02 BOARD<<4 37 T1 T2 03 SUM", "02 00 37 00 37 03 73", "550 ms"),
    FrameRow("pulse time", "board", "02 BOARD<<4 38 T1 T2 03 SUM", "02 00 38 00 32 03 6F", "500 ms"),
)

base.register(
    base.Kind(name="krcu16", title="Kerong KR-CU16, also NCU16L", options=Options, build=KrCu16, frames=FRAMES)
)
