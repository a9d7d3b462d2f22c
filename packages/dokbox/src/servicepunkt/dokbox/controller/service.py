"""The hand-over at the box: what citizens, clerks and doors do, each step journaled before the next may happen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from servicepunkt.dokbox import model, pins, wire
from servicepunkt.dokbox.boards import CabinetError
from servicepunkt.dokbox.cabinet import Cabinet
from servicepunkt.dokbox.controller import doors
from servicepunkt.dokbox.controller.anchor import STARTED, anchor_of
from servicepunkt.dokbox.controller.codes import Codes, Patience
from servicepunkt.dokbox.controller.doors import Doors
from servicepunkt.dokbox.controller.ledger import Clock, Ledger
from servicepunkt.dokbox.controller.orders import Orders
from servicepunkt.dokbox.controller.peppers import DEFAULT_LIFE, Peppers
from servicepunkt.dokbox.controller.visits import Call, Visit, Visits
from servicepunkt.dokbox.errors import (
    ClosedError,
    DiskError,
    DokboxError,
    OutOfOrderError,
    RefusedError,
)
from servicepunkt.dokbox.events import Event as CabinetEvent
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.model import Deposit, Entry, Event, State
from servicepunkt.dokbox.policy import Step
from servicepunkt.dokbox.slot import Slot, SlotError
from servicepunkt.dokbox.vault import Vault


class OpeningHours(Protocol):
    """Whether people may collect at an instant; the house's hours algebra stands behind it."""

    def is_open(self) -> bool: ...


class Numbers(Protocol):
    """Turns what a person typed into a mobile number in E.164, or None."""

    def __call__(self, typed: str, countries: tuple[str, ...], /) -> str | None: ...


class Timing(doors.Timing, frozen=True, kw_only=True):
    """Seconds. `refusal`: every refusal is answered this long after it was asked, so that its time says nothing.

    `first_sight`: how long a command that opens a door waits for the doors to be seen, right after the start.
    `visit_idle` is longer than the screen waits and warns, so that "Go on" never comes too late; `visit_identifying` is
    how long somebody may be away on the terminal's pages.
    """

    first_sight: float = 5.0
    visit_idle: float = 180.0
    visit_identifying: float = wire.IDENTIFY_SECONDS
    refusal: float = 1.0
    refusal_longest: float = 16.0
    refusal_window: float = 600.0
    refusals_free: int = 10
    tick: float = 0.25


