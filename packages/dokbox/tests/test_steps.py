"""The hand-over by policy: every step between the code and the door, in the order that a tenant file gives."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from servicepunkt.dokbox import pins, wire
from servicepunkt.dokbox.errors import RefusedError, VisitOverError
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.testing import Bench, example_config

D1, D2 = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
NUMBER = "+4915112345678"
BORN = date(1964, 8, 12)


def with_policy(bench: Bench, **fields: Any) -> DocumentPolicy:
    """Let the bench's box know one kind of document, with these fields."""
    policy = DocumentPolicy(type="passport", name={"de": "Reisepass"}, **fields)
    bench.controller.configure(msgspec.structs.replace(example_config(), policies=(policy,), low_rows=(8,)))
    return policy


def deposit(bench: Bench, name: str = D1) -> Any:
    return bench.controller.ledger.box.deposits[name]


def events(bench: Bench) -> list[str]:
    return [entry.event for entry in bench.journal.entries()]


async def finish(bench: Bench, token: str, compartment: int) -> None:
    await bench.controller.release(token)
    await bench.opened(compartment)
    await bench.close(compartment, item=False)


# --- how a deposit is found, and its code ---------------------------------------------------------------------------


async def test_a_pick_up_number_finds_the_deposit_and_a_phone_number_does_not(bench: Bench) -> None:
    with_policy(bench, steps=("pickup_number", "code", "open", "close"), channel="email")
    compartment, code = await bench.load(D1)
    number = bench.message(D1)["number"]
    assert len(number) == 5
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)
    visit = await bench.controller.present(f" {number[:2]} {number[2:]}", code)
    await finish(bench, visit.token, compartment)
    assert bench.last_state(D1) == "done"


async def test_a_new_code_comes_with_a_new_pick_up_number(bench: Bench) -> None:
    with_policy(bench, steps=("pickup_number", "code", "open", "close"))
    await bench.load(D1)
    before = bench.message(D1)
    await bench.command("new_code", deposit=D1)
    after = bench.message(D1)
    assert before["number"] != after["number"]
    with pytest.raises(RefusedError):
        await bench.controller.present(before["number"], before["code"])
    assert (await bench.controller.present(after["number"], after["code"])).deposit == D1


@pytest.mark.parametrize("digits", [6, 7, 8])
@pytest.mark.parametrize("check", [False, True])
async def test_codes_have_the_length_of_the_policy(bench: Bench, digits: int, check: bool) -> None:
    with_policy(bench, code_digits=digits, check_digit=check)
    _, code = await bench.load(D1)
    assert len(code) == digits + check
    assert (await bench.controller.present(NUMBER, code)).deposit == D1


async def test_a_slip_of_the_finger_costs_no_attempt_where_there_is_a_check_digit(bench: Bench) -> None:
    with_policy(bench, check_digit=True)
    _, code = await bench.load(D1)
    for place in range(len(code)):
        slipped = code[:place] + str((int(code[place]) + 1) % 10) + code[place + 1 :]
        with pytest.raises(RefusedError):
            await bench.controller.present(NUMBER, slipped)
    assert deposit(bench).attempts == 0
    locator = bench.controller.codes.locator("phone", NUMBER)
    other = f"{(int(code[:-1]) + 1) % 10**6:06d}"
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, other + pins.check_digit(locator, other))
    assert deposit(bench).attempts == 1


async def test_a_code_keeps_its_length_when_the_policy_changes(bench: Bench) -> None:
    with_policy(bench, code_digits=7)
    _, code = await bench.load(D1)
    with_policy(bench, code_digits=6)
    assert (await bench.controller.present(NUMBER, code)).deposit == D1


# --- questions and proofs -------------------------------------------------------------------------------------------


async def test_the_steps_come_in_the_order_of_the_policy(bench: Bench) -> None:
    steps = ("phone", "code", "pin_letter", "in_person", "old_document", "open", "close")
    with_policy(bench, steps=steps)
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    asked = []
    while (step := visit.next_question) is not None:
        asked.append(step)
        with pytest.raises(VisitOverError):
            await bench.controller.release(visit.token)
        await bench.controller.confirm(visit.token, step, answer=True)
    assert asked == ["pin_letter", "in_person", "old_document"]


