"""Lock boards of the "8A/80" family (YeeGoo, Shahe and others), 8 to 24 locks: bytes in, events out.

Source: reference "Lock boards: byte-exact", section "8A/80 XOR boards". A frame is

    HEADER  BOARD  CHANNEL  FUNCTION  XOR        XOR = exclusive or of all bytes before it; BOARD and CHANNEL from 1

- The answer to "open" comes when the lock has acted, up to 3 s later, and its meaning differs between makers: 00 is
  opened for most and failed for some. It is read as "the board has acted" and as nothing more; whether a door is
  open is told by the next status.
- The answer "failed" has the very bytes of the request. An adapter that echoes therefore looks like a board that
  fails; echoes are learned from the status request, whose answer is longer (`decoding.Echoes`).
- Makers differ in the meaning of a state bit, too: option `latch_closed_bit`, found at commissioning.
- There are no item sensors.

The command that opens every lock at once is left out on purpose. The boards' own button for it belongs behind a
locked door with a tamper contact.
"""

from collections.abc import Mapping
from functools import reduce
from operator import xor
from typing import Annotated, Literal

from msgspec import Meta

from servicepunkt.dokbox.boards import base
from servicepunkt.dokbox.boards.base import Frame, FrameRow, Place, Reading, Request
from servicepunkt.dokbox.boards.decoding import Decoder, Echoes, EchoOption, Verdict, answer_decoder, frame_at_start

OPEN = 0x8A  # header of a request that opens, and of its answer
STATE = 0x80  # header of a request for states, and of its answer
OPEN_FUNCTION = 0x11
STATE_FUNCTION = 0x33
ALL_CHANNELS = 0x00  # in a state request only
LOCKS = 24  # locks per board that a state answer tells
MOST_BOARDS = 32  # units that a line after RS-485 bears
OPEN_ANSWER_LENGTH = 5
STATE_ANSWER_LENGTH = 7
OUTCOMES = frozenset({0x00, 0x11})  # of an open answer

OPEN_DEADLINE = 3.0  # seconds
STATE_DEADLINE = 0.75  # seconds
STATE_TRIES = 3


def checksum(head: bytes) -> bytes:
    """XOR of all bytes before it."""
    return bytes([reduce(xor, head, 0)])


def encode(*head: int) -> bytes:
    """The bytes of one frame."""
    return bytes(head) + checksum(bytes(head))


class Options(base.Options, frozen=True, kw_only=True):
    """Settings of a bus of XOR boards, with the ids 1, 2, ...

    `locks`: how many locks each board has. `echo`: whether the adapter sends back what is written.
    `pulse_ms`: after which time a lock has certainly acted; the boards time the pulse themselves.
    """

    boards: Annotated[int, Meta(ge=1, le=MOST_BOARDS)] = 1
    locks: Annotated[int, Meta(ge=1, le=LOCKS)] = LOCKS
    items: Literal[False] = False
    echo: EchoOption = "auto"
    pulse_ms: Annotated[int, Meta(ge=100, le=10_000)] = 3000
    baud: Literal[9600, 19200, 38400, 57600, 115200] = 9600

    @property
    def places(self) -> list[Place]:
        return self.in_rows(first=1, locks=self.locks)


class Xor8a(base.WiredBoards[Options]):
    """Boards of the 8A/80 family on one bus. `table` says where each compartment is wired, in rows when None."""

    def __init__(self, options: Options, table: Mapping[int, Place] | None = None) -> None:
        super().__init__(options, table)
        self._echoes = Echoes(options.echo)

    def rest(self, board: int) -> list[Request]:
        """Nothing draws current here; but before the first lock is opened it must be known whether there are echoes."""
        return [self.status(board)]

    def unlock(self, compartment: int) -> Request:
        """Open one compartment; the line is the board's until it answers or the deadline is over."""
        place = self.place(compartment)
        frame = encode(OPEN, place.board, place.lock + 1, OPEN_FUNCTION)
        return Request(frame=frame, deadline=OPEN_DEADLINE, pulse=self.options.pulse_ms / 1000)

    def status(self, board: int) -> Request:
        """Ask one board for all its locks."""
        frame = encode(STATE, self.require(board), ALL_CHANNELS, STATE_FUNCTION)
        return Request(frame=frame, deadline=STATE_DEADLINE, tries=STATE_TRIES)

    def decoder(self, request: Request, /) -> Decoder:
        """Looks for the answer to this request alone; an answer says neither its length nor that it is one."""
        asks = request.frame[0] == STATE
        return answer_decoder(
            request.frame,
            _state_at_start if asks else _opened_at_start,
            longest=STATE_ANSWER_LENGTH,
            echoes=self._echoes,
            tells=asks,
        )

    def answers(self, request: Request, frame: Frame) -> bool:
        """Same header and board; for one lock, the same channel."""
        asks = request.frame[0] == STATE
        told = 2 if asks else 3
        return frame.raw[:told] == request.frame[:told] and (len(frame.raw) == STATE_ANSWER_LENGTH) == asks

    def readings(self, frame: Frame) -> dict[int, Reading]:
        """The compartments on the board that sent this answer; empty when it is not about states."""
        if frame.raw[0] != STATE or len(frame.raw) != STATE_ANSWER_LENGTH:
            return {}
        return self.readings_of(frame.raw[1], int.from_bytes(frame.raw[2:5], "big"))


def _state_at_start(window: bytes) -> Frame | Verdict:
    """`80 BOARD S24-17 S16-9 S8-1 33 XOR`."""
    found = frame_at_start(window, head=bytes([STATE]), length=STATE_ANSWER_LENGTH, checksum=checksum)
    return found if isinstance(found, Verdict) or found.raw[5] == STATE_FUNCTION else Verdict.NEVER


def _opened_at_start(window: bytes) -> Frame | Verdict:
    """`8A BOARD CHANNEL OUTCOME XOR`."""
    found = frame_at_start(window, head=bytes([OPEN]), length=OPEN_ANSWER_LENGTH, checksum=checksum)
    return found if isinstance(found, Verdict) or found.raw[3] in OUTCOMES else Verdict.NEVER


FRAMES = (
    FrameRow("open", "controller", "8A BOARD CHANNEL 11 XOR", "8A 01 0C 11 96", "board 1: open lock 12"),
    FrameRow("done", "board", "8A BOARD CHANNEL 00|11 XOR", "8A 01 01 00 8A", "board 1: lock 1 has acted"),
    FrameRow("state?", "controller", "80 BOARD 00 33 XOR", "80 01 00 33 B2", "board 1: how are all locks?"),
    FrameRow("state", "board", "80 BOARD S24-17 S16-9 S8-1 33 XOR", "80 01 01 01 01 33 B3", "locks 1, 9 and 17 closed"),
)

base.register(
    base.Kind(name="xor8a", title="XOR boards 8A/80 (YeeGoo, Shahe)", options=Options, build=Xor8a, frames=FRAMES)
)
