"""One command, and the power cut at every single write of it: whatever is left, nobody's document is forgotten."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from servicepunkt.dokbox.controller.service import Controller
from servicepunkt.dokbox.testing import Bench
from simulation.disk import Disk, Power, PowerCut

D1, D2 = "01980000-0000-7000-8000-000000000001", "01980000-0000-7000-8000-000000000002"
OTHER = "+4915112345679"
MOST_WRITES = 12


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
