"""Public fakes for plugin authors: a cabinet in memory, and a box around it that needs no hardware and no waiting."""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from servicepunkt.dokbox import pins, wire
from servicepunkt.dokbox.boards import Reading
from servicepunkt.dokbox.bus import BusLostError
from servicepunkt.dokbox.cabinet import Pace, open_cabinet
from servicepunkt.dokbox.controller.service import Controller, Timing
from servicepunkt.dokbox.errors import DokboxError, VaultError
from servicepunkt.dokbox.events import DoorClosed, DoorOpened, Event, Snapshot
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.lines import Unlocked
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.slot import Slot
from servicepunkt.dokbox.vault import HPKE, FileVault, Vault, seal_to
from servicepunkt.dokbox.vault.model import Randomness

NOW = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


class Doors:
    """A cabinet in memory with the outside of `cabinet.Cabinet`; doors and items outlive the controller."""

    def __init__(self, compartments: int = 16) -> None:
        self.compartments = tuple(range(1, compartments + 1))
        self.closed = dict.fromkeys(self.compartments, True)
        self.items: dict[int, bool | None] = dict.fromkeys(self.compartments, False)
        self.pulses = dict.fromkeys(self.compartments, 0)
        self.stuck: set[int] = set()
        self.lost: BusLostError | None = None

    async def unlock(self, compartment: int) -> Unlocked:
        if self.lost is not None:
            raise self.lost
        self.pulses[compartment] += 1
        if compartment not in self.stuck:
            self.closed[compartment] = False
        return Unlocked(compartment, frame="", at=NOW)

    @contextmanager
    def watch(self, compartment: int) -> Iterator[None]:
        assert compartment in self.compartments
        yield

    def snapshot(self) -> Snapshot:
        readings = {n: Reading(closed=self.closed[n], item=self.items[n]) for n in self.compartments}
        return Snapshot(readings, NOW)


class Ticking:
    """A clock for instants and for durations, moved by hand; it is also the `sleep` that takes no time."""

    def __init__(self, instant: datetime = NOW) -> None:
        self.instant = instant
        self.seconds = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def forward(self, **step: float) -> None:
        self.instant += timedelta(**step)
        self.seconds += timedelta(**step).total_seconds()


class Always:
    """Opening hours that are always, or never."""

    def __init__(self, *, open_now: bool = True) -> None:
        self.open_now = open_now

    def is_open(self) -> bool:
        return self.open_now


class MemoryCounter:
    """A counter that outlives the box; `broken` lets it fail, before or after it has stepped."""

    def __init__(self, value: int = 41) -> None:
        self.fresh = True
        self.steps = 0
        self.broken: Literal["", "before", "after"] = ""
        self._value = value

    def value(self) -> int:
        if self.broken:
            raise VaultError(reason="the counter does not answer")
        return self._value

    def step(self) -> None:
        if self.broken == "before":
            raise VaultError(reason="the counter does not answer")
        self._value += 1
        self.steps += 1
        if self.broken == "after":
            raise VaultError(reason="the counter does not answer")


class CountingVault(FileVault):
    """A vault in files beside a counter that no copy of the files sets back."""

    def __init__(self, folder: Path, randomness: Randomness, counter: MemoryCounter) -> None:
        super().__init__(folder, randomness)
        self.counter = counter


