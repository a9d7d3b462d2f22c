"""Lock boards of an invented maker: what docs/how-to/board.md explains, whole.

A frame is `AA BOARD COMMAND DATA NOT`, NOT being the inverse of the sum of all bytes before it. Boards have the ids 1
to 4 and eight locks each: 01 opens lock DATA and is not answered; 02 asks for the state, and the board answers with
82 and a bit for each lock, 1 for closed, lock 1 first.
"""

from typing import Annotated

from msgspec import Meta

from servicepunkt.dokbox import boards
from servicepunkt.dokbox.boards import Echo, Frame, FrameRow, Kind, Place, Reading, Request
from servicepunkt.dokbox.boards.decoding import Decoder, Verdict

START, OPEN, STATE, STATE_ANSWER = 0xAA, 0x01, 0x02, 0x82
LENGTH, LOCKS, MOST_BOARDS = 5, 8, 4


def encode(board: int, command: int, data: int) -> bytes:
    head = bytes([START, board, command, data])
    return head + bytes([~sum(head) & 0xFF])


class Options(boards.Options, frozen=True, kw_only=True):
    """Settings of a bus of invented boards, with the ids 1 to 4."""

    boards: Annotated[int, Meta(ge=1, le=MOST_BOARDS)] = 1
    items: bool = False

    @property
    def places(self) -> list[Place]:
        return self.in_rows(first=1, locks=LOCKS)


class Invented(boards.WiredBoards[Options]):
    """Invented boards on one bus."""

    def unlock(self, compartment: int) -> Request:
        place = self.place(compartment)
        return Request(frame=encode(place.board, OPEN, place.lock + 1), deadline=0.0, pulse=0.4)

    def status(self, board: int) -> Request:
        return Request(frame=encode(self.require(board), STATE, 0), deadline=0.2, tries=3)

    def decoder(self, _request: Request, /) -> Decoder:
        return Decoder(at_start, longest=LENGTH)

    def answers(self, request: Request, frame: Frame) -> bool:
        return frame.raw[1] == request.frame[1]

    def readings(self, frame: Frame) -> dict[int, Reading]:
        return self.readings_of(frame.raw[1], frame.raw[3])


def at_start(window: bytes) -> Frame | Echo | Verdict:
    raw = window[:LENGTH]
    if raw[0] != START:
        return Verdict.NEVER
    if len(raw) < LENGTH:
        return Verdict.NOT_YET
    if raw != encode(*raw[1:4]):
        return Verdict.NEVER
    return Frame(raw) if raw[2] == STATE_ANSWER else Echo(raw)


KIND = Kind(
    name="invented",
    title="Invented boards",
    options=Options,
    build=Invented,
    frames=(
        FrameRow("open", "controller", "AA BOARD 01 LOCK NOT", "AA 01 01 03 50", "board 1: open lock 3"),
        FrameRow("state?", "controller", "AA BOARD 02 00 NOT", "AA 01 02 00 52", "board 1: how are the locks?"),
        FrameRow("state", "board", "AA BOARD 82 BITS NOT", "AA 01 82 FE D4", "board 1: lock 1 open"),
    ),
)