@pytest.mark.parametrize("step", ["in_person", "pin_letter", "old_document"])
async def test_no_leaves_the_code_valid_and_the_door_closed(bench: Bench, step: Any) -> None:
    with_policy(bench, steps=("phone", "code", step, "open", "close"))
    compartment, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    pulses = bench.doors.pulses[compartment]
    await bench.controller.confirm(visit.token, step, answer=False)
    assert bench.state(D1) == "notified"
    assert bench.doors.pulses[compartment] == pulses
    assert (await bench.controller.present(NUMBER, code)).next_question == step


async def test_the_date_of_birth_is_the_third_factor(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "birth_date", "open", "close"))
    compartment, code = await bench.load(D1, birth_date=BORN)
    visit = await bench.controller.present(NUMBER, code)
    with pytest.raises(VisitOverError):
        await bench.controller.confirm(visit.token, "birth_date", answer=True)
    with pytest.raises(RefusedError):
        await bench.controller.prove(visit.token, "birth_date", "1964-08-13")
    await bench.controller.prove(visit.token, "birth_date", "1964-08-12")
    await finish(bench, visit.token, compartment)
    assert bench.last_state(D1) == "done"
    assert bench.journal.proof(D1, "birth_date") is None, "with the hand-over it is erased"


async def test_the_birth_date_stands_nowhere_in_clear(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "birth_date", "open", "close"))
    await bench.load(D1, birth_date=BORN)
    bench.journal.close()
    stored = b"".join(path.read_bytes() for path in bench.folder.glob("journal.sqlite*"))
    assert b"1964" not in stored


async def test_wrong_birth_dates_lock_and_a_known_code_buys_no_new_guesses(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "birth_date", "open", "close"))
    _, code = await bench.load(D1, birth_date=BORN)
    guesses = 0
    for day in range(1, 9):
        try:
            visit = await bench.controller.present(NUMBER, code)
        except RefusedError:
            break
        with pytest.raises(RefusedError):
            await bench.controller.prove(visit.token, "birth_date", f"1990-01-{day:02d}")
        guesses += 1
        await bench.controller.leave(visit.token)
    assert guesses == 5
    assert bench.state(D1) == "locked_out"


async def test_a_pulled_plug_gives_no_guess_back(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "birth_date", "open", "close"))
    _, code = await bench.load(D1, birth_date=BORN)
    visit = await bench.controller.present(NUMBER, code)
    with pytest.raises(RefusedError):
        await bench.controller.prove(visit.token, "birth_date", "1990-01-01")
    await bench.restart()
    assert bench.state(D1) == "notified"
    assert deposit(bench).attempts == 1


async def test_who_has_no_old_document_types_the_date_of_birth_instead(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "old_document", "open", "close"), without_old_document="birth_date")
    compartment, code = await bench.load(D1, birth_date=BORN)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(visit.token, "old_document", answer=False)
    assert visit.next_question == "birth_date"
    await bench.controller.prove(visit.token, "birth_date", "1964-08-12")
    await finish(bench, visit.token, compartment)
    assert bench.last_state(D1) == "done"


async def test_a_fresh_code_is_good_for_minutes(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "fresh_code", "open", "close"), fresh_minutes=10)
    compartment, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    with pytest.raises(RefusedError):
        await bench.controller.prove(visit.token, "fresh_code", "000000")  # none was sent yet
    await bench.controller.send_fresh(visit.token)
    fresh = bench.code(D1)
    bench.clock.forward(minutes=10)
    bench.controller.visit(visit.token)
    with pytest.raises(RefusedError):
        await bench.controller.prove(visit.token, "fresh_code", fresh)
    await bench.controller.send_fresh(visit.token)
    assert bench.code(D1) != fresh
    await bench.controller.prove(visit.token, "fresh_code", bench.code(D1))
    await finish(bench, visit.token, compartment)
    assert bench.last_state(D1) == "done"


async def test_fresh_codes_are_sent_three_times_a_visit(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "fresh_code", "open", "close"))
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    for _ in range(3):
        await bench.controller.send_fresh(visit.token)
    with pytest.raises(VisitOverError):
        await bench.controller.send_fresh(visit.token)
    assert events(bench).count("fresh_code") == 3


async def test_staff_look_at_face_and_document(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "staff_check", "open", "close"))
    compartment, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.command("attest", deposit=D1, answer=True)  # nobody was called
    await bench.command("attest", deposit=D1, answer=True, call=bench.controller.ledger.box.seq)
    assert visit.next_question == "staff_check"
    await bench.controller.call_staff(visit.token)
    await bench.controller.call_staff(visit.token)
    assert events(bench).count("staff_wanted") == 1
    await bench.command("attest", deposit=D1, answer=True, call=visit.called, actor="account:staff")
    await finish(bench, visit.token, compartment)
    assert bench.last_state(D1) == "done"
    assert [entry.data["actor"] for entry in bench.journal.entries() if entry.event == "step_done"] == ["account:staff"]


