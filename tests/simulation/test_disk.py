"""The disk keeps what was committed and nothing else; nobody writes without power."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servicepunkt.dokbox import model
from servicepunkt.dokbox.journal import Journal
from simulation.disk import Disk, Power, PowerCut

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def journal(disk: Disk, power: Power, folder: Path) -> Journal:
    return Journal(folder / "journal.sqlite", connect=disk.connect(power))


def append(to: Journal, box: model.Box) -> model.Box:
    entry = model.next_entry(box, at=NOW, event="started")
    with to.transaction():
        to.append(entry)
    return model.apply(box, entry)


def entries(disk: Disk) -> int:
    return int(disk.database.execute("SELECT count(*) FROM entry").fetchone()[0])


def test_what_was_committed_stays_and_what_was_not_is_gone(tmp_path: Path) -> None:
    disk, power = Disk(random.Random(1)), Power()
    writing = journal(disk, power, tmp_path)
    box = append(writing, model.Box())

    def cut() -> None:
        if entries(disk) == 2:
            power.on = False
            disk.lose()
            power.need()

    disk.step = cut
    with pytest.raises(PowerCut):
        append(writing, box)
    assert entries(disk) == 1
    assert [entry.seq for entry in journal(disk, Power(), tmp_path).entries()] == [1]


def test_a_process_without_power_neither_writes_nor_reads(tmp_path: Path) -> None:
    disk, power = Disk(random.Random(1)), Power()
    writing = journal(disk, power, tmp_path)
    power.on = False
    with pytest.raises(PowerCut):
        append(writing, model.Box())
    with pytest.raises(PowerCut):
        list(writing.entries())
    assert entries(disk) == 0


def test_every_write_and_both_sides_of_a_commit_are_places_for_a_cut(tmp_path: Path) -> None:
    disk = Disk(random.Random(1))
    writing = journal(disk, Power(), tmp_path)
    seen: list[int] = []
    disk.step = lambda: seen.append(entries(disk) if not disk.database.in_transaction else -1)
    append(writing, model.Box())
    assert seen == [-1, -1, 1]


@pytest.mark.parametrize(("flushed", "kept"), [("FULL", {20}), ("NORMAL", {17, 18, 19, 20})])
def test_without_a_flush_the_last_transactions_may_be_lost(tmp_path: Path, flushed: str, kept: set[int]) -> None:
    left = set()
    for seed in range(20):
        disk = Disk(random.Random(seed))
        writing = journal(disk, Power(), tmp_path)
        disk.flushed = flushed == "FULL"
        box = model.Box()
        for _ in range(20):
            box = append(writing, box)
        disk.lose()
        left.add(entries(disk))
    assert left == kept


def test_what_people_are_told_is_told_after_the_commit(tmp_path: Path) -> None:
    disk = Disk(random.Random(1))
    writing = journal(disk, Power(), tmp_path)
    seen: list[int] = []
    disk.committed = lambda: seen.append(entries(disk))
    append(writing, append(writing, model.Box()))
    assert seen == [1, 2]
