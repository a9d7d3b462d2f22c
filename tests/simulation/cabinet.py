"""The cabinet: doors, latches, documents and sensors as physics, and what a driver tells of them.

`Cabinet` outlives every restart of the box. `Driver` has the outside of `servicepunkt.dokbox.cabinet.Cabinet`; it tells
through the product's own debouncing, and dies with the power.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec

from servicepunkt.dokbox.boards import NoSuchCompartmentError, Reading
from servicepunkt.dokbox.bus import BusLostError
from servicepunkt.dokbox.debounce import Debounce
from servicepunkt.dokbox.events import BoardBack, BoardSilent, Event, Events, LineFound, LineLost
from servicepunkt.dokbox.lines import Unlocked

from .disk import Power
from .slot import OldDocument

IDLE, WATCHED, READINGS = 0.5, 0.1, 2
PULSE_SECONDS = 0.06
DOOR_SECONDS = 2.0  # how long a hand takes at least from the open to the closed door


class Document(msgspec.Struct):
    """A document. `place` is where it really is: office, box, citizen, staff or thief. A thin one no sensor sees.

    `phone`, `born` and `old`: of the person who collects it, and the document that it replaces. `number` is what the
    newest message says that he has to type, `clerk` who announced it.
    """

    id: str
    kind: str
    phone: str
    thin: bool
    place: str = "office"
    put_at: float = 0.0
    number: str = ""
    born: str = ""
    clerk: str = ""
    old: OldDocument | None = None


class Compartment(msgspec.Struct):
    """`moved_at`: when its door moved last, in seconds; `forced`: whether a key or a crowbar opened it."""

    number: int
    closed: bool = True
    stuck: bool = False
    forced: bool = False
    documents: list[Document] = []
    moved_at: float = -DOOR_SECONDS


class Cabinet:
    """The hardware. `sensors`: whether there are item sensors at all."""

    def __init__(self, compartments: int, *, sensors: bool, seconds: Callable[[], float]) -> None:
        self.compartments = {n: Compartment(n) for n in range(1, compartments + 1)}
        self.sensors = sensors
        self.line_up = True
        self.silent: set[int] = set()
        self.seconds = seconds
        self.stirred: Callable[[int], None] = lambda number: None  # something moved that a sensor may see
        self.opened: Callable[[int], object] = lambda number: None
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    def reading(self, number: int) -> Reading:
        found = self.compartments[number]
        item = any(not document.thin for document in found.documents) if self.sensors else None
        return Reading(closed=found.closed, item=item)

    def fire(self, number: int) -> bool:
        """A pulse on the lock; whether the door moved."""
        found = self.compartments[number]
        return not found.stuck and self.open(number, forced=False)

    def open(self, number: int, *, forced: bool = True) -> bool:
        """The door springs open, by its lock or by a key or crowbar."""
        found = self.compartments[number]
        if not found.closed:
            return False
        found.forced = forced
        found.closed, found.moved_at = False, self.seconds()
        for waiting in self._waiting.pop(number, []):
            if not waiting.done():
                waiting.set_result(None)
        self.opened(number)
        self.stirred(number)
        return True

    def close(self, number: int) -> None:
        found = self.compartments[number]
        if not found.closed:
            found.closed, found.moved_at = True, self.seconds()
            self.stirred(number)

    def put(self, number: int, document: Document) -> None:
        self.compartments[number].documents.append(document)
        document.place, document.put_at = "box", self.seconds()
        self.stirred(number)

    def take(self, number: int, place: str) -> list[Document]:
        """Everything that lies there goes to `place`."""
        taken = self.compartments[number].documents
        self.compartments[number].documents = []
        for document in taken:
            document.place = place
        self.stirred(number)
        return taken

    async def door(self, number: int, seconds: float) -> bool:
        """Wait in front of a door at most so long; whether it is open."""
        if self.compartments[number].closed:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(number, []).append(future)
            await asyncio.wait([future], timeout=seconds)
            if not future.done():
                future.cancel()
        return not self.compartments[number].closed


class Driver:
    """What the controller sees and moves. `dark` are compartments that it was told nobody sees, and since when.

    `epoch` grows whenever sight may have been interrupted.
    """

    def __init__(
        self,
        cabinet: Cabinet,
        power: Power,
        chance: random.Random,
        *,
        now: Callable[[], datetime],
        fired: Callable[[int], None],
        spawn: Callable[..., object],
        lost_replies: float,
    ) -> None:
        self._cabinet, self._power, self._chance = cabinet, power, chance
        self._now, self._fired, self._spawn = now, fired, spawn
        self._lost_replies = lost_replies
        self.compartments = tuple(cabinet.compartments)
        self.dark: dict[int, float] = dict.fromkeys(self.compartments, cabinet.seconds())
        self.epoch = 0
        self._stream = Events()
        self._watched: Counter[int] = Counter()
        self._polled: set[int] = set()
        self._debounce = Debounce(readings=READINGS)
        self._line_up = True

    def start(self) -> None:
        self._cabinet.stirred = self._stir
        self._spawn(self._look_at_all(self.compartments, self._chance.uniform(0.2, 1.5)))

    def events(self) -> Events:
        return self._stream

    @contextmanager
    def watch(self, compartment: int) -> Iterator[None]:
        self._watched[compartment] += 1
        try:
            yield
        finally:
            self._watched[compartment] -= 1

    async def unlock(self, compartment: int) -> Unlocked:
        self._power.need()
        if compartment not in self._cabinet.compartments:
            raise NoSuchCompartmentError(compartment)
        await asyncio.sleep(PULSE_SECONDS / 2)
        self._power.need()
        if not self._cabinet.line_up:
            raise BusLostError("simulated", certainly_not_written=True)
        lost = self._chance.random() < self._lost_replies
        if not lost or self._chance.random() < 0.7:
            self._fired(compartment)
        self._power.need()
        await asyncio.sleep(PULSE_SECONDS / 2)
        self._power.need()
        if lost:
            raise BusLostError("simulated", certainly_not_written=False)
        return Unlocked(compartment, frame="", at=self._now())

    # ---- what is told ------------------------------------------------------------------------------------

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self._stream.put(event)

    def _stir(self, number: int) -> None:
        if self._power.on and number not in self._polled:
            self._polled.add(number)
            self._spawn(self._poll(number))

    async def _poll(self, number: int) -> None:
        """Read this compartment until nothing changes any more; the first reading comes at a random phase."""
        await asyncio.sleep(self._chance.uniform(0, WATCHED if self._watched[number] else IDLE))
        same, last = 0, None
        while self._power.on and number not in self.dark and same < READINGS:
            reading = self._cabinet.reading(number)
            self._tell(self._debounce.see({number: reading}, self._now()))
            same = same + 1 if reading == last else 0
            last = reading
            await asyncio.sleep(WATCHED if self._watched[number] else IDLE)
        self._polled.discard(number)
        if number not in self.dark and self._power.on and self._cabinet.reading(number) != last:
            self._stir(number)

    async def _look_at_all(self, numbers: Iterable[int], after: float) -> None:
        """First sight of compartments: a snapshot once every value was read often enough."""
        wanted = tuple(numbers)
        await asyncio.sleep(after)
        for _ in range(READINGS):
            await asyncio.sleep(IDLE)
            seen = [n for n in wanted if self._cabinet.line_up and n not in self._cabinet.silent]
            if not self._power.on or not seen:
                return
            self._tell(self._debounce.see({n: self._cabinet.reading(n) for n in seen}, self._now()))
        self.epoch += 1
        for number in seen:
            self.dark.pop(number, None)
            self._stir(number)

    # ---- faults --------------------------------------------------------------------------------------------

    async def lose_line(self) -> None:
        """The adapter is unplugged; it is noticed at the next reading."""
        await asyncio.sleep(self._chance.uniform(0.1, IDLE))
        self._go_dark(self.compartments)
        self._line_up = False
        self._tell([LineLost(0, "simulated", self.compartments, self._now())])

    async def find_line(self) -> None:
        if not self._line_up:
            self._line_up = True
            self._tell([LineFound(0, self._now())])
        await self._look_at_all(self.compartments, 0.0)

    async def lose_board(self, numbers: tuple[int, ...]) -> None:
        """Half of the cabinet does not answer any more."""
        await asyncio.sleep(self._chance.uniform(0.1, IDLE))
        self._go_dark(numbers)
        self._tell([BoardSilent(0, 1, numbers, "SP3221", self._now())])

    async def find_board(self, numbers: tuple[int, ...]) -> None:
        self._tell([BoardBack(0, 1, self._now())])
        await self._look_at_all(numbers, 0.0)

    def _go_dark(self, numbers: tuple[int, ...]) -> None:
        self.epoch += 1
        self._debounce.forget(numbers)
        for number in numbers:
            self.dark.setdefault(number, self._cabinet.seconds())
