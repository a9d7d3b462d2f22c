"""The hand-over at the box: the story, every refusal, every fault, and the plug pulled between any two steps."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from servicepunkt.dokbox import model
from servicepunkt.dokbox.bus import BusLostError
from servicepunkt.dokbox.controller.service import Visit
from servicepunkt.dokbox.errors import ClosedError, OutOfOrderError, RefusedError, VisitOverError
from servicepunkt.dokbox.events import DoorClosed, DoorOpened, LineFound, LineLost
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.testing import NOW, Bench

ALL = tuple(range(1, 17))
NUMBER = "+4915112345678"
D1, D2 = "01980000-0000-7000-8000-000000000001", "01980000-0000-7000-8000-000000000002"


async def collect(bench: Bench, code: str, number: str = NUMBER) -> int:
    visit = await bench.controller.present(number, code)
    for step in visit.asked:
        await bench.controller.confirm(visit.token, step, answer=True)
    await bench.controller.release(visit.token)
    await bench.opened(visit.compartment)
    await bench.close(visit.compartment, item=False)
    return visit.compartment


async def test_the_story(bench: Bench) -> None:
    compartment, code = await bench.load(D1)
    assert compartment == 7
    assert bench.state(D1) == State.NOTIFIED
    assert await collect(bench, code) == 7
    assert bench.last_state(D1) == State.DONE
    assert bench.doors.pulses[7] == 2
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)


async def test_no_code_before_the_door_is_closed(bench: Bench) -> None:
    await bench.reserve(D1)
    await bench.command("open_for_load", deposit=D1)
    await bench.opened(7)
    with pytest.raises(LookupError):
        bench.code(D1)
    await bench.close(7, item=True)
    assert len(bench.code(D1)) == 6


async def test_every_refusal_is_the_same(bench: Bench) -> None:
    _, code = await bench.load(D1)
    wrong = "000000" if code != "000000" else "111111"
    pauses = []
    for number, typed in [
        (NUMBER, wrong),
        ("+4915100000000", code),
        ("not a number", code),
        (NUMBER, "12345"),
        (NUMBER, "abcdef"),
        (NUMBER, code + "\x00"),
        ("", ""),
    ]:
        before = bench.clock.seconds
        with pytest.raises(RefusedError) as refused:
            await bench.controller.present(number, typed)
        pauses.append(bench.clock.seconds - before)
        assert str(refused.value) == "SP3102: This combination of number and code opens nothing."
    assert len(set(pauses)) == 1


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "12 456", "١٢٣٤٥٦"])
async def test_what_cannot_be_a_code_is_refused_alike_but_is_no_attempt(bench: Bench, typed: str) -> None:
    _, code = await bench.load(D1)
    for _ in range(20):  # far more often than a code may be tried, and than the box answers quickly
        with pytest.raises(RefusedError):
            await bench.controller.present(NUMBER, typed)
    assert bench.controller.ledger.box.deposits[D1].attempts == 0
    before = bench.clock.seconds
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, "000000" if code != "000000" else "111111")
    assert bench.clock.seconds - before == 1.0
    assert bench.controller.ledger.box.deposits[D1].attempts == 1
    assert await collect(bench, code) == 7


async def test_after_many_wrong_codes_also_a_malformed_one_takes_longer(bench: Bench) -> None:
    await bench.load(D1)
    pauses = []
    for typed in [*["999999"] * 12, "", "999999"]:
        before = bench.clock.seconds
        with pytest.raises(RefusedError):
            await bench.controller.present("+4915100000000", typed)
        pauses.append(bench.clock.seconds - before)
    assert pauses[-4:] == [2.0, 4.0, 8.0, 8.0]


async def test_a_refusal_costs_the_same_stretch_whether_the_number_is_known(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.load(D1)
    runs = []
    stretch = model and __import__("servicepunkt.dokbox.pins", fromlist=["stretch"]).stretch
    monkeypatch.setattr("servicepunkt.dokbox.pins.stretch", lambda *a, **k: (runs.append(1), stretch(*a, **k))[1])
    for number in (NUMBER, "+4915100000000", "x"):
        with pytest.raises(RefusedError):
            await bench.controller.present(number, "999999")
    assert len(runs) == 3


async def test_five_wrong_codes_lock_the_deposit_also_across_restarts(bench: Bench) -> None:
    _, code = await bench.load(D1)
    wrong = "000000" if code != "000000" else "111111"
    for attempt in range(5):
        with pytest.raises(RefusedError):
            await bench.controller.present(NUMBER, wrong)
        if attempt % 2:
            await bench.restart()
            bench.clock.forward(days=-1)
    assert bench.state(D1) == State.LOCKED_OUT
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)
    await bench.command("new_code", deposit=D1)
    fresh = bench.code(D1)
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code if code != fresh else wrong)
    assert await collect(bench, fresh) == 7


async def test_pulling_the_plug_during_verification_gives_no_try_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, code = await bench.load(D1)

    def plug(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("servicepunkt.dokbox.pins.stretch", plug)
        for _ in range(5):
            with pytest.raises(BaseException):  # noqa: B017
                await bench.controller.present(NUMBER, "123456")
            await bench.restart()
    assert bench.controller.ledger.box.deposits[D1].attempts == 5
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)  # not even the right one
    assert bench.state(D1) == State.LOCKED_OUT


async def test_two_terminals_same_code_same_moment_one_opens(bench: Bench) -> None:
    _, code = await bench.load(D1)
    results = await asyncio.gather(*(bench.controller.present(NUMBER, code) for _ in range(4)), return_exceptions=True)
    visits = [r for r in results if not isinstance(r, BaseException)]
    assert len(visits) == 1
    assert sum(isinstance(r, RefusedError) for r in results) == 3


async def test_two_documents_of_one_person_open_their_own_doors(bench: Bench) -> None:
    first, code1 = await bench.load(D1)
    second, code2 = await bench.load(D2)
    assert first != second
    assert code1 != code2
    assert await collect(bench, code2) == second
    assert await collect(bench, code1) == first


async def test_a_right_code_for_one_costs_the_other_no_attempt(bench: Bench) -> None:
    await bench.load(D1)
    _, code2 = await bench.load(D2)
    await collect(bench, code2)
    assert bench.controller.ledger.box.deposits[D1].attempts == 0


async def test_closed_store(bench: Bench) -> None:
    _, code = await bench.load(D1)
    bench.hours.open_now = False
    with pytest.raises(ClosedError):
        await bench.controller.present(NUMBER, code)
    assert bench.controller.ledger.box.deposits[D1].attempts == 0


async def test_declining_keeps_the_code(bench: Bench) -> None:
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    with pytest.raises(VisitOverError):
        await bench.controller.release(visit.token)
    await bench.controller.confirm(visit.token, "old_document", answer=False)
    assert bench.state(D1) == State.NOTIFIED
    assert bench.doors.pulses[7] == 1
    assert await collect(bench, code) == 7


async def test_an_idle_visit_ends_and_keeps_the_code(bench: Bench) -> None:
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    bench.clock.forward(seconds=179)
    bench.controller.tick()
    assert bench.state(D1) == State.PRESENTED
    bench.clock.forward(seconds=2)
    bench.controller.tick()
    assert bench.state(D1) == State.NOTIFIED
    with pytest.raises(VisitOverError):
        await bench.controller.release(visit.token)


async def test_a_door_that_does_not_open_blocks_and_is_not_pulsed_again(bench: Bench) -> None:
    _, code = await bench.load(D1)
    bench.doors.stuck.add(7)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(visit.token, "old_document", answer=True)
    await bench.controller.release(visit.token)
    bench.clock.forward(seconds=6)
    bench.controller.tick()
    assert bench.state(D1) == State.BLOCKED
    assert bench.doors.pulses[7] == 2
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)


async def test_a_door_closed_with_the_document_inside_blocks(bench: Bench) -> None:
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(visit.token, "old_document", answer=True)
    await bench.controller.release(visit.token)
    await bench.opened(7)
    await bench.close(7, item=True)
    assert bench.state(D1) == State.BLOCKED


async def test_a_door_left_open_is_told_once(bench: Bench) -> None:
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(visit.token, "old_document", answer=True)
    await bench.controller.release(visit.token)
    await bench.opened(7)
    bench.clock.forward(seconds=61)
    bench.controller.tick()
    bench.controller.tick()
    told = [entry for entry in bench.journal.entries() if entry.event == "left_open"]
    assert len(told) == 1
    assert bench.controller.visit(visit.token).left_open


@pytest.mark.parametrize("state", ["free", "reserved", "notified", "presented"])
async def test_a_door_opened_without_command(bench: Bench, state: str) -> None:
    code = ""
    if state == "reserved":
        await bench.reserve(D1)
    elif state != "free":
        _, code = await bench.load(D1)
    if state == "presented":
        await bench.controller.present(NUMBER, code)
    await bench.see(DoorOpened(7, NOW))
    if state == "free":
        assert bench.controller.ledger.box.out_of_service == {7}
    else:
        assert bench.state(D1) == State.BLOCKED


async def thin(bench: Bench) -> None:
    """A document that no sensor sees is in the box."""
    await bench.reserve(D1)
    await bench.command("confirm_loaded", deposit=D1)
    assert bench.state(D1) == State.RESERVED
    await bench.command("open_for_load", deposit=D1)
    await bench.opened(7)
    await bench.close(7, item=False)
    assert bench.state(D1) == State.RESERVED
    await bench.command("confirm_loaded", deposit=D1)
    assert bench.state(D1) == State.STORED


async def open_for_citizen(bench: Bench) -> Visit:
    visit = await bench.controller.present(NUMBER, bench.code(D1))
    await bench.controller.confirm(visit.token, "old_document", answer=True)
    await bench.controller.release(visit.token)
    await bench.opened(7)
    return visit


@pytest.mark.parametrize(("taken", "state"), [(True, State.DONE), (False, State.BLOCKED)])
@pytest.mark.parametrize("sensor", [False, None], ids=["thin document", "no sensor"])
async def test_what_no_sensor_can_tell_is_asked(bench: Bench, sensor: bool | None, taken: bool, state: State) -> None:
    await thin(bench)
    visit = await open_for_citizen(bench)
    with pytest.raises(VisitOverError):
        await bench.controller.confirm(visit.token, "removal", answer=True)
    await bench.see(DoorClosed(7, sensor, NOW))
    assert bench.state(D1) == visit.state == State.CONFIRMING
    await bench.controller.confirm(visit.token, "removal", answer=taken)
    assert bench.last_state(D1) == visit.state == state
    assert bench.doors.pulses[7] == 2


async def test_who_does_not_answer_leaves_it_to_staff(bench: Bench) -> None:
    await thin(bench)
    await open_for_citizen(bench)
    await bench.close(7, item=False)
    bench.clock.forward(seconds=bench.timing.visit_idle - 10)
    bench.controller.tick()
    assert bench.state(D1) == State.CONFIRMING
    bench.clock.forward(seconds=20)
    bench.controller.tick()
    assert bench.state(D1) == State.BLOCKED


async def test_who_leaves_or_a_power_cut_answers_nothing(bench: Bench) -> None:
    await thin(bench)
    visit = await open_for_citizen(bench)
    await bench.restart()
    await bench.close(7, item=False)
    assert bench.state(D1) == State.CONFIRMING
    with pytest.raises(VisitOverError):
        await bench.controller.confirm(visit.token, "removal", answer=True)
    bench.controller.tick()
    assert bench.state(D1) == State.BLOCKED


async def test_without_the_step_nobody_is_asked(bench: Bench) -> None:
    config = bench.controller.config
    assert config is not None
    strict = [replace(policy, steps=tuple(s for s in policy.steps if s != "removal")) for policy in config.policies]
    bench.controller.configure(replace(config, policies=tuple(strict)))
    await thin(bench)
    await open_for_citizen(bench)
    await bench.close(7, item=False)
    assert bench.state(D1) == State.BLOCKED


async def test_what_the_sensor_contradicts_is_not_asked(bench: Bench) -> None:
    await bench.load(D1)
    await open_for_citizen(bench)
    await bench.close(7, item=True)
    assert bench.state(D1) == State.BLOCKED


async def test_recall_returns_or_finds_nothing(bench: Bench) -> None:
    _, code = await bench.load(D1)
    await bench.command("recall", deposit=D1)
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)
    await bench.opened(7)
    await bench.close(7, item=False)
    assert bench.last_state(D1) == State.RETURNED
    await bench.load(D2)
    await bench.see(DoorOpened(7, NOW))
    bench.doors.items[7] = False
    await bench.close(7, item=False)
    await bench.command("recall", deposit=D2)
    await bench.opened(7)
    await bench.close(7, item=False)
    assert bench.last_state(D2) == State.MISSING


async def test_expiry_follows_the_journals_time(bench: Bench) -> None:
    _, code = await bench.load(D1)
    bench.clock.forward(days=14, seconds=1)
    bench.controller.tick()
    assert bench.state(D1) == State.EXPIRED
    bench.clock.forward(days=-10)
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)


async def test_a_late_command_opens_nothing(bench: Bench) -> None:
    await bench.reserve(D1)
    bench.commands += 1
    from servicepunkt.dokbox import wire

    late = wire.Command(seq=bench.commands, kind="open_for_load", deposit=D1, valid_until=NOW)
    bench.clock.forward(hours=1)
    await bench.controller.handle(late)
    assert bench.doors.pulses[7] == 0
    assert bench.state(D1) == State.RESERVED


async def test_a_command_is_carried_out_once(bench: Bench) -> None:
    await bench.reserve(D1)
    await bench.command("open_for_load", deposit=D1)
    await bench.restart()
    bench.commands -= 1
    await bench.command("open_for_load", deposit=D1)
    assert bench.doors.pulses[7] == 1


async def test_bus_lost_before_release_refuses_and_keeps_the_code(bench: Bench) -> None:
    _, code = await bench.load(D1)
    await bench.see(LineLost(0, "unplugged", ALL, NOW))
    with pytest.raises(OutOfOrderError):
        await bench.controller.present(NUMBER, code)
    await bench.see(LineFound(0, NOW))
    await bench.look()
    assert await collect(bench, code) == 7


async def test_bus_lost_in_the_unlock_never_sends_a_second_frame(bench: Bench) -> None:
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(visit.token, "old_document", answer=True)
    bench.doors.lost = BusLostError("unplugged", certainly_not_written=False)
    await bench.controller.release(visit.token)
    assert bench.state(D1) == State.RELEASING
    bench.doors.lost = None
    await bench.see(LineLost(0, "unplugged", ALL, NOW), LineFound(0, NOW))
    await bench.look()
    assert bench.state(D1) == State.BLOCKED
    assert bench.doors.pulses[7] == 1


async def test_the_plug_pulled_between_any_two_steps(tmp_path: Path) -> None:
    """Restart after every step of the story, at each step in turn: nothing is lost, no door is pulsed twice."""
    steps = 10
    for cut in range(steps):
        bench = Bench(tmp_path / str(cut))
        await bench.look()

        async def after(step: int, bench: Bench = bench, cut: int = cut) -> None:
            if step == cut:
                await bench.restart()

        await bench.reserve(D1)
        await after(0)
        await bench.command("open_for_load", deposit=D1)
        await after(1)
        await bench.opened(7)
        await after(2)
        if cut == 3:  # the document is laid in and the door closed while the lights are out
            bench.doors.closed[7], bench.doors.items[7] = True, True
            await bench.restart()
        else:
            await bench.close(7, item=True)
        assert bench.state(D1) == State.STORED, cut
        await after(4)
        await bench.command("notice_accepted", deposit=D1, version=1)
        code = bench.code(D1)
        await after(5)
        visit = await bench.controller.present(NUMBER, code)
        if cut == 6:
            await bench.restart()
            assert bench.state(D1) == State.NOTIFIED
            visit = await bench.controller.present(NUMBER, code)
        await bench.controller.confirm(visit.token, "old_document", answer=True)
        await bench.controller.release(visit.token)
        await after(7)
        if cut == 7:
            assert bench.state(D1) == State.TAKING
        await bench.opened(7)
        await after(8)
        if cut == 9:
            bench.doors.closed[7], bench.doors.items[7] = True, False
            await bench.restart()
        else:
            await bench.close(7, item=False)
        assert bench.last_state(D1) == State.DONE, cut
        assert bench.doors.pulses[7] == 2, cut
        with pytest.raises(RefusedError):
            await bench.controller.present(NUMBER, code)
        bench.put_away()


async def test_released_in_the_dark_is_never_marked_as_handed_over(bench: Bench) -> None:
    """The plug was pulled between pulse and open door; when the lights come back the item is gone."""
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(visit.token, "old_document", answer=True)
    await bench.controller.release(visit.token)
    bench.doors.closed[7], bench.doors.items[7] = True, False
    await bench.restart()
    assert bench.state(D1) == State.BLOCKED


async def test_nothing_by_which_a_code_could_be_found_outlives_the_hand_over(bench: Bench) -> None:
    _, code = await bench.load(D1)
    secret, salt = bench.journal.secret(D1), bench.journal.salt_of(bench.controller.codes.locator("phone", NUMBER))
    assert secret is not None
    assert secret.tag is not None
    assert salt is not None
    sealed = bench.journal.envelope(bench.controller.ledger.box.seq) or next(
        found for entry in bench.journal.entries() if (found := bench.journal.envelope(entry.seq))
    )
    await collect(bench, code)
    bench.journal.drop_envelopes(up_to=10**6, before=bench.clock.now() + timedelta(days=1))
    bench.controller.tick()
    connection = bench.journal._connection
    for table in ("secret", "salt", "envelope"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    raw = b"".join(path.read_bytes() for path in bench.folder.glob("journal.sqlite*"))
    erased = (secret.tag, salt[1], sealed, NUMBER.encode(), code.encode())
    assert [part for part in erased if part in raw] == []


async def test_spraying_codes_gets_slow(bench: Bench) -> None:
    pauses = []
    for n in range(16):
        before = bench.clock.seconds
        with pytest.raises(RefusedError):
            await bench.controller.present(f"+49151{n:08d}", "123456")
        pauses.append(bench.clock.seconds - before)
    assert pauses[0] == 1
    assert pauses[-1] == 16


async def test_who_began_before_closing_time_may_finish(bench: Bench) -> None:
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    bench.hours.open_now = False
    await bench.controller.confirm(visit.token, "old_document", answer=True)
    await bench.controller.release(visit.token)
    assert bench.state(D1) == State.RELEASING


async def test_a_bus_lost_before_release_ends_the_visit_and_keeps_the_code(bench: Bench) -> None:
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(visit.token, "old_document", answer=True)
    await bench.see(LineLost(0, "unplugged", ALL, NOW))
    with pytest.raises(OutOfOrderError):
        await bench.controller.release(visit.token)
    assert bench.state(D1) == State.PRESENTED
    await bench.see(LineFound(0, NOW))
    await bench.look()
    assert bench.state(D1) == State.NOTIFIED
    assert await collect(bench, code) == 7
