"""Short runs: a seed is a history, nothing is violated, and a violation says how to see it again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from simulation import campaign
from simulation.profile import rough
from simulation.run import Outcome, simulate

HERE = Path(__file__).parent
DAYS = 12.0


def command(*arguments: str, hash_seed: str = "0") -> tuple[int, list[Outcome], str]:
    """The command in a process of its own: exit code, outcomes, what it said on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "simulation", "--json", *arguments],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout, done.stderr
    return done.returncode, msgspec.json.decode(done.stdout, type=list[Outcome]), done.stderr


def test_one_seed_gives_one_history_in_every_process() -> None:
    """Also where sets of text come in another order."""
    (_, (one,), _), (_, (other,), _) = (
        command("--years", "0.02", "--seeds", "5..5", hash_seed=hash_seed) for hash_seed in ("1", "2")
    )
    assert one.steps > 100
    assert one.digest == other.digest
    assert one.counts == other.counts


def test_another_seed_gives_another_history() -> None:
    assert simulate(rough(1), 1, 3.0).digest != simulate(rough(1), 2, 3.0).digest


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_short_run_violates_nothing(seed: int) -> None:
    outcome = simulate(rough(seed), seed, DAYS)
    assert outcome.finding is None, "\n".join([outcome.finding.detail, *outcome.finding.last, outcome.finding.repeat])
    assert outcome.counts["taken"] >= 1
    assert outcome.counts["power_cut"] > 0


def test_a_week_of_a_year() -> None:
    """A small town's: the box is as large as the plan says, and hardly ever full."""
    outcome = simulate(campaign.year(2000, 4.0), 1, 7.0)
    assert outcome.finding is None
    assert outcome.compartments == campaign.planned(2000, 4.0).compartments
    assert outcome.counts["reserve"] > 20
    assert outcome.counts["declined:full"] == 0 if "declined:full" in outcome.counts else True


def test_a_violation_says_how_to_see_it_again() -> None:
    code, (found,), _ = command("--years", "0.05", "--seeds", "1..1", "--plant", "pulse_before_redeem")
    assert code == 1
    assert found.finding is not None
    assert found.finding.repeat.endswith("--years 0.05 --seeds 1..1 --plant pulse_before_redeem")
    assert any("pulse" in line for line in found.finding.last)
    _, (again,), _ = command(*found.finding.repeat.partition(" -- ")[2].split())
    assert (again.digest, again.finding) == (found.digest, found.finding)