async def test_staff_who_say_no_end_the_visit(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "staff_check", "open", "close"))
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.call_staff(visit.token)
    await bench.command("attest", deposit=D1, answer=False, call=visit.called)
    assert bench.state(D1) == "notified"
    with pytest.raises(VisitOverError):
        bench.controller.visit(visit.token)


async def test_what_staff_said_of_one_visit_does_not_count_for_the_next(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "staff_check", "open", "close"))
    _, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.call_staff(visit.token)
    await bench.command("attest", deposit=D1, answer=True, call=visit.called)
    await bench.controller.leave(visit.token)
    again = await bench.controller.present(NUMBER, code)
    await bench.controller.call_staff(again.token)
    await bench.command("attest", deposit=D1, answer=True, call=visit.called)
    assert again.next_question == "staff_check"


# --- identify -------------------------------------------------------------------------------------------------------

IDENTIFY = ("phone", "code", "identify", "open", "close")


async def identifying(bench: Bench, **fields: Any) -> tuple[int, str, Any]:
    """A visit that has reached the step: compartment, code, visit."""
    with_policy(bench, steps=IDENTIFY, **fields)
    compartment, code = await bench.load(D1, birth_date=BORN, identifiable=True)
    return compartment, code, await bench.controller.present(NUMBER, code)


async def test_the_centre_says_that_it_is_the_right_person(bench: Bench) -> None:
    compartment, _, visit = await identifying(bench)
    with pytest.raises(VisitOverError):
        await bench.controller.confirm(visit.token, "identify", answer=True)
    with pytest.raises(RefusedError):
        await bench.controller.prove(visit.token, "identify", "MUSTERMANN")
    call = await bench.controller.begin_identifying(visit.token)
    with pytest.raises(VisitOverError):
        await bench.controller.release(visit.token)
    await bench.command("identified", deposit=D1, answer=True, call=call.entry, actor="device:1")
    await finish(bench, visit.token, compartment)
    assert bench.last_state(D1) == "done"
    [done] = [entry for entry in bench.journal.entries() if entry.event == "step_done"]
    assert (done.data["step"], done.data["actor"]) == ("identify", "device:1")


async def test_the_entry_holds_a_hash_of_the_ticket_and_nothing_of_a_person(bench: Bench) -> None:
    _, _, visit = await identifying(bench)
    call = await bench.controller.begin_identifying(visit.token)
    [entry] = [entry for entry in bench.journal.entries() if entry.event == "identity_wanted"]
    assert entry.data == {"step": "identify", "ticket": wire.ticket_hash(call.ticket)}
    assert len(call.ticket) == 32
    assert call.ticket not in entry.data["ticket"]  # type: ignore[operator]


async def test_nobody_is_identified_without_a_call_or_by_an_earlier_one(bench: Bench) -> None:
    _, code, visit = await identifying(bench)
    await bench.command("identified", deposit=D1, answer=True)
    await bench.command("identified", deposit=D1, answer=True, call=bench.controller.ledger.box.seq)
    first = await bench.controller.begin_identifying(visit.token)
    second = await bench.controller.begin_identifying(visit.token)
    await bench.command("identified", deposit=D1, answer=True, call=first.entry)
    await bench.controller.leave(visit.token)
    again = await bench.controller.present(NUMBER, code)
    await bench.command("identified", deposit=D1, answer=True, call=second.entry)
    await bench.controller.begin_identifying(again.token)
    await bench.command("identified", deposit=D1, answer=True, call=second.entry)
    assert again.next_question == "identify"
    assert "step_done" not in events(bench)


async def test_a_late_answer_counts_for_nobody(bench: Bench) -> None:
    _, _, visit = await identifying(bench)
    call = await bench.controller.begin_identifying(visit.token)
    order = wire.Command(
        seq=99, kind="identified", deposit=D1, answer=True, call=call.entry, valid_until=bench.clock.now()
    )
    bench.clock.forward(seconds=1)
    await bench.controller.handle(order)
    await bench.controller.handle(msgspec.structs.replace(order, seq=100, valid_until=None))
    assert visit.next_question == "identify"


