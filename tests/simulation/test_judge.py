"""The judge sees what it should, each invariant is checked somewhere, and the world shares no rule with the box."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from simulation import clockwork, profile
from simulation.cabinet import Document
from simulation.clockwork import DAY, VirtualLoop
from simulation.invariants import INVARIANTS, NAMES, Violation
from simulation.judge import BERLIN
from simulation.slot import OldDocument
from simulation.truth import Actor, Known, Told
from simulation.world import ACTOR, World

HERE = Path(__file__).parent
#: What parts of the world may know of the product: how frames, messages and events are written, none of its rules.
FORMATS = {
    "asked": set(),
    "care": set(),
    "cabinet": {"boards", "bus", "debounce", "events", "lines"},
    "centre": {"wire", "vault"},
    "clockwork": set(),
    "corrections": set(),
    "digits": set(),
    "disk": set(),
    "faults": set(),
    "invariants": set(),
    "judge": set(),
    "network": set(),
    "people": {"boards", "errors"},
    "profile": set(),
    "slot": {"slot"},
    "staff": set(),
    "steps": {"errors"},
    "tenant": set(),
    "truth": set(),
}


def test_every_invariant_is_checked_and_every_check_is_listed() -> None:
    sources = "".join((HERE / f"{name}.py").read_text("utf-8") for name in ("asked", "judge", "world"))
    used = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', sources)) & NAMES
    assert used == NAMES
    assert len(NAMES) == len(INVARIANTS)


@pytest.mark.parametrize("name", FORMATS)
def test_the_world_shares_no_rule_with_the_box(name: str) -> None:
    """It may read and write the formats; what it thinks of them is its own."""
    tree = ast.parse((HERE / f"{name}.py").read_text("utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("servicepunkt"):
            tail = (node.module or "").removeprefix("servicepunkt.dokbox").lstrip(".")
            imported |= {tail.partition(".")[0]} if tail else {alias.name for alias in node.names}
    assert imported <= FORMATS[name]


class Case:
    """A world in which nothing happens by itself, for one check."""

    def __init__(self, loop: VirtualLoop, folder: Path) -> None:
        self.world = World(loop, folder, profile.rough(1), 1, 10)
        self.judge = self.world.judge
        phone = "+4915112345678"
        self.document = Document(id="d1", kind="licence", phone=phone, thin=False, number=phone)
        self.judge.documents["d1"] = self.document
        self.known = self.judge.known["d1"] = Known("d1", 3, "licence", "notified", 1, codes={1: "123456"})
        self.known.number, self.known.told = phone, Told(phone, "1964-08-12", "C01X00T47")
        self.judge.by_compartment[3] = "d1"
        self.world.cabinet.put(3, self.document)


def violated(tmp_path: Path, play: object) -> str:
    """The name of the invariant that `play` violates, empty for none."""

    async def main(loop: VirtualLoop) -> str:
        case = Case(loop, tmp_path)
        play(case)  # type: ignore[operator]
        finished = case.world.finished
        error = finished.exception() if finished.done() else None
        assert error is None or isinstance(error, Violation)
        return error.name if error else ""

    return str(clockwork.run(main))


def owner(case: Case, **changed: str) -> Actor:
    actor = Actor(name="citizen", number=case.document.phone, code="123456")
    for field, value in changed.items():
        setattr(actor, field, value)
    return actor


def release(case: Case, actor: Actor) -> None:
    case.judge.used[3] = "d1"
    case.judge.fired(3, actor)


def test_the_owner_gets_his_document(tmp_path: Path) -> None:
    assert violated(tmp_path, lambda case: release(case, owner(case))) == ""


def test_a_second_opening(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        release(case, owner(case))
        release(case, owner(case))

    assert violated(tmp_path, play) == "one_hand_over"


@pytest.mark.parametrize("changed", [{"code": "654321"}, {"number": "+4915100000000"}])
def test_somebody_elses_number_or_code(tmp_path: Path, changed: dict[str, str]) -> None:
    assert violated(tmp_path, lambda case: release(case, owner(case, **changed))) == "right_hands"


def test_another_document_behind_the_door(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        other = Document(id="d2", kind="licence", phone="+4915100000000", thin=False)
        case.world.cabinet.compartments[3].documents = [other]
        release(case, owner(case))

    assert violated(tmp_path, play) == "right_hands"


def test_a_pulse_that_nobody_wrote_down(tmp_path: Path) -> None:
    assert violated(tmp_path, lambda case: case.judge.fired(3, None)) == "audit_complete"


def test_an_unanswered_question(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        case.known.steps = ("phone", "code", "old_document", "open", "close")
        release(case, owner(case))

    assert violated(tmp_path, play) == "questions_answered"


def asks(*steps: str) -> Callable[[Case], None]:
    def play(case: Case) -> None:
        case.known.steps = ("phone", "code", *steps, "open", "close")
        release(case, owner(case))

    return play


def test_a_step_that_was_not_done(tmp_path: Path) -> None:
    assert violated(tmp_path, asks("birth_date")) == "steps_done"
    assert violated(tmp_path, asks("old_document_chip", "staff_check")) == "steps_done"


def test_an_old_document_that_was_handed_in_before_counts(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        case.known.lasting.add("old_document_chip")
        asks("old_document_chip")(case)

    assert violated(tmp_path, play) == ""


def proved(step: str, typed: str, *, after: float = 0.0) -> Callable[[Case], None]:
    """The owner has had a fresh code, types something, and the box takes it for right."""

    def play(case: Case) -> None:
        actor = owner(case, deposit="d1")
        actor.fresh = [("111111", 0.0), ("222222", 0.0)]
        case.world.loop._instant.now = after
        token = ACTOR.set(actor)
        case.judge.asked.types(actor, step, typed)
        case.judge.asked.moved("step_done", case.known, {"step": step, "counted": True})
        ACTOR.reset(token)

    return play


def test_proofs_that_are_right(tmp_path: Path) -> None:
    assert violated(tmp_path, proved("birth_date", "1964-08-12")) == ""
    assert violated(tmp_path, proved("fresh_code", "222222")) == ""


def test_proofs_that_are_wrong(tmp_path: Path) -> None:
    assert violated(tmp_path, proved("birth_date", "1964-08-13")) == "proofs_right"
    assert violated(tmp_path, proved("fresh_code", "111111")) == "proofs_right", "it was replaced"
    assert violated(tmp_path, proved("fresh_code", "222222", after=200.0)) == "proofs_right", "its minutes are over"


def attested(*, call: int, answer: bool = True) -> Callable[[Case], None]:
    """Somebody calls with entry 7 and goes away, his successor with entry 9: what does an answer do?"""

    def play(case: Case) -> None:
        first, second = owner(case), owner(case)
        case.judge.asked.calls = {7: first, 9: second}
        case.judge.asked.visitors["d1"] = second
        case.world.centre.order("attest", "d1", call=call, answer=answer)
        case.judge.asked.moved("step_done", case.known, {"step": "staff_check", "command": 1})

    return play


def test_who_is_attested(tmp_path: Path) -> None:
    assert violated(tmp_path, attested(call=9)) == ""
    assert violated(tmp_path, attested(call=7)) == "call_answered"
    assert violated(tmp_path, attested(call=9, answer=False)) == "call_answered"


def drawn(number: str, *, unclear: bool) -> Callable[[Case], None]:
    def play(case: Case) -> None:
        case.known.unclear = unclear
        token = ACTOR.set(owner(case, deposit="d1"))
        case.judge.asked.drew_in(OldDocument(number))
        ACTOR.reset(token)

    return play


def test_an_old_document_in_the_slot(tmp_path: Path) -> None:
    assert violated(tmp_path, drawn("C01X00T47", unclear=True)) == ""
    assert violated(tmp_path, drawn("C01X00T47", unclear=False)) == "old_document_void"
    assert violated(tmp_path, drawn("C99X99T99", unclear=True)) == "old_document_void"


def corrected(case: Case) -> None:
    """Somebody else collects it, found by another number, and his code is made."""
    told = Told("+4915100000000", "1999-09-09", "C01X00T47")
    case.world.centre.order("new_person", "d1", told=told)
    case.judge._command(1, "new_code")
    case.known.number, case.known.version, case.known.codes[2] = told.phone, 2, "222222"


def test_the_earlier_person(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        corrected(case)
        release(case, owner(case, number="+4915112345678", code="222222"))

    assert violated(tmp_path, play) == "earlier_person_out"


def test_the_corrected_person(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        corrected(case)
        assert (case.document.phone, case.document.born) == ("+4915100000000", "1999-09-09")
        release(case, owner(case, code="222222"))

    assert violated(tmp_path, play) == ""


@pytest.mark.parametrize(
    ("version", "phone", "name"),
    [
        (1, "+4915112345678", ""),  # it was under way before
        (2, "+4915112345678", "earlier_person_out"),
        (2, "+4915100000000", ""),
    ],
)
def test_where_a_code_goes(tmp_path: Path, version: int, phone: str, name: str) -> None:
    def play(case: Case) -> None:
        corrected(case)
        case.judge.message("d1", version, case.known.codes[version], phone)

    assert violated(tmp_path, play) == name


def test_a_code_that_was_under_way_when_no_new_one_was_made(tmp_path: Path) -> None:
    """Staff correct the person of a document that only they may touch: its last code is dead, its message is not."""

    def play(case: Case, version: int) -> None:
        case.world.centre.order("new_person", "d1", told=Told("+4915100000000", "1999-09-09", "C01X00T47"))
        case.judge._command(1, "person_corrected")
        case.known.codes[2] = "222222"
        case.judge.message("d1", version, case.known.codes[version], "+4915112345678")

    assert violated(tmp_path, lambda case: play(case, 1)) == ""
    assert violated(tmp_path, lambda case: play(case, 2)) == "earlier_person_out"


def test_who_has_no_old_document_proves_himself(tmp_path: Path) -> None:
    def play(case: Case, *done: str) -> None:
        case.known.steps, case.known.without = ("phone", "code", "old_document", "open", "close"), "birth_date"
        actor = owner(case, deposit="d1")
        case.judge.asked.answers(actor, "old_document", yes=False)
        actor.done |= set(done)
        release(case, actor)

    assert violated(tmp_path, play) == "steps_done"
    assert violated(tmp_path, lambda case: play(case, "birth_date")) == ""


@pytest.mark.parametrize(("version", "looked"), [(1, 1), (2, 0)])
def test_a_new_code_counts_from_the_beginning(tmp_path: Path, version: int, looked: int) -> None:
    """Somebody waits for the answer to a wrong proof while staff correct the person."""

    def play(case: Case) -> None:
        actor = owner(case, deposit="d1")
        case.judge.asked.types(actor, "birth_date", "2000-01-01")
        case.known.version = version
        case.judge.asked.refused(actor, None, began=case.world.clocks.seconds - 1, wrong=True)
        assert case.known.looked == looked

    violated(tmp_path, play)


def test_a_door_with_a_key_in_it(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        case.known.unlooked = True
        release(case, owner(case))

    assert violated(tmp_path, play) == "looked_at_first"


@pytest.mark.parametrize(("second", "over", "name"), [(8, 9, ""), (8, 7, "expiry_kept"), (6, 7, "expiry_kept")])
def test_the_later_day_counts(tmp_path: Path, second: int, over: int, name: str) -> None:
    """Told of 7 January and of another day in January, and over in the first minute of a day."""

    def play(case: Case) -> None:
        for day in (7, second):
            case.judge._promised(case.known, date(2026, 1, day))
        now = datetime(2026, 1, over, tzinfo=BERLIN)
        case.judge.time = now
        case.judge._expired(case.known, now)

    assert violated(tmp_path, play) == name


@pytest.mark.parametrize(("ago", "name"), [(60.0, ""), (2000.0, "expiry_kept")])
def test_a_clock_that_was_just_put_right_has_shown_the_box_nothing_yet(tmp_path: Path, ago: float, name: str) -> None:
    def play(case: Case) -> None:
        case.known.promised = case.world.clocks.now() - timedelta(days=2)
        case.world.clocks.set_at = case.world.clocks.seconds - ago
        case.judge._sweep(case.known, case.world.clocks.seconds, DAY)

    assert violated(tmp_path, play) == name


def reserved(steps: str, told: Told, *, kept: bool = True) -> Callable[[Case], None]:
    def play(case: Case) -> None:
        case.world.centre.order("reserve", "d1", told=told)
        case.known.kind = "permit"
        case.judge.proofs = lambda deposit: {"birth_date"} if kept else set()  # type: ignore[method-assign]
        case.judge.asked.reserved(case.known, {"command": 1, "steps": steps, "without_old_document": "counter"})

    return play


def test_what_is_asked_is_what_the_tenant_file_said(tmp_path: Path) -> None:
    today, born = "phone,code,birth_date,fresh_code,open,removal,close", Told("+4915112345678", "1964-08-12")
    assert violated(tmp_path, reserved(today, born)) == ""
    assert violated(tmp_path, reserved(today, born, kept=False)) == "steps_can_be_done"
    assert violated(tmp_path, reserved("phone,code,open,removal,close", born)) == "steps_of_its_day"
    assert violated(tmp_path, reserved(today, Told("+4915112345678"))) == "steps_can_be_done"


@pytest.mark.parametrize(
    ("kind", "actor", "name"),
    [("identity", "first clerk", "four_eyes"), ("identity", "second clerk", ""), ("permit", "first clerk", "")],
)
@pytest.mark.parametrize("event", ["open_for_load", "confirm_loaded"])
def test_who_lays_it_in(tmp_path: Path, kind: str, actor: str, event: str, name: str) -> None:
    def play(case: Case) -> None:
        case.known.kind, case.known.announced_by = kind, "first clerk"
        case.world.centre.order(event, "d1", actor=actor)  # type: ignore[arg-type]
        case.judge._move(event, "d1", 3, "loading", {"command": 1}, datetime(2026, 1, 5, tzinfo=BERLIN))

    assert violated(tmp_path, play) == name


def test_two_documents_in_one_compartment(tmp_path: Path) -> None:
    other = Document(id="d2", kind="licence", phone="+4915100000000", thin=True)
    assert violated(tmp_path, lambda case: case.world.put(3, other)) == "one_compartment"


def test_an_old_code(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        case.known.version, case.known.codes = 2, {1: "123456", 2: "222222"}
        case.world.loop._instant.now = 12 * 3600
        case.judge.accepted(owner(case), "d1")

    assert violated(tmp_path, play) == "one_valid_code"


def test_a_document_that_nobody_knows_of(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        case.judge.by_compartment.clear()
        case.world.loop._instant.now = DAY
        case.judge.sweep(steady=DAY, connected=DAY)

    assert violated(tmp_path, play) == "nothing_forgotten"


def test_a_refusal_that_comes_too_soon(tmp_path: Path) -> None:
    assert violated(tmp_path, lambda case: case.judge.refused(owner(case), [], began=0.0)) == "refusals_alike"


def test_a_code_that_is_refused_although_it_is_right(tmp_path: Path) -> None:
    def play(case: Case) -> None:
        case.world.loop._instant.now = 5.0
        case.judge.refused(owner(case), [(case.known, 1)], began=1.0)

    assert violated(tmp_path, play) == "right_code_opens"
