"""The judge sees what it should, each invariant is checked somewhere, and the world shares no rule with the box."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from simulation import clockwork, profile
from simulation.cabinet import Document
from simulation.clockwork import DAY, VirtualLoop
from simulation.invariants import INVARIANTS, NAMES, Violation
from simulation.truth import Actor, Known
from simulation.world import World

HERE = Path(__file__).parent
#: What parts of the world may know of the product: how frames, messages and events are written, none of its rules.
FORMATS = {
    "cabinet": {"boards", "bus", "debounce", "events", "lines"},
    "centre": {"wire", "vault"},
    "clockwork": set(),
    "disk": set(),
    "faults": set(),
    "invariants": set(),
    "judge": set(),
    "network": set(),
    "people": {"boards", "errors"},
    "profile": set(),
    "staff": set(),
    "truth": set(),
}


def test_every_invariant_is_checked_and_every_check_is_listed() -> None:
    sources = "".join((HERE / f"{name}.py").read_text("utf-8") for name in ("judge", "world"))
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
        self.document = Document(id="d1", kind="licence", phone="+4915112345678", thin=False)
        self.judge.documents["d1"] = self.document
        self.known = self.judge.known["d1"] = Known("d1", 3, "licence", "notified", 1, codes={1: "123456"})
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
        case.known.kind = "passport"
        release(case, owner(case))

    assert violated(tmp_path, play) == "questions_answered"


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