class Controller:
    """One box. `run()` serves the doors; the other methods are called by pages and by the link to the centre."""

    def __init__(
        self,
        journal: Journal,
        vault: Vault,
        cabinet: Cabinet,
        *,
        clock: Clock,
        randomness: Callable[[int], bytes],
        randbelow: Callable[[int], int],
        numbers: Numbers,
        hours: Callable[[wire.BoxConfig], OpeningHours],
        timing: Timing | None = None,
        cost: pins.Cost = pins.DEFAULT_COST,
        pepper_life: timedelta = DEFAULT_LIFE,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        slot: Slot | None = None,
    ) -> None:
        self._slot = slot
        self.vault = vault
        self._clock = clock
        self._cabinet = cabinet
        self._numbers = numbers
        self._hours = hours
        self._timing = timing or Timing()
        self._monotonic = monotonic
        self._sleep = sleep
        self._journal = journal
        anchor = anchor_of(journal, vault.derived("anchor"), vault.counter)
        self.ledger = Ledger(journal, clock, self._heard, anchor=anchor)
        self.peppers = Peppers(self.ledger, vault, life=pepper_life)
        self.codes = Codes(
            self.ledger,
            vault,
            randomness=randomness,
            randbelow=randbelow,
            cost=cost,
            config=self._configured,
            peppers=self.peppers,
        )
        self._visits = Visits(
            self.ledger, self.codes, randomness=randomness, monotonic=monotonic, config=self._configured
        )
        self.doors = Doors(
            self.ledger, self.codes, cabinet, timing=self._timing, monotonic=monotonic, config=self._configured
        )
        self._patience = Patience(
            shortest=self._timing.refusal,
            longest=self._timing.refusal_longest,
            window=self._timing.refusal_window,
            free=self._timing.refusals_free,
        )
        self.config: wire.BoxConfig | None = self._stored_config()
        self.distrusted = journal.meta("distrusted") is not None
        self._revoked = journal.meta("revoked") is not None
        self.changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._attempt = asyncio.Lock()
        self._handing_in = asyncio.Lock()
        self._orders = Orders(
            self.ledger,
            self.codes,
            self.doors,
            self._visits,
            self.peppers,
            config=self._configured,
            require_healthy=self.require_healthy,
            compartments=cabinet.compartments,
        )
        if anchor is not None and not anchor.holds(self.ledger.box):
            self.distrust()
        self.peppers.compare()

    # --- configuration ----------------------------------------------------------------------------------------

    def _stored_config(self) -> wire.BoxConfig | None:
        raw = self._journal.meta("config")
        return msgspec.json.decode(raw, type=wire.BoxConfig) if raw else None

    def configure(self, config: wire.BoxConfig) -> None:
        """Keep what the centre said, for the days on which it says nothing."""
        with self._journal.transaction():
            self._journal.put_meta("config", msgspec.json.encode(config))
        self.config = config

    @property
    def form_secret(self) -> str:
        """By which the box's own pages recognise their forms, also after a restart."""
        return self.vault.derived("forms").hex()

    @property
    def healthy(self) -> bool:
        """Whether doors can be seen and opened; `doors.seen` says which."""
        return bool(self.doors.seen) and not self.troubles

    @property
    def troubles(self) -> tuple[wire.Trouble, ...]:
        """Why the box hands nothing out although it sees its doors, for staff."""
        found: dict[wire.Trouble, bool] = {
            "disk": self._journal.failed,
            "distrusted": self.distrusted,
            "pepper": not self.vault.ready,
            "vault": self.peppers.foreign,
            "clock": self.ledger.clock_is_behind,
            "counter": self.ledger.anchor is not None and self.ledger.anchor.failed,
            "revoked": self._revoked,
        }
        return tuple(trouble for trouble, present in found.items() if present)

    def distrust(self) -> None:
        """The journal was rolled back or copied: codes in it may be spent. Stays so over restarts.

        `distrusted` says so; then nothing is handed out until staff have looked.
        """
        if not self.distrusted:
            self.ledger.note("distrusted", also=lambda _: self._journal.put_meta("distrusted", b"1"))
            self.distrusted = True

    def switch(self, *, off: bool) -> None:
        """The centre has switched this computer off, or speaks with it again. Stays so over restarts."""
        if off == self._revoked:
            return
        self._revoked = off
        with suppress(DiskError), self._journal.transaction():
            if off:
                self._journal.put_meta("revoked", b"1")
            else:
                self._journal.drop_meta("revoked")

    def require_healthy(self) -> wire.BoxConfig:
        """The configuration of a box that sees its doors. Raises OutOfOrderError."""
        if self.config is None or not self.healthy:
            raise OutOfOrderError
        return self.config

    def require_open(self) -> None:
        """Raises OutOfOrderError or ClosedError."""
        if not self._hours(self.require_healthy()).is_open():
            raise ClosedError

    # --- the citizen ------------------------------------------------------------------------------------------

    async def present(self, number: str, code: str) -> Visit:
        """A number and a code were typed: start a visit, or raise RefusedError in the same words and time as ever.

        What cannot be a code (nothing, letters, another length) is refused alike, but is no attempt.
        """
        self.require_open()
        started = self._monotonic()
        async with self._attempt:
            config = self._configured()
            tried = code if self.codes.could_be(code, config) else None
            visit = await self._present(self._locator(number, config), tried, config)
            if visit is not None:
                return visit
            now = self._monotonic()
            pause = started + self._patience.refused(now, tried=tried is not None) - now
        await self._sleep(max(0.0, pause))
        raise RefusedError

    async def _present(self, locator: bytes, code: str | None, config: wire.BoxConfig) -> Visit | None:
        async with self._lock:
            found = self.codes.count_attempt(locator, code, limit=config.max_attempts) if code is not None else []
        key = await self.codes.stretch(locator, code, config)
        async with self._lock:
            deposit = self.codes.judge(key, found, config)
            return self._visits.start(deposit) if deposit else None

    def _locator(self, typed: str, config: wire.BoxConfig) -> bytes:
        """What was typed is a mobile number, or else a pick-up number; they have different lengths."""
        if phone := self._numbers(typed, config.countries):
            return self.codes.locator("phone", phone)
        digits = "".join(typed.split())
        return self.codes.locator("pickup_number", digits if digits.isascii() and digits.isdigit() else "")

    def visit(self, token: str) -> Visit:
        """The visit of `token`. Raises VisitOverError."""
        return self._visits.of(token)

    async def confirm(self, token: str, step: Step, *, answer: bool) -> Visit:
        """Answer one question.

        Before the door opens "no" ends the visit and leaves the code valid: the document waits for the counter. After
        it was closed (`removal`) "no" leaves the compartment to staff.
        """
        async with self._lock:
            visit = self.visit(token)
            deposit = self.ledger.deposit(visit.deposit)
            if deposit is not None and deposit.state is State.CONFIRMING and step == "removal":
                self.ledger.record(Event.TAKEN if answer else Event.NOT_TAKEN, deposit)
                return visit
            return self._visits.confirm(token, step, answer=answer)

    async def prove(self, token: str, step: Step, typed: str) -> None:
        """Compare what was typed besides the code. Raises RefusedError, in the same time as a wrong code."""
        started = self._monotonic()
        async with self._lock:
            if self._visits.prove(token, step, typed):
                return
            now = self._monotonic()
            pause = started + self._patience.refused(now) - now
        await self._sleep(max(0.0, pause))
        raise RefusedError

    async def send_fresh(self, token: str) -> Visit:
        """Send a code that is good for minutes. Raises VisitOverError when that was done too often."""
        async with self._lock:
            return self._visits.send_fresh(token)

    async def hand_in(self, token: str) -> Visit:
        """Read the old document in the slot, and keep it if it is the right one; `Visit.slot` says why not."""
        async with self._handing_in:
            async with self._lock:
                visit, _ = self._visits.presented(token, "old_document_chip")
            try:
                if self._slot is None:
                    raise SlotError("silent")
                number = await self._slot.read()
                async with self._lock:
                    expected = self._visits.is_expected(token, number)
                if not expected:
                    await self._slot.give_back()
                    return visit
                await self._slot.keep()
            except SlotError as error:
                visit.slot = error.reason
                return visit
            async with self._lock:
                self._visits.took_in(token)
            return visit

    async def call_staff(self, token: str) -> Visit:
        """Ask staff to come to the box; what they say comes from the centre."""
        async with self._lock:
            return self._visits.call_staff(token)

    async def begin_identifying(self, token: str) -> Call:
        """Somebody goes to the terminal's pages to identify; what comes of it comes from the centre."""
        async with self._lock:
            return self._visits.begin_identifying(token)

    async def release(self, token: str) -> Visit:
        """Spend the code, then open the door: in this order, each once, whatever fails in between.

        Whoever began before closing time may finish: the visit itself ends after three idle minutes.
        """
        async with self._lock:
            self.require_healthy()
            visit, deposit = self._visits.presented(token, None)
            self.doors.require_seen(deposit.compartment)
            data = {"confirmed": ",".join(visit.confirmed), "item": self.doors.items.get(deposit.compartment)}
            self.ledger.record(Event.REDEEM, deposit, data=data, also=lambda _: self._journal.shred(deposit.id))
            await self.doors.open(deposit)
            return visit

    async def leave(self, token: str) -> None:
        """The citizen ends the visit; before the door has opened the code stays valid."""
        async with self._lock:
            self._visits.end(token, "left")

    # --- commands of the centre -------------------------------------------------------------------------------

    async def handle(self, command: wire.Command, *, centre_time: datetime | None = None) -> None:
        """Carry out one command. Each leaves exactly one entry that names it, so that none is done twice.

        `centre_time` is when the centre handed it out: a box whose clock is behind opens nothing for an old order.
        """
        if command.kind in wire.OPENS_A_DOOR:
            await self.doors.first_sight(self._timing.first_sight)
        async with self._lock:
            if command.seq <= self.ledger.box.command:
                return
            try:
                now = self._clock.now()
                await self._orders.carry_out(command, max(now, centre_time) if centre_time else now)
            except (DokboxError, CabinetError) as error:
                if self.ledger.box.command < command.seq:
                    self._orders.decline(command, error.code)

    # --- the doors and time ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the doors until cancelled; a box whose disk fails goes on saying that it is out of order."""
        with suppress(DiskError):
            self.ledger.note(STARTED)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ticks())
            tasks.create_task(self._watch_doors())

    async def _watch_doors(self) -> None:
        async for event in self._cabinet.events():
            async with self._lock:
                with suppress(DiskError):  # the box is out of order; the first look after a start sees what is
                    await self.on_cabinet(event)

    async def on_cabinet(self, event: CabinetEvent) -> None:
        """Take in what the cabinet says; the caller holds the lock."""
        await self.doors.on_cabinet(event)

    async def alive(self) -> None:
        """Returns as soon as nothing holds the box up; one that waits for ever for a disk or a chip never does."""
        async with self._lock:
            pass

    async def peppers_arrived(self) -> None:
        """The vault has what it waited for: codes that could not be made are made now."""
        async with self._lock:
            self.peppers.compare()
            await self.doors.catch_up()

    async def _ticks(self) -> None:
        while True:
            await self._sleep(self._timing.tick)
            async with self._lock:
                with suppress(DiskError):
                    self.tick()
                    await self.doors.catch_up()

    def tick(self) -> None:
        """What time alone brings about; the caller holds the lock."""
        self._visits.end_idle(self._timing.visit_idle, identifying=self._timing.visit_identifying)
        self.doors.tick(self._monotonic())
        self._expire()
        self.peppers.tick(self._monotonic())
        self._journal.clean()
        visited = {visit.deposit for visit in self._visits}
        for deposit in list(self.ledger.box.deposits.values()):
            if deposit.state is State.CONFIRMING and deposit.id not in visited:
                self.ledger.record(Event.NOT_TAKEN, deposit, data={"reason": "idle"})

    def _expire(self) -> None:
        present = self.ledger.now()
        for deposit in list(self.ledger.box.deposits.values()):
            expires = deposit.expires_at()
            if expires is not None and expires <= present and (deposit.state, Event.EXPIRE) in model.MOVES:
                self.ledger.record(Event.EXPIRE, deposit, also=lambda entry: self._journal.forget(entry.deposit))

    # --- the rest ---------------------------------------------------------------------------------------------

    def _configured(self) -> wire.BoxConfig:
        if self.config is None:
            raise OutOfOrderError
        return self.config

    def _heard(self, entry: Entry, deposit: Deposit | None) -> None:
        """After each entry: tell the visit, end what is over, wake the link to the centre."""
        if deposit is not None and entry.state:
            self._visits.heard(entry, deposit)
            if State(entry.state) not in model.DOOR_COMMANDED:
                self.doors.stop_watching(entry.deposit)
        self.changed.set()
