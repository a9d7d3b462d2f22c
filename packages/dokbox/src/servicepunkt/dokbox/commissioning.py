"""Commissioning a cabinet: fire one lock after the other, see which door opens, and write its wiring down.

Nothing is believed that was not seen: which compartment a lock opens is read off the door by a person; which contact
belongs to it, and whether 1 or 0 means closed, is what changed on the line when the door opened. What cannot be is
told and not written: a lock whose contact is wired to another door, one that opens two, doors that mean different
things by the same bit.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from servicepunkt.dokbox.addresses import BoardAddress, parse_address
from servicepunkt.dokbox.boards import CabinetError, Place, Reading
from servicepunkt.dokbox.cabinet import Cabinet, connect
from servicepunkt.dokbox.ports import Port, serial_port

OPENS_WITHIN = 3.0  # seconds beyond the pulse
CLOSES_WITHIN = 120.0  # seconds
LOOK_EVERY = 0.1  # seconds
SEEN = 2  # equal readings in a row before they count


class CommissioningError(CabinetError):
    """The cabinet cannot be commissioned as it is."""

    code = "SP3230"


class Person(Protocol):
    """Who stands in front of the cabinet."""

    async def shut_all(self) -> None:
        """Wait until every door is shut."""

    async def number_on_open_door(self, lock: str, suggested: int) -> int | None:
        """The number on the door that has just opened, None when none has. `lock`: its place, as in `0.16`."""

    async def shut(self, compartment: int) -> None:
        """Ask to shut this door; returns at once."""

    def tell(self, words: str) -> None:
        """What was found."""


class Wiring(msgspec.Struct, frozen=True):
    """What was found: the address with the right polarity, the place of each compartment, and what is wrong."""

    address: str
    compartments: dict[int, str]
    mistakes: list[str]

    def toml(self) -> str:
        """The wiring file (`file:PATH` as an address)."""
        lines = ["# Written by box commission.", "[[line]]", f"address = {_quoted(self.address)}", ""]
        lines += ["[line.compartments]", *(f"{n} = {_quoted(place)}" for n, place in sorted(self.compartments.items()))]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def write_wiring(wiring: Wiring, path: Path) -> None:
    """Write the file whole or not at all. Raises `CommissioningError` when something is wrong, OSError."""
    if wiring.mistakes:
        raise CommissioningError("Nothing is written: " + "; ".join(wiring.mistakes) + ".")
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w") as file:
        file.write(wiring.toml())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


async def commission(
    address: BoardAddress,
    person: Person,
    *,
    open_port: Callable[[str, int], Port] = serial_port,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Wiring:
    """Walk through every lock of the boards at `address`. Raises `BoardError` when a board does not answer."""
    await person.shut_all()
    async with connect(address.opening(open_port)) as cabinet:
        walk = _Walk(cabinet, person, address.table, sleep=sleep, clock=clock)
        await walk.all()
    reversed_doors = [number for number, closed in walk.closed_reads.items() if not closed]
    if reversed_doors and len(reversed_doors) < len(walk.closed_reads):
        walk.mistakes.append(f"the contacts of {_listed(reversed_doors)} mean the opposite of the others")
    if reversed_doors:
        address = address.reversed_polarity()
        person.tell(f"The latches read the other way round: {address}")
    return Wiring(str(address), {n: str(place) for n, place in walk.found.items()}, walk.mistakes)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


class _Walk:
    """One walk along all locks."""

    def __init__(
        self,
        cabinet: Cabinet,
        person: Person,
        places: Mapping[int, Place],
        *,
        sleep: Callable[[float], Awaitable[object]],
        clock: Callable[[], float],
    ) -> None:
        self._cabinet = cabinet
        self._person = person
        self._places = places
        self._sleep = sleep
        self._clock = clock
        self.found: dict[int, Place] = {}
        self.closed_reads: dict[int, bool] = {}  # by compartment: how a shut door read
        self.mistakes: list[str] = []

    async def all(self) -> None:
        for lock in self._places:
            await self._lock(lock)

    async def _lock(self, lock: int) -> None:
        """`lock`: its number in the usual order, which is all that the boards know."""
        place = self._places[lock]
        before = await self._settled()
        await self._cabinet.unlock(lock)
        changed = await self._changes(before, within=OPENS_WITHIN)
        number = await self._person.number_on_open_door(str(place), self._suggested(lock))
        if number is None and not changed:
            self._person.tell(f"{place}: no door")
            return
        mistake = self._mistake(place, lock, number, changed)
        if mistake:
            self.mistakes.append(mistake)
            self._person.tell(mistake)
        if number is not None:
            self.found[number] = place
            if lock in changed:
                self.closed_reads[number] = before[lock].closed
            await self._shut_again(number, before, mistake=bool(mistake))

    def _mistake(self, place: Place, lock: int, number: int | None, changed: set[int]) -> str:
        others = [str(self._places[other]) for other in sorted(changed - {lock})]
        if number is None:
            return f"{place}: the line saw a door open, and nobody else did"
        if number in self.found:
            return f"{place}: door {number} belongs to {self.found[number]} already"
        if others:
            return f"{place}: door {number} moves the contact of {', '.join(others)}"
        if not changed:
            return f"{place}: door {number} opened, and its contact did not tell"
        return ""

    async def _shut_again(self, number: int, before: dict[int, Reading], *, mistake: bool) -> None:
        await self._person.shut(number)
        until = self._clock() + CLOSES_WITHIN
        while not mistake and _latches(await self._settled()) != _latches(before):
            if self._clock() > until:
                self.mistakes.append(f"door {number} was not seen to shut again")
                return
            await self._sleep(LOOK_EVERY)

    def _suggested(self, lock: int) -> int:
        return lock if lock not in self.found else max(self.found) + 1

    async def _changes(self, before: dict[int, Reading], *, within: float) -> set[int]:
        """The locks whose contact has changed and stays so."""
        until = self._clock() + within
        changed: set[int] = set()
        while not changed and self._clock() < until:
            await self._sleep(LOOK_EVERY)
            now = await self._settled()
            changed = {lock for lock, reading in now.items() if reading.closed != before[lock].closed}
        return changed

    async def _settled(self) -> dict[int, Reading]:
        """A reading that was the same several times in a row."""
        same, last = 0, None
        while same < SEEN:
            now = await self._cabinet.read()
            same = same + 1 if last is not None and _latches(now) == _latches(last) else 1
            last = now
        return now


def _latches(readings: Mapping[int, Reading]) -> dict[int, bool]:
    return {number: reading.closed for number, reading in readings.items()}


# ---- A person at a keyboard ------------------------------------------------------------------------------


class KeyboardPerson:
    """Asks on a terminal by `ask(question)`, which gives the line that was typed, and `write(words)`."""

    def __init__(self, ask: Callable[[str], str], write: Callable[[str], object]) -> None:
        self._ask = ask
        self._write = write

    async def shut_all(self) -> None:
        await asyncio.to_thread(self._ask, "Shut every door, then press Enter: ")

    async def number_on_open_door(self, lock: str, suggested: int) -> int | None:
        while True:
            question = f"Lock {lock} was fired. Number on the door that opened [{suggested}], or - for none: "
            typed = (await asyncio.to_thread(self._ask, question)).strip()
            if typed == "-":
                return None
            if not typed:
                return suggested
            if typed.isascii() and typed.isdigit() and int(typed) > 0:
                return int(typed)
            self._write(f"{typed!r} is no number of a door.")

    async def shut(self, compartment: int) -> None:
        self._write(f"Shut door {compartment}.")

    def tell(self, words: str) -> None:
        self._write(words)


def run_at_keyboard(address: str, path: Path, write: Callable[[str], object]) -> int:
    """Commission at a terminal; the exit code is 0 written, 1 refused with the reasons."""
    try:
        wiring = asyncio.run(commission(parse_address(address), KeyboardPerson(input, write)))
        write_wiring(wiring, path)
    except (CabinetError, OSError) as error:
        write(str(error))
        return 1
    write(f"{len(wiring.compartments)} compartments are written to {path}; the address of this cabinet is file:{path}")
    return 0
