"""The hand-over at the box: what citizens, clerks and doors do, each step journaled before the next may happen."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import msgspec

from servicepunkt.dokbox import model, pins, wire
from servicepunkt.dokbox.boards import CabinetError
from servicepunkt.dokbox.cabinet import Cabinet
from servicepunkt.dokbox.controller import doors
from servicepunkt.dokbox.controller.codes import Codes, Patience
from servicepunkt.dokbox.controller.doors import Doors
from servicepunkt.dokbox.controller.ledger import Clock, Details, Ledger
from servicepunkt.dokbox.errors import (
    ClosedError,
    DokboxError,
    OutOfOrderError,
    RefusedError,
    VisitOverError,
)
from servicepunkt.dokbox.events import Event as CabinetEvent
from servicepunkt.dokbox.journal import Journal, Secret
from servicepunkt.dokbox.model import Deposit, Entry, Event, State, Step
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
    `visit_idle` is longer than the screen waits and warns, so that "Go on" never comes too late.
    """

    first_sight: float = 5.0
    visit_idle: float = 180.0
    refusal: float = 1.0
    refusal_longest: float = 16.0
    refusal_window: float = 600.0
    refusals_free: int = 10
    tick: float = 0.25


class Visit(msgspec.Struct):
    """A citizen in front of the box, from the right code to the closed door. Lives in memory only."""

    token: str
    deposit: str
    compartment: int
    kind: str
    state: State
    version: int
    last_seen: float
    asked: tuple[Step, ...] = ()
    confirmed: tuple[Step, ...] = ()
    left_open: bool = False

    @property
    def next_question(self) -> Step | None:
        if self.state is State.CONFIRMING:
            return "removal"
        return next((step for step in self.asked if step not in self.confirmed), None)


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
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._cabinet = cabinet
        self._randomness = randomness
        self._numbers = numbers
        self._hours = hours
        self._timing = timing or Timing()
        self._monotonic = monotonic
        self._sleep = sleep
        self._journal = journal
        self.ledger = Ledger(journal, clock, self._heard)
        self.codes = Codes(self.ledger, vault, randomness=randomness, randbelow=randbelow, cost=cost)
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
        self.changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._attempt = asyncio.Lock()
        self._visits: dict[str, Visit] = {}

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
        return hmac.digest(self._vault.locator_key, b"forms", "sha256").hex()

    @property
    def healthy(self) -> bool:
        """Whether doors can be seen and opened; `doors.seen` says which."""
        return bool(self.doors.seen) and not self.distrusted

    @property
    def distrusted(self) -> bool:
        """Whether the centre knows another history of this box: then nothing is handed out until staff have looked."""
        return self._journal.meta("distrusted") is not None

    def distrust(self) -> None:
        """The journal was rolled back or copied: codes in it may be spent. Stays so over restarts."""
        if not self.distrusted:
            with self._journal.transaction():
                self._journal.put_meta("distrusted", b"1")
            self.ledger.note("distrusted")

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
            try:
                return await self._present(number, code)
            except RefusedError:
                now = self._monotonic()
                pause = started + self._patience.refused(now, tried=pins.is_code(code)) - now
        await self._sleep(max(0.0, pause))
        raise RefusedError

    async def _present(self, number: str, code: str) -> Visit:
        config = self._configured()
        locator = self.codes.locator(self._numbers(number, config.countries) or "")
        async with self._lock:
            found = self.codes.count_attempt(locator, limit=config.max_attempts) if pins.is_code(code) else []
        key = await self.codes.stretch(locator, code, config)
        async with self._lock:
            deposit = self.codes.judge(key, found, config)
            if deposit is None:
                raise RefusedError
            return self._start_visit(deposit)

    def _start_visit(self, deposit: Deposit) -> Visit:
        policy = self._configured().policy(deposit.kind)
        visit = Visit(
            token=self._randomness(16).hex(),
            deposit=deposit.id,
            compartment=deposit.compartment,
            kind=deposit.kind,
            state=State.PRESENTED,
            version=deposit.version,
            last_seen=self._monotonic(),
            asked=policy.confirmations if policy else (),
        )
        self._visits[visit.token] = visit
        return visit

    def visit(self, token: str) -> Visit:
        """The visit of `token`. Raises VisitOverError."""
        visit = self._visits.get(token)
        if visit is None:
            raise VisitOverError
        visit.last_seen = self._monotonic()
        return visit

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
            if deposit is None or deposit.state is not State.PRESENTED or step not in visit.asked:
                raise VisitOverError
            if answer:
                visit.confirmed = (*visit.confirmed, step) if step not in visit.confirmed else visit.confirmed
            else:
                self.ledger.record(Event.WITHDRAW, deposit, data={"reason": f"{step}:no"})
                self._visits.pop(token, None)
            return visit

    async def release(self, token: str) -> Visit:
        """Spend the code, then open the door: in this order, each once, whatever fails in between.

        Whoever began before closing time may finish: the visit itself ends after three idle minutes.
        """
        self.require_healthy()
        async with self._lock:
            visit = self.visit(token)
            deposit = self.ledger.deposit(visit.deposit)
            current = deposit is not None and deposit.state is State.PRESENTED and deposit.version == visit.version
            if deposit is None or not current or visit.next_question is not None:
                raise VisitOverError
            self.doors.require_seen(deposit.compartment)
            data = {"confirmed": ",".join(visit.confirmed), "item": self.doors.items.get(deposit.compartment)}
            self.ledger.record(Event.REDEEM, deposit, data=data, also=lambda _: self._journal.shred(deposit.id))
            await self.doors.open(deposit)
            return visit

    async def leave(self, token: str) -> None:
        """The citizen ends the visit; before the door has opened the code stays valid."""
        async with self._lock:
            visit = self._visits.pop(token, None)
            deposit = self.ledger.deposit(visit.deposit) if visit else None
            if deposit is not None and deposit.state is State.PRESENTED:
                self.ledger.record(Event.WITHDRAW, deposit, data={"reason": "left"})

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
                await self._carry_out(command, max(now, centre_time) if centre_time else now)
            except (DokboxError, CabinetError) as error:
                if self.ledger.box.command < command.seq:
                    self._decline(command, error.code)

    def _decline(self, command: wire.Command, reason: str) -> None:
        data = {"command": command.seq, "kind": command.kind, "reason": reason}
        self.ledger.note("command_declined", deposit_id=command.deposit, data=data)

    async def _carry_out(self, command: wire.Command, now: datetime) -> None:
        if command.kind in wire.OPENS_A_DOOR and (command.valid_until is None or now > command.valid_until):
            self._decline(command, "too_late")
            return
        match command.kind:
            case "reserve":
                self._reserve(command)
            case "open_for_load":
                await self._open_for(Event.OPEN_FOR_LOAD, command)
            case "recall":
                await self._open_for(Event.RECALL, command)
            case "confirm_loaded":
                await self._confirm_loaded(command)
            case "new_code":
                deposit = self._commanded(command)
                model.move(deposit.state, Event.NEW_CODE)
                data: Details = {"command": command.seq, "actor": command.actor}
                await self.codes.make(Event.NEW_CODE, deposit, data, self._configured())
            case "notice_accepted" | "notice_failed":
                self._notice(command)
            case "cancel":
                self._cancel(command)
            case "compartment_in":
                if command.compartment not in self._cabinet.compartments:
                    self._decline(command, "no_such_compartment")
                else:
                    self.ledger.note("compartment_in", compartment=command.compartment, data={"command": command.seq})

    def _cancel(self, command: wire.Command) -> None:
        """Give a reservation up; a compartment that was open before is looked into before it is used again."""
        deposit = self._commanded(command)
        self.ledger.record(Event.CANCEL, deposit, data={"command": command.seq})
        if deposit.opened_at is not None:
            self.doors.take_out(deposit.compartment, "cancelled_after_opening")

    def _commanded(self, command: wire.Command) -> Deposit:
        deposit = self.ledger.deposit(command.deposit)
        if deposit is None:
            raise VisitOverError
        return deposit

    def _reserve(self, command: wire.Command) -> None:
        config = self._configured()
        policy = config.policy(command.document)
        if policy is None or self.ledger.deposit(command.deposit) is not None:
            self._decline(command, "unknown_document" if policy is None else "known")
            return
        context = wire.phone_context(config.tenant, config.box, command.deposit)
        number = self._vault.unseal(bytes.fromhex(command.sealed), context=context).decode()
        locator = self.codes.locator(number)
        if len(self._journal.secrets_of(locator)) >= model.MAX_DEPOSITS_PER_PHONE:
            self._decline(command, "too_many_for_this_number")
            return
        compartment = model.choose_compartment(
            self.ledger.box,
            compartments=config.compartments,
            rows=config.rows,
            rows_by_reach=config.rows_by_reach,
            full=self.doors.unfit,
        )
        if compartment is None:
            self._decline(command, "full")
            return
        self.ledger.reserve(
            command.deposit,
            compartment,
            data={"command": command.seq, "kind": policy.type, "hold_days": policy.hold_days, "actor": command.actor},
            also=lambda _: self._journal.put_secret(Secret(command.deposit, locator, 0, None)),
        )

    async def _open_for(self, event: Event, command: wire.Command) -> None:
        deposit = self._commanded(command)
        if event is not Event.RECALL:  # staff take out also what a box holds that is not believed any more
            self.require_healthy()
        self.doors.require_seen(deposit.compartment)
        item = self.doors.items.get(deposit.compartment)
        data: dict[str, str | int | bool | None] = {"command": command.seq, "actor": command.actor, "item": item}
        if event is Event.OPEN_FOR_LOAD and deposit.opened_at is None and item:
            # It should be empty: whose is it? Nobody's document is laid beside another's.
            self._decline(command, "compartment_not_empty")
            return

        def also(_: Entry) -> None:
            if event is Event.RECALL:
                self._journal.shred(deposit.id)

        if (after := self.ledger.record(event, deposit, data=data, also=also)) is not None:
            await self.doors.open(after)

    async def _confirm_loaded(self, command: wire.Command) -> None:
        deposit = self._commanded(command)
        if not deposit.confirmable:
            self._decline(command, "door_was_not_open")
            return
        data: Details = {"command": command.seq, "actor": command.actor}
        await self.codes.make(Event.CONFIRM_LOADED, deposit, data, self._configured())

    def _notice(self, command: wire.Command) -> None:
        deposit = self._commanded(command)
        if deposit.version != command.version:
            self._decline(command, "of_an_older_code")
            return
        event = Event.NOTICE_ACCEPTED if command.kind == "notice_accepted" else Event.NOTICE_FAILED
        self.ledger.record(event, deposit, data={"command": command.seq, "version": command.version})

    # --- the doors and time ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the doors until cancelled."""
        self.ledger.note("started")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ticks())
            tasks.create_task(self._watch_doors())

    async def _watch_doors(self) -> None:
        async for event in self._cabinet.events():
            async with self._lock:
                await self.on_cabinet(event)

    async def on_cabinet(self, event: CabinetEvent) -> None:
        """Take in what the cabinet says; the caller holds the lock."""
        await self.doors.on_cabinet(event)

    async def _ticks(self) -> None:
        while True:
            await self._sleep(self._timing.tick)
            async with self._lock:
                self.tick()

    def tick(self) -> None:
        """What time alone brings about; the caller holds the lock."""
        now = self._monotonic()
        for visit in [v for v in self._visits.values() if now - v.last_seen > self._timing.visit_idle]:
            self._visits.pop(visit.token, None)
            deposit = self.ledger.deposit(visit.deposit)
            if deposit is not None and deposit.state is State.PRESENTED:
                self.ledger.record(Event.WITHDRAW, deposit, data={"reason": "idle"})
        self.doors.tick(now)
        self._expire()
        visited = {visit.deposit for visit in self._visits.values()}
        for deposit in list(self.ledger.box.deposits.values()):
            if deposit.state is State.CONFIRMING and deposit.id not in visited:
                self.ledger.record(Event.NOT_TAKEN, deposit, data={"reason": "idle"})

    def _expire(self) -> None:
        present = self.ledger.now()
        for deposit in list(self.ledger.box.deposits.values()):
            expires = deposit.expires_at()
            if expires is not None and expires <= present and (deposit.state, Event.EXPIRE) in model.MOVES:
                self.ledger.record(Event.EXPIRE, deposit, also=lambda _, d=deposit: self.codes.forget(d))  # type: ignore[misc]

    # --- the rest ---------------------------------------------------------------------------------------------

    def _configured(self) -> wire.BoxConfig:
        if self.config is None:
            raise OutOfOrderError
        return self.config

    def _heard(self, entry: Entry, deposit: Deposit | None) -> None:
        """After each entry: tell the visit, end what is over, wake the link to the centre."""
        if deposit is not None and entry.state:
            for visit in [visit for visit in self._visits.values() if visit.deposit == entry.deposit]:
                if deposit.version != visit.version or State(entry.state) in model.COLLECTABLE:
                    # Whoever comes back to this document types its code again.
                    del self._visits[visit.token]
                    continue
                visit.state = State(entry.state)
                visit.left_open = visit.left_open or entry.event == Event.LEFT_OPEN
            if State(entry.state) not in model.DOOR_COMMANDED:
                self.doors.stop_watching(entry.deposit)
        self.changed.set()