async def test_an_answer_counts_once(bench: Bench) -> None:
    _, _, visit = await identifying(bench)
    call = await bench.controller.begin_identifying(visit.token)
    await bench.command("identified", deposit=D1, answer=False, call=call.entry)
    await bench.command("identified", deposit=D1, answer=True, call=call.entry)
    await bench.command("identified", deposit=D1, answer=False, call=call.entry)
    assert visit.next_question == "identify"
    assert events(bench).count("proof_wrong") == 1
    assert deposit(bench).attempts == 1


async def test_wrong_people_lock_like_wrong_codes_and_a_known_code_buys_no_more(bench: Bench) -> None:
    _, code, visit = await identifying(bench)
    pulses = bench.doors.pulses.copy()
    for tried in range(1, 6):
        call = await bench.controller.begin_identifying(visit.token)
        await bench.command("identified", deposit=D1, answer=False, call=call.entry)
        if tried == 2:
            assert visit.wrong
            await bench.controller.leave(visit.token)
            visit = await bench.controller.present(NUMBER, code)
    assert bench.state(D1) == "locked_out"
    with pytest.raises(VisitOverError):
        bench.controller.visit(visit.token)
    assert bench.doors.pulses == pulses
    wrong = [entry.data for entry in bench.journal.entries() if entry.event == "proof_wrong"]
    assert [data["attempt"] for data in wrong] == [1, 2, 3, 4, 5]
    assert all(data["command"] for data in wrong), "each names its order, so that none is carried out twice"


async def test_a_visit_waits_while_its_person_is_at_the_terminal(bench: Bench) -> None:
    _, _, visit = await identifying(bench)
    call = await bench.controller.begin_identifying(visit.token)
    bench.clock.forward(minutes=9)
    bench.controller.tick()
    await bench.command("identified", deposit=D1, answer=True, call=call.entry)
    assert visit.next_question is None
    bench.clock.forward(minutes=4)
    bench.controller.tick()
    assert bench.state(D1) == "notified", "answered, it waits no longer than others"


async def test_a_visit_ends_whose_person_does_not_come_back(bench: Bench) -> None:
    _, _, visit = await identifying(bench)
    await bench.controller.begin_identifying(visit.token)
    bench.clock.forward(minutes=11)
    bench.controller.tick()
    assert bench.state(D1) == "notified"


async def test_who_cannot_identify_goes_to_the_counter(bench: Bench) -> None:
    _, code, visit = await identifying(bench)
    await bench.controller.confirm(visit.token, "identify", answer=False)
    assert bench.state(D1) == "notified"
    assert list(bench.journal.entries())[-1].data["reason"] == "identify:no"
    assert (await bench.controller.present(NUMBER, code)).next_question == "identify"


async def test_who_cannot_identify_is_looked_at_by_staff_where_the_policy_says_so(bench: Bench) -> None:
    compartment, _, visit = await identifying(bench, without_identity="staff_check")
    call = await bench.controller.begin_identifying(visit.token)
    await bench.controller.confirm(visit.token, "identify", answer=False)
    assert visit.next_question == "staff_check"
    await bench.command("identified", deposit=D1, answer=True, call=call.entry)
    assert visit.next_question == "staff_check", "what was begun before counts no longer"
    await bench.controller.call_staff(visit.token)
    await bench.command("attest", deposit=D1, answer=True, call=visit.called)
    await finish(bench, visit.token, compartment)
    assert bench.last_state(D1) == "done"


async def test_the_way_out_is_that_of_the_day_on_which_it_was_announced(bench: Bench) -> None:
    _, code, visit = await identifying(bench)
    await bench.controller.leave(visit.token)
    with_policy(bench, steps=IDENTIFY, without_identity="staff_check")
    await bench.restart()
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(visit.token, "identify", answer=False)
    assert bench.state(D1) == "notified"


async def test_a_document_is_declined_whose_person_the_centre_could_not_compare(bench: Bench) -> None:
    with_policy(bench, steps=IDENTIFY)
    await bench.reserve(D1, birth_date=BORN)
    assert bench.state(D1) is None
    assert list(bench.journal.entries())[-1].data["reason"] == "person_lacks"


# --- loading --------------------------------------------------------------------------------------------------------


async def test_four_eyes(bench: Bench) -> None:
    with_policy(bench, four_eyes=True)
    await bench.reserve(D1, actor="account:one")
    compartment = deposit(bench).compartment
    await bench.command("open_for_load", deposit=D1, actor="account:one")
    assert bench.doors.pulses[compartment] == 0
    declined = [entry.data["reason"] for entry in bench.journal.entries() if entry.event == "command_declined"]
    assert declined == ["second_person_needed"]
    await bench.command("open_for_load", deposit=D1, actor="account:two")
    assert bench.doors.pulses[compartment] == 1


