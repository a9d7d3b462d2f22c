"""KR-CU16: published frames as literals, the decoder's promises, and what a board says of its compartments.

Frames: reference "Lock boards: byte-exact", section "KR-CU16".
"""

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from servicepunkt.dokbox.boards import base, krcu16
from servicepunkt.dokbox.boards.base import Echo, Junk, NoSuchBoardError, NoSuchCompartmentError, Place, Reading
from servicepunkt.dokbox.boards.krcu16 import Frame, KrCu16, Options

ALL_CLOSED_ITEM_IN_1 = bytes.fromhex("02 00 35 FF FF 01 00 03 39")
LOCK_1_OPEN_EMPTY = bytes.fromhex("02 00 35 FE FF 00 00 03 37")

#: (command, whole length) of every frame this kind knows, written down apart from the decoder's own table
KNOWN = {(0x30, 5), (0x31, 5), (0x35, 9), (0x37, 5), (0x37, 7), (0x38, 7)}


def sealed(*head: int) -> bytes:
    return bytes([*head, sum(head) % 256])


def status_reply(address: int, data: bytes) -> bytes:
    return sealed(0x02, address, 0x35, *data, 0x03)


def whole_frames(stream: bytes) -> list[bytes]:
    """The frames of a complete stream by the plainest rule: leftmost first, none overlapping."""
    found, at = [], 0
    while at < len(stream):
        for length in (5, 7, 9):
            piece = stream[at : at + length]
            if (
                len(piece) == length
                and (piece[2], length) in KNOWN
                and (piece[0], piece[-2]) == (0x02, 0x03)
                and piece[1] < 0xA0
                and piece[-1] == sum(piece[:-1]) % 256
            ):
                found.append(piece)
                at += length
                break
        else:
            at += 1
    return found


def raw_frames(events: Sequence[base.Frame | Echo | Junk]) -> list[bytes]:
    return [event.raw for event in events if not isinstance(event, Junk)]


# ---- Literals ----


@pytest.mark.parametrize(
    ("request_frame", "literal"),
    [
        (KrCu16(Options(boards=2)).status(0).frame, "02 00 30 03 35"),
        (KrCu16(Options(boards=2)).status(1).frame, "02 10 30 03 45"),
        (KrCu16(Options(boards=2)).unlock(1).frame, "02 00 31 03 36"),
        (KrCu16(Options(boards=2)).unlock(17).frame, "02 10 31 03 46"),
        (KrCu16(Options(boards=2)).unlock(20).frame, "02 13 31 03 49"),
        (KrCu16(Options()).query_pulse_time(0).frame, "02 00 37 03 3C"),
        (KrCu16(Options()).set_pulse_time(0, 550).frame, "02 00 37 00 37 03 73"),
    ],
)
def test_requests_are_the_published_ones(request_frame: bytes, literal: str) -> None:
    assert request_frame == bytes.fromhex(literal)


def test_published_replies_are_read() -> None:
    assert krcu16.decoder().feed(ALL_CLOSED_ITEM_IN_1 + LOCK_1_OPEN_EMPTY) == [
        Frame(ALL_CLOSED_ITEM_IN_1),
        Frame(LOCK_1_OPEN_EMPTY),
    ]


@pytest.mark.parametrize("literal", ["02 10 30 03 3E", "02 0F 31 03 49"])
def test_published_wrong_checksums_are_refused(literal: str) -> None:
    frame = bytes.fromhex(literal)
    assert krcu16.decoder().feed(frame) == [Junk(frame)]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(sealed(0x02, 0x00, 0x33, 0x03), id="opens a whole board"),
        pytest.param(sealed(0x02, 0x00, 0x39, 0x05, 0x03), id="opens later"),
        pytest.param(sealed(0x02, 0xF0, 0x32, 0x03), id="all boards at once"),
        pytest.param(status_reply(0xA0, bytes(4)), id="board 10"),
        pytest.param(sealed(0x02, 0x00, 0x35, 0x03), id="status without data"),
    ],
)
def test_what_the_driver_does_not_speak_is_junk(frame: bytes) -> None:
    assert raw_frames(krcu16.decoder().feed(frame + bytes(krcu16.LONGEST))) == []


def test_no_command_opens_a_whole_board() -> None:
    assert {int(command) for command in krcu16.Command} == {0x30, 0x31, 0x35, 0x37, 0x38}


@given(st.integers(1, 10), st.data())
def test_unlock_names_exactly_one_lock(boards: int, data: st.DataObject) -> None:
    board = KrCu16(Options(boards=boards))
    compartment = data.draw(st.sampled_from(sorted(board.table)))
    request = board.unlock(compartment)
    assert request.frame[2] == 0x31
    assert (request.frame[1] >> 4) * 16 + (request.frame[1] & 15) + 1 == compartment
    assert (request.tries, request.deadline, request.pulse) == (1, 0.0, 0.5)


# ---- Decoder ----


