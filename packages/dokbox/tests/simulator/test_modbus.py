"""Boards on Modbus, byte by byte; the published frames are those of the reference, section 2.3."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.dokbox.simulator import (
    BlindSensor,
    Cabinet,
    Compartment,
    Happening,
    ModbusCu48,
    ModbusRelays,
    NoReply,
    ReversedPolarity,
    StuckLatch,
    StuckSensor,
    Transmission,
    What,
)

ON_1 = "01 05 00 00 FF 00 8C 3A"
OFF_1 = "01 05 00 00 00 00 CD CA"
COILS = "01 01 00 00 00 10 3D C6"
INPUTS = "01 02 00 00 00 10 79 C6"
ALL_SHUT = "01 02 02 FF FF B8 08"
ILLEGAL_ADDRESS = "01 81 02 C1 91"
PUBLISHED = [ON_1, OFF_1, COILS, INPUTS, ALL_SHUT, ILLEGAL_ADDRESS]


def framed(*body: int) -> str:
    """With the CRC by long division, bit for bit, most significant bit first: not the way the boards go about it."""
    remainder = 0xFFFF
    for byte in body:
        for bit in f"{byte:08b}"[::-1]:
            carry = remainder >> 15 != int(bit)
            remainder = (remainder << 1 & 0xFFFF) ^ (0x8005 if carry else 0)
    crc = int(f"{remainder:016b}"[::-1], 2)
    return bytes([*body, crc % 256, crc // 256]).hex(" ").upper()


def write(unit: int, coil: int, *, on: bool) -> str:
    return framed(unit, 5, 0, coil, 0xFF if on else 0, 0)


def relays(cabinet: Cabinet | None = None) -> ModbusRelays:
    return ModbusRelays(cabinet or Cabinet(), Random(20))


def ask(bus: ModbusRelays | ModbusCu48, request: str, time: float = 4.5) -> str:
    answer = b"".join(sent.data for sent in bus.receive(bytes.fromhex(request), time=time))
    return answer.hex(" ").upper()


def happened(cabinet: Cabinet, *whats: What) -> list[tuple[float, What, int | None]]:
    return [(entry.time, entry.what, entry.compartment) for entry in cabinet.history if entry.what in whats]


@pytest.mark.parametrize("published", PUBLISHED)
def test_the_published_frames_add_up(published: str) -> None:
    assert framed(*bytes.fromhex(published)[:-2]) == published


def test_a_coil_switched_on_is_one_pulse() -> None:
    cabinet = Cabinet()
    bus = relays(cabinet)
    assert ask(bus, ON_1) == ON_1
    assert ask(bus, ON_1) == ON_1
    assert cabinet.compartment(1) == Compartment(1, closed=False, latched=False, pulses=1)
    assert ask(bus, COILS) == framed(1, 1, 2, 1, 0)
    assert ask(bus, OFF_1) == OFF_1
    assert ask(bus, COILS) == framed(1, 1, 2, 0, 0)
    assert cabinet.compartment(1).pulses == 1
    assert ask(bus, ON_1) == ON_1
    assert cabinet.compartment(1).pulses == 2


def test_off_is_no_pulse() -> None:
    cabinet = Cabinet()
    assert ask(relays(cabinet), OFF_1) == OFF_1
    assert cabinet.history == ()


def test_inputs_are_doors_then_items() -> None:
    cabinet = Cabinet(restored=[Compartment(3, item=True), Compartment(16, item=True)])
    cabinet.set_faults(BlindSensor(3), StuckSensor(9), time=0)
    bus = relays(cabinet)
    assert ask(bus, INPUTS) == ALL_SHUT
    cabinet.force(2, time=0)
    assert ask(bus, framed(1, 2, 0, 0, 0, 32)) == framed(1, 2, 4, 0xFD, 0xFF, 0x00, 0x81)
    assert ask(bus, framed(1, 2, 0, 16, 0, 16)) == framed(1, 2, 2, 0x00, 0x81)
    assert ask(bus, framed(1, 2, 0, 1, 0, 1)) == framed(1, 2, 1, 0)
    assert ask(bus, framed(1, 2, 0, 15, 0, 10)) == framed(1, 2, 2, 0b0000_0001, 0b10)


def test_reversed_polarity_turns_doors_not_items_and_coils() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(ReversedPolarity(), StuckSensor(1), time=0)
    bus = relays(cabinet)
    assert ask(bus, framed(1, 2, 0, 0, 0, 32)) == framed(1, 2, 4, 0, 0, 1, 0)
    assert ask(bus, COILS) == framed(1, 1, 2, 0, 0)


def test_several_units_the_last_one_half_wired() -> None:
    cabinet = Cabinet(40)
    bus = relays(cabinet)
    assert ask(bus, write(2, 15, on=True)) == write(2, 15, on=True)
    assert cabinet.compartment(32).pulses == 1
    assert ask(bus, framed(2, 2, 0, 0, 0, 16)) == framed(2, 2, 2, 0xFF, 0x7F)
    assert ask(bus, framed(3, 2, 0, 0, 0, 16)) == framed(3, 2, 2, 0xFF, 0x00)
    assert ask(bus, write(3, 8, on=True)) == write(3, 8, on=True)
    assert (cabinet.history[-1].what, cabinet.history[-1].compartment) == (What.PULSE_UNWIRED, 41)
    assert ask(bus, framed(3, 1, 0, 0, 0, 16)) == framed(3, 1, 2, 0x00, 0x01)
    assert ask(bus, framed(4, 2, 0, 0, 0, 16)) == ""


def test_a_relay_that_is_not_wired_loads_and_burns_nothing() -> None:
    cabinet = Cabinet(10)
    bus = relays(cabinet)
    ask(bus, write(1, 15, on=True), 0)
    ask(bus, ON_1, 1)
    ask(bus, OFF_1, 2)
    assert bus.pass_time(time=100) is None
    assert happened(cabinet, What.OVERLOAD, What.BURNT) == []


def test_a_unit_may_have_any_number_of_relays() -> None:
    cabinet = Cabinet(12)
    bus = ModbusRelays(cabinet, Random(0), relays=8)
    assert ask(bus, write(2, 3, on=True)) == write(2, 3, on=True)
    assert cabinet.compartment(12).pulses == 1
    assert ask(bus, framed(1, 2, 0, 8, 0, 8)) == framed(1, 2, 1, 0)
    assert ask(bus, framed(1, 2, 0, 8, 0, 9)) == framed(1, 0x82, 2)
    with pytest.raises(ValueError, match="at least one lock"):
        ModbusRelays(cabinet, Random(0), relays=0)


@pytest.mark.parametrize(
    ("request_", "exception"),
    [
        (framed(1, 1, 0, 0, 0, 17), ILLEGAL_ADDRESS),
        (framed(1, 1, 0, 16, 0, 1), ILLEGAL_ADDRESS),
        (framed(1, 1, 0xFF, 0xFF, 0, 1), ILLEGAL_ADDRESS),
        (framed(1, 2, 0, 0, 0, 33), framed(1, 0x82, 2)),
        (framed(1, 5, 0, 16, 0xFF, 0), framed(1, 0x85, 2)),
        (framed(1, 1, 0, 0, 0, 0), framed(1, 0x81, 3)),
        (framed(1, 2, 0, 0, 0x07, 0xD1), framed(1, 0x82, 3)),
        (framed(1, 5, 0, 0, 0, 1), framed(1, 0x85, 3)),
        (framed(1, 5, 0, 0, 0xFF, 0xFF), framed(1, 0x85, 3)),
        (framed(1, 5, 0, 99, 0x55, 0), framed(1, 0x85, 3)),  # the value is looked at before the address
        (framed(1, 3, 0, 0, 0, 1), framed(1, 0x83, 1)),
        (framed(1, 6, 0, 0, 0, 1), framed(1, 0x86, 1)),
        (framed(1, 7), framed(1, 0x87, 1)),
        (framed(1, 0x0F, 0, 0, 0, 8, 1, 0xFF), framed(1, 0x8F, 1)),
        (framed(1, 0x10, 0, 0, 0, 2, 4, 1, 2, 3, 4), framed(1, 0x90, 1)),
    ],
)
def test_exceptions(request_: str, exception: str) -> None:
    cabinet = Cabinet()
    bus = relays(cabinet)
    assert ask(bus, request_) == exception
    assert ask(bus, INPUTS) == ALL_SHUT
    assert cabinet.history == ()


@pytest.mark.parametrize(
    "request_",
    [
        framed(4, 1, 0, 0, 0, 16),  # unit 4 of three
        framed(4, 5, 0, 0, 0xFF, 0),
        framed(0, 1, 0, 0, 0, 16),  # nobody answers a broadcast
        framed(0, 7),
        framed(1, 0x41, 0, 0, 0, 16),  # a function that is nobody's
        framed(1, 0x81, 2),  # an exception
        framed(1, 0x0F, 0, 0, 0, 8, 2, 0, 0),  # eight coils in two bytes
        framed(1, 0x10, 0, 0, 0, 2, 2, 0, 0),  # two registers in two bytes
        "01 05 00 00 FF 00 3A 8C",  # the CRC with its high byte first
    ],
)
def test_what_boards_ignore(request_: str) -> None:
    cabinet = Cabinet()
    bus = relays(cabinet)
    assert ask(bus, request_) == ""
    assert ask(bus, INPUTS) == ALL_SHUT
    assert cabinet.history == ()


def test_a_broadcast_is_obeyed_by_every_unit_and_answered_by_none() -> None:
    cabinet = Cabinet()
    bus = relays(cabinet)
    assert ask(bus, write(0, 2, on=True)) == ""
    assert [compartment.number for compartment in cabinet.compartments if compartment.pulses] == [3, 19, 35]
    assert happened(cabinet, What.OVERLOAD) == [(4.5, What.OVERLOAD, 19), (4.5, What.OVERLOAD, 35)]
    assert ask(bus, write(0, 2, on=False)) == ""
    assert ask(bus, COILS) == framed(1, 1, 2, 0, 0)
    assert bus.pass_time(time=100) is None


def test_two_currents_at_one_moment_are_an_overload() -> None:
    cabinet = Cabinet()
    bus = relays(cabinet)
    ask(bus, write(1, 0, on=True), 1)
    ask(bus, write(2, 0, on=True), 2)
    assert cabinet.history[-1] == Happening(2, What.OVERLOAD, 17)
    assert cabinet.compartment(17).pulses == 1, "an overload is told, not prevented"
    ask(bus, write(2, 0, on=True), 3)
    ask(bus, write(1, 0, on=False), 3)
    ask(bus, write(2, 0, on=False), 3)
    ask(bus, write(1, 1, on=True), 4)
    assert happened(cabinet, What.OVERLOAD) == [(2, What.OVERLOAD, 17)]


def test_a_coil_left_on_burns_its_lock() -> None:
    cabinet = Cabinet()
    bus = relays(cabinet)
    ask(bus, ON_1, 10)
    assert bus.pass_time(time=14.9) == 15
    assert happened(cabinet, What.BURNT) == []
    assert bus.pass_time(time=15) is None
    assert happened(cabinet, What.BURNT) == [(15, What.BURNT, 1)]
    assert cabinet.faults == (StuckLatch(1),)
    ask(bus, OFF_1, 16)
    cabinet.close(1, time=17)
    ask(bus, ON_1, 18)
    assert cabinet.compartment(1) == Compartment(1, pulses=2)


@pytest.mark.parametrize("request_", [OFF_1, ON_1, INPUTS, "00"])
def test_any_byte_that_comes_too_late_finds_the_lock_burnt(request_: str) -> None:
    cabinet = Cabinet()
    bus = ModbusRelays(cabinet, Random(0), burn_after=2)
    ask(bus, ON_1, 0)
    ask(bus, request_, 7)
    assert happened(cabinet, What.BURNT) == [(2, What.BURNT, 1)]


def test_a_coil_switched_off_in_time_burns_nothing() -> None:
    cabinet = Cabinet()
    bus = relays(cabinet)
    for second in range(0, 20, 5):
        ask(bus, ON_1, second)
        ask(bus, ON_1, second + 3)
        ask(bus, OFF_1, second + 4.9)
    assert bus.pass_time(time=100) is None
    assert happened(cabinet, What.BURNT) == []


def test_a_current_goes_on_when_the_plug_is_pulled() -> None:
    cabinet = Cabinet()
    bus = relays(cabinet)
    ask(bus, ON_1, 0)
    cabinet.unplug(time=1)
    assert ask(bus, OFF_1, 2) == ""
    assert bus.pass_time(time=4) == 5
    assert bus.pass_time(time=6) is None
    assert happened(cabinet, What.BURNT) == [(5, What.BURNT, 1)]


def test_locks_burn_in_the_order_of_their_currents() -> None:
    cabinet = Cabinet()
    bus = relays(cabinet)
    ask(bus, write(1, 7, on=True), 1)
    ask(bus, write(1, 2, on=True), 2)
    assert bus.pass_time(time=6.5) == 7
    assert bus.pass_time(time=9) is None
    assert happened(cabinet, What.BURNT) == [(6, What.BURNT, 8), (7, What.BURNT, 3)]


def test_a_coil_whose_echo_is_lost_is_on() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(NoReply(), time=0)
    bus = relays(cabinet)
    assert ask(bus, ON_1) == ""
    assert cabinet.compartment(1).pulses == 1
    assert ask(bus, COILS) == framed(1, 1, 2, 1, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 15), st.booleans(), st.integers(0, 9)), max_size=25))
def test_coils_are_what_was_written_last(writes: list[tuple[int, int, bool, int]]) -> None:
    """And a lock has a pulse for each time it was switched on, and is burnt only after a current that lasted."""
    cabinet = Cabinet()
    bus = relays(cabinet)
    expected: dict[tuple[int, int], bool] = {}
    pulses = time = 0
    for unit, coil, on, wait in writes:
        time += wait
        ask(bus, write(unit, coil, on=on), time)
        for each in (1, 2, 3) if unit == 0 else (unit,):
            pulses += on and not expected.get((each, coil), False)
            expected[each, coil] = on
    for unit in (1, 2, 3):
        bits = sum(1 << coil for coil in range(16) if expected.get((unit, coil)))
        assert ask(bus, framed(unit, 1, 0, 0, 0, 16), time) == framed(unit, 1, 2, bits % 256, bits // 256)
    assert sum(compartment.pulses for compartment in cabinet.compartments) == pulses
    for entry in cabinet.history:
        if entry.what is What.BURNT:
            assert Happening(entry.time - 5, What.PULSE, entry.compartment) in cabinet.history


def test_a_bus_carries_247_units() -> None:
    cabinet = Cabinet(247)
    bus = ModbusRelays(cabinet, Random(0), relays=1)
    assert bus.receive(bytes.fromhex(write(247, 0, on=True)), time=0) == [
        Transmission(bytes.fromhex(write(247, 0, on=True)))
    ]
    with pytest.raises(ValueError, match="247 boards"):
        ModbusRelays(Cabinet(248), Random(0), relays=1)


def cu48(cabinet: Cabinet | None = None) -> ModbusCu48:
    return ModbusCu48(cabinet or Cabinet(), Random(20))


def test_a_cu48_opens_by_writing_0() -> None:
    cabinet = Cabinet()
    bus = cu48(cabinet)
    assert ask(bus, OFF_1) == OFF_1
    assert cabinet.compartment(1) == Compartment(1, closed=False, latched=False, pulses=1)
    assert ask(bus, framed(1, 1, 0, 0, 0, 48)) == framed(1, 1, 6, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)
    assert ask(bus, framed(1, 1, 0, 0, 0, 3)) == framed(1, 1, 1, 0b110)


def test_a_cu48_answers_ff00_and_does_nothing() -> None:
    cabinet = Cabinet()
    bus = cu48(cabinet)
    assert ask(bus, ON_1) == ON_1
    cabinet.force(1, time=0)
    assert ask(bus, ON_1) == ON_1
    assert not cabinet.compartment(1).closed
    assert cabinet.compartment(1).pulses == 0


def test_a_cu48_ends_its_pulses_itself() -> None:
    cabinet = Cabinet()
    bus = cu48(cabinet)
    ask(bus, write(1, 0, on=False), 0)
    ask(bus, write(1, 1, on=False), 1)
    assert bus.pass_time(time=1e6) is None
    assert happened(cabinet, What.BURNT, What.OVERLOAD) == []


@pytest.mark.parametrize(
    ("request_", "exception"),
    [
        (INPUTS, framed(1, 0x82, 1)),
        (framed(1, 1, 0, 0, 0, 49), ILLEGAL_ADDRESS),
        (framed(1, 5, 0, 48, 0, 0), framed(1, 0x85, 2)),
        (framed(1, 5, 0, 0, 0, 1), framed(1, 0x85, 3)),
        (framed(1, 0x0F, 0, 0, 0, 8, 1, 0), framed(1, 0x8F, 1)),  # would open eight doors
    ],
)
def test_exceptions_of_a_cu48(request_: str, exception: str) -> None:
    cabinet = Cabinet()
    assert ask(cu48(cabinet), request_) == exception
    assert cabinet.history == ()


def test_several_cu48_the_last_one_half_wired() -> None:
    cabinet = Cabinet(72)
    bus = cu48(cabinet)
    assert ask(bus, write(2, 23, on=False)) == write(2, 23, on=False)
    assert cabinet.compartment(72).pulses == 1
    assert ask(bus, framed(2, 1, 0, 0, 0, 48)) == framed(2, 1, 6, 0xFF, 0xFF, 0x7F, 0, 0, 0)
    assert ask(bus, write(0, 0, on=False)) == ""
    assert [compartment.number for compartment in cabinet.compartments if compartment.pulses] == [1, 49, 72]
