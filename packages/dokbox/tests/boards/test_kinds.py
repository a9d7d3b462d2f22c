"""What holds for every kind of board: its table of frames is true, its decoders lose nothing and never raise."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.dokbox import boards
from servicepunkt.dokbox.boards import Board, BoardRefusedError, FrameRow, Junk, Kind, Request

KINDS = list(boards.kinds().values())
ROWS = [pytest.param(kind, row, id=f"{kind.name} {row.name}") for kind in KINDS for row in kind.frames]


def added(head: bytes) -> bytes:
    return bytes([sum(head) % 256])


def exclusive(head: bytes) -> bytes:
    rest = 0
    for byte in head:
        rest ^= byte
    return bytes([rest])


def cyclic(head: bytes) -> bytes:
    """CRC-16/MODBUS bit by bit over the reflected message, written down apart from the driver's."""
    register = 0xFFFF
    for bit in (byte >> n & 1 for byte in head for n in range(8)):
        register = (register >> 1) ^ (0xA001 if (register ^ bit) & 1 else 0)
    return bytes([register & 255, register >> 8])


def spread(head: bytes) -> bytes:
    """The CRC of OSDP bit by bit, written down apart from the driver's."""
    register = 0x1D0F
    for bit in (byte >> n & 1 for byte in head for n in reversed(range(8))):
        register = (register << 1 ^ (0x1021 if register >> 15 ^ bit else 0)) & 0xFFFF
    return bytes([register & 255, register >> 8])


#: How each kind seals a frame, and how many bytes that takes.
SEALS: dict[str, Callable[[bytes], bytes]] = {
    "krcu16": added,
    "cu48": added,
    "xor8a": exclusive,
    "modbus": cyclic,
    "modbus-cu48": cyclic,
    "osdp": spread,
}
#: What a kind cannot do without.
OPTIONS = {"osdp": [("key", "env:OSDP_KEY")]}


@pytest.fixture(autouse=True, scope="module")
def osdp_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSDP_KEY", bytes(range(16)).hex())
        yield


def board_of(kind: Kind) -> Board:
    return boards.build_board(kind.name, OPTIONS.get(kind.name, []))


def sealed(kind: Kind, head: bytes) -> bytes:
    return head + SEALS[kind.name](head)


def requests(kind: Kind) -> list[Request]:
    board = board_of(kind)
    first = board.boards[0]
    unlock = board.unlock(1)
    follow = [unlock.follow] if unlock.follow else []
    return [unlock, board.status(first), *follow, *board.rest(first), *board.polls(first)]


def test_every_kind_is_here() -> None:
    assert set(SEALS) == {kind.name for kind in KINDS}


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_example_of_the_table_is_sealed(kind: Kind, row: FrameRow) -> None:
    example = bytes.fromhex(row.example)
    seal = len(SEALS[kind.name](b""))
    assert sealed(kind, example[:-seal]) == example


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_table_shows_what_board_and_controller_really_say(kind: Kind) -> None:
    said = {row.example for row in kind.frames if row.sender == "board"}
    board = board_of(kind)
    for example in said:
        told = [
            event.raw for request in requests(kind) for event in board.decoder(request).feed(bytes.fromhex(example))
        ]
        assert bytes.fromhex(example) in told


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_lock_is_moved_twice_and_every_pulse_has_an_end(kind: Kind) -> None:
    board = board_of(kind)
    for compartment in board.table:
        request = board.unlock(compartment)
        assert (request.tries, request.pulse > 0) == (1, True)
    assert len({board.unlock(compartment).frame for compartment in board.table}) == len(board.table)
    for board_id in board.boards:
        assert all(request.pulse == 0 for request in [*board.rest(board_id), board.status(board_id)])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(data=st.data())
def test_split_input_gives_the_same_and_loses_no_byte(kind: Kind, data: st.DataObject) -> None:
    asked = requests(kind)
    request = data.draw(st.sampled_from(asked))
    known = [request.frame, *(bytes.fromhex(row.example) for row in kind.frames)]
    piece = st.one_of(
        st.sampled_from(known),
        st.builds(lambda frame, keep: frame[:keep], st.sampled_from(known), st.integers(1, 8)),
        st.binary(max_size=8),
    )
    stream = data.draw(st.lists(piece, max_size=6).map(b"".join))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))

    def decode(edges: list[int]) -> tuple[list[bytes], bytes]:
        decoder = board_of(kind).decoder(request)
        events = [event for start, end in pairwise(edges) for event in decoder.feed(stream[start:end])]
        assert b"".join(event.raw for event in events) + decoder.pending == stream
        return [event.raw for event in events if not isinstance(event, Junk)], decoder.pending

    assert decode([0, *sorted(cuts), len(stream)]) == decode([0, len(stream)])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_random_bytes_raise_nothing_and_read_nothing_unsealed(kind: Kind) -> None:
    rng = random.Random(20230303)
    board = board_of(kind)
    asked = requests(kind)
    known = [bytes.fromhex(row.example) for row in kind.frames]
    seal = len(SEALS[kind.name](b""))
    read = 0
    for _ in range(20_000):
        request = rng.choice(asked)
        noise = bytearray(rng.choice([rng.choice(known), request.frame, rng.randbytes(rng.randrange(12))]))
        if noise and rng.random() < 0.5:
            noise[rng.randrange(len(noise))] ^= 1 << rng.randrange(8)
        for event in board.decoder(request).feed(bytes(noise) + rng.randbytes(rng.randrange(3))):
            if isinstance(event, Junk) or event.raw == b"\xff":  # a mark of OSDP
                continue
            assert sealed(kind, event.raw[:-seal]) == event.raw
            read += 1
            with suppress(BoardRefusedError):
                if isinstance(event, boards.Frame) and board.answers(request, event):
                    assert set(board.readings(event)) <= set(board.table)
    assert read > 1000, "the fuzz has to reach valid frames too"
