"""The physics of a cabinet: what a pulse and a person can do, and what the sensors say about it."""

import threading

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from servicepunkt.dokbox.simulator import (
    BlindSensor,
    Cabinet,
    Compartment,
    Delay,
    DoorDoesNotClose,
    FlippedBit,
    ImpossibleActError,
    NoReply,
    Refusal,
    StuckLatch,
    StuckSensor,
    Unplugged,
    WeakSpring,
    What,
)


def happened(cabinet: Cabinet) -> list[tuple[float, str, int | None]]:
    return [(entry.time, entry.what.value, entry.compartment) for entry in cabinet.history]


def test_numbers_run_top_to_bottom_then_left_to_right() -> None:
    cabinet = Cabinet()
    assert len(cabinet.compartments) == 48
    places = {number: cabinet.place(number) for number in (1, 8, 9, 48)}
    assert places == {1: (1, 1), 8: (1, 8), 9: (2, 1), 48: (6, 8)}


def test_pulse_lets_the_door_spring_ajar_and_is_counted() -> None:
    cabinet = Cabinet()
    cabinet.pulse(7, time=1.5)
    assert cabinet.compartment(7) == Compartment(7, closed=False, latched=False, pulses=1)
    assert not cabinet.latch_reads_closed(7)
    assert happened(cabinet) == [(1.5, "pulse", 7), (1.5, "sprang_open", 7)]
    assert all(other.closed for other in cabinet.compartments if other.number != 7)


def test_pulse_on_an_open_door_counts_and_moves_nothing() -> None:
    cabinet = Cabinet()
    cabinet.pulse(7, time=1)
    cabinet.pulse(7, time=2)
    assert cabinet.compartment(7) == Compartment(7, closed=False, latched=False, pulses=2)
    assert [entry.what for entry in cabinet.history] == [What.PULSE, What.SPRANG_OPEN, What.PULSE]


def test_pulse_without_a_compartment_is_recorded() -> None:
    cabinet = Cabinet(40)
    cabinet.pulse(41, time=3)
    assert happened(cabinet) == [(3, "pulse_unwired", 41)]


def test_a_document_is_handed_over() -> None:
    cabinet = Cabinet()
    cabinet.pulse(1, time=0)
    cabinet.put_item(1, time=1)
    cabinet.close(1, time=2)
    assert cabinet.compartment(1) == Compartment(1, item=True, pulses=1)
    assert cabinet.latch_reads_closed(1)
    assert cabinet.sensor_reads_item(1)
    cabinet.pulse(1, time=3)
    cabinet.take_item(1, time=4)
    cabinet.close(1, time=5)
    assert cabinet.compartment(1) == Compartment(1, pulses=2)
    assert not cabinet.sensor_reads_item(1)


def test_forced_door_is_open_without_a_pulse() -> None:
    cabinet = Cabinet()
    cabinet.force(9, time=1)
    assert cabinet.compartment(9) == Compartment(9, closed=False, latched=False, pulses=0)
    assert happened(cabinet) == [(1, "forced", 9)]


@pytest.mark.parametrize(
    ("before", "act", "refusal"),
    [
        (Compartment(1), "put_item", Refusal.DOOR_SHUT),
        (Compartment(1, item=True), "take_item", Refusal.DOOR_SHUT),
        (Compartment(1), "close", Refusal.DOOR_SHUT),
        (Compartment(1), "open", Refusal.LATCHED),
        (Compartment(1, closed=False, latched=False), "open", Refusal.DOOR_OPEN),
        (Compartment(1, closed=False, latched=False), "force", Refusal.DOOR_OPEN),
        (Compartment(1, closed=False, latched=False), "take_item", Refusal.EMPTY),
        (Compartment(1, closed=False, latched=False, item=True), "put_item", Refusal.OCCUPIED),
    ],
)
def test_illegal_acts_are_refused_and_change_nothing(before: Compartment, act: str, refusal: Refusal) -> None:
    cabinet = Cabinet(1, restored=[before])
    with pytest.raises(ImpossibleActError) as refused:
        getattr(cabinet, act)(1, time=0)
    assert (refused.value.refusal, refused.value.compartment) == (refusal, 1)
    assert cabinet.compartment(1) == before
    assert cabinet.history == ()


