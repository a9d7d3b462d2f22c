"""The n-th call to the disk fails, for every n, and the disk is full from the n-th write on: a whole hand-over.

No door opens without its entry on disk, nothing is half applied, the box says that it is out of order instead of
going on, and when the disk works again nothing is lost. SERVICEPUNKT_TEST_POWER_EVERY says which of the calls are
tried: 1 in the nox session, fewer in CI.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import apsw
import pytest
from powercut.disk import Disk, Image, Platter
from powercut.sqlite import connect_to

from servicepunkt.dokbox import model
from servicepunkt.dokbox.errors import DiskError, DokboxError, OutOfOrderError, RefusedError
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.lines import Unlocked
from servicepunkt.dokbox.model import Entry, State
from servicepunkt.dokbox.testing import Bench, Doors

EVERY = int(os.environ.get("SERVICEPUNKT_TEST_POWER_EVERY", "3"))
NUMBER, D1 = "+4915112345678", "01980000-0000-7000-8000-000000000001"
WHILE_BROKEN = (DokboxError, LookupError)
OPENING = ("open_for_load", "redeem", "recall")


class Faulty:
    """A disk whose n-th call fails: once (EIO), or from then on for whatever writes (ENOSPC)."""

    def __init__(self, nth: int, *, full: bool) -> None:
        self.nth, self.full, self.calls, self.broken = nth, full, 0, False

    def __call__(self, call: str) -> None:
        if self.full and call != "write":
            return
        self.calls += 1
        if self.calls == self.nth or (self.full and self.nth and self.calls > self.nth):
            self.broken = True
            raise apsw.FullError if self.full else apsw.IOError

    def mend(self) -> None:
        self.nth = 0


def kept(disk: Disk) -> Image:
    """What a power cut leaves at least: whatever was synced, and nothing else."""
    platter = Platter.of(disk.start, "")
    for operation in disk.operations:
        platter.take(operation)
    platter.waiting.clear()
    platter.naming.clear()
    return platter.cut(random.Random(0))


def seen(disk: Disk) -> Image:
    """What the next process sees where the power was not cut."""
    return {name: disk.read(inode, disk.size(inode), 0) for name, inode in disk.names.items()}


def entries_on(image: Image, folder: Path) -> list[Entry]:
    journal = Journal(folder / "journal.sqlite", connect_to(Disk(image)))
    try:
        return list(journal.entries())
    finally:
        journal.close()


class WatchedDoors(Doors):
    """Opens a door only where an entry that says so is on disk, once for each such entry."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        super().__init__()
        self._disk, self._folder = disk, folder

    async def unlock(self, compartment: int) -> Unlocked:
        written = entries_on(kept(self._disk), self._folder)
        allowed = sum(entry.event in OPENING and entry.compartment == compartment for entry in written)
        assert allowed > self.pulses[compartment], "a door opens and the disk does not know of it"
        return await super().unlock(compartment)


class HandOver:
    """One document from the desk to the citizen; each step may fail, and people go on with the next."""

    def __init__(self, folder: Path, fault: Faulty) -> None:
        self.folder, self.fault, self.disk = folder, fault, Disk()
        self.doors = WatchedDoors(self.disk, folder / "look")
        self.bench = Bench(folder / "box", doors=self.doors, connect=connect_to(self.disk, fault=fault))
        self.code = "000000"
        self.token = ""

    def steps(self) -> Iterator[Callable[[], Awaitable[object]]]:
        controller, bench = self.bench.controller, self.bench
        yield bench.look
        yield lambda: bench.reserve(D1, NUMBER)
        yield lambda: bench.command("open_for_load", deposit=D1)
        yield lambda: bench.opened(7)
        yield lambda: bench.close(7, item=True)
        yield self.read_code
        yield lambda: bench.command("notice_accepted", deposit=D1, version=1)
        yield self.mistype
        yield self.present
        yield lambda: controller.confirm(self.token, "old_document", answer=True)
        yield lambda: controller.release(self.token)
        yield lambda: bench.opened(7)
        yield lambda: bench.close(7, item=False)
        yield self.tick

    async def attempt(self, step: Callable[[], Awaitable[object]]) -> None:
        """What fails because the disk does is what people see as out of order; nothing else may fail."""
        try:
            await step()
        except WHILE_BROKEN:
            if not self.fault.broken:
                raise

    async def read_code(self) -> None:
        self.code = self.bench.code(D1)

    async def mistype(self) -> None:
        with pytest.raises((RefusedError, *WHILE_BROKEN)) as refused:
            await self.bench.controller.present(NUMBER, "999999")
        if not isinstance(refused.value, RefusedError):
            raise refused.value

    async def present(self) -> None:
        self.token = (await self.bench.controller.present(NUMBER, self.code)).token

    async def tick(self) -> None:
        self.bench.controller.tick()

    async def run(self) -> None:
        for step in self.steps():
            pulses = dict(self.doors.pulses)
            was_broken = self.bench.journal.failed
            await self.attempt(step)
            if was_broken:
                assert self.doors.pulses == pulses, "a box that is out of order opens a door"
            self.check()

    def check(self) -> None:
        """Memory is what the disk has, or the disk is known to have failed and memory is a state that it had."""
        controller = self.bench.controller
        box = controller.ledger.box
        written = entries_on(kept(self.disk), self.folder / "look")
        assert len(written) >= box.seq, "the box believes what is not on its disk"
        assert model.replay(written[: box.seq]) == box
        if self.bench.journal.failed:
            assert not controller.healthy
            assert controller.troubles == ("disk",)
            with pytest.raises(OutOfOrderError):
                controller.require_open()
        else:
            assert len(written) == box.seq