def test_data_bytes_may_look_like_start_and_end() -> None:
    frame = status_reply(0x20, b"\x02\x03\x02\x03")
    assert krcu16.decoder().feed(frame) == [Frame(frame)]


def test_echo_of_every_request_is_recognised() -> None:
    board = KrCu16(Options(boards=10))
    for request in (
        board.status(9),
        board.unlock(160),
        board.query_pulse_time(3),
        board.set_pulse_time(3, 1000),
    ):
        assert krcu16.decoder().feed(request.frame) == [Echo(request.frame)]


def test_ambiguous_echo_costs_two_bytes_and_no_reply() -> None:
    echo = KrCu16(Options()).set_pulse_time(0, 0x033C * 10).frame
    reply = sealed(0x02, 0x00, 0x38, 0x03, 0x3C, 0x03)
    assert krcu16.decoder().feed(echo + reply) == [Echo(echo[:5]), Junk(echo[5:]), Frame(reply)]


def test_wrong_checksum_drops_one_byte_only() -> None:
    # the broken frame's own data holds the start of the good one
    broken = bytes.fromhex("02 00 35 FF FF 01 00 03 00")
    cut = broken[:4]
    assert krcu16.decoder().feed(cut + ALL_CLOSED_ITEM_IN_1 + bytes(8))[1] == Frame(ALL_CLOSED_ITEM_IN_1)
    assert krcu16.decoder().feed(broken + ALL_CLOSED_ITEM_IN_1) == [Junk(broken), Frame(ALL_CLOSED_ITEM_IN_1)]


def test_frame_behind_a_plausible_start_is_late_but_not_lost() -> None:
    reply = sealed(0x02, 0x35, 0x38, 0x00, 0x91, 0x03)
    decoder = krcu16.decoder()
    # read from the stray 02, the reply is a status whose ETX (the reply's checksum) is in place, without its sum
    assert decoder.feed(b"\x02" + reply) == []
    assert decoder.feed(b"\x00") == [Junk(b"\x02"), Frame(reply), Junk(b"\x00")]


