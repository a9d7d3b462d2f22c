"""Modbus RTU: published frames, relays that are put at rest, and the profile that is their inverse.

Frames: reference "Lock boards: byte-exact", section "Modbus RTU".
"""

import pytest

from servicepunkt.dokbox.boards.base import BoardRefusedError, Echo, Frame, Junk, Reading, Request
from servicepunkt.dokbox.boards.modbus import Cu48Options, ModbusCu48, ModbusRelays, RelayOptions, crc16, encode, read

ON = bytes.fromhex("01 05 00 00 FF 00 8C 3A")
OFF = bytes.fromhex("01 05 00 00 00 00 CD CA")
REFUSAL = bytes.fromhex("01 81 02 C1 91")


def sealed(head: str) -> bytes:
    return bytes.fromhex(head) + crc16(bytes.fromhex(head))


def test_requests_are_the_published_ones() -> None:
    board = ModbusRelays(RelayOptions(items=False))
    unlock = board.unlock(1)
    assert unlock.frame == ON
    assert unlock.follow is not None
    assert unlock.follow.frame == OFF
    assert (unlock.tries, unlock.pulse, unlock.follow.tries) == (1, 0.5, 3)
    assert board.status(1).frame == bytes.fromhex("01 02 00 00 00 10 79 C6")
    assert board.rest(1)[-1].frame == bytes.fromhex("01 01 00 00 00 10 3D C6")
    assert encode(1, 1, 0, b"\x00\x10") == bytes.fromhex("01 01 00 00 00 10 3D C6")


def test_published_reply_is_read() -> None:
    board = ModbusRelays(RelayOptions(items=False))
    reply = bytes.fromhex("01 02 02 FF FF B8 08")
    assert board.decoder(board.status(1)).feed(reply) == [Frame(reply)]
    assert board.readings(Frame(reply)) == {n: Reading(closed=True, item=None) for n in range(1, 17)}


def test_items_follow_behind_the_latches() -> None:
    board = ModbusRelays(RelayOptions())
    reply = sealed("01 02 04 FE FF 02 00")
    readings = board.readings(Frame(reply))
    assert [n for n, reading in readings.items() if not reading.closed] == [1]
    assert [n for n, reading in readings.items() if reading.item] == [2]


def test_input_boards_of_their_own() -> None:
    board = ModbusRelays(RelayOptions(boards=2, inputs=10))
    assert board.unlock(17).frame[0] == 2
    assert board.status(2).frame[0] == 12
    assert set(board.readings(Frame(sealed("0C 02 04 FF FF 00 00")))) == set(range(17, 33))


@pytest.mark.parametrize(("boards", "inputs"), [(2, 1), (200, 100)])
def test_units_must_not_meet(boards: int, inputs: int) -> None:
    with pytest.raises(ValueError, match="units"):
        RelayOptions(boards=boards, inputs=inputs)


def test_at_rest_is_a_board_that_says_so() -> None:
    board = ModbusRelays(RelayOptions())
    rest = board.rest(1)
    written = [request.frame for request in rest if request.frame[1] == 5]
    assert written == [encode(1, 5, coil, b"\x00\x00") for coil in range(16)]
    coils = rest[-1]
    assert board.answers(coils, Frame(sealed("01 01 02 00 00")))
    assert not board.answers(coils, Frame(sealed("01 01 02 00 80")))


def told(board: ModbusRelays | ModbusCu48, request: Request, line: bytes) -> list[type]:
    return [type(event) for event in board.decoder(request).feed(line)]


def test_echo_of_a_write_is_not_its_answer() -> None:
    board = ModbusRelays(RelayOptions())
    status, off = board.status(1), board.rest(1)[1]
    inputs = sealed("01 02 04 FF FF 00 00")
    assert told(board, off, OFF) == [Echo]
    assert told(board, status, status.frame + inputs) == [Echo, Frame]
    assert told(board, off, OFF) == [Echo]
    assert told(board, off, OFF + OFF) == [Echo, Frame]
    assert told(board, status, inputs) == [Frame]
    assert told(board, off, OFF) == [Frame]


def test_refusal_is_heard_and_answers_nothing() -> None:
    board = ModbusRelays(RelayOptions(items=False))
    coils = read(1, 1, 16)
    assert board.decoder(coils).feed(REFUSAL) == [Frame(REFUSAL)]
    with pytest.raises(BoardRefusedError, match="no such address"):
        board.answers(coils, Frame(REFUSAL))
    assert board.readings(Frame(REFUSAL)) == {}


def test_other_units_answer_is_junk() -> None:
    board = ModbusRelays(RelayOptions(boards=2))
    foreign = sealed("02 02 04 FF FF 00 00")
    assert told(board, board.status(1), foreign) == [Junk]


def test_answer_of_another_length_is_junk() -> None:
    board = ModbusRelays(RelayOptions())
    assert Frame not in told(board, board.status(1), sealed("01 02 02 FF FF"))


# ---- CU48 profile ----


def test_profile_opens_by_writing_zero() -> None:
    board = ModbusCu48(Cu48Options())
    unlock = board.unlock(1)
    assert (unlock.frame, unlock.follow, board.baudrate) == (OFF, None, 115200)
    assert board.status(1).frame == sealed("01 01 00 00 00 30")


def test_profile_is_never_put_at_rest_by_writing() -> None:
    board = ModbusCu48(Cu48Options(boards=3))
    assert [request.frame[1] for unit in board.boards for request in board.rest(unit)] == [1, 1, 1]


def test_profile_reads_latches_from_coils() -> None:
    board = ModbusCu48(Cu48Options())
    readings = board.readings(Frame(sealed("01 01 06 FE FF FF FF FF 7F")))
    assert [n for n, reading in readings.items() if not reading.closed] == [1, 48]
    assert {reading.item for reading in readings.values()} == {None}
