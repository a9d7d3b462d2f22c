"""Ways by which a document could go astray that a plain story never meets: each ends where nothing is lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.errors import OutOfOrderError, RefusedError, VaultError, VisitOverError
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.testing import NOW, Bench, example_config

NUMBER, OTHER = "+4915112345678", "+4915112345679"
D1, D2, D3, D4 = (f"01980000-0000-7000-8000-00000000000{n}" for n in range(1, 5))
BORN = date(1964, 8, 12)
PLAIN = ("phone", "code", "open", "close")


def with_kind(bench: Bench, kind: str = "passport", **fields: Any) -> None:
    """Only this kind of document is in the tenant file."""
    policy = DocumentPolicy(type=kind, name={}, **{"steps": PLAIN, **fields})
    bench.controller.configure(replace(example_config(), policies=(policy,)))


def reasons(bench: Bench) -> list[object]:
    """Why orders were declined."""
    return [entry.data["reason"] for entry in bench.journal.entries() if entry.event == "command_declined"]


async def stored_without_sensor(bench: Bench, item: bool | None) -> int:
    """A document that the item sensor does not see, or whose box has none; returns the compartment."""
    for number in bench.doors.items:
        bench.doors.items[number] = item
    await bench.look()
    await bench.reserve(D1)
    compartment = bench.controller.ledger.box.deposits[D1].compartment
    await bench.command("open_for_load", deposit=D1)
    await bench.opened(compartment)
    await bench.close(compartment, item=item)
    await bench.command("confirm_loaded", deposit=D1)
    assert bench.state(D1) == "stored"
    return compartment


async def taken_back(bench: Bench, compartment: int, item: bool | None) -> None:
    await bench.command("recall", deposit=D1)
    await bench.opened(compartment)
    await bench.close(compartment, item=item)


async def forced(bench: Bench, compartment: int) -> None:
    """The door is opened by somebody else."""
    bench.doors.closed[compartment] = False
    await bench.opened(compartment)


# --- kinds of documents that change ---------------------------------------------------------------------------------


async def test_a_kind_that_the_tenant_file_names_no_more_keeps_its_steps(bench: Bench) -> None:
    with_kind(bench, steps=("phone", "code", "birth_date", "open", "close"))
    _, code = await bench.load(D1, birth_date=BORN)
    with_kind(bench, "identity-card")
    visit = await bench.controller.present(NUMBER, code)
    assert visit.asked == ("birth_date",)
    with pytest.raises(VisitOverError):
        await bench.controller.release(visit.token)


async def test_a_step_that_was_added_later_holds_for_later_documents(bench: Bench) -> None:
    with_kind(bench)
    _, code = await bench.load(D1)
    with_kind(bench, steps=("phone", "code", "birth_date", "open", "close"))
    _, other = await bench.load(D2, OTHER, birth_date=BORN)
    assert (await bench.controller.present(NUMBER, code)).asked == ()
    assert (await bench.controller.present(OTHER, other)).asked == ("birth_date",)


async def test_for_an_unknown_kind_no_code_is_made_up(bench: Bench) -> None:
    with_kind(bench)
    _, code = await bench.load(D1)
    with_kind(bench, "identity-card")
    await bench.command("new_code", deposit=D1)
    assert reasons(bench) == ["SP3108"]
    assert (await bench.controller.present(NUMBER, code)).deposit == D1


# --- taken back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", [None, False], ids=["no sensor", "too thin"])
async def test_nothing_is_with_the_office_because_a_door_was_closed(bench: Bench, item: bool | None) -> None:
    with_kind(bench)
    compartment = await stored_without_sensor(bench, item)
    await taken_back(bench, compartment, item)
    assert bench.state(D1) == "blocked"
    await bench.reserve(D2, OTHER)
    assert bench.controller.ledger.box.deposits[D2].compartment != compartment
    await bench.command("taken_back", deposit=D1, actor="account:two")
    assert bench.last_state(D1) == "returned"


async def test_staff_say_that_nothing_was_there(bench: Bench) -> None:
    with_kind(bench)
    await taken_back(bench, await stored_without_sensor(bench, None), None)
    await bench.command("not_there", deposit=D1)
    assert bench.last_state(D1) == "missing"


async def test_staff_say_that_it_is_still_in(bench: Bench) -> None:
    with_kind(bench)
    await taken_back(bench, await stored_without_sensor(bench, None), None)
    await bench.command("confirm_loaded", deposit=D1)
    assert bench.state(D1) == "stored"


@pytest.mark.parametrize(("said", "end"), [("taken_back", "returned"), ("not_there", "missing")])
async def test_behind_a_broken_lock_the_word_of_staff_counts_and_the_compartment_is_looked_into(
    bench: Bench, said: Any, end: str
) -> None:
    with_kind(bench)
    compartment, _ = await bench.load(D1)
    bench.doors.stuck.add(compartment)
    await bench.command("recall", deposit=D1)
    bench.clock.forward(seconds=6)
    bench.controller.tick()
    assert bench.state(D1) == "blocked"
    await forced(bench, compartment)  # with the key
    await bench.close(compartment, item=False)
    await bench.command(said, deposit=D1)
    assert bench.last_state(D1) == end
    assert bench.controller.ledger.box.out_of_service == {compartment}


async def test_only_what_is_blocked_can_be_said_to_be_taken_out(bench: Bench) -> None:
    with_kind(bench)
    await bench.load(D1)
    for kind in ("taken_back", "not_there"):
        await bench.command(kind, deposit=D1)  # type: ignore[arg-type]
    assert (bench.state(D1), reasons(bench)) == ("notified", ["SP3101"] * 2)


async def test_what_the_sensor_still_sees_is_not_with_the_office(bench: Bench) -> None:
    with_kind(bench)
    compartment, _ = await bench.load(D1)
    await taken_back(bench, compartment, True)
    await bench.command("taken_back", deposit=D1)
    assert (bench.state(D1), reasons(bench)) == ("blocked", ["still_inside"])


async def test_a_forced_door_makes_what_staff_saw_before_worthless(bench: Bench) -> None:
    with_kind(bench)
    compartment, _ = await bench.load(D1)
    await taken_back(bench, compartment, True)
    await forced(bench, compartment)
    await bench.close(compartment, item=False)
    await bench.command("confirm_loaded", deposit=D1)
    assert (bench.state(D1), reasons(bench)) == ("blocked", ["door_was_not_open"])


@pytest.mark.parametrize("blocked", [True, False])
async def test_after_a_key_was_used_staff_look_again(bench: Bench, blocked: bool) -> None:
    with_kind(bench)
    if blocked:
        compartment, _ = await bench.load(D1)
        await taken_back(bench, compartment, True)
    else:
        await bench.reserve(D1)
        compartment = bench.controller.ledger.box.deposits[D1].compartment
        await bench.command("open_for_load", deposit=D1)
        await bench.opened(compartment)
        await bench.close(compartment, item=False)
    await bench.command("inventory")
    await bench.command("confirm_loaded", deposit=D1)
    assert reasons(bench) == ["door_was_not_open"]


async def test_a_document_whose_code_was_used_gets_no_new_one(bench: Bench) -> None:
    with_kind(bench)
    compartment, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.release(visit.token)
    await bench.opened(compartment)
    await bench.close(compartment, item=True)
    await taken_back(bench, compartment, True)
    await bench.command("confirm_loaded", deposit=D1)
    assert (bench.state(D1), reasons(bench)) == ("blocked", ["code_was_used"])


# --- another person --------------------------------------------------------------------------------------------------


async def correct(bench: Bench, number: str = OTHER) -> None:
    await bench.command("new_person", deposit=D1, sealed=bench.sealed(D1, wire.Person(phone=number)))


async def test_whoever_stands_there_with_the_wrong_persons_code_gets_no_further(bench: Bench) -> None:
    with_kind(bench)
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await correct(bench)
    with pytest.raises(VisitOverError):
        await bench.controller.release(visit.token)
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, bench.code(D1))
    assert (await bench.controller.present(OTHER, bench.code(D1))).deposit == D1


async def test_a_number_is_corrected_while_the_door_is_open_for_loading(bench: Bench) -> None:
    with_kind(bench)
    await bench.reserve(D1)
    compartment = bench.controller.ledger.box.deposits[D1].compartment
    await bench.command("open_for_load", deposit=D1)
    await correct(bench)
    await bench.opened(compartment)
    await bench.close(compartment, item=True)
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, bench.code(D1))
    assert (await bench.controller.present(OTHER, bench.code(D1))).deposit == D1


async def test_a_correction_that_is_declined_still_kills_the_code(bench: Bench) -> None:
    with_kind(bench)
    for deposit in (D2, D3, D4):
        await bench.load(deposit, OTHER)
    _, code = await bench.load(D1)
    await correct(bench)
    assert reasons(bench) == ["too_many_for_this_number"]
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)
    assert bench.state(D1) == "locked_out"


async def test_who_stands_there_while_a_correction_is_declined_gets_no_further(bench: Bench) -> None:
    with_kind(bench)
    for deposit in (D2, D3, D4):
        await bench.load(deposit, OTHER)
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await correct(bench)
    with pytest.raises(VisitOverError):
        await bench.controller.release(visit.token)
    assert bench.state(D1) == "locked_out"


async def test_a_correction_that_nobody_can_read_kills_the_code(bench: Bench) -> None:
    with_kind(bench)
    _, code = await bench.load(D1)
    await bench.command("new_person", deposit=D1, sealed="00" * 80)
    assert reasons(bench) == ["SP3302"]
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)


async def test_what_a_person_was_known_by_goes_with_him(bench: Bench) -> None:
    with_kind(bench, steps=("phone", "code", "birth_date", "open", "close"))
    await bench.load(D1, birth_date=BORN)
    right = wire.Person(phone=OTHER, birth_date=date(1999, 9, 9))
    await bench.command("new_person", deposit=D1, sealed=bench.sealed(D1, right))
    visit = await bench.controller.present(OTHER, bench.code(D1))
    with pytest.raises(RefusedError):
        await bench.controller.prove(visit.token, "birth_date", BORN.isoformat())
    await bench.controller.prove(visit.token, "birth_date", "1999-09-09")
    assert visit.next_question is None


async def test_nobody_is_asked_for_what_nobody_has_told(bench: Bench) -> None:
    """The tenant file asks for more since the clerk typed, or for less since the document was announced."""
    with_kind(bench, steps=("phone", "code", "birth_date", "open", "close"))
    await bench.reserve(D2, NUMBER)
    assert (bench.state(D2), reasons(bench)) == (None, ["person_lacks"])
    _, code = await bench.load(D1, birth_date=BORN)
    with_kind(bench)
    await correct(bench)
    assert reasons(bench) == ["person_lacks"] * 2
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)


@pytest.mark.parametrize("loaded", [True, False])
async def test_a_deposit_is_found_by_what_its_kind_said_on_its_day(bench: Bench, loaded: bool) -> None:
    with_kind(bench, steps=("pickup_number", "code", "open", "close"))
    if loaded:
        await bench.load(D1)
    else:
        await bench.reserve(D1, NUMBER)
    with_kind(bench)
    if loaded:
        await bench.command("new_code", deposit=D1)
    else:
        compartment = bench.controller.ledger.box.deposits[D1].compartment
        await bench.command("open_for_load", deposit=D1)
        await bench.opened(compartment)
        await bench.close(compartment, item=True)
    message = bench.message(D1)
    assert (await bench.controller.present(message["number"], message["code"])).deposit == D1


async def test_what_an_older_journal_does_not_say_is_asked_of_staff_or_of_the_tenant_file(bench: Bench) -> None:
    with_kind(bench, steps=("phone", "code", "birth_date", "open", "close"))
    _, code = await bench.load(D1, birth_date=BORN)
    box = bench.controller.ledger.box
    older = replace(box.deposits[D1], steps=())
    bench.controller.ledger.box = replace(box, deposits={**box.deposits, D1: older})
    visit = await bench.controller.present(NUMBER, code)
    assert visit.asked == ("birth_date",)
    await bench.controller.leave(visit.token)
    with_kind(bench, "identity-card")
    assert (await bench.controller.present(NUMBER, code)).asked == ("staff_check",)


async def test_four_eyes_hold_also_for_what_was_taken_back(bench: Bench) -> None:
    with_kind(bench, four_eyes=True)
    await bench.reserve(D1, actor="account:one")
    compartment = bench.controller.ledger.box.deposits[D1].compartment
    await bench.command("open_for_load", deposit=D1, actor="account:two")
    await bench.opened(compartment)
    await bench.close(compartment, item=True)
    await bench.command("recall", deposit=D1, actor="account:one")
    await bench.opened(compartment)
    await bench.close(compartment, item=True)
    await bench.command("confirm_loaded", deposit=D1, actor="account:one")
    assert (bench.state(D1), reasons(bench)) == ("blocked", ["second_person_needed"])
    await bench.command("confirm_loaded", deposit=D1, actor="account:two")
    assert bench.state(D1) == "stored"


# --- staff at the box ------------------------------------------------------------------------------------------------


async def test_that_a_face_fits_says_nothing_of_the_old_document(bench: Bench) -> None:
    with_kind(bench, steps=("phone", "code", "staff_check", "old_document_chip", "open", "close"))
    _, code = await bench.load(D1, old_document="C01X00T47")
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.call_staff(visit.token)
    await bench.controller.leave(visit.token)
    await bench.command("attest", deposit=D1, answer=True, call=visit.called)
    assert (await bench.controller.present(NUMBER, code)).asked == ("staff_check", "old_document_chip")


async def test_the_old_document_is_void_only_where_one_is_asked_for_and_nobody_stands_there(bench: Bench) -> None:
    with_kind(bench)
    await bench.load(D1)
    await bench.command("old_document_void", deposit=D1)
    with_kind(bench, steps=("phone", "code", "old_document_chip", "open", "close"))
    _, code = await bench.load(D2, OTHER, old_document="C01X00T47")
    visit = await bench.controller.present(OTHER, code)
    await bench.command("old_document_void", deposit=D2)
    assert reasons(bench) == ["SP3106", "SP3106"]
    assert visit.next_question == "old_document_chip"


# --- the box and its parts -------------------------------------------------------------------------------------------


async def test_a_box_that_is_not_believed_opens_no_door_for_who_waited_already(bench: Bench) -> None:
    with_kind(bench)
    _, first = await bench.load(D1)
    second_door, second = await bench.load(D2, OTHER)
    visits = [await bench.controller.present(NUMBER, first), await bench.controller.present(OTHER, second)]
    before = bench.doors.pulses[second_door]
    gate, unlock = asyncio.Event(), bench.doors.unlock

    async def slow(number: int) -> Any:
        await gate.wait()
        return await unlock(number)

    bench.doors.unlock = slow  # type: ignore[method-assign]
    releases = [asyncio.create_task(bench.controller.release(visit.token)) for visit in visits]
    await asyncio.sleep(0)
    bench.controller.distrust()
    gate.set()
    _, refused = await asyncio.gather(*releases, return_exceptions=True)
    assert isinstance(refused, OutOfOrderError)
    assert bench.doors.pulses[second_door] == before


async def test_a_lock_that_had_to_wait_for_its_turn_has_its_time_to_open(bench: Bench) -> None:
    with_kind(bench)
    compartment, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    unlock = bench.doors.unlock

    async def slow(number: int) -> Any:
        bench.clock.forward(seconds=6)
        return await unlock(number)

    bench.doors.unlock = slow  # type: ignore[method-assign]
    await bench.controller.release(visit.token)
    bench.controller.tick()
    assert bench.state(D1) == "releasing"
    await bench.opened(compartment)
    await bench.close(compartment, item=False)
    assert bench.last_state(D1) == "done"


async def test_a_line_that_never_answers_does_not_hold_the_box_for_ever(bench: Bench) -> None:
    with_kind(bench)
    compartment, code = await bench.load(D1)
    bench.controller.doors._timing = replace(bench.timing, unlock_longest=0.05)
    visit = await bench.controller.present(NUMBER, code)

    async def never(_: int) -> Any:
        await asyncio.Event().wait()

    bench.doors.unlock = never  # type: ignore[method-assign]
    await bench.controller.release(visit.token)
    assert list(bench.journal.entries())[-1].event == "unlock_lost"
    bench.clock.forward(seconds=6)
    bench.controller.tick()
    assert bench.state(D1) == "blocked"
    assert bench.doors.pulses[compartment] == 1, "of the loading"


async def test_a_vault_that_refuses_a_new_pepper_does_not_end_the_box(bench: Bench) -> None:
    with_kind(bench)
    bench.controller.tick()

    def full() -> None:
        raise VaultError(reason="the chip is full")

    rotate, bench.vault.rotate = bench.vault.rotate, full  # type: ignore[method-assign]
    bench.clock.forward(days=91)
    bench.controller.tick()
    bench.controller.tick()
    events = [entry.event for entry in bench.journal.entries()]
    assert (events.count("pepper_refused"), bench.controller.troubles) == (1, ()), "the old one serves on"
    await bench.command("rotate_pepper")
    assert reasons(bench) == ["SP3302"]
    bench.vault.rotate = rotate  # type: ignore[method-assign]
    bench.controller.tick()
    assert bench.vault.kid == "1", "it is tried again after an hour, not four times a second"
    bench.clock.forward(hours=2)
    bench.controller.tick()
    assert bench.vault.kid == "2"


@pytest.mark.parametrize("lost", ["folder", "pepper", "locator"])
async def test_a_vault_that_is_not_there_is_no_empty_vault(bench: Bench, lost: str) -> None:
    with_kind(bench)
    _, code = await bench.load(D1)
    vault, away = bench.folder / "vault", bench.folder / "away"
    place = vault if lost == "folder" else next(vault.glob(f"{lost}*.key"))
    place.rename(away)
    await bench.restart()
    assert bench.controller.troubles == ("vault",)
    with pytest.raises(OutOfOrderError):
        await bench.controller.present(NUMBER, code)
    await bench.command("new_code", deposit=D1)
    assert reasons(bench) == ["SP3302"], "it would be made with keys that are not the box's own"
    if place.is_dir():
        for path in place.iterdir():
            path.unlink()
        place.rmdir()
    away.replace(place)
    await bench.restart()
    assert (await bench.controller.present(NUMBER, code)).deposit == D1


async def test_a_clock_that_was_once_far_ahead_is_told_to_staff(bench: Bench) -> None:
    with_kind(bench)
    right = bench.clock.instant
    bench.clock.instant = datetime(2099, 1, 1, tzinfo=UTC)
    bench.controller.ledger.note("started")
    bench.clock.instant = right
    assert bench.controller.troubles == ("clock",)


async def test_a_clock_that_was_ahead_by_weeks_only_ages_codes(bench: Bench) -> None:
    with_kind(bench)
    right = bench.clock.instant
    bench.clock.instant = right + timedelta(days=89)
    bench.controller.ledger.note("started")
    bench.clock.instant = right
    assert bench.controller.troubles == ()
    bench.clock.instant = right - timedelta(days=2)
    assert bench.controller.troubles == ("clock",)


async def test_a_document_is_kept_for_as_long_as_the_later_word_says(bench: Bench) -> None:
    with_kind(bench)
    await bench.load(D1)
    day = NOW.date() + timedelta(days=14)
    await bench.command("extend", deposit=D1, until=day + timedelta(days=7))
    longer = bench.controller.ledger.box.deposits[D1].expires_at()
    await bench.command("notice_accepted", deposit=D1, version=1, until=day)
    assert bench.controller.ledger.box.deposits[D1].expires_at() == longer


async def test_a_compartment_that_the_cabinet_does_not_have_is_not_given_out(bench: Bench) -> None:
    with_kind(bench)
    bench.controller.configure(replace(bench.controller.config, compartments=99, rows_by_reach=()))  # type: ignore[type-var]
    real = len(bench.doors.items)
    for n in range(real + 2):
        await bench.reserve(f"01980000-0000-7000-8000-0000000001{n:02}", f"+49151123400{n:02}")
    given = [deposit.compartment for deposit in bench.controller.ledger.box.deposits.values()]
    assert (len(given), max(given)) == (real, real)
    assert reasons(bench) == ["full", "full"]
