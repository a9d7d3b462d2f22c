"""The CU48 boards with frames of six bytes; the published ones are those of the reference, section 2.3."""

from random import Random

import pytest

from servicepunkt.dokbox.simulator import Cabinet, Compartment, Cu48Boards, NoReply, StuckLatch, Transmission, What

STATUS_OF_0 = "02 00 00 60 03 65"
UNLOCK_1 = "02 00 00 61 03 66"
ALL_SHUT = "02 00 00 75 06 FF FF FF FF FF FF 77"


def framed(*body: int) -> str:
    total = 0
    for byte in body:
        total = total + byte if total + byte < 256 else total + byte - 256
    return bytes([*body, total]).hex(" ").upper()


def boards(cabinet: Cabinet) -> Cu48Boards:
    return Cu48Boards(cabinet, Random(20))


def ask(bus: Cu48Boards, request: str) -> str:
    answer = b"".join(sent.data for sent in bus.receive(bytes.fromhex(request), time=4.5))
    return answer.hex(" ").upper()


@pytest.mark.parametrize("published", [STATUS_OF_0, UNLOCK_1])
def test_the_published_frames_add_up(published: str) -> None:
    assert framed(*bytes.fromhex(published)[:-1]) == published


def test_status_of_one_board() -> None:
    """02+75+06 = 7D, and six times FF takes 6 from it."""
    cabinet = Cabinet()
    bus = boards(cabinet)
    assert ask(bus, STATUS_OF_0) == ALL_SHUT
    for number in (1, 16, 48):
        cabinet.force(number, time=0)
    assert ask(bus, STATUS_OF_0) == framed(2, 0, 0, 0x75, 6, 0xFE, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F)


@pytest.mark.parametrize(
    ("request_", "reply", "number"),
    [
        (UNLOCK_1, "02 00 00 75 00 77", 1),
        (framed(2, 0, 47, 0x61, 3), framed(2, 0, 47, 0x75, 0), 48),
        (framed(2, 1, 0, 0x61, 3), framed(2, 1, 0, 0x75, 0), 49),
        (framed(2, 1, 2, 0x61, 3), framed(2, 1, 2, 0x75, 0), 51),
    ],
)
def test_unlock_pulses_one_lock_once(request_: str, reply: str, number: int) -> None:
    cabinet = Cabinet(96)
    assert boards(cabinet).receive(bytes.fromhex(request_), time=4.5) == [Transmission(bytes.fromhex(reply))]
    assert [compartment.number for compartment in cabinet.compartments if compartment.pulses] == [number]
    assert cabinet.compartment(number) == Compartment(number, closed=False, latched=False, pulses=1)
    assert cabinet.history[-1].time == 4.5


def test_the_reply_to_an_unlock_says_nothing_of_the_door() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(StuckLatch(1), time=0)
    bus = boards(cabinet)
    assert ask(bus, UNLOCK_1) == "02 00 00 75 00 77"
    assert ask(bus, STATUS_OF_0) == ALL_SHUT
    assert cabinet.compartment(1).pulses == 1


def test_an_unlock_whose_reply_is_lost_has_happened() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(NoReply(), time=0)
    assert ask(boards(cabinet), UNLOCK_1) == ""
    assert cabinet.compartment(1).pulses == 1


def test_several_boards_the_last_one_half_wired() -> None:
    cabinet = Cabinet(72)
    bus = boards(cabinet)
    assert ask(bus, STATUS_OF_0) == ALL_SHUT
    assert ask(bus, framed(2, 1, 0, 0x60, 3)) == framed(2, 1, 0, 0x75, 6, 0xFF, 0xFF, 0xFF, 0, 0, 0)
    assert ask(bus, framed(2, 1, 24, 0x61, 3)) == framed(2, 1, 24, 0x75, 0)
    assert (cabinet.history[-1].what, cabinet.history[-1].compartment) == (What.PULSE_UNWIRED, 73)


@pytest.mark.parametrize(
    "request_",
    [
        framed(2, 1, 0, 0x60, 3),  # board 1 of one board 0
        framed(2, 0, 1, 0x60, 3),  # a query with a lock number
        framed(2, 0, 48, 0x61, 3),  # lock 49
        framed(2, 0, 0, 0x33, 3),  # a command of another board
        framed(2, 0, 0, 0x61, 4),  # no end
        "02 00 00 61 03 65",  # a wrong sum
        "02 00 30 03 35",  # the query of a KR-CU16
    ],
)
def test_what_boards_ignore(request_: str) -> None:
    cabinet = Cabinet()
    bus = boards(cabinet)
    assert ask(bus, request_) == ""
    assert ask(bus, STATUS_OF_0) == ALL_SHUT
    assert cabinet.history == ()


@pytest.mark.parametrize("start", ["02", "02 02", "02 00 00", "02 00 00 61", "02 00 00 61 03"])
def test_a_request_after_half_of_one(start: str) -> None:
    cabinet = Cabinet()
    assert ask(boards(cabinet), f"{start} {STATUS_OF_0}") == ALL_SHUT
    assert cabinet.history == ()


def test_a_bus_carries_ten_boards() -> None:
    assert ask(boards(Cabinet(480)), framed(2, 9, 47, 0x61, 3)) == framed(2, 9, 47, 0x75, 0)
    with pytest.raises(ValueError, match="10 boards"):
        boards(Cabinet(481))
