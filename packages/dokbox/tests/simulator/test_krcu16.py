"""The boards of a bus, byte by byte; every frame here was added up by hand from the reference, section 2.1."""

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
    FlippedBit,
    Garbage,
    HalfFrame,
    KrCu16Boards,
    NoReply,
    ReversedPolarity,
    StuckSensor,
    Transmission,
    What,
)

STATUS_OF_0 = "02 00 30 03 35"
STATUS_OF_1 = "02 10 30 03 45"
STATUS_OF_ALL = "02 F0 32 03 27"
UNLOCK_1 = "02 00 31 03 36"
UNLOCK_17 = "02 10 31 03 46"
UNLOCK_32 = "02 1F 31 03 55"
UNLOCK_ALL_OF_0 = "02 00 33 03 38"
PULSE_TIME_OF_0 = "02 00 37 03 3C"
ALL_SHUT_AND_EMPTY = "02 00 35 FF FF 00 00 03 38"


def boards(cabinet: Cabinet, *faults: AnyFault, answers_unlock: bool = False) -> KrCu16Boards:
    cabinet.set_faults(*faults, time=0)
    return KrCu16Boards(cabinet, Random(20), answers_unlock=answers_unlock)


def ask(bus: KrCu16Boards, request: str) -> str:
    answer = b"".join(sent.data for sent in bus.receive(bytes.fromhex(request), time=4.5))
    return answer.hex(" ").upper()


def test_status_of_one_board() -> None:
    cabinet = Cabinet(restored=[Compartment(1, item=True)])
    bus = boards(cabinet)
    assert ask(bus, STATUS_OF_0) == "02 00 35 FF FF 01 00 03 39"
    cabinet.force(1, time=0)
    cabinet.take_item(1, time=0)
    assert ask(bus, STATUS_OF_0) == "02 00 35 FE FF 00 00 03 37"


def test_bits_stand_for_locks() -> None:
    """Lock 16 of board 1 open, items in its locks 2 and 9: 02+10+35+FF+7F+02+01+03 = 1CB."""
    restored = [Compartment(32, closed=False, latched=False), Compartment(18, item=True)]
    bus = boards(Cabinet(restored=[*restored, Compartment(25, item=True)]))
    assert ask(bus, STATUS_OF_1) == "02 10 35 FF 7F 02 01 03 CB"
    assert ask(bus, STATUS_OF_0) == ALL_SHUT_AND_EMPTY


@pytest.mark.parametrize(("request_", "number"), [(UNLOCK_1, 1), (UNLOCK_17, 17), (UNLOCK_32, 32)])
def test_unlock_pulses_one_lock_once_and_says_nothing(request_: str, number: int) -> None:
    cabinet = Cabinet()
    assert ask(boards(cabinet), request_) == ""
    assert [compartment.number for compartment in cabinet.compartments if compartment.pulses] == [number]
    assert cabinet.compartment(number) == Compartment(number, closed=False, latched=False, pulses=1)
    assert cabinet.history[-1].time == 4.5


def test_firmware_that_answers_an_unlock() -> None:
    assert ask(boards(Cabinet(), answers_unlock=True), UNLOCK_1) == "02 00 35 FE FF 00 00 03 37"


def test_status_of_all_boards() -> None:
    """A frame a board, the last one half wired: 40 compartments leave locks 9 to 16 of board 2 unconnected."""
    bus = boards(Cabinet(40))
    expected = [
        "02 00 36 FF FF 00 00 03 39",
        "02 10 36 FF FF 00 00 03 49",
        "02 20 36 FF 00 00 00 03 5A",
    ]
    assert [sent.data.hex(" ").upper() for sent in bus.receive(bytes.fromhex(STATUS_OF_ALL), time=0)] == expected


def test_unlock_of_an_unwired_lock_reaches_the_history() -> None:
    cabinet = Cabinet(40)
    ask(boards(cabinet), "02 28 31 03 5E")
    assert (cabinet.history[-1].what, cabinet.history[-1].compartment) == (What.PULSE_UNWIRED, 41)


def test_pulse_time_is_asked_and_set_per_board() -> None:
    bus = boards(Cabinet())
    assert ask(bus, PULSE_TIME_OF_0) == "02 00 38 00 32 03 6F"
    assert ask(bus, "02 00 37 00 37 03 73") == "02 00 38 00 37 03 74"
    assert ask(bus, PULSE_TIME_OF_0) == "02 00 38 00 37 03 74"
    assert ask(bus, "02 10 37 03 4C") == "02 10 38 00 32 03 7F"


def test_setting_whose_high_byte_looks_like_an_end() -> None:
    """7.68 s is 03 00: after five bytes it is no query, since 00 is not the sum of one."""
    bus = boards(Cabinet())
    assert ask(bus, "02 00 37 03 00") == ""
    assert ask(bus, "03 3F") == "02 00 38 03 00 03 40"


def test_unlock_all_opens_nothing_and_is_remembered() -> None:
    cabinet = Cabinet()
    assert ask(boards(cabinet), UNLOCK_ALL_OF_0) == ""
    assert [entry.what for entry in cabinet.history] == [What.FAULTS_SET, What.FORBIDDEN_COMMAND]
    assert all(compartment.closed for compartment in cabinet.compartments)


