"""Cut the power at random moments of random days, again and again: `python -m powercut.campaign --cuts 200000`.

Each day is played once on a disk that writes down every operation, then cut at many moments. What is left is opened
with the standard library's SQLite by the real journal, which must hold every acknowledged transaction whole, at most
the one that was on its way besides, and a chain of entries without a fault. Days also begin on what a cut has left.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from powercut.disk import Acknowledged, Image, Platter
from powercut.sqlite import state_of
from powercut.story import Story
from servicepunkt.dokbox import model
from servicepunkt.dokbox.errors import DiskError, JournalError
from servicepunkt.dokbox.journal import Journal

CUTS_A_DAY, STEPS_A_DAY, DAYS_ON_ONE_DISK = 250, 12, 3
BATCH = 2000
# Logs that are taken over into the database often, seldom, or only when the journal is closed.
CHECKPOINTS = ("3", "10", "40", "1000")


@dataclass(frozen=True)
class Bad:
    """A cut after which the journal was not what it has to be."""

    seed: int
    operation: int
    what: str


@dataclass(frozen=True)
class Outcome:
    cuts: int
    days: int
    acknowledged: int
    bad: tuple[Bad, ...]

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.cuts + other.cuts,
            self.days + other.days,
            self.acknowledged + other.acknowledged,
            self.bad + other.bad,
        )


NOTHING = Outcome(0, 0, 0, ())


def open_again(image: Image, folder: Path) -> str:
    """The state that the real journal finds on what the cut has left. Raises DiskError or JournalError."""
    folder.mkdir()
    try:
        for name, content in image.items():
            (folder / name).write_bytes(content)
        opened: list[sqlite3.Connection] = []

        def connect(path: Path, **options: Any) -> sqlite3.Connection:
            opened.append(sqlite3.connect(path, **options))
            return opened[0]

        journal = Journal(folder / "journal.sqlite", connect)
        try:
            model.replay(journal.entries())
            return state_of(opened[0])
        finally:
            journal.close()
    finally:
        shutil.rmtree(folder)


def judge(platter: Platter, image: Image, folder: Path) -> str:
    """What is wrong with the journal after this cut; empty when nothing is."""
    try:
        state = open_again(image, folder)
    except (DiskError, JournalError, sqlite3.Error) as error:
        return f"does not open: {error.__cause__ or error}"
    return "" if state in platter.allowed else "acknowledged entries are lost, or half of others is there"


def cut_day(story: Story, first: str, *, cuts: int, seed: int, folder: Path) -> tuple[list[Bad], Image, str]:
    """Cut one day at `cuts` moments; also returns what the last cut has left, and the state that it holds."""
    chance = random.Random(seed)
    operations = story.disk.operations
    moments = sorted(chance.randrange(len(operations) + 1) for _ in range(cuts))
    platter, done = Platter.of(story.disk.start, first), 0
    bad: list[Bad] = []
    image: Image = story.disk.start
    for moment in moments:
        for operation in operations[done:moment]:
            platter.take(operation)
        done = moment
        image = platter.cut(chance)
        if what := judge(platter, image, folder / "cut"):
            bad.append(Bad(seed, moment, what))
            image = {}
    return bad, image, open_again(image, folder / "last") if image else ""


def campaign(cuts: int, seed: int, pragmas: Mapping[str, str] | None = None) -> Outcome:
    """So many cuts, in one process."""
    total = NOTHING
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        nothing = open_again({}, folder / "nothing")
        image: Image = {}
        while total.cuts < cuts:
            chance = random.Random(f"{seed}/{total.days}")
            if total.days % DAYS_ON_ONE_DISK == 0 or not image:
                image, state = {}, nothing
                shutil.rmtree(folder / "box", ignore_errors=True)
            settings = {"wal_autocheckpoint": chance.choice(CHECKPOINTS), **(pragmas or {})}
            story = Story(folder / "box", chance, start=image, **settings)
            asyncio.run(story.run(STEPS_A_DAY))
            story.bench.put_away()
            wanted = min(CUTS_A_DAY, cuts - total.cuts)
            bad, image, state = cut_day(story, state, cuts=wanted, seed=seed * 100_003 + total.days, folder=folder)
            acknowledged = sum(isinstance(operation, Acknowledged) for operation in story.disk.operations)
            total += Outcome(wanted, 1, acknowledged, tuple(bad))
    return total


def _one(batch: tuple[int, int, Mapping[str, str]]) -> Outcome:
    return campaign(*batch)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="power_loss", description=__doc__)
    parser.add_argument("--cuts", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--synchronous", default="", help="instead of the journal's own FULL, to see what is lost")
    given = parser.parse_args(arguments)
    pragmas = {"synchronous": given.synchronous} if given.synchronous else {}
    sizes = [min(BATCH, given.cuts - start) for start in range(0, given.cuts, BATCH)]
    begun, total = time.monotonic(), NOTHING
    with ProcessPoolExecutor(given.processes) as processes:
        batches = [(size, given.seed + number, pragmas) for number, size in enumerate(sizes)]
        for outcome in processes.map(_one, batches):
            total += outcome
    seconds = time.monotonic() - begun
    for bad in total.bad[:20]:
        print(f"  seed {bad.seed}, before operation {bad.operation}: {bad.what}")
    print(
        f"power loss: seed {given.seed}, {total.cuts} cuts in {total.days} days with {total.acknowledged} acknowledged "
        f"transactions, {seconds:.0f} s, {total.cuts / seconds:.0f} cuts/s, {len(total.bad)} bad"
    )
    return 1 if total.bad else 0


if __name__ == "__main__":
    sys.exit(main())
