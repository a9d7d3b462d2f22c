"""What boards of every kind do alike: every fault of the bus, and finding a request among any bytes.

The frames are the ones that the test of each kind adds up by hand.
"""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.dokbox.simulator import (
    KINDS,
    AnyFault,
    Boards,
    Cabinet,
    Delay,
    Echo,
    FlippedBit,
    Garbage,
    HalfFrame,
    NoReply,
    ReversedPolarity,
    Transmission,
)
from servicepunkt.dokbox.simulator.boards import pack

TALKS = {
    "krcu16": ("02 00 30 03 35", "02 00 35 FF FF 00 00 03 38", "02 00 35 00 00 00 00 03 3A"),
    "xor8a": ("80 01 00 33 B2", "80 01 FF FF FF 33 4D", "80 01 00 00 00 33 B2"),
    "cu48": ("02 00 00 60 03 65", "02 00 00 75 06 FF FF FF FF FF FF 77", "02 00 00 75 06 00 00 00 00 00 00 7D"),
    "modbus": ("01 02 00 00 00 10 79 C6", "01 02 02 FF FF B8 08", "01 02 02 00 00 B9 B8"),
    "modbus-cu48": (
        "01 01 00 00 00 30 3C 1E",
        "01 01 06 FF FF FF FF FF FF A1 23",
        "01 01 06 00 00 00 00 00 00 A0 AC",
    ),
}
"""By kind: the query of a board, its reply when all 48 doors are shut, and that reply with reversed polarity."""
LONGEST_REQUEST = 264
kinds = pytest.mark.parametrize("kind", TALKS)


def boards(kind: str, *faults: AnyFault, cabinet: Cabinet | None = None) -> Boards:
    cabinet = cabinet or Cabinet()
    cabinet.set_faults(*faults, time=0)
    return KINDS[kind].build(cabinet, Random(20))


def ask(bus: Boards, request: bytes) -> bytes:
    return b"".join(sent.data for sent in bus.receive(request, time=4.5))


def talk(kind: str) -> tuple[bytes, bytes]:
    request, reply, _ = TALKS[kind]
    return bytes.fromhex(request), bytes.fromhex(reply)


def test_every_kind_is_tried() -> None:
    assert TALKS.keys() == KINDS.keys()


@kinds
def test_a_query_is_answered_at_once(kind: str) -> None:
    request, reply = talk(kind)
    assert boards(kind).receive(request, time=4.5) == [Transmission(reply)]


@kinds
def test_reversed_polarity_turns_the_latches(kind: str) -> None:
    request, _ = talk(kind)
    assert ask(boards(kind, ReversedPolarity()), request) == bytes.fromhex(TALKS[kind][2])


@kinds
def test_no_reply_swallows_so_many(kind: str) -> None:
    request, reply = talk(kind)
    bus = boards(kind, NoReply(times=2), FlippedBit())
    assert [ask(bus, request) for _ in range(2)] == [b"", b""]
    assert ask(bus, request) != reply, "a lost reply has used up another fault"
    assert ask(bus, request) == reply


@kinds
def test_a_flipped_bit_is_one_bit_of_one_reply(kind: str) -> None:
    request, reply = talk(kind)
    bus = boards(kind, FlippedBit())
    wrong = ask(bus, request)
    assert len(wrong) == len(reply)
    assert (int.from_bytes(wrong, "big") ^ int.from_bytes(reply, "big")).bit_count() == 1
    assert ask(bus, request) == reply