async def test_low_compartments_are_for_those_who_need_them(bench: Bench) -> None:
    with_policy(bench)  # rows of 8; row 8 can be reached from a wheelchair, two compartments have it
    names = [f"00000000-0000-0000-0000-{number:012d}" for number in range(1, 18)]
    for number, name in enumerate(names[:14]):
        await bench.reserve(name, f"+49151{number:08d}")
    assert {deposit(bench, name).compartment % 8 for name in names[:14]} == set(range(1, 8)), "none of row 8"
    await bench.reserve(names[14], "+4915200000001", low=True)
    assert deposit(bench, names[14]).compartment == 8
    await bench.reserve(names[15], "+4915200000002")
    assert deposit(bench, names[15]).compartment == 16, "the last one of all"
    await bench.reserve(names[16], "+4915200000003", low=True)
    assert bench.state(names[16]) is None
    assert list(bench.journal.entries())[-1].data["reason"] == "no_low_compartment"


# --- care -----------------------------------------------------------------------------------------------------------


async def corrected(bench: Bench, number: str, **fields: Any) -> None:
    person = wire.Person(phone=number, **fields)
    await bench.command("new_person", deposit=D1, sealed=bench.sealed(D1, person))


async def test_the_wrong_number_opens_nothing_after_it_was_corrected(bench: Bench) -> None:
    with_policy(bench, steps=("phone", "code", "birth_date", "open", "close"))
    compartment, code = await bench.load(D1, birth_date=date(2000, 1, 1))
    await corrected(bench, "+4915187654321", birth_date=BORN)
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)
    with pytest.raises(RefusedError):
        await bench.controller.present("+4915187654321", code)
    assert bench.journal.salt_of(bench.controller.codes.locator("phone", NUMBER)) is None
    visit = await bench.controller.present("+4915187654321", bench.code(D1))
    await bench.controller.prove(visit.token, "birth_date", BORN.isoformat())
    await finish(bench, visit.token, compartment)
    assert bench.last_state(D1) == "done"


async def test_a_number_is_corrected_before_the_code_too(bench: Bench) -> None:
    await bench.reserve(D1)
    await corrected(bench, "+4915187654321")
    assert bench.state(D1) == "reserved"
    await bench.command("open_for_load", deposit=D1)
    await bench.opened(7)
    await bench.close(7, item=True)
    assert (await bench.controller.present("+4915187654321", bench.code(D1))).deposit == D1


async def test_the_citizen_may_come_until_the_day_that_he_was_told(bench: Bench) -> None:
    await bench.load(D1)
    day = (bench.clock.now() + timedelta(days=20)).date()
    await bench.command("notice_accepted", deposit=D1, version=1, until=day)
    ends = deposit(bench).expires_at()
    assert ends.isoformat() == f"{day}T23:00:00+00:00", "midnight in Berlin, in winter"
    await bench.command("extend", deposit=D1, until=day - timedelta(days=1))
    assert deposit(bench).expires_at() == ends, "never shorter"
    await bench.command("extend", deposit=D1, until=day + timedelta(days=7))
    assert deposit(bench).expires_at() == ends + timedelta(days=7)
    bench.clock.forward(days=29)
    bench.controller.tick()
    assert bench.state(D1) == "expired"
    await bench.command("new_code", deposit=D1)
    assert bench.state(D1) == "stored", "asked for in time by the citizen, if late for the box"


async def test_an_inventory_stops_every_hand_over_until_somebody_has_looked(bench: Bench) -> None:
    compartment, code = await bench.load(D1)
    visit = await bench.controller.present(NUMBER, code)
    await bench.command("inventory", actor="account:staff")
    assert bench.state(D1) == "blocked"
    with pytest.raises(VisitOverError):
        await bench.controller.release(visit.token)
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)
    await bench.command("confirm_loaded", deposit=D1)
    assert bench.state(D1) == "blocked", "nobody has looked yet"
    await bench.command("recall", deposit=D1)
    await bench.opened(compartment)
    await bench.close(compartment, item=True)
    await bench.command("confirm_loaded", deposit=D1)
    assert bench.state(D1) == "stored"
    with pytest.raises(RefusedError):
        await bench.controller.present(NUMBER, code)
    assert (await bench.controller.present(NUMBER, bench.code(D1))).deposit == D1