addresses = st.builds(lambda board, lock: board << 4 | lock, st.integers(0, 9), st.integers(0, 15))
frames = st.one_of(
    st.builds(status_reply, addresses, st.binary(min_size=4, max_size=4)),
    st.builds(lambda a, d: sealed(0x02, a, 0x38, *d, 0x03), addresses, st.binary(min_size=2, max_size=2)),
    st.builds(lambda a, d: sealed(0x02, a, 0x37, *d, 0x03), addresses, st.binary(min_size=2, max_size=2)),
    st.builds(lambda a, c: sealed(0x02, a, c, 0x03), addresses, st.sampled_from([0x30, 0x31, 0x37])),
)
pieces = st.one_of(
    frames,
    st.builds(lambda frame, keep: frame[:keep], frames, st.integers(1, 8)),
    st.builds(
        lambda frame, bit: bytes(b ^ (1 << bit % 8 if i == bit // 8 else 0) for i, b in enumerate(frame)),
        frames,
        st.integers(0, 71),
    ),
    st.lists(st.sampled_from([0x00, 0x02, 0x03, 0x30, 0x35, 0x37, 0x38]), max_size=12).map(bytes),
    st.binary(max_size=12),
)
streams = st.lists(pieces, max_size=8).map(b"".join)


@given(streams)
@example(b"\x02" * 40)
@example(b"\x02\x00\x35" * 20)
def test_finds_what_a_whole_stream_holds(stream: bytes) -> None:
    # the zeros decide every start that is still open; they cannot complete a frame
    stream += bytes(krcu16.LONGEST)
    assert raw_frames(krcu16.decoder().feed(stream)) == whole_frames(stream)


@given(st.binary(max_size=40).map(lambda noise: noise.replace(b"\x02", b"\xff")), frames)
def test_frame_after_garbage_without_a_start_byte_is_found_at_once(noise: bytes, frame: bytes) -> None:
    assert raw_frames(krcu16.decoder().feed(noise + frame)) == whole_frames(frame) != []


@given(streams, st.lists(st.integers(0, 200)))
def test_split_input_gives_the_same_and_loses_no_byte(stream: bytes, cuts: list[int]) -> None:
    decoder, events = krcu16.decoder(), []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        events += decoder.feed(stream[start:end])
        assert len(decoder.pending) < krcu16.LONGEST
    at_once = krcu16.decoder()
    assert raw_frames(events) == raw_frames(at_once.feed(stream))
    assert decoder.pending == at_once.pending
    assert b"".join(event.raw for event in events) + decoder.pending == stream


@given(addresses, st.binary(min_size=4, max_size=4), st.integers(0, 71))
def test_one_flipped_bit_never_gives_a_reading(address: int, data: bytes, bit: int) -> None:
    frame = bytearray(status_reply(address, data))
    frame[bit // 8] ^= 1 << bit % 8
    for event in krcu16.decoder().feed(bytes(frame) + bytes(krcu16.LONGEST)):
        assert not isinstance(event, Frame) or event.command != krcu16.Command.STATUS_REPLY


def test_hundred_thousand_random_frames_raise_nothing() -> None:
    rng = random.Random(20230303)
    decoder, board = krcu16.decoder(), KrCu16(Options(boards=10))
    read = 0
    for _ in range(100_000):
        frame = bytearray(rng.choice([b"\x02", b""]) + rng.randbytes(rng.randrange(10)))
        if len(frame) > 4:
            frame[2] = rng.choice([*(command for command, _ in KNOWN), frame[2]])
            frame[-2:] = [3, sum(frame[:-2]) + 3 & 255]
        for event in decoder.feed(bytes(frame)):
            if isinstance(event, Frame):
                read += 1
                board.readings(event)
                krcu16.pulse_time(event)
        assert len(decoder.pending) < krcu16.LONGEST
    assert read > 100, "the fuzz has to reach valid frames too"


# ---- Board ----


def test_readings_of_the_published_replies() -> None:
    board = KrCu16(Options())
    assert board.readings(Frame(ALL_CLOSED_ITEM_IN_1)) == {n: Reading(closed=True, item=n == 1) for n in range(1, 17)}
    assert board.readings(Frame(LOCK_1_OPEN_EMPTY)) == {n: Reading(closed=n != 1, item=False) for n in range(1, 17)}


@pytest.mark.parametrize("lock", range(16))
def test_every_lock_has_its_own_bit(lock: int) -> None:
    bits = (1 << lock).to_bytes(2, "little")
    readings = KrCu16(Options(boards=3)).readings(Frame(status_reply(0x20, bits + bits)))
    assert {n for n, reading in readings.items() if reading.closed} == {33 + lock}
    assert {n for n, reading in readings.items() if reading.item} == {33 + lock}


def test_polarity_is_a_setting() -> None:
    readings = KrCu16(Options(latch_closed_bit=0)).readings(Frame(LOCK_1_OPEN_EMPTY))
    assert [n for n, reading in readings.items() if reading.closed] == [1]


def test_without_item_sensors_the_item_is_unknown() -> None:
    readings = KrCu16(Options(items=False)).readings(Frame(ALL_CLOSED_ITEM_IN_1))
    assert {reading.item for reading in readings.values()} == {None}


def test_unused_locks_are_no_compartments() -> None:
    board = KrCu16(Options(boards=2, compartments=20))
    assert list(board.table) == list(range(1, 21))
    assert set(board.readings(Frame(status_reply(0x10, bytes(4))))) == {17, 18, 19, 20}
    with pytest.raises(NoSuchCompartmentError, match="no compartment 21"):
        board.unlock(21)


@pytest.mark.parametrize("compartment", [0, -1, 17, 1000])
def test_absent_compartment_makes_no_frame(compartment: int) -> None:
    with pytest.raises(NoSuchCompartmentError):
        KrCu16(Options()).unlock(compartment)


def test_absent_board_makes_no_frame() -> None:
    with pytest.raises(NoSuchBoardError):
        KrCu16(Options(boards=2)).status(2)


def test_own_wiring() -> None:
    board = KrCu16(Options(boards=5), {1: Place(4, 15), 2: Place(0, 0)})
    assert board.unlock(1).frame == sealed(0x02, 0x4F, 0x31, 0x03)
    assert board.boards == (0, 4)
    assert board.readings(Frame(status_reply(0x40, b"\x00\x80\x00\x00"))) == {1: Reading(True, False)}


def test_impossible_wiring_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has the lock 0\.17, 1\.1"):
        KrCu16(Options(), table={1: Place(1, 0), 2: Place(0, 16)})
    with pytest.raises(ValueError, match="one lock"):
        KrCu16(Options(), table={1: Place(0, 0), 2: Place(0, 0)})


def test_reply_answers_only_its_own_request() -> None:
    board = KrCu16(Options(boards=2))
    reply = Frame(status_reply(0x10, bytes(4)))
    assert board.answers(board.status(1), reply)
    assert not board.answers(board.status(0), reply)
    assert not board.answers(board.query_pulse_time(1), reply)
    assert not board.answers(board.unlock(17), reply)


def test_pulse_time() -> None:
    board = KrCu16(Options())
    reply = Frame(sealed(0x02, 0x00, 0x38, 0x00, 0x37, 0x03))
    assert krcu16.pulse_time(reply) == 550
    assert krcu16.pulse_time(Frame(ALL_CLOSED_ITEM_IN_1)) is None
    assert board.answers(board.query_pulse_time(0), reply)
    assert board.readings(reply) == {}


@pytest.mark.parametrize("milliseconds", [0, -10, 5, 555, 60_010])
def test_impossible_pulse_time_makes_no_frame(milliseconds: int) -> None:
    with pytest.raises(ValueError, match="pulse"):
        KrCu16(Options()).set_pulse_time(0, milliseconds)
