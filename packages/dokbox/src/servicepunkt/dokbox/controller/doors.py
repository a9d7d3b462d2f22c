"""The doors of a box: firing a lock once, watching until the door is closed again, and what its sensors mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress

import msgspec

from servicepunkt.dokbox import model, wire
from servicepunkt.dokbox.boards import UNTRUSTED, BoardError
from servicepunkt.dokbox.bus import BusClosedError
from servicepunkt.dokbox.cabinet import Cabinet
from servicepunkt.dokbox.controller.codes import Codes
from servicepunkt.dokbox.controller.ledger import Ledger
from servicepunkt.dokbox.errors import OutOfOrderError, UnknownKindError, VaultError
from servicepunkt.dokbox.events import (
    BoardBack,
    BoardSilent,
    DoorClosed,
    DoorOpened,
    Event,
    ItemChanged,
    KeysTyped,
    LineFound,
    LineLost,
    LineNoise,
    Snapshot,
)
from servicepunkt.dokbox.model import Deposit, State


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `opens_within`: a lock that was fired and whose door nobody saw open has failed.

    `unlock_longest`: how long an unlock may wait for its turn on the lines; meanwhile the box does nothing else.
    """

    opens_within: float = 5.0
    unlock_longest: float = 20.0
    left_open: float = 60.0
    tick: float = 0.25


