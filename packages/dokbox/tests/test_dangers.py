"""Sequences that would hand a document to the wrong person, or say "handed over" when it was not."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.errors import RefusedError, VisitOverError
from servicepunkt.dokbox.events import ItemChanged, LineFound, LineLost
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.settings import BoxSettings
from servicepunkt.dokbox.testing import NOW, Bench

ALL = tuple(range(1, 17))
NUMBER, OTHER = "+4915112345678", "+4915112345679"
D1, D2 = "01980000-0000-7000-8000-000000000001", "01980000-0000-7000-8000-000000000002"


async def test_taken_in_the_dark_with_a_key_is_not_handed_over(bench: Bench) -> None:
    compartment, code = await bench.load(D1)
    await bench.see(LineLost(0, "unplugged", ALL, NOW))
    bench.doors.items[compartment] = False
    await bench.see(LineFound(0, NOW))
    await bench.look()
    assert bench.state(D1) == State.BLOCKED
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)


async def test_what_vanishes_behind_a_closed_door_is_not_handed_over(bench: Bench) -> None:
    compartment, _ = await bench.load(D1)
    await bench.see(ItemChanged(compartment, False, NOW))
    assert bench.state(D1) == State.BLOCKED


async def test_a_compartment_with_something_in_it_is_not_given_away(bench: Bench) -> None:
    bench.doors.items[7] = True
    await bench.look()
    await bench.reserve(D1)
    assert bench.controller.ledger.box.deposits[D1].compartment != 7
    assert 7 in bench.controller.ledger.box.out_of_service


async def test_a_reservation_cancelled_after_opening_is_looked_into_first(bench: Bench) -> None:
    await bench.reserve(D1)
    await bench.command("open_for_load", deposit=D1)
    await bench.opened(7)
    await bench.close(7, item=False)  # a thin booklet lies in, the sensor misses it
    await bench.command("cancel", deposit=D1)
    await bench.reserve(D2, OTHER)
    assert bench.controller.ledger.box.deposits[D2].compartment != 7
    await bench.command("compartment_in", compartment=7)
    assert bench.controller.ledger.box.out_of_service == frozenset()


async def test_a_reservation_cancelled_before_opening_frees_its_compartment(bench: Bench) -> None:
    await bench.reserve(D1)
    await bench.command("cancel", deposit=D1)
    assert bench.controller.ledger.box.out_of_service == frozenset()


async def test_nothing_is_loaded_beside_something_else(bench: Bench) -> None:
    await bench.reserve(D1)
    bench.doors.items[7] = True
    await bench.look()
    await bench.command("open_for_load", deposit=D1)
    assert bench.state(D1) == State.RESERVED
    assert bench.doors.pulses[7] == 0


async def test_a_visit_does_not_outlive_its_withdrawal(bench: Bench) -> None:
    """Somebody with the first message waits at the last page; staff send a new code; the citizen types that one."""
    _, code = await bench.load(D1)
    thief = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(thief.token, "old_document", answer=True)
    await bench.see(LineLost(0, "a glitch", ALL, NOW), LineFound(0, NOW))
    await bench.look()
    assert bench.state(D1) == State.NOTIFIED
    await bench.command("new_code", deposit=D1)
    citizen = await bench.controller.present(NUMBER, bench.code(D1))
    with pytest.raises(VisitOverError):
        await bench.controller.release(thief.token)
    await bench.controller.confirm(citizen.token, "old_document", answer=True)
    await bench.controller.release(citizen.token)


async def test_a_code_that_nobody_confirmed_ends_too(bench: Bench) -> None:
    await bench.reserve(D1)
    await bench.command("open_for_load", deposit=D1)
    await bench.opened(7)
    await bench.close(7, item=True)
    code = bench.code(D1)
    bench.clock.forward(days=16)
    bench.controller.tick()
    assert bench.state(D1) == State.STORED
    bench.clock.forward(days=2)
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)
    bench.controller.tick()
    assert bench.state(D1) == State.EXPIRED


async def test_every_opening_of_a_blocked_compartment_is_written_down(bench: Bench) -> None:
    compartment, _ = await bench.load(D1)
    for _ in range(2):
        bench.doors.closed[compartment] = False
        await bench.opened(compartment)
        await bench.close(compartment, item=True)
    assert [entry.event for entry in bench.journal.entries()].count("forced") == 2


async def test_a_clock_that_is_behind_opens_nothing_for_an_old_order(bench: Bench) -> None:
    await bench.load(D1)
    bench.commands += 1
    old = wire.Command(
        seq=bench.commands, kind="recall", deposit=D1, valid_until=bench.clock.now() + timedelta(seconds=90)
    )
    pulses = bench.doors.pulses[7]
    await bench.controller.handle(old, centre_time=bench.clock.now() + timedelta(hours=14))
    assert bench.doors.pulses[7] == pulses
    assert bench.state(D1) == State.NOTIFIED


async def test_the_hold_period_starts_by_the_journals_time(bench: Bench) -> None:
    await bench.reserve(D1)
    await bench.command("open_for_load", deposit=D1)
    await bench.opened(7)
    await bench.close(7, item=True)
    bench.clock.instant -= timedelta(days=30)
    await bench.command("notice_accepted", deposit=D1, version=1)
    bench.clock.instant += timedelta(days=30)
    bench.controller.tick()
    assert bench.state(D1) == State.NOTIFIED


async def test_a_compartment_that_does_not_exist_is_declined(bench: Bench) -> None:
    for wrong in (0, 17, 10**25):
        await bench.command("compartment_in", compartment=wrong)
    entries = [entry for entry in bench.journal.entries() if entry.event == "command_declined"]
    assert [entry.data["reason"] for entry in entries] == ["no_such_compartment"] * 3
    assert all(entry.compartment is None for entry in entries)


@pytest.mark.parametrize(
    "wrong", [{"compartments": -5}, {"compartments": 10**6}, {"rows": 0}, {"id": "../x"}], ids=lambda wrong: str(wrong)
)
def test_nonsense_in_a_tenant_file_is_refused(wrong: dict[str, object]) -> None:
    good = {"id": "box-1", "point": "p", "name": {"de": "Box"}, "compartments": 48}
    msgspec.convert(good, BoxSettings)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**good, **wrong}, BoxSettings)


async def test_two_documents_of_one_person_never_share_a_code_even_while_one_is_being_collected(bench: Bench) -> None:
    """The dice repeat themselves while somebody stands at the door of the first document."""
    dice = iter([111111, 111111, 222222])
    bench.controller.codes._randbelow = lambda _: next(dice)
    _, first = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, first)
    _, second = await bench.load(D2)
    assert (first, second) == ("111111", "222222")
    await bench.controller.leave(visit.token)
    assert (await bench.controller.present(NUMBER, second)).deposit == D2
