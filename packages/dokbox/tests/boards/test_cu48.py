"""CU48 with six bytes: the published frames and the bits.

Frames: reference "Lock boards: byte-exact", section "Modbus RTU", last but one paragraph.
"""

from servicepunkt.dokbox import boards
from servicepunkt.dokbox.boards.base import Echo, Frame, Junk, Reading
from servicepunkt.dokbox.boards.cu48 import Cu48, Options


def reply(device: int, states: bytes) -> bytes:
    head = bytes([0x02, device, 0x00, 0x75, 0x06, *states])
    return head + bytes([sum(head) % 256])


def test_requests_are_the_published_ones() -> None:
    assert Cu48(Options()).status(0).frame == bytes.fromhex("02 00 00 60 03 65")
    assert Cu48(Options()).unlock(1).frame == bytes.fromhex("02 00 00 61 03 66")
    assert Cu48(Options(boards=2)).unlock(50).frame[1:4] == bytes([1, 1, 0x61])


def test_states() -> None:
    board = Cu48(Options())
    request = board.status(0)
    (frame,) = board.decoder(request).feed(reply(0, b"\xfe\xff\xff\xff\xff\x7f"))
    assert isinstance(frame, Frame)
    assert board.answers(request, frame)
    readings = board.readings(frame)
    assert [n for n, reading in readings.items() if not reading.closed] == [1, 48]
    assert readings[2] == Reading(closed=True, item=None)


def test_data_may_look_like_anything() -> None:
    board = Cu48(Options())
    frame = reply(0, b"\x02\x00\x00\x75\x06\x03")
    assert board.decoder(board.status(0)).feed(frame) == [Frame(frame)]


def test_echo_is_told_apart() -> None:
    board = Cu48(Options(boards=2))
    request = board.status(1)
    answer = reply(1, bytes(6))
    assert board.decoder(request).feed(request.frame + answer) == [Echo(request.frame), Frame(answer)]
    assert not board.answers(board.status(0), Frame(answer))
    assert not board.answers(board.unlock(49), Frame(answer))


def test_wrong_sum_is_junk() -> None:
    board = Cu48(Options())
    wrong = reply(0, bytes(6))[:-1] + b"\x00"
    assert board.decoder(board.status(0)).feed(wrong) == [Junk(wrong)]


def test_kind_is_marked() -> None:
    assert {kind.name for kind in boards.kinds().values() if kind.experimental} == {"cu48", "modbus-cu48"}
