"""The page of what the simulation checks, and of the faults that it is shown to find."""

from __future__ import annotations

import sys
from pathlib import Path

from pages.markdown import code, table, title

TESTS = str(Path(__file__).resolve().parents[2] / "tests")
if TESTS not in sys.path:
    sys.path.append(TESTS)

from simulation.invariants import INVARIANTS  # noqa: E402 - the tests' folder is on the path only now
from simulation.mutants import MUTANTS  # noqa: E402


def simulation_page() -> str:
    intro = (
        "What must never happen around a box, and the faults that were planted to see whether it would be noticed. How "
        "to run it, and what it has shown: [Simulate years of a box](../how-to/simulate.md).\n"
    )
    checked = (
        "Checked at every pulse on a lock, every commit on the disk, every typed code, every message, every move of a "
        "hand, from what the simulated world saw, not from what the controller says of itself.\n"
    )
    planted = (
        "Each is a small change of the product's source, made while it is imported. "
        "`nox -s simulate -- --mutants` wants every one of them found.\n"
    )
    return "\n".join(
        [
            title("Invariants of the simulation"),
            intro,
            title("What holds at every step", 2),
            checked,
            table(("Name", "What holds"), ((code(one.name), one.sentence) for one in INVARIANTS)),
            title("Planted faults", 2),
            planted,
            table(("Name", "What it does"), ((code(one.name), one.about) for one in MUTANTS)),
        ]
    )