class Doors:
    """Turns what the cabinet says into entries of the ledger; the caller of every method holds the controller's lock.

    `seen` are the compartments whose sensors can be read now; without sight nothing is opened. `items` is what
    the sensors said last.
    """

    def __init__(
        self,
        ledger: Ledger,
        codes: Codes,
        cabinet: Cabinet,
        *,
        timing: Timing,
        monotonic: Callable[[], float],
        config: Callable[[], wire.BoxConfig],
    ) -> None:
        self.items: dict[int, bool | None] = {}
        self.seen: set[int] = set()
        self._ledger = ledger
        self._codes = codes
        self._cabinet = cabinet
        self._timing = timing
        self._monotonic = monotonic
        self._config = config
        self._sighted = asyncio.Event()
        self._opened: dict[str, float] = {}
        self._alarmed: set[str] = set()
        self._watching: dict[str, ExitStack] = {}
        self._uncoded: dict[str, bool | None] = {}

    @property
    def unfit(self) -> frozenset[int]:
        """Compartments to put nothing into.

        Something lies there, nobody sees them while others are seen, or the cabinet has no such door.
        """
        full = {number for number, item in self.items.items() if item}
        present = set(self._cabinet.compartments)
        named = set(range(1, self._config().compartments + 1))
        return frozenset(full | (named - present) | (present - self.seen if self.seen else set()))

    def require_seen(self, compartment: int) -> None:
        """Raises OutOfOrderError."""
        if compartment not in self.seen:
            raise OutOfOrderError

    async def first_sight(self, seconds: float) -> None:
        """Wait for the doors to be seen for the first time, at most so long; the one method without the lock."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._sighted.wait()

    def take_out(self, compartment: int, reason: str) -> None:
        """Use a compartment no more until staff have looked into it."""
        if compartment not in self._ledger.box.out_of_service:
            self._ledger.note("compartment_out", compartment=compartment, data={"reason": reason})

    async def open(self, deposit: Deposit) -> None:
        """Send the one unlock frame of this opening. A lost reply is never answered with a second one.

        How long the door may take counts from the frame: it may have waited for another lock of the same supply.
        """
        self._watch(deposit)
        try:
            async with asyncio.timeout(self._timing.unlock_longest):
                await self._cabinet.unlock(deposit.compartment)
        except (BoardError, BusClosedError, TimeoutError) as error:
            # Nothing is sent again: the sensors will say what became of it, or staff will.
            unwritten = isinstance(error, BusClosedError) or getattr(error, "certainly_not_written", False)
            data = {"certainly_not_written": unwritten}
            self._ledger.note("unlock_lost", deposit_id=deposit.id, compartment=deposit.compartment, data=data)
        finally:
            self._opened[deposit.id] = self._monotonic()

    def stop_watching(self, deposit_id: str) -> None:
        """The door is closed, or no longer ours to watch."""
        if (watch := self._watching.pop(deposit_id, None)) is not None:
            watch.close()
        self._opened.pop(deposit_id, None)
        self._alarmed.discard(deposit_id)

    def tick(self, now: float) -> None:
        """What time alone brings about: doors that did not open, doors that were left open."""
        for deposit_id, opened in list(self._opened.items()):
            deposit = self._ledger.deposit(deposit_id)
            if deposit is None or deposit.state not in model.DOOR_COMMANDED:
                self.stop_watching(deposit_id)
            elif not deposit.door_seen and now - opened > self._timing.opens_within:
                if deposit.compartment in self.seen:
                    self._ledger.record(model.Event.NOT_OPENED, deposit)
            elif deposit_id in self._uncoded or deposit_id in self._alarmed:
                pass  # its door is closed and only its code is missing; or staff have been told
            elif deposit.door_seen and now - opened > self._timing.left_open:
                self._alarmed.add(deposit_id)
                self._ledger.record(model.Event.LEFT_OPEN, deposit)

    async def on_cabinet(self, event: Event) -> None:
        """Take in what the cabinet says."""
        match event:
            case Snapshot(readings=readings):
                for number, reading in readings.items():
                    self.items[number] = reading.item
                    await self._after_darkness(number, closed=reading.closed, item=reading.item)
                self.seen |= readings.keys()
                self._sighted.set()
            case DoorOpened(compartment=number):
                self._door_opened(number)
            case DoorClosed(compartment=number, item=item):
                self.items[number] = item
                await self._door_closed(number, item)
            case ItemChanged(compartment=number, item=item):
                self.items[number] = item
                self._item_changed(number, item)
            case LineLost(line=line, compartments=compartments):
                self.seen.difference_update(compartments)
                self._ledger.note("bus_lost", data={"line": line})
            case LineFound(line=line):
                self._ledger.note("bus_found", data={"line": line})
            case BoardSilent(line=line, board=board, compartments=compartments, reason=reason):
                self.seen.difference_update(compartments)
                name = "board_untrusted" if reason == UNTRUSTED else "board_silent"
                self._ledger.note(name, data={"line": line, "board": board})
            case BoardBack(line=line, board=board):
                self._ledger.note("board_back", data={"line": line, "board": board})
            case LineNoise() | KeysTyped():
                pass  # noise is answered by another try; nobody types codes at the boards of this box

    def _watch(self, deposit: Deposit) -> None:
        """Look at this door often until it is closed again."""
        self.stop_watching(deposit.id)
        watch = ExitStack()
        watch.enter_context(self._cabinet.watch(deposit.compartment))
        self._watching[deposit.id] = watch

    def _door_opened(self, number: int) -> None:
        deposit = self._ledger.box.in_compartment(number)
        if deposit is None:
            self.take_out(number, "forced")
        elif deposit.state in model.DOOR_COMMANDED:
            self._uncoded.pop(deposit.id, None)
            if not deposit.door_seen:
                self._ledger.record(model.Event.DOOR_OPENED, deposit)
        else:
            self._ledger.record(model.Event.FORCED, deposit)

    def _item_changed(self, number: int, item: bool | None) -> None:
        """Behind a closed door nothing comes and nothing goes."""
        deposit = self._ledger.box.in_compartment(number)
        if deposit is None:
            if item:
                self.take_out(number, "item_without_deposit")
        elif model.is_gone(deposit, item):
            self._ledger.record(model.Event.ITEM_GONE, deposit)

    async def _door_closed(self, number: int, item: bool | None) -> None:
        deposit = self._ledger.box.in_compartment(number)
        if deposit is not None and deposit.state in model.DOOR_COMMANDED and deposit.door_seen:
            await self._closed(deposit, model.after_closing(deposit, item), item)

    async def _after_darkness(self, number: int, *, closed: bool, item: bool | None) -> None:
        deposit = self._ledger.box.in_compartment(number)
        if deposit is None:
            if not closed or item:
                self.take_out(number, "open_at_start" if not closed else "item_without_deposit")
            return
        event = model.after_darkness(deposit, closed=closed, item=item)
        if event is not None:
            await self._closed(deposit, event, item)
        after = self._ledger.deposit(deposit.id)
        if after is not None and after.state in model.DOOR_COMMANDED and after.id not in self._opened:
            self._watch(after)
            self._opened[after.id] = self._monotonic()

    async def catch_up(self) -> None:
        """Make the codes of documents that were laid in while the vault had no pepper, or their kind had no name."""
        for deposit_id, item in list(self._uncoded.items()):
            deposit = self._ledger.deposit(deposit_id)
            if deposit is not None and deposit.state is State.LOADING:
                await self._closed(deposit, model.Event.CLOSED_FULL, item)

    async def _closed(self, deposit: Deposit, event: model.Event, item: bool | None) -> None:
        self._uncoded.pop(deposit.id, None)
        if deposit.state is State.LOADING and event is model.Event.CLOSED_FULL:
            try:
                await self._codes.make(event, deposit, {"item": item}, self._config())
            except (VaultError, UnknownKindError):
                self._uncoded[deposit.id] = item
        else:
            self._ledger.record(event, deposit, data={"item": item})
