"""Planted faults: all of them fit today's source, and a handful of them is found here; `--mutants` finds all."""

from __future__ import annotations

import pytest

from simulation import campaign, mutants, planting
from simulation.invariants import NAMES
from simulation.mutants import MUTANTS
from simulation.planting import Change, Mutant, NotPlantedError

# Of doors, codes, numbers, disk, steps, persons, keys and clerks. Each is found in the first days.
QUICK = (
    "pulse_before_redeem",
    "never_locked",
    "salt_shredded",
    "no_flush",
    "code_buys_guesses",
    "drawn_in_unsaid",
    "corrected_for_the_centre_alone",
    "key_ignored",
    "two_eyes",
)


def test_there_are_many_and_each_has_a_name() -> None:
    assert len({one.name for one in MUTANTS}) == len(MUTANTS) >= 30


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_a_fault_fits_the_source(one: Mutant) -> None:
    """When this fails the source has changed: look for what the fault is now, do not drop it."""
    for module in {change.module for change in one.changes}:
        source = planting.source_of(module)
        changed = planting.planted(source, [change for change in one.changes if change.module == module])
        assert changed != source
        compile(changed, module, "exec")


def test_a_fault_that_does_not_fit_is_refused() -> None:
    with pytest.raises(NotPlantedError, match="2 times"):
        planting.planted("a = 1\nb = 1\n", [Change("x", "= 1", "= 2")])
    with pytest.raises(NotPlantedError, match="0 times"):
        planting.planted("a = 1\n", [Change("x", "= 3", "= 2")])


def test_a_fault_is_not_planted_into_what_runs_already() -> None:
    with pytest.raises(NotPlantedError, match="already imported"):
        planting.plant(MUTANTS[0])


@pytest.mark.parametrize("name", QUICK)
def test_a_fault_is_found(name: str) -> None:
    found = campaign.look_for(mutants.BY_NAME[name], seeds=4, years=0.1)
    assert found.invariant in NAMES
