"""8A/80 boards: published frames as literals, echoes that look like failure, and both polarities.

Frames: reference "Lock boards: byte-exact", section "8A/80 XOR boards".
"""

import pytest

from servicepunkt.dokbox.boards.base import Echo, Frame, Junk, Reading
from servicepunkt.dokbox.boards.decoding import EchoOption
from servicepunkt.dokbox.boards.xor8a import Options, Xor8a

OPENED = bytes.fromhex("8A 01 01 00 8A")
FAILED = bytes.fromhex("8A 01 01 11 9B")
LOCKS_1_9_17 = bytes.fromhex("80 01 01 01 01 33 B3")
LOOKS_LIKE_AN_ECHO = bytes.fromhex("80 01 00 33 B2 33 33")  # its first five bytes are those of the request

#: What the maker's document gives as "opened" for the locks 1 to 12, by the last byte.
OPENED_SUMS = "8A 89 88 8F 8E 8D 8C 83 82 81 80 87"


@pytest.mark.parametrize(
    ("compartment", "literal"), [(1, "8A 01 01 11 9B"), (2, "8A 01 02 11 98"), (12, "8A 01 0C 11 96")]
)
def test_open_is_the_published_frame(compartment: int, literal: str) -> None:
    request = Xor8a(Options()).unlock(compartment)
    assert request.frame == bytes.fromhex(literal)
    assert (request.tries, request.deadline, request.pulse) == (1, 3.0, 3.0)


def test_state_request_is_the_published_frame() -> None:
    assert Xor8a(Options()).status(1).frame == bytes.fromhex("80 01 00 33 B2")


def test_opened_answers_of_twelve_locks() -> None:
    board = Xor8a(Options(echo="no"))
    for lock, last in enumerate(bytes.fromhex(OPENED_SUMS), start=1):
        request = board.unlock(lock)
        raw = bytes([0x8A, 1, lock, 0, last])
        assert board.decoder(request).feed(raw) == [Frame(raw)]
        assert board.answers(request, Frame(raw))
        assert not board.answers(board.unlock(lock % 12 + 1), Frame(raw))


def test_published_wrong_checksum_is_junk() -> None:
    wrong = bytes.fromhex("8A 01 01 00 B3")
    assert Xor8a(Options(echo="no")).decoder(Xor8a(Options()).unlock(1)).feed(wrong) == [Junk(wrong)]


def test_states() -> None:
    board = Xor8a(Options())
    request = board.status(1)
    (frame,) = board.decoder(request).feed(LOCKS_1_9_17)
    assert isinstance(frame, Frame)
    assert board.answers(request, frame)
    readings = board.readings(frame)
    assert [n for n, reading in readings.items() if reading.closed] == [1, 9, 17]
    assert (len(readings), {reading.item for reading in readings.values()}) == (24, {None})
    other = Xor8a(Options(latch_closed_bit=0)).readings(frame)
    assert other == {n: Reading(not reading.closed, None) for n, reading in readings.items()}


def test_boards_are_counted_from_one() -> None:
    board = Xor8a(Options(boards=2, locks=12))
    assert (board.boards, board.unlock(13).frame) == ((1, 2), bytes.fromhex("8A 02 01 11 98"))


def told(board: Xor8a, request: str, line: bytes) -> list[type]:
    asked = board.status(1) if request == "state" else board.unlock(1)
    return [type(event) for event in board.decoder(asked).feed(line)]


def test_echo_is_learned_from_the_state_request() -> None:
    board = Xor8a(Options())
    state = board.status(1).frame
    # nothing is known yet: what has the request's bytes answers nothing
    assert told(board, "open", FAILED) == [Echo]
    assert told(board, "state", LOCKS_1_9_17) == [Frame]
    assert told(board, "open", FAILED) == [Frame]
    assert told(board, "open", OPENED) == [Frame]
    # another adapter is plugged in
    assert told(board, "state", state + LOCKS_1_9_17) == [Echo, Frame]
    assert told(board, "open", FAILED) == [Echo]
    assert told(board, "open", FAILED + FAILED) == [Echo, Frame]
    assert told(board, "open", FAILED + OPENED) == [Echo, Frame]


def test_states_that_begin_like_the_request_are_states() -> None:
    board = Xor8a(Options())
    assert told(board, "state", LOOKS_LIKE_AN_ECHO) == [Frame]
    assert told(board, "state", board.status(1).frame + LOOKS_LIKE_AN_ECHO) == [Echo, Frame]


def test_mangled_echo_teaches_nothing() -> None:
    board = Xor8a(Options())
    state = board.status(1).frame
    assert told(board, "state", state + LOCKS_1_9_17) == [Echo, Frame]
    assert told(board, "state", b"\x81" + state[1:] + LOCKS_1_9_17) == [Junk, Frame]
    assert told(board, "open", FAILED) == [Echo]


@pytest.mark.parametrize(("echo", "kind"), [("yes", Echo), ("no", Frame)])
def test_echo_can_be_told_instead(echo: EchoOption, kind: type) -> None:
    board = Xor8a(Options(echo=echo))
    assert told(board, "open", FAILED) == [kind]
    told(board, "state", LOCKS_1_9_17)
    told(board, "state", board.status(1).frame + LOCKS_1_9_17)
    assert told(board, "open", FAILED) == [kind]


def test_before_the_first_lock_the_state_is_asked() -> None:
    assert Xor8a(Options()).rest(1) == [Xor8a(Options()).status(1)]
