"""Many runs: all seeds of a campaign, or all planted faults; with progress for people and JSON for programs."""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from servicepunkt.dokbox import plan

from . import report
from .mutants import MUTANTS
from .planting import Mutant
from .profile import YEAR, Profile, rough
from .run import Outcome, simulate

T = TypeVar("T")
MUTANT_YEARS = 0.2  # box-years of each seed for a planted fault
MUTANT_SEEDS = 16
MUTANT_SECONDS = 1800  # of a clock for one seed; a fault may also make a world that never ends
REFUSED = 0.01


class Planned(msgspec.Struct, frozen=True):
    """What queueing theory says of the year."""

    load: float
    compartments: int
    refused: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a planted fault; `seed` is 0 where it was not found. `seconds` are of the processor."""

    mutant: str
    about: str
    invariant: str
    seed: int
    day: float
    seconds: float


def planned(documents: int, dwell_days: float) -> Planned:
    """The compartments that `box plan` asks for, without a hold period: documents that lie long are in it."""
    line = plan.line(plan.Demand(documents=documents, dwell_days=dwell_days), None, refused=REFUSED)
    return Planned(line.load, line.compartments, plan.blocking(line.load, line.compartments))


def year(documents: int, dwell_days: float) -> Profile:
    """A city's year in a box as large as the plan says."""
    compartments = planned(documents, dwell_days).compartments
    return msgspec.structs.replace(YEAR, documents=documents, dwell_days=dwell_days, compartments=compartments)


def profile_for(given: argparse.Namespace, seed: int) -> Profile:
    return year(given.documents, given.dwell_days) if given.profile == YEAR.name else rough(seed)


def one(given: argparse.Namespace, seed: int) -> Outcome:
    """One seed; in a process of its own where there are several."""
    return simulate(profile_for(given, seed), seed, given.years * 365, mutant=given.plant)


def simulate_seeds(given: argparse.Namespace) -> int:
    """Run the seeds; 1 when an invariant was violated."""
    began = time.monotonic()
    work = partial(one, given)
    if given.jobs > 1 and not given.plant:
        with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
            ended = watched(pool.imap_unordered(work, given.seeds), len(given.seeds), "box-years", report.line)
            outcomes = sorted(ended, key=lambda outcome: outcome.seed)
    else:
        outcomes = list(watched(map(work, given.seeds), len(given.seeds), "box-years", report.line))
    shown = report.Campaign(outcomes, time.monotonic() - began)
    if given.json:
        sys.stdout.write(msgspec.json.encode(outcomes).decode() + "\n")
    else:
        report.show(shown, planned(given.documents, given.dwell_days) if given.profile == YEAR.name else None)
    return 1 if any(outcome.finding for outcome in outcomes) else 0


def watched(results: Iterable[T], total: int, what: str, line: Callable[[T], str]) -> Iterator[T]:
    """With a bar on standard error, and a line for each result as it comes."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total)
        for result in results:
            progress.console.print(line(result), highlight=False, soft_wrap=True)
            progress.advance(task)
            yield result


def find_mutants(given: argparse.Namespace) -> int:
    """Plant each fault; 1 when one of them is not found."""
    with ThreadPoolExecutor(given.jobs) as threads:
        found = list(watched(threads.map(look_for, MUTANTS), len(MUTANTS), "planted faults", report.mutant_line))
    if given.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        report.show_mutants(found)
    return 1 if any(not one.seed for one in found) else 0


def look_for(mutant: Mutant, *, seeds: int = MUTANT_SEEDS, years: float = MUTANT_YEARS) -> Found:
    """Run seed after seed with a planted fault, each in a process of its own, until an invariant is violated."""
    seconds = 0.0
    for seed in range(1, seeds + 1):
        command = [sys.executable, "-m", "simulation", "--plant", mutant.name, "--json"]
        command += ["--years", str(years), "--seeds", f"{seed}..{seed}"]
        where = Path(__file__).parent.parent
        try:
            done = subprocess.run(
                command, cwd=where, capture_output=True, check=False, text=True, timeout=MUTANT_SECONDS
            )
        except subprocess.TimeoutExpired:
            seconds += MUTANT_SECONDS
            continue
        if not done.stdout:
            raise RuntimeError(f"{mutant.name}, seed {seed}: {done.stderr[-2000:]}")
        (outcome,) = msgspec.json.decode(done.stdout, type=list[Outcome])
        seconds += outcome.seconds
        if (finding := outcome.finding) is not None:
            return Found(
                mutant=mutant.name,
                about=mutant.about,
                invariant=finding.invariant,
                seed=seed,
                day=finding.day,
                seconds=seconds,
            )
    return Found(mutant=mutant.name, about=mutant.about, invariant="", seed=0, day=0.0, seconds=seconds)
