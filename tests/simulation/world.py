"""One run: everything that is there, wired together, and the days until the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from pathlib import Path
from typing import Any

import msgspec

from servicepunkt.dokbox.errors import RefusedError
from servicepunkt.dokbox.testing import HPKE_PRIVATE, example_config

from .cabinet import Cabinet, Document
from .centre import Centre, Message
from .clockwork import DAY, Clocks, VirtualLoop, next_open
from .disk import Disk
from .invariants import Violation
from .judge import Judge
from .kinds import policies
from .machine import Machine, Quiet
from .network import Weather
from .profile import Profile
from .slot import Slot
from .truth import Actor, Trace

ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)
Ticket = tuple[str, str]  # number and code, as a message names them
SEEN = 6.0  # seconds after which a box has surely noticed what it sees
LAST_DAYS = 2.0  # nobody comes any more, nothing fails: everything has to settle


class World:
    """The parts of a run. `chance` is the one source of everything that is random."""

    def __init__(self, loop: VirtualLoop, folder: Path, profile: Profile, seed: int, days: float) -> None:
        self.loop, self.profile, self.days = loop, profile, days
        self.chance = random.Random(f"{profile.name} {seed}")
        self.clocks = Clocks(loop)
        self.trace = Trace()
        self.quiet = Quiet()
        self.weather = Weather(
            loss=profile.loss, duplication=profile.duplication, stale=profile.stale, slow=profile.slow_network
        )
        self.finished: asyncio.Future[None] = loop.create_future()
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.cabinet = Cabinet(profile.compartments, sensors=profile.sensors, seconds=loop.time)
        self.slot = Slot()
        self.disk = Disk(self.chance)
        config = make_config(profile)
        self.centre = Centre(
            config, HPKE_PRIVATE, self.chance, now=self.clocks.true, seconds=loop.time, spawn=self.spawn
        )
        self.centre.promises = profile.promises
        self.centre.message_fails, self.centre.message_takes = profile.message_fails, profile.slow_messages
        self.machine = Machine(
            folder,
            profile=profile,
            chance=self.chance,
            clocks=self.clocks,
            cabinet=self.cabinet,
            slot=self.slot,
            centre=self.centre,
            disk=self.disk,
            weather=self.weather,
            quiet=self.quiet,
            spawn=self.spawn,
            fired=self._fired,
            crashed=lambda why: self.judge.must(False, "keeps_running", why),
        )
        self.judge = Judge(
            clocks=self.clocks,
            cabinet=self.cabinet,
            disk=self.disk,
            centre=self.centre,
            trace=self.trace,
            hold_days=profile.hold_days,
            max_attempts=config.max_attempts,
            refusal=self.machine.timing.refusal,
            refusals_free=self.machine.timing.refusals_free,
            who=ACTOR.get,
            failed=self._failed,
        )
        self.documents: dict[str, Document] = self.judge.documents
        self.phones: dict[str, dict[str, Ticket]] = {}  # telephone: deposit: what arrived last
        self.old_codes: dict[str, list[Ticket]] = {}
        self.fresh: dict[str, list[str]] = {}  # deposit: fresh codes that arrived
        self.arrived: dict[str, asyncio.Event] = {}
        self.dwell: list[float] = []
        self.occupancy: list[int] = []
        self.steady_since = 0.0
        self.cut_in: int | None = None
        self._wire()

    def _wire(self) -> None:
        from .staff import attend

        self.disk.committed = self.judge.committed
        self.disk.step = self._write
        self.centre.delivered = self._delivered
        self.centre.called = lambda deposit, call: self.spawn(attend(self, deposit, call))
        self.slot.drawn = self.judge.asked.drew_in
        self.centre.taken_in = self.judge.made_code
        self.centre.disagreed = lambda why: self.judge.must(False, "histories_agree", why)
        self.cabinet.opened = lambda number: self.spawn(self._stands_open(number))
        self.loop.watch_work = self._work

    # ---- tasks -------------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Something that goes on by itself; a fault in it ends the run."""
        # A context of its own: what starts because of a citizen does not act in his name.
        task = self.loop.create_task(work, context=Context())
        self._tasks[task] = None
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None and not self.finished.done():
            self.finished.set_exception(error)

    def _failed(self, violation: Violation) -> None:
        if not self.finished.done():
            self.finished.set_exception(violation)

    @contextmanager
    def somebody(self, actor: Actor | None = None) -> Iterator[None]:
        """While a person is at the box, time is looked at closely."""
        self.quiet.begin()
        token = ACTOR.set(actor)
        try:
            yield
        finally:
            ACTOR.reset(token)
            self.quiet.end(self.clocks.seconds)

    # ---- what the parts tell -----------------------------------------------------------------------------------

    def _fired(self, number: int) -> None:
        actor = ACTOR.get()
        self.judge.fired(number, actor)
        if self.cabinet.fire(number) and actor is not None:
            actor.opened.append(number)

    def _work(self, begins: bool) -> None:
        actor = ACTOR.get()
        if actor is not None and begins:
            self.judge.looks(actor)
        elif actor is not None:
            self.judge.looking = max(0, self.judge.looking - 1)

    def _write(self) -> None:
        """Before and after each write: is it this one at which the power goes?"""
        if self.cut_in is not None:
            self.cut_in -= 1
            if self.cut_in <= 0:
                self.cut_in = None
                self.cut_power(self.chance.uniform(5, 120))
                self.machine.power.need()

    def _delivered(self, message: Message, values: dict[str, str]) -> None:
        if message.fresh:
            self.fresh.setdefault(message.deposit, []).append(values["code"])
            return
        self.judge.message(message.deposit, message.version, values["code"], message.phone)
        tickets = self.phones.setdefault(message.phone, {})
        if message.deposit in tickets:
            self.old_codes.setdefault(message.deposit, []).append(tickets[message.deposit])
        tickets[message.deposit] = values.get("number") or message.phone, values["code"]
        if message.deposit in self.arrived:
            self.arrived[message.deposit].set()

    async def _stands_open(self, number: int) -> None:
        """A door has opened, or is seen open again: what does the box make of it?"""
        since, compartment, sight = self.clocks.seconds, self.cabinet.compartments[number], self.sight
        for seconds in (SEEN, 2 * self.machine.timing.left_open):
            await asyncio.sleep(since + seconds - self.clocks.seconds)
            if compartment.closed or compartment.moved_at > since or sight is None or sight != self.sight:
                return
            if seconds == SEEN:
                self.judge.stands_open(number)
            else:
                self.judge.left_open(number, compartment.moved_at)

    async def _sees_again(self) -> None:
        """After every start and every darkness: the doors that stand open."""
        seen = self.sight
        while True:
            await asyncio.sleep(SEEN)
            if self.sight != seen and self.sight is not None:
                for number in [n for n, compartment in self.cabinet.compartments.items() if not compartment.closed]:
                    self.spawn(self._stands_open(number))
            seen = self.sight
            if not self.quiet.busy:
                await asyncio.sleep(10 * SEEN)

    @property
    def sight(self) -> tuple[int, int] | None:
        """None while a compartment cannot be seen; another value whenever that was so in between."""
        driver = self.machine.driver
        if not self.machine.power.on or driver is None or driver.dark:
            return None
        return self.machine.starts, driver.epoch

    # ---- power ---------------------------------------------------------------------------------------------------

    def cut_power(self, dark: float) -> None:
        if self.machine.power.on:
            self.judge.note("power_cut")
            self.machine.cut()
            self.judge.looking = 0
            self.spawn(self._restore(dark))

    async def _restore(self, dark: float) -> None:
        await asyncio.sleep(dark)
        if self.chance.random() < self.profile.no_battery:
            self.judge.note("clock_lost")
            self.clocks.set(-self.chance.uniform(60, 30 * DAY))
        self.boot()
        while self.weather.partition:
            await asyncio.sleep(60)
        # Now that there is a network the clock is set, as soon as somebody asks what time it is.
        await asyncio.sleep(self.chance.uniform(5, 1800))
        self.clocks.set(0.0)

    def boot(self) -> None:
        self.judge.booted()
        self.judge.note("power_on")
        self.steady_since = self.clocks.seconds
        self.machine.boot()
        self.judge.driver = self.machine.driver

    # ---- people's shorthand ----------------------------------------------------------------------------------------

    async def present(self, actor: Actor) -> Any:
        """Type number and code; a visit. Raises what the box says."""
        began, entitled = self.clocks.seconds, self.judge.typed(actor)
        try:
            visit = await self.machine.ask(lambda box: box.present(actor.number, actor.code))
        except RefusedError:
            self.judge.refused(actor, entitled, began=began)
            raise
        self.judge.accepted(actor, visit.deposit)
        return visit

    async def prove(self, actor: Actor, token: str, step: Any, typed: str) -> None:
        """Type what else is asked. Raises what the box says."""
        began, entitled = self.clocks.seconds, self.judge.asked.types(actor, step, typed)
        known = self.judge.known.get(actor.deposit)
        wrong = known is not None and not self.judge.asked.is_right(known, actor)
        try:
            await self.machine.ask(lambda box: box.prove(token, step, typed))
        except RefusedError:
            self.judge.asked.refused(actor, entitled, began=began, wrong=wrong)
            raise

    async def until_open(self) -> None:
        await asyncio.sleep(next_open(self.clocks.seconds) - self.clocks.seconds)

    def put(self, number: int, document: Document) -> None:
        self.cabinet.put(number, document)
        self.judge.put(number, document)

    # ---- the run ---------------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Nobody comes any more and nothing fails."""
        return self.clocks.seconds > (self.days - LAST_DAYS) * DAY

    async def run(self) -> None:
        """Until the last day, or a violation."""
        from . import care, faults, people, staff, tenant

        self.boot()
        await asyncio.sleep(60)
        for part in (*faults.PARTS, *people.PARTS, *staff.PARTS, *care.PARTS, *tenant.PARTS):
            self.spawn(part(self))
        self.spawn(self._sweeps())
        self.spawn(self._sees_again())
        self.loop.call_later(self.days * DAY - self.clocks.seconds, self._end)
        await self.finished

    async def _sweeps(self) -> None:
        while True:
            await asyncio.sleep(3600)
            self.occupancy.append(len(self.judge.by_compartment))
            if self.machine.power.on and self.machine.driver is not None:
                dark = max(self.machine.driver.dark.values(), default=0.0)
                steady = self.clocks.seconds - self.steady_since if not dark else 0.0
                connected = 0.0 if self.weather.partition else self.clocks.seconds - self.weather.changed_at
                self.judge.sweep(steady=steady, connected=connected)

    def _end(self) -> None:
        self.judge.must(
            len(self.centre.hashes) == self.judge.seq,
            "audit_complete",
            f"the centre has {len(self.centre.hashes)} of {self.judge.seq} entries",
        )
        if not self.finished.done():
            self.finished.set_result(None)


def make_config(profile: Profile) -> Any:
    """The box of the profile with the kinds of the world."""
    wanted = policies(profile.hold_days)
    return msgspec.structs.replace(example_config(), compartments=profile.compartments, policies=wanted)
