"""Kerong CU48 with frames of six bytes, 48 locks a board: bytes in, events out. Experimental: one source.

Source: reference "Lock boards: byte-exact", section "Modbus RTU", its last but one paragraph. A request is

    STX  DEVICE  LOCK  COMMAND  ETX  SUM        SUM = sum of all bytes before it, mod 256; LOCK from 0

and the answer to a status has its own shape, without ETX: `02 DEVICE 00 75 06 S1 ... S6 SUM`, S1 for the locks
1 to 8, bit 0 first. Opening is not answered. There are no item sensors.
"""

from typing import Annotated, Literal

from msgspec import Meta

from servicepunkt.dokbox.boards import base
from servicepunkt.dokbox.boards.base import Echo, Frame, FrameRow, Place, Reading, Request
from servicepunkt.dokbox.boards.decoding import Decoder, Verdict, frame_at_start

STX = 0x02
ETX = 0x03
STATUS = 0x60
UNLOCK = 0x61
STATUS_ANSWER = 0x75
LOCKS = 48
MOST_BOARDS = 32  # units that a line after RS-485 bears
REQUEST_LENGTH = 6
STATE_BYTES = LOCKS // 8
ANSWER_HEAD = bytes([0x00, STATUS_ANSWER, STATE_BYTES])  # behind STX and DEVICE
ANSWER_LENGTH = 2 + len(ANSWER_HEAD) + STATE_BYTES + 1

STATUS_DEADLINE = 0.2  # seconds
STATUS_TRIES = 3


def checksum(head: bytes) -> bytes:
    """Sum of all bytes before it, mod 256."""
    return bytes([sum(head) % 256])


def encode(device: int, lock: int, command: int) -> bytes:
    """The bytes of one request."""
    head = bytes([STX, device, lock, command, ETX])
    return head + checksum(head)


class Options(base.Options, frozen=True, kw_only=True):
    """Settings of a bus of CU48 boards, with the ids 0, 1, ...

    `pulse_ms`: how long a lock draws current, as set on the boards: 500 solenoid, 1000 motor lock.
    """

    boards: Annotated[int, Meta(ge=1, le=MOST_BOARDS)] = 1
    items: Literal[False] = False
    pulse_ms: Annotated[int, Meta(ge=100, le=10_000)] = 500
    baud: Literal[9600, 19200, 38400, 57600, 115200] = 19200

    @property
    def places(self) -> list[Place]:
        return self.in_rows(first=0, locks=LOCKS)


class Cu48(base.WiredBoards[Options]):
    """CU48 boards on one bus. `table` says where each compartment is wired, row by row when None."""

    def unlock(self, compartment: int) -> Request:
        """Open one compartment; nothing answers, the next status tells the truth."""
        place = self.place(compartment)
        frame = encode(place.board, place.lock, UNLOCK)
        return Request(frame=frame, deadline=0.0, pulse=self.options.pulse_ms / 1000)

    def status(self, board: int) -> Request:
        """Ask one board for all its locks."""
        frame = encode(self.require(board), 0, STATUS)
        return Request(frame=frame, deadline=STATUS_DEADLINE, tries=STATUS_TRIES)

    def decoder(self, _request: Request, /) -> Decoder:
        """A fresh decoder; the frames of these boards say themselves whether they are requests."""
        return Decoder(_at_start, longest=ANSWER_LENGTH)

    def answers(self, request: Request, frame: Frame) -> bool:
        """Same board, for a status."""
        return request.frame[3] == STATUS and frame.raw[1] == request.frame[1]

    def readings(self, frame: Frame) -> dict[int, Reading]:
        """The compartments on the board that sent this answer."""
        return self.readings_of(frame.raw[1], int.from_bytes(frame.raw[5:-1], "little"))


def _at_start(window: bytes) -> Frame | Echo | Verdict:
    if window[0] != STX:
        return Verdict.NEVER
    if len(window) < 4:
        return Verdict.NOT_YET
    if window[3] in (STATUS, UNLOCK):
        found = frame_at_start(window, head=bytes([STX]), length=REQUEST_LENGTH, checksum=checksum)
        if isinstance(found, Verdict):
            return found
        return Echo(found.raw) if found.raw[4] == ETX else Verdict.NEVER
    return frame_at_start(window, head=window[:2] + ANSWER_HEAD, length=ANSWER_LENGTH, checksum=checksum)


FRAMES = (
    FrameRow("open", "controller", "02 DEVICE LOCK 61 03 SUM", "02 00 00 61 03 66", "board 0: open lock 1"),
    FrameRow("status?", "controller", "02 DEVICE 00 60 03 SUM", "02 00 00 60 03 65", "board 0: how are all locks?"),
    FrameRow(
        "status",
        "board",
        "02 DEVICE 00 75 06 S1 S2 S3 S4 S5 S6 SUM",
        "02 00 00 75 06 FE FF FF FF FF FF 76",
        "board 0: lock 1 open",
    ),
)

base.register(
    base.Kind(
        name="cu48", title="Kerong CU48, six bytes", options=Options, build=Cu48, frames=FRAMES, experimental=True
    )
)
