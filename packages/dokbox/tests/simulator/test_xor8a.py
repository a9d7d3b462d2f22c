"""The 8A/80 boards, byte by byte; the published frames are those of the reference, section 2.2."""

from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.dokbox.simulator import (
    AnyFault,
    Cabinet,
    Compartment,
    Delay,
    Echo,
    NoReply,
    ReversedPolarity,
    StuckLatch,
    Transmission,
    WeakSpring,
    What,
    Xor8aBoards,
)

OPEN_1 = "8A 01 01 11 9B"
OPEN_2 = "8A 01 02 11 98"
OPEN_12 = "8A 01 0C 11 96"
OPEN_ALL = "8A 01 00 11 9A"
OPENED_1 = "8A 01 01 00 8A"
FAILED_1 = "8A 01 01 11 9B"
STATE_1 = "80 01 01 33 B3"
OPEN_STATE_1 = "80 01 01 00 80"
CLOSED_STATE_1 = "80 01 01 11 91"
ALL_STATES = "80 01 00 33 B2"
FIRST_OF_EACH_BYTE_CLOSED = "80 01 01 01 01 33 B3"
PUBLISHED = [
    OPEN_1, OPEN_2, OPEN_12, OPEN_ALL, OPENED_1, FAILED_1,
    STATE_1, OPEN_STATE_1, CLOSED_STATE_1, ALL_STATES, FIRST_OF_EACH_BYTE_CLOSED,
]  # fmt: skip
boards = partial(Xor8aBoards, random=Random(20))


def framed(*body: int) -> str:
    check = 0
    for byte in body:
        check = (check | byte) & ~(check & byte)
    return bytes([*body, check]).hex(" ").upper()


def bus_of(cabinet: Cabinet, *faults: AnyFault) -> Xor8aBoards:
    cabinet.set_faults(*faults, time=0)
    return boards(cabinet)


def ask(bus: Xor8aBoards, request: str) -> str:
    answer = b"".join(sent.data for sent in bus.receive(bytes.fromhex(request), time=4.5))
    return answer.hex(" ").upper()


@pytest.mark.parametrize("published", PUBLISHED)
def test_the_published_frames_add_up(published: str) -> None:
    assert framed(*bytes.fromhex(published)[:-1]) == published


def test_a_published_table_of_twelve_locks() -> None:
    """The checks of "opened" for locks 1 to 12, as the maker's paper has them."""
    bus = boards(Cabinet())
    replies = [bytes.fromhex(ask(bus, framed(0x8A, 1, channel, 0x11))) for channel in range(1, 13)]
    assert bytes(reply[-1] for reply in replies) == bytes.fromhex("8A 89 88 8F 8E 8D 8C 83 82 81 80 87")


@pytest.mark.parametrize(
    ("request_", "reply", "number"),
    [
        (OPEN_1, OPENED_1, 1),
        (OPEN_2, "8A 01 02 00 89", 2),
        (OPEN_12, "8A 01 0C 00 87", 12),
        (framed(0x8A, 1, 24, 0x11), framed(0x8A, 1, 24, 0x00), 24),
        (framed(0x8A, 2, 1, 0x11), framed(0x8A, 2, 1, 0x00), 25),
        (framed(0x8A, 2, 24, 0x11), framed(0x8A, 2, 24, 0x00), 48),
    ],
)
def test_open_pulses_one_lock_once(request_: str, reply: str, number: int) -> None:
    cabinet = Cabinet()
    assert ask(boards(cabinet), request_) == reply
    assert [compartment.number for compartment in cabinet.compartments if compartment.pulses] == [number]
    assert cabinet.compartment(number) == Compartment(number, closed=False, latched=False, pulses=1)
    assert cabinet.history[-1].time == 4.5


def test_the_reply_to_an_opening_waits_for_the_lock() -> None:
    opening, state = bytes.fromhex(OPEN_1), bytes.fromhex(STATE_1)
    assert boards(Cabinet()).receive(opening, time=0) == [Transmission(bytes.fromhex(OPENED_1), 0.3)]
    patient = boards(Cabinet(), action_seconds=2.0)
    assert patient.receive(opening, time=0) == [Transmission(bytes.fromhex(OPENED_1), 2.0)]
    assert patient.receive(state, time=3) == [Transmission(bytes.fromhex(OPEN_STATE_1))]
    slow = bus_of(Cabinet(), Delay(0.75))
    assert slow.receive(opening, time=0)[0].delay == pytest.approx(1.05)


def test_a_stuck_lock_fails_with_the_bytes_of_the_request() -> None:
    cabinet = Cabinet()
    bus = bus_of(cabinet, StuckLatch(1))
    assert ask(bus, OPEN_1) == FAILED_1 == OPEN_1
    assert cabinet.compartment(1) == Compartment(1, pulses=1)
    assert ask(bus, STATE_1) == CLOSED_STATE_1


def test_a_latch_without_a_spring_and_an_open_door_count_as_opened() -> None:
    bus = bus_of(Cabinet(), WeakSpring(1))
    assert ask(bus, OPEN_1) == OPENED_1
    assert ask(bus, OPEN_1) == OPENED_1


def test_state_of_one_channel() -> None:
    cabinet = Cabinet()
    bus = boards(cabinet)
    assert ask(bus, STATE_1) == CLOSED_STATE_1
    cabinet.force(1, time=0)
    assert ask(bus, STATE_1) == OPEN_STATE_1
    assert ask(bus, framed(0x80, 2, 24, 0x33)) == framed(0x80, 2, 24, 0x11)


