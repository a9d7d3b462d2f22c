"""Simulated box-years in an hour of one processor, of small boxes with bad luck and of a city's box."""

from __future__ import annotations

import sys

import _report as report

sys.path.insert(0, str(report.folder().parent / "tests"))

from simulation import campaign
from simulation.profile import Profile, rough
from simulation.run import Outcome, simulate

ROUGH_DAYS, CITY_DAYS = 60.0, 14.0
DOCUMENTS, DWELL_DAYS = 20_000, 5.0


def measure(options: report.Options) -> report.Result:
    small = [run(rough(seed), seed, ROUGH_DAYS) for seed in range(1, options.runs + 1)]
    city = [run(campaign.year(DOCUMENTS, DWELL_DAYS), seed, CITY_DAYS) for seed in range(1, options.runs + 1)]
    rows = [row("small box with bad luck", small), row(f"box of a city, {DOCUMENTS:,} documents a year", city)]
    figures = {"rough_years_an_hour": rate(small), "city_years_an_hour": rate(city)}
    columns = ["world", "runs", "days each", "steps a day", "CPU ms a step", "box-years in a CPU-hour"]
    note = (
        "A step is an entry of the journal, a pulse, a message, a typed code, a move of a hand or a fault. Every box "
        "is the product's controller, journal, link and vault; Argon2id runs at its lowest cost."
    )
    return report.Result([report.Table("Simulated time", columns, rows, note)], figures)


def run(profile: Profile, seed: int, days: float) -> Outcome:
    outcome = simulate(profile, seed, days)
    if outcome.finding is not None:
        raise SystemExit(f"seed {seed} violates {outcome.finding.invariant}: a finding, no measurement")
    report.say(f"{profile.name} {seed}: {outcome.seconds:.1f} s of the processor")
    return outcome


def rate(outcomes: list[Outcome]) -> float:
    """Box-years in an hour of one processor."""
    return sum(one.days for one in outcomes) / 365 / sum(one.seconds for one in outcomes) * 3600


def row(name: str, outcomes: list[Outcome]) -> list[str]:
    days, steps = sum(one.days for one in outcomes), sum(one.steps for one in outcomes)
    each = [3600 / one.seconds * one.days / 365 for one in outcomes]
    cost = 1000 * sum(one.seconds for one in outcomes) / steps
    return [
        name,
        str(len(outcomes)),
        f"{outcomes[0].days:.0f}",
        f"{steps / days:,.0f}",
        f"{cost:.2f}",
        report.spread(each, ",.1f"),
    ]


if __name__ == "__main__":
    report.main("box_years", measure, runs=3)