class Bench:
    """A box on the bench: real journal, vault and controller, doors in memory, commands given by hand.

    `connect` opens the journal, for a disk of one's own; `vault` opens the vault at each start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        doors: Doors | None = None,
        slot: Slot | None = None,
        seed: int = 1,
        connect: object = sqlite3.connect,
        vault: Callable[[], Vault] | None = None,
        **timing: float,
    ) -> None:
        self.folder = folder
        self.open_vault = vault or (lambda: FileVault(folder / "vault", self.random.randbytes))
        self.connect = connect
        self.slot = slot
        self.doors = doors or Doors()
        self.clock = Ticking()
        self.hours = Always()
        self.random = random.Random(seed)  # noqa: S311 - a test repeats itself
        self.timing = Timing(**timing)  # type: ignore[arg-type]
        self.commands = 0
        self.controller = self._start()

    def _start(self) -> Controller:
        self.vault = self.open_vault()
        self.journal = Journal(self.folder / "journal.sqlite", self.connect)
        try:
            return self._control()
        except DokboxError:
            self.journal.close()
            raise

    def _control(self) -> Controller:
        controller = Controller(
            self.journal,
            self.vault,
            self.doors,  # type: ignore[arg-type]  # the same outside as Cabinet
            clock=self.clock,
            randomness=self.random.randbytes,
            randbelow=self.random.randrange,
            numbers=plain_number,
            hours=lambda _: self.hours,
            timing=self.timing,
            cost=CHEAP,
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
            slot=self.slot,
        )
        if controller.config is None:
            controller.configure(example_config())
        return controller

    async def see(self, *events: Event) -> None:
        for event in events:
            await self.controller.on_cabinet(event)

    async def look(self) -> None:
        await self.see(self.doors.snapshot())

    async def restart(self) -> None:
        """Pull the plug and plug it in again: only what is on disk, and the doors, remain."""
        self.journal.close()
        self.controller = self._start()
        await self.look()

    def put_away(self) -> None:
        """Give the journal's file back."""
        self.journal.close()

    async def command(self, kind: wire.CommandKind, **fields: object) -> None:
        self.commands += 1
        await self.controller.handle(
            wire.Command(
                seq=self.commands,
                kind=kind,
                valid_until=self.clock.now() + timedelta(seconds=60),
                **fields,  # type: ignore[arg-type]
            )
        )

    def sealed(self, deposit: str, person: wire.Person) -> str:
        """What a command holds of a person."""
        return sealed_person(self.vault.public_key, deposit, person)

    async def reserve(
        self, deposit: str, number: str = "+4915112345678", document: str = "passport", **fields: object
    ) -> None:
        """Announce a document; `fields` are further ones of `wire.Person`, and `low` and `actor` of the command."""
        given = {name: fields.pop(name) for name in ("low", "actor") if name in fields}
        person = wire.Person(phone=number, **fields)  # type: ignore[arg-type]
        await self.command("reserve", deposit=deposit, document=document, sealed=self.sealed(deposit, person), **given)

    async def opened(self, compartment: int) -> None:
        if not self.doors.closed[compartment]:
            await self.see(DoorOpened(compartment, NOW))

    async def close(self, compartment: int, *, item: bool | None) -> None:
        self.doors.closed[compartment] = True
        self.doors.items[compartment] = item
        await self.see(DoorClosed(compartment, item, NOW))

    async def load(self, deposit: str, number: str = "+4915112345678", **fields: object) -> tuple[int, str]:
        """Reserve, open, lay in, close, notify; returns (compartment, code). `fields` as for `reserve`."""
        await self.reserve(deposit, number, **fields)  # type: ignore[arg-type]
        compartment = self.controller.ledger.box.deposits[deposit].compartment
        await self.command("open_for_load", deposit=deposit)
        await self.opened(compartment)
        await self.close(compartment, item=True)
        code = self.code(deposit)
        version = self.controller.ledger.box.deposits[deposit].version
        await self.command("notice_accepted", deposit=deposit, version=version)
        return compartment, code

    def code(self, deposit: str) -> str:
        """The code in the newest message about `deposit`."""
        return self.message(deposit)["code"]

    def message(self, deposit: str) -> dict[str, str]:
        """What the notice worker would read from the newest envelope of `deposit`."""
        return newest_message(self.journal, deposit)

    def state(self, deposit: str) -> str | None:
        found = self.controller.ledger.deposit(deposit)
        return str(found.state) if found else None

    def last_state(self, deposit: str) -> str:
        return [entry.state for entry in self.journal.entries() if entry.deposit == deposit and entry.state][-1]


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class RunningBox:
    """A box that runs on a real line: real cabinet, journal and vault; commands are given by hand."""

    patience = 20.0  # seconds

    def __init__(self, controller: Controller, vault: Vault, journal: Journal) -> None:
        self.controller, self.vault, self.journal = controller, vault, journal
        self.commands = 0

    async def command(self, kind: wire.CommandKind, **fields: object) -> None:
        """Give an order as the centre does; one that opens a door stays valid."""
        self.commands += 1
        until = datetime(2099, 1, 1, tzinfo=UTC)
        order = wire.Command(seq=self.commands, kind=kind, valid_until=until, **fields)  # type: ignore[arg-type]
        await self.controller.handle(order)

    def events(self) -> list[str]:
        return [entry.event for entry in self.journal.entries()]

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + self.patience
        while not holds():
            assert time.monotonic() < deadline, self.events()
            await asyncio.sleep(0.02)