@pytest.mark.parametrize(
    "request_",
    [
        "02 30 30 03 65",  # board 3 of three boards 0 to 2
        "02 01 30 03 36",  # a query with a lock number
        "02 00 32 03 37",  # the status of all, asked of one
        "02 00 39 05 03 43",  # a delayed unlock, which these boards do not have
        "02 00 31 03 37",  # a wrong sum
        "02 00 31 04 37",  # no end
        "02 10 30 03 3E",  # a published frame with a wrong sum
    ],
)
def test_what_boards_ignore(request_: str) -> None:
    cabinet = Cabinet()
    bus = boards(cabinet)
    assert ask(bus, request_) == ""
    assert ask(bus, STATUS_OF_0) == ALL_SHUT_AND_EMPTY
    assert not any(compartment.pulses for compartment in cabinet.compartments)


@given(st.binary(max_size=30), st.integers(1, 5))
def test_garbage_never_hides_the_next_frames_for_good(garbage: bytes, size: int) -> None:
    """After any garbage, in pieces of any size, a board answers again after two more frames at the latest."""
    bus = boards(Cabinet())
    stream = garbage + bytes.fromhex(STATUS_OF_1) * 3
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    sent = b"".join(reply.data for piece in pieces for reply in bus.receive(piece, time=0))
    assert sent.endswith(bytes.fromhex("02 10 35 FF FF 00 00 03 48"))


@given(st.integers(1, 48), st.data())
def test_pieces_make_no_difference(number: int, data: st.DataObject) -> None:
    """Addresses may hold any byte, STX and ETX too, and frames come apart anywhere."""
    cabinet = Cabinet()
    bus = boards(cabinet)
    address = number - 1
    frame = bytes([2, address, 0x31, 3, (2 + address + 0x31 + 3) % 256]) + bytes.fromhex(STATUS_OF_0)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(frame)), max_size=4)))
    for start, end in zip([0, *cuts], [*cuts, len(frame)], strict=True):
        bus.receive(frame[start:end], time=0)
    assert [compartment.pulses for compartment in cabinet.compartments if compartment.pulses] == [1]
    assert cabinet.compartment(number).pulses == 1


def test_frames_that_come_together_are_all_obeyed() -> None:
    bus = boards(Cabinet())
    assert ask(bus, f"{UNLOCK_1} {UNLOCK_17} {STATUS_OF_0} {STATUS_OF_1}") == (
        "02 00 35 FE FF 00 00 03 37 02 10 35 FE FF 00 00 03 47"
    )


def test_a_bus_carries_ten_boards() -> None:
    assert ask(KrCu16Boards(Cabinet(160), Random(0)), "02 90 30 03 C5") == "02 90 35 FF FF 00 00 03 C8"
    with pytest.raises(ValueError, match="10 boards"):
        KrCu16Boards(Cabinet(161), Random(0))


def test_reversed_polarity_turns_latches_not_items() -> None:
    bus = boards(Cabinet(), ReversedPolarity(), StuckSensor(1))
    assert ask(bus, STATUS_OF_0) == "02 00 35 00 00 01 00 03 3B"


def test_no_reply_swallows_replies_but_not_commands() -> None:
    cabinet = Cabinet()
    bus = boards(cabinet, NoReply(times=2), answers_unlock=True)
    assert ask(bus, UNLOCK_1) == ""
    assert cabinet.compartment(1).pulses == 1
    assert ask(bus, STATUS_OF_0) == ""
    assert ask(bus, STATUS_OF_0) == "02 00 35 FE FF 00 00 03 37"


def test_echo_comes_first() -> None:
    bus = boards(Cabinet(), Echo())
    assert ask(bus, UNLOCK_1) == UNLOCK_1
    assert ask(bus, STATUS_OF_0) == STATUS_OF_0 + " 02 00 35 FE FF 00 00 03 37"


def test_flipped_bit_is_one_bit_of_one_reply() -> None:
    bus = boards(Cabinet(), FlippedBit())
    wrong, right = (int(ask(bus, STATUS_OF_0).replace(" ", ""), 16) for _ in range(2))
    assert (wrong ^ right).bit_count() == 1
    assert right == int(ALL_SHUT_AND_EMPTY.replace(" ", ""), 16)


def test_half_frame_and_garbage() -> None:
    bus = boards(Cabinet(), HalfFrame(), Garbage(length=3))
    answer = ask(bus, STATUS_OF_0)
    assert len(bytes.fromhex(answer)) == 3 + 4
    assert answer.endswith("02 00 35 FF")
    assert ask(bus, STATUS_OF_0) == ALL_SHUT_AND_EMPTY


def test_randomness_is_the_callers() -> None:
    answers = {ask(boards(Cabinet(), Garbage(length=8), FlippedBit()), STATUS_OF_0) for _ in range(3)}
    assert len(answers) == 1


def test_delay_is_told_not_waited() -> None:
    bus = boards(Cabinet(), Delay(0.75))
    expected = [Transmission(bytes.fromhex(ALL_SHUT_AND_EMPTY), 0.75)]
    assert bus.receive(bytes.fromhex(STATUS_OF_0), time=0) == expected


def test_unplugged_bus_hears_nothing_and_forgets_what_it_had_heard() -> None:
    cabinet = Cabinet()
    bus = boards(cabinet, Echo())
    bus.receive(bytes.fromhex("02 00 31"), time=0)
    cabinet.unplug(time=1)
    assert ask(bus, UNLOCK_17) == ""
    cabinet.plug(time=2)
    cabinet.set_faults(time=3)
    assert ask(bus, "03 36") == ""
    assert not any(compartment.pulses for compartment in cabinet.compartments)