@pytest.mark.parametrize("number", [0, -1, 49])
def test_compartments_that_do_not_exist(number: int) -> None:
    with pytest.raises(ImpossibleActError, match=f"compartment {number}: no such compartment"):
        Cabinet().force(number, time=0)


def test_stuck_latch_takes_the_pulse_and_holds() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(StuckLatch(5), time=0)
    cabinet.pulse(5, time=1)
    cabinet.pulse(6, time=1)
    assert cabinet.compartment(5) == Compartment(5, pulses=1)
    assert not cabinet.compartment(6).closed


def test_a_burnt_lock_is_stuck_until_it_is_mended() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(StuckLatch(6), time=0)
    for number in (5, 5, 6):
        cabinet.burn(number, time=1)
    assert cabinet.faults == (StuckLatch(6), StuckLatch(5))
    assert happened(cabinet)[1:] == [(1, "burnt", 5), (1, "burnt", 5), (1, "burnt", 6)]
    cabinet.pulse(5, time=2)
    assert cabinet.compartment(5).latched
    cabinet.set_faults(time=3)
    cabinet.pulse(5, time=4)
    assert not cabinet.compartment(5).closed
    with pytest.raises(ImpossibleActError):
        cabinet.burn(49, time=5)


def test_weak_spring_leaves_the_door_for_a_hand() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(WeakSpring(5), time=0)
    cabinet.pulse(5, time=1)
    assert cabinet.compartment(5) == Compartment(5, closed=True, latched=False, pulses=1)
    assert not cabinet.latch_reads_closed(5)
    cabinet.open(5, time=2)
    assert not cabinet.compartment(5).closed
    cabinet.close(5, time=3)
    assert cabinet.compartment(5).latched
    cabinet.pulse(5, time=4)
    cabinet.close(5, time=5)
    assert cabinet.compartment(5) == Compartment(5, pulses=2)


def test_door_that_does_not_close_springs_back() -> None:
    cabinet = Cabinet()
    cabinet.pulse(5, time=0)
    cabinet.set_faults(DoorDoesNotClose(5), time=1)
    cabinet.close(5, time=2)
    assert not cabinet.compartment(5).closed
    assert happened(cabinet)[-1] == (2, "sprang_back", 5)


def test_item_sensors_lie_only_where_they_are_broken() -> None:
    full = [Compartment(number, item=True) for number in (1, 2)]
    cabinet = Cabinet(4, restored=full)
    cabinet.set_faults(BlindSensor(1), StuckSensor(3), StuckSensor(2, reads=False), time=0)
    assert [cabinet.sensor_reads_item(number) for number in (1, 2, 3, 4)] == [False, False, True, False]
    cabinet.set_faults(time=1)
    assert [cabinet.sensor_reads_item(number) for number in (1, 2, 3, 4)] == [True, True, False, False]


def test_counted_faults_are_used_up() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(NoReply(times=2), Delay(0.5), FlippedBit(), time=0)
    assert cabinet.use_fault(NoReply) == NoReply(times=2)
    assert list(cabinet.faults) == [NoReply(times=1), Delay(0.5), FlippedBit()]
    assert cabinet.use_fault(NoReply) == NoReply(times=1)
    assert cabinet.use_fault(NoReply) is None
    assert cabinet.use_fault(Delay) == cabinet.use_fault(Delay) == Delay(0.5)
    assert list(cabinet.faults) == [Delay(0.5), FlippedBit()]


def test_faults_of_a_missing_compartment_are_refused_whole() -> None:
    cabinet = Cabinet()
    with pytest.raises(ImpossibleActError):
        cabinet.set_faults(StuckLatch(1), StuckLatch(99), time=0)
    assert cabinet.faults == ()