BoxType = TypeVar("BoxType", bound=RunningBox)


@asynccontextmanager
async def running_box(
    folder: Path,
    address: str,
    *,
    config: wire.BoxConfig | None = None,
    timing: Timing | None = None,
    made: type[BoxType] = RunningBox,  # type: ignore[assignment]
) -> AsyncIterator[BoxType]:
    """A box behind the boards that `address` names, as in `krcu16:/dev/ttyUSB0?boards=1`, with its own clock: now."""
    journal, vault = Journal(folder / "journal.sqlite"), FileVault(folder / "vault", secrets.token_bytes)
    async with open_cabinet(address, pace=Pace(idle=0.05, watched=0.02)) as cabinet:
        controller = Controller(
            journal,
            vault,
            cabinet,
            clock=SystemClock(),
            randomness=secrets.token_bytes,
            randbelow=secrets.randbelow,
            numbers=plain_number,
            hours=lambda _: Always(),
            timing=timing,
            cost=CHEAP,
            monotonic=time.monotonic,
        )
        controller.configure(config or example_config())
        running = asyncio.create_task(controller.run())
        try:
            yield made(controller, vault, journal)
        finally:
            running.cancel()
            await asyncio.wait([running])
            journal.close()


def sealed_person(public_key: bytes, deposit: str, person: wire.Person) -> str:
    """A person as a command tells it to the box of `example_config`."""
    context = wire.person_context(1, "box-1", deposit)
    return seal_to(public_key, msgspec.json.encode(person), context=context).hex()


def newest_message(journal: Journal, deposit: str) -> dict[str, str]:
    """What the notice worker would read from the newest envelope of `deposit`. Raises LookupError."""
    for entry in reversed(list(journal.entries())):
        sealed = journal.envelope(entry.seq)
        if entry.deposit == deposit and sealed is not None:
            of = wire.fresh_context if entry.event == "fresh_code" else wire.code_context
            context = of(1, "box-1", deposit, int(entry.data["version"] or 0))
            opened = HPKE.decrypt(sealed, HPKE_PRIVATE, info=context.encode())
            return msgspec.json.decode(bytes(opened), type=dict[str, str])
    raise LookupError(deposit)


CHEAP = pins.Cost(passes=1, memory=64)


def plain_number(text: str, countries: tuple[str, ...]) -> str | None:
    """Accepts German mobile numbers as they stand."""
    del countries
    return text if text.startswith("+491") and text[1:].isdigit() else None


HPKE_PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))


def example_config() -> wire.BoxConfig:
    """A box of 16 compartments with one document that asks for the old one."""
    public = HPKE_PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return wire.BoxConfig(
        tenant=1,
        tenant_name="Example",
        box="box-1",
        point="point-1",
        point_name={"de": "Beispiel", "en": "Example"},
        languages=("de", "en"),
        zone="Europe/Berlin",
        subdivision="HE",
        hours=msgspec.Raw(b'{"type":"osm","expression":"24/7"}'),
        compartments=16,
        rows=8,
        rows_by_reach=(7, 6),
        policies=(
            DocumentPolicy(
                type="passport",
                name={"de": "Reisepass", "en": "Passport"},
                steps=("phone", "code", "old_document", "open", "removal", "close"),
            ),
            DocumentPolicy(type="licence", name={"de": "Führerschein", "en": "Licence"}),
        ),
        countries=("DE",),
        notice_key=public.hex(),
    )