def test_state_of_all_channels_has_the_highest_first() -> None:
    open_ones = [number for number in range(1, 25) if number not in (1, 9, 17)]
    cabinet = Cabinet(restored=[Compartment(number, closed=False, latched=False) for number in open_ones])
    assert ask(boards(cabinet), ALL_STATES) == FIRST_OF_EACH_BYTE_CLOSED
    cabinet.close(2, time=0)
    cabinet.close(16, time=0)
    assert ask(boards(cabinet), ALL_STATES) == framed(0x80, 1, 0b1, 0b1000_0001, 0b11, 0x33)
    assert ask(boards(cabinet), framed(0x80, 2, 0, 0x33)) == framed(0x80, 2, 0xFF, 0xFF, 0xFF, 0x33)


def test_channels_that_are_not_wired_read_open() -> None:
    cabinet = Cabinet(40)
    bus = boards(cabinet)
    assert ask(bus, framed(0x80, 2, 0, 0x33)) == framed(0x80, 2, 0x00, 0xFF, 0xFF, 0x33)
    assert ask(bus, framed(0x80, 2, 17, 0x33)) == framed(0x80, 2, 17, 0x00)
    assert ask(bus, framed(0x8A, 2, 17, 0x11)) == framed(0x8A, 2, 17, 0x00)
    assert (cabinet.history[-1].what, cabinet.history[-1].compartment) == (What.PULSE_UNWIRED, 41)


@given(st.lists(st.sampled_from([OPEN_ALL, framed(0x8A, 2, 0, 0x11)]), min_size=1, max_size=5))
def test_open_all_never_opens_and_is_remembered(requests: list[str]) -> None:
    cabinet = Cabinet()
    assert ask(boards(cabinet), " ".join(requests)) == ""
    assert [entry.what for entry in cabinet.history] == [What.FORBIDDEN_COMMAND] * len(requests)
    assert all(compartment == Compartment(compartment.number) for compartment in cabinet.compartments)


def test_reversed_codes_turn_the_replies_about_one_channel() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(StuckLatch(2), time=0)
    bus = boards(cabinet, codes_reversed=True)
    assert ask(bus, STATE_1) == OPEN_STATE_1
    assert ask(bus, OPEN_1) == FAILED_1
    assert ask(bus, STATE_1) == CLOSED_STATE_1
    assert ask(bus, OPEN_2) == "8A 01 02 00 89"
    assert ask(bus, ALL_STATES) == framed(0x80, 1, 0xFF, 0xFF, 0xFE, 0x33)


def test_reversed_bits_turn_the_state_of_all_channels() -> None:
    bus = boards(Cabinet(), bits_reversed=True)
    assert ask(bus, OPEN_1) == OPENED_1
    assert ask(bus, STATE_1) == OPEN_STATE_1
    assert ask(bus, ALL_STATES) == framed(0x80, 1, 0x00, 0x00, 0x01, 0x33)


def test_a_switch_wired_the_other_way_deceives_every_reply() -> None:
    bus = bus_of(Cabinet(), ReversedPolarity())
    assert ask(bus, STATE_1) == OPEN_STATE_1
    assert ask(bus, ALL_STATES) == framed(0x80, 1, 0x00, 0x00, 0x00, 0x33)
    assert ask(bus, OPEN_1) == FAILED_1


def test_an_echo_is_followed_by_the_true_reply() -> None:
    assert ask(bus_of(Cabinet(), Echo()), OPEN_1) == f"{OPEN_1} {OPENED_1}"
    assert ask(bus_of(Cabinet(), Echo(), StuckLatch(1)), OPEN_1) == f"{OPEN_1} {FAILED_1}"


def test_an_opening_whose_reply_is_lost_has_happened() -> None:
    cabinet = Cabinet()
    assert ask(bus_of(cabinet, NoReply()), OPEN_1) == ""
    assert cabinet.compartment(1).pulses == 1


@pytest.mark.parametrize(
    "request_",
    [
        "80 01 01 00 B3",  # a published reply with a wrong check
        framed(0x8A, 0, 1, 0x11),  # board 0
        framed(0x8A, 3, 1, 0x11),  # board 3 of two
        framed(0x8A, 3, 0, 0x11),  # all channels of it
        framed(0x80, 1, 25, 0x33),  # channel 25
        framed(0x8A, 1, 25, 0x11),
        framed(0x8A, 1, 1, 0x33),  # the function of the other header
        framed(0x80, 1, 1, 0x11),
        framed(0x9A, 1, 1, 0x10),  # power of a channel on
        framed(0x9D, 1, 2, 0x10),  # power of all
    ],
)
def test_what_boards_ignore(request_: str) -> None:
    cabinet = Cabinet()
    bus = boards(cabinet)
    assert ask(bus, request_) == ""
    assert ask(bus, STATE_1) == CLOSED_STATE_1
    assert cabinet.history == ()


def test_a_request_after_a_header_that_leads_nowhere() -> None:
    bus = boards(Cabinet())
    assert ask(bus, f"8A {STATE_1}") == CLOSED_STATE_1
    assert ask(bus, f"8A 80 80 01 {STATE_1}") == CLOSED_STATE_1


def test_a_bus_carries_255_boards() -> None:
    assert ask(boards(Cabinet(6120)), framed(0x80, 255, 24, 0x33)) == framed(0x80, 255, 24, 0x11)
    with pytest.raises(ValueError, match="255 boards"):
        boards(Cabinet(6121))
