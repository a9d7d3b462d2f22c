"""One command, and the power cut at every single write of it: whatever is left, nobody's document is forgotten."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from servicepunkt.dokbox.controller.service import Controller
from servicepunkt.dokbox.errors import RefusedError
from servicepunkt.dokbox.testing import Bench
from servicepunkt.dokbox.wire import Person
from simulation.disk import Disk, Power, PowerCut
from simulation.kinds import policies
from simulation.slot import OldDocument, Reader, Slot

D1, D2 = "01980000-0000-7000-8000-000000000001", "01980000-0000-7000-8000-000000000002"
NUMBER, OTHER = "+4915112345678", "+4915112345679"
MOST_WRITES = 12


class Quick(Reader):
    """A slot that takes no time."""

    async def _work(self) -> bool:
        return False


class CutBench(Bench):
    """A box on the bench whose power can be cut at a write."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.disk = disk
        super().__init__(folder)

    def _start(self) -> Controller:
        self.power = Power()
        self.connect = self.disk.connect(self.power)
        return super()._start()

    def cut_after(self, writes: int) -> None:
        left = writes

        def step() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.power.on = False
                self.disk.lose()
                self.power.need()

        self.disk.step = step


@pytest.mark.parametrize("writes", range(1, MOST_WRITES))
async def test_a_cancelled_loading_is_looked_into_wherever_the_power_goes(tmp_path: Path, writes: int) -> None:
    """A thin booklet lies in, the sensor misses it, the clerk gives up: nothing else is laid beside it."""
    bench = CutBench(tmp_path, Disk(random.Random(1)))
    await bench.look()
    await bench.reserve(D1)
    compartment = bench.controller.ledger.box.deposits[D1].compartment
    await bench.command("open_for_load", deposit=D1)
    await bench.opened(compartment)
    await bench.close(compartment, item=False)
    bench.cut_after(writes)
    try:
        await bench.command("cancel", deposit=D1)
    except PowerCut:
        bench.disk.step = lambda: None
        await bench.restart()
        bench.commands = bench.controller.ledger.box.command  # the centre hands out what was not answered
        if bench.state(D1):
            await bench.command("cancel", deposit=D1)
    bench.disk.step = lambda: None
    assert bench.state(D1) is None
    assert compartment in bench.controller.ledger.box.out_of_service
    await bench.reserve(D2, OTHER)
    assert bench.controller.ledger.box.deposits[D2].compartment != compartment


async def opens(bench: Bench, number: str, code: str) -> bool:
    try:
        await bench.controller.present(number, code)
    except RefusedError:
        return False
    return True


@pytest.mark.parametrize("writes", range(1, MOST_WRITES))
@pytest.mark.parametrize("stands_there", [False, True])
async def test_a_corrected_person_is_the_only_one_wherever_the_power_goes(
    tmp_path: Path, writes: int, *, stands_there: bool
) -> None:
    """Before the correction is on disk the earlier person's code opens, after it nothing of his does."""
    bench = CutBench(tmp_path, Disk(random.Random(1)))
    await bench.look()
    _, code = await bench.load(D1)
    if stands_there:
        await bench.controller.present(NUMBER, code)
    wanted = {"deposit": D1, "sealed": bench.sealed(D1, Person(phone=OTHER))}
    bench.cut_after(writes)
    try:
        await bench.command("new_person", **wanted)
    except PowerCut:
        bench.disk.step = lambda: None
        await bench.restart()
        taken = bench.controller.ledger.box.command == bench.commands
        assert await opens(bench, NUMBER, code) == (not taken)
        if not taken:
            bench.commands -= 1
            await bench.command("new_person", **wanted)
    bench.disk.step = lambda: None
    assert not await opens(bench, NUMBER, bench.code(D1))
    assert await opens(bench, OTHER, bench.code(D1))


@pytest.mark.parametrize("writes", range(1, MOST_WRITES))
async def test_an_old_document_is_void_or_looked_after_wherever_the_power_goes(tmp_path: Path, writes: int) -> None:
    slot = Slot()
    bench = CutBench(tmp_path, Disk(random.Random(1)))
    bench.slot = Quick(slot, Power(), random.Random(1), trouble=0.0)
    await bench.restart()
    config = bench.controller.config
    assert config is not None
    bench.controller.configure(msgspec.structs.replace(config, policies=policies(14)))
    await bench.reserve(D1, document="identity", birth_date=None, old_document="C01X00T47", actor="first clerk")
    compartment = bench.controller.ledger.box.deposits[D1].compartment
    await bench.command("open_for_load", deposit=D1, actor="second clerk")
    await bench.opened(compartment)
    await bench.close(compartment, item=True)
    message = bench.message(D1)
    visit = await bench.controller.present(message["number"], message["code"])
    await bench.controller.call_staff(visit.token)
    await bench.command("attest", deposit=D1, call=visit.called, answer=True)
    old = OldDocument("C01X00T47")
    slot.put(old)
    bench.cut_after(writes)
    try:
        await bench.controller.hand_in(visit.token)
    except PowerCut:
        bench.disk.step = lambda: None
        await bench.restart()
    bench.disk.step = lambda: None
    known = [entry.event for entry in bench.journal.entries() if entry.deposit == D1]
    done = bench.controller.ledger.box.deposits[D1].done == ("old_document_chip",)
    assert old.place == "kept" if done else True
    assert done or "old_document_unclear" in known if old.place == "kept" else not done