@kinds
def test_half_a_frame_and_garbage_before_it(kind: str) -> None:
    request, reply = talk(kind)
    bus = boards(kind, HalfFrame(), Garbage(length=3))
    half = reply[: len(reply) // 2]
    answer = ask(bus, request)
    assert (len(answer), answer[3:]) == (3 + len(half), half)
    assert ask(bus, request) == reply


@kinds
def test_a_delay_is_told_not_waited(kind: str) -> None:
    request, reply = talk(kind)
    assert boards(kind, Delay(0.75)).receive(request, time=0) == [Transmission(reply, 0.75)]


@kinds
def test_an_echo_comes_first(kind: str) -> None:
    request, reply = talk(kind)
    bus = boards(kind, Echo())
    assert ask(bus, request[:3]) == request[:3]
    assert ask(bus, request[3:]) == request[3:] + reply


@kinds
def test_an_unplugged_bus_hears_nothing_and_forgets_what_it_had_heard(kind: str) -> None:
    request, reply = talk(kind)
    cabinet = Cabinet()
    bus = boards(kind, Echo(), cabinet=cabinet)
    bus.receive(request[:3], time=0)
    cabinet.unplug(time=1)
    assert ask(bus, request) == b""
    cabinet.plug(time=2)
    cabinet.set_faults(time=3)
    assert ask(bus, request[3:]) == b""
    assert ask(bus, request) == reply


@kinds
def test_requests_that_come_together_are_all_answered(kind: str) -> None:
    request, reply = talk(kind)
    assert ask(boards(kind), request * 3) == reply * 3


@kinds
def test_every_wrong_bit_makes_a_request_nobodys(kind: str) -> None:
    """The board is silent, opens nothing and hears the next request (a longer one may be expected in between)."""
    request, reply = talk(kind)
    for bit in range(len(request) * 8):
        wrong = (int.from_bytes(request, "big") ^ 1 << bit).to_bytes(len(request), "big")
        cabinet = Cabinet()
        bus = boards(kind, cabinet=cabinet)
        assert ask(bus, wrong) == b""
        assert ask(bus, request * 2).endswith(reply)
        assert not any(compartment.pulses for compartment in cabinet.compartments)


@given(st.sampled_from(sorted(TALKS)), st.binary(max_size=60), st.integers(1, 9))
def test_any_bytes_are_borne_and_never_hide_the_next_requests_for_good(kind: str, garbage: bytes, size: int) -> None:
    """In pieces of any size; at the latest when the longest request that garbage can announce is over."""
    request, reply = talk(kind)
    bus = boards(kind)
    stream = garbage + request * (LONGEST_REQUEST // len(request) + 3)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert b"".join(ask(bus, piece) for piece in pieces).endswith(reply)


BEGINNINGS = {
    "krcu16": [0x02],
    "xor8a": [0x80, 0x8A],
    "cu48": [0x02],
    "modbus": [*range(1, 9), 0x0B, 0x0C, 0x0F, 0x10, 0x11, 0x16, 0x18],
    "modbus-cu48": [*range(1, 9), 0x0B, 0x0C, 0x0F, 0x10, 0x11, 0x16, 0x18],
}
"""The bytes by which a request can be told from garbage: the first ones, of Modbus the functions."""


@given(st.sampled_from(sorted(TALKS)), st.data())
def test_garbage_that_cannot_begin_a_request_hides_nothing(kind: str, data: st.DataObject) -> None:
    request, reply = talk(kind)
    harmless = sorted(set(range(256)) - set(BEGINNINGS[kind]))
    garbage = bytes(data.draw(st.lists(st.sampled_from(harmless), max_size=30)))
    bus = boards(kind)
    assert ask(bus, garbage + request) == reply
    assert ask(bus, garbage) + ask(bus, request) == reply


@given(st.sampled_from(sorted(TALKS)), st.data())
def test_pieces_make_no_difference(kind: str, data: st.DataObject) -> None:
    request, reply = talk(kind)
    bus = boards(kind)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(request)), max_size=4)))
    answers = [ask(bus, request[start:end]) for start, end in zip([0, *cuts], [*cuts, len(request)], strict=True)]
    assert b"".join(answers) == reply


@kinds
def test_time_alone_does_nothing_while_nothing_has_current(kind: str) -> None:
    assert boards(kind).pass_time(time=1e9) is None


@pytest.mark.parametrize(
    ("bits", "packed"),
    [([], ""), ([True], "01"), ([False] * 7 + [True], "80"), ([False] * 8 + [True], "00 01"), ([True] * 10, "FF 03")],
)
def test_bits_are_packed_from_the_lowest(bits: list[bool], packed: str) -> None:
    assert pack(bits) == bytes.fromhex(packed)
