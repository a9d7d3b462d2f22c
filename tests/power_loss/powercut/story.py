"""Days at a box, drawn at random: documents laid in, collected, taken back and forgotten, on the real controller."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from powercut.disk import Disk, Image
from powercut.sqlite import Fault, connect_to, no_fault
from servicepunkt.dokbox.errors import RefusedError
from servicepunkt.dokbox.model import COLLECTABLE, MOVES, Event, State
from servicepunkt.dokbox.testing import Bench, Doors

NUMBERS = ("+4915112345678", "+4915112345679", "+4915112345680")


class Story:
    """A box on a disk of its own; `step` does one thing that people do at a box."""

    def __init__(
        self,
        folder: Path,
        chance: random.Random,
        *,
        start: Image | None = None,
        fault: Fault = no_fault,
        **pragmas: str,
    ) -> None:
        self.disk = Disk(start)
        self.chance = chance
        self.codes: dict[str, tuple[str, str]] = {}
        connect = connect_to(self.disk, fault=fault, **pragmas)
        self.bench = Bench(folder, doors=Doors(16), seed=chance.randrange(2**32), connect=connect)
        self.bench.commands = self.bench.controller.ledger.box.command

    async def run(self, steps: int) -> None:
        await self.bench.look()
        for _ in range(steps):
            await self.step()

    async def step(self) -> None:
        ledger = self.bench.controller.ledger
        deposits = sorted(ledger.box.deposits)
        what = self.chance.random()
        if not deposits or what < 0.25:
            await self.lay_in(str(UUID(int=self.chance.getrandbits(128))))
        elif what < 0.7:
            await self.visit(self.chance.choice(deposits))
        elif what < 0.8:
            await self.take_back(self.chance.choice(deposits))
        elif what < 0.9:
            self.hear_of_the_centre()
        elif what < 0.96:
            self.bench.clock.forward(days=self.chance.choice((0, 1, 15)))
            self.bench.controller.tick()
        else:
            await self.bench.restart()

    async def lay_in(self, deposit: str) -> None:
        number = self.chance.choice(NUMBERS)
        await self.bench.reserve(deposit, number)
        if deposit not in self.bench.controller.ledger.box.deposits:
            return  # too many for this number, or the box is full
        await self.bench.command("open_for_load", deposit=deposit)
        compartment = self.bench.controller.ledger.box.deposits[deposit].compartment
        await self.bench.opened(compartment)
        await self.bench.close(compartment, item=True)
        if self.bench.state(deposit) == State.STORED:
            self.codes[deposit] = (number, self.bench.code(deposit))
            await self.bench.command("notice_accepted", deposit=deposit, version=1)

    async def visit(self, deposit: str) -> None:
        found = self.bench.controller.ledger.box.deposits[deposit]
        number, code = self.codes.get(deposit, (NUMBERS[0], "000000"))
        typed = code if self.chance.random() < 0.6 else "999999"
        try:
            visit = await self.bench.controller.present(number, typed)
        except RefusedError:
            return
        if self.chance.random() < 0.2:
            await self.bench.controller.leave(visit.token)
            return
        for step in visit.asked:
            await self.bench.controller.confirm(visit.token, step, answer=True)
        await self.bench.controller.release(visit.token)
        await self.bench.opened(found.compartment)
        await self.bench.close(found.compartment, item=self.chance.random() < 0.1)

    async def take_back(self, deposit: str) -> None:
        found = self.bench.controller.ledger.box.deposits[deposit]
        if found.state in COLLECTABLE and self.chance.random() < 0.5:
            await self.bench.command("new_code", deposit=deposit)
            self.codes[deposit] = (self.codes.get(deposit, (NUMBERS[0], ""))[0], self.bench.code(deposit))
        elif (found.state, Event.RECALL) in MOVES:
            await self.bench.command("recall", deposit=deposit)
            await self.bench.opened(found.compartment)
            await self.bench.close(found.compartment, item=False)

    def hear_of_the_centre(self) -> None:
        """The centre has everything: what was sealed for it is deleted, as the link does it."""
        journal, seq = self.bench.journal, self.bench.controller.ledger.box.seq
        with journal.transaction():
            journal.put_meta("acknowledged", str(seq).encode())
            journal.drop_envelopes(up_to=seq, before=self.bench.clock.now() + timedelta(days=1))