async def restart_on(image: Image, hand_over: HandOver, folder: Path) -> None:
    """The disk works again: whatever was acknowledged is there, and the document gets to somebody."""
    before = hand_over.bench.controller.ledger.box
    disk = Disk(image)
    doors = Doors()
    doors.closed, doors.items = dict(hand_over.doors.closed), dict(hand_over.doors.items)
    bench = Bench(hand_over.folder / "box", doors=doors, connect=connect_to(disk))
    assert list(bench.journal.entries())[: before.seq] == entries_on(kept(hand_over.disk), folder)[: before.seq]
    await bench.look()
    assert bench.controller.healthy
    assert bench.controller.troubles == ()
    for compartment in (n for n, closed in doors.closed.items() if not closed):
        await bench.opened(compartment)
        await bench.close(compartment, item=doors.items[compartment])
    deposit = bench.controller.ledger.deposit(D1)
    if deposit is not None and doors.items[7]:
        bench.commands = bench.controller.ledger.box.command
        if (deposit.state, model.Event.RECALL) in model.MOVES:
            await bench.command("recall", deposit=D1)
            await bench.opened(7)
            await bench.close(7, item=False)
        assert bench.state(D1) is None or bench.state(D1) in (State.RESERVED, State.LOADING)
    bench.put_away()


async def calls(tmp_path: Path, *, full: bool) -> int:
    """How many calls a hand-over makes where nothing fails."""
    fault = Faulty(0, full=full)
    hand_over = HandOver(tmp_path / "counting", fault)
    await hand_over.run()
    assert hand_over.bench.last_state(D1) == State.DONE
    hand_over.bench.put_away()
    return fault.calls


@pytest.mark.parametrize("full", [False, True], ids=["eio", "full"])
async def test_the_disk_fails_in_every_place(tmp_path: Path, full: bool) -> None:
    total = await calls(tmp_path, full=full)
    assert total > 50
    failed = 0
    for nth in range(1 + random.randrange(EVERY), total + 1, EVERY):
        fault = Faulty(nth, full=full)
        try:
            hand_over = HandOver(tmp_path / str(nth), fault)
        except DiskError:
            assert fault.broken
            continue
        await hand_over.run()
        failed += hand_over.bench.journal.failed
        fault.mend()
        for number, image in enumerate((kept(hand_over.disk), seen(hand_over.disk))):
            await restart_on(image, hand_over, tmp_path / f"{nth}-{number}")
        hand_over.bench.put_away()
    assert failed


async def test_a_disk_that_failed_once_is_not_believed_again(tmp_path: Path) -> None:
    """The sync failed, the next one succeeds: what the first should have kept may be gone all the same."""
    fault = Faulty(0, full=False)
    hand_over = HandOver(tmp_path, fault)
    await hand_over.bench.look()
    fault.nth = fault.calls + 1
    with pytest.raises(DiskError):
        await hand_over.bench.reserve(D1, NUMBER)
    for _ in range(2):
        with pytest.raises(DiskError):
            hand_over.bench.controller.ledger.note("started")
    assert hand_over.bench.controller.troubles == ("disk",)
    assert hand_over.doors.pulses == dict.fromkeys(hand_over.doors.pulses, 0)
    hand_over.bench.put_away()