def test_plug_is_a_fault_like_others() -> None:
    cabinet = Cabinet()
    cabinet.set_faults(StuckLatch(1), time=0)
    cabinet.unplug(time=1)
    cabinet.unplug(time=2)
    assert cabinet.faults == (StuckLatch(1), Unplugged())
    assert not cabinet.plugged
    cabinet.plug(time=3)
    cabinet.plug(time=4)
    assert cabinet.plugged
    assert cabinet.faults == (StuckLatch(1),)
    assert happened(cabinet)[1:] == [(1, "unplugged", None), (3, "plugged", None)]


def test_watchers_hear_every_change_until_they_leave() -> None:
    cabinet = Cabinet()
    seen: list[bool] = []
    leave = cabinet.watch(lambda: seen.append(cabinet.compartment(1).closed))
    cabinet.pulse(1, time=0)
    cabinet.close(1, time=1)
    with pytest.raises(ImpossibleActError):
        cabinet.close(1, time=2)
    leave()
    cabinet.pulse(1, time=3)
    assert seen == [False, True]


def test_restored_state_must_be_possible() -> None:
    with pytest.raises(ValueError, match="latched while open"):
        Cabinet(restored=[Compartment(1, closed=False, latched=True)])
    with pytest.raises(ImpossibleActError):
        Cabinet(8, restored=[Compartment(9)])
    with pytest.raises(ValueError, match="at least one"):
        Cabinet(0)


def test_no_pulse_is_lost_between_threads() -> None:
    cabinet = Cabinet()

    def pulse_often() -> None:
        for _ in range(500):
            cabinet.pulse(1, time=0)

    threads = [threading.Thread(target=pulse_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cabinet.compartment(1).pulses == 2000


NUMBERS = st.integers(1, 4)
FAULTS = st.lists(
    st.one_of(
        st.builds(StuckLatch, NUMBERS),
        st.builds(WeakSpring, NUMBERS),
        st.builds(DoorDoesNotClose, NUMBERS),
    ),
    max_size=4,
)


class AnyLife(RuleBasedStateMachine):
    """Whatever is done to a cabinet, in whatever order, the physics holds."""

    def __init__(self) -> None:
        super().__init__()
        self.cabinet = Cabinet(4, rows=2)

    @rule(faults=FAULTS)
    def break_or_repair(self, faults: list[StuckLatch | WeakSpring | DoorDoesNotClose]) -> None:
        before = self.cabinet.compartments
        self.cabinet.set_faults(*faults, time=0)
        assert self.cabinet.compartments == before

    @rule(number=NUMBERS)
    def pulse(self, number: int) -> None:
        before = self.cabinet.compartment(number)
        self.cabinet.pulse(number, time=0)
        after = self.cabinet.compartment(number)
        assert (after.item, after.pulses) == (before.item, before.pulses + 1)
        assert after.closed <= before.closed
        assert after.latched == (before.latched and StuckLatch(number) in self.cabinet.faults)

    @rule(number=NUMBERS, act=st.sampled_from(["open", "close", "put_item", "take_item", "force"]))
    def act(self, number: int, act: str) -> None:
        before = self.cabinet.compartments
        try:
            getattr(self.cabinet, act)(number, time=0)
        except ImpossibleActError:
            assert self.cabinet.compartments == before
            return
        was, now = before[number - 1], self.cabinet.compartment(number)
        assert now.pulses == was.pulses
        assert was.item == now.item or not (was.closed or now.closed)
        if act == "open":
            assert not was.latched
        others = [pair for pair in zip(before, self.cabinet.compartments, strict=True) if pair[0] != was]
        assert all(old == new for old, new in others)

    @invariant()
    def a_latch_holds_only_a_shut_door(self) -> None:
        assert all(compartment.closed for compartment in self.cabinet.compartments if compartment.latched)

    @invariant()
    def every_pulse_is_in_the_history(self) -> None:
        for compartment in self.cabinet.compartments:
            pulses = [
                entry
                for entry in self.cabinet.history
                if entry.what is What.PULSE and entry.compartment == compartment.number
            ]
            assert len(pulses) == compartment.pulses


TestAnyLife = AnyLife.TestCase
