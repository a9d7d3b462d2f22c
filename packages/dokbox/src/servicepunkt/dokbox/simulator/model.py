"""A cabinet as physics: doors, latches, items, the faults they can have, and what happened to them.

No I/O, no clock, no randomness: the time of an act is an argument in whatever seconds the caller counts.
Shared by the thread of the line and by the pages, so every act holds one lock.

What a door can be (a pulse on an open door moves nothing):

    shut and latched --pulse--> ajar --close--> shut and latched
    shut and latched --pulse with a weak spring--> shut, unlatched --open--> ajar, --close--> shut and latched
    shut (either way) --force--> ajar
"""

import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec.structs import replace

Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Compartment(msgspec.Struct, frozen=True):
    """The physical state of one compartment; ``pulses`` counts every unlock pulse its lock ever got."""

    number: int
    closed: bool = True
    item: bool = False
    latched: bool = True
    pulses: int = 0


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """Something wrong with the cabinet or its bus, as data; JSON names it in the field ``kind``."""


class CompartmentFault(Fault, frozen=True):
    compartment: int


class StuckLatch(CompartmentFault, frozen=True, tag="stuck_latch"):
    """The pulse does nothing."""


class WeakSpring(CompartmentFault, frozen=True, tag="weak_spring"):
    """The pulse releases the latch, but the door stays in its frame until somebody pulls it open."""


class DoorDoesNotClose(CompartmentFault, frozen=True, tag="door_does_not_close"):
    """A door that is pushed shut springs back."""


class BlindSensor(CompartmentFault, frozen=True, tag="blind_sensor"):
    """The item sensor always reads empty."""


class StuckSensor(CompartmentFault, frozen=True, tag="stuck_sensor"):
    """The item sensor always reads the same, by default an item."""

    reads: bool = True


class ReversedPolarity(Fault, frozen=True, tag="reversed_polarity"):
    """The latch bits mean the opposite: 0 is closed."""


class Echo(Fault, frozen=True, tag="echo"):
    """The adapter sends back every byte it is given."""


class Unplugged(Fault, frozen=True, tag="unplugged"):
    """The bus is not connected; nothing arrives, nothing answers."""


class Delay(Fault, frozen=True, tag="delay"):
    """Every reply waits so many seconds more."""

    seconds: Seconds


class NoReply(Fault, frozen=True, tag="no_reply"):
    """The next so many replies never leave the board; the commands themselves are carried out."""

    times: Count = 1


class FlippedBit(Fault, frozen=True, tag="flipped_bit"):
    """One bit of the next so many replies is wrong."""

    times: Count = 1


class HalfFrame(Fault, frozen=True, tag="half_frame"):
    """The next so many replies break off in the middle."""

    times: Count = 1


class Garbage(Fault, frozen=True, tag="garbage"):
    """So many random bytes stand before each of the next replies."""

    length: Count = 5
    times: Count = 1


AnyFault = (
    StuckLatch | WeakSpring | DoorDoesNotClose | BlindSensor | StuckSensor
    | ReversedPolarity | Echo | Unplugged | Delay | NoReply | FlippedBit | HalfFrame | Garbage
)  # fmt: skip
F = TypeVar("F", bound=AnyFault)


class What(StrEnum):
    """What can happen to a cabinet.

    ``OVERLOAD``: a lock got current while another still had it, which is more than one supply gives.
    ``BURNT``: a lock had current for too long, and its solenoid is gone.
    """

    PULSE = "pulse"
    PULSE_UNWIRED = "pulse_unwired"
    FORBIDDEN_COMMAND = "forbidden_command"
    OVERLOAD = "overload"
    BURNT = "burnt"
    SPRANG_OPEN = "sprang_open"
    OPENED = "opened"
    CLOSED = "closed"
    SPRANG_BACK = "sprang_back"
    ITEM_PUT = "item_put"
    ITEM_TAKEN = "item_taken"
    FORCED = "forced"
    FAULTS_SET = "faults_set"
    PLUGGED = "plugged"
    UNPLUGGED = "unplugged"


class Happening(msgspec.Struct, frozen=True):
    """One entry of the history; ``compartment`` is None for what concerns the whole cabinet."""

    time: float
    what: What
    compartment: int | None = None


class Refusal(StrEnum):
    """Why an act is impossible."""

    NO_SUCH_COMPARTMENT = "no_such_compartment"
    DOOR_SHUT = "door_shut"
    DOOR_OPEN = "door_open"
    LATCHED = "latched"
    OCCUPIED = "occupied"
    EMPTY = "empty"


class ImpossibleActError(Exception):
    """Somebody tried what the physics of the cabinet does not allow; nothing has changed."""

    def __init__(self, refusal: Refusal, compartment: int) -> None:
        super().__init__(f"compartment {compartment}: {refusal.value.replace('_', ' ')}")
        self.refusal = refusal
        self.compartment = compartment


class Cabinet:
    """Compartments numbered from 1, top to bottom and left to right, in columns of ``rows``.

    ``restored`` are compartments as an earlier cabinet left them; the others start shut and empty.
    Watchers are called after every change, without the lock, in the thread that made the change.
    """

    def __init__(self, compartments: int = 48, rows: int = 8, *, restored: Sequence[Compartment] = ()) -> None:
        if compartments < 1 or rows < 1:
            raise ValueError("a cabinet has at least one compartment and one row")
        self.rows = rows
        self._lock = threading.RLock()
        self._compartments = {number: Compartment(number) for number in range(1, compartments + 1)}
        self._faults: tuple[AnyFault, ...] = ()
        self._history: list[Happening] = []
        self._watchers: list[Callable[[], None]] = []
        for compartment in restored:
            if compartment.latched and not compartment.closed:
                raise ValueError(f"compartment {compartment.number} cannot be latched while open")
            self._compartments[self.compartment(compartment.number).number] = compartment

    @property
    def compartments(self) -> tuple[Compartment, ...]:
        """All compartments in the order of their numbers, of one moment."""
        with self._lock:
            return tuple(self._compartments.values())

    @property
    def faults(self) -> tuple[AnyFault, ...]:
        return self._faults

    @property
    def history(self) -> tuple[Happening, ...]:
        with self._lock:
            return tuple(self._history)

    @property
    def plugged(self) -> bool:
        """Whether the bus is connected."""
        return Unplugged() not in self._faults

    def compartment(self, number: int) -> Compartment:
        if number not in self._compartments:
            raise ImpossibleActError(Refusal.NO_SUCH_COMPARTMENT, number)
        return self._compartments[number]

    def place(self, number: int) -> tuple[int, int]:
        """The column and the row of a compartment, both from 1, as seen from the front."""
        column, row = divmod(self.compartment(number).number - 1, self.rows)
        return column + 1, row + 1

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call ``watcher`` after every change, until the function that comes back is called."""
        with self._lock:
            self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def latch_reads_closed(self, number: int) -> bool:
        """What the switch at the latch tells the board: the hook has caught the door."""
        return self.compartment(number).latched

    def sensor_reads_item(self, number: int) -> bool:
        """What the item sensor tells the board."""
        item = self.compartment(number).item
        for fault in self._faults:
            if fault == BlindSensor(number):
                return False
            if isinstance(fault, StuckSensor) and fault.compartment == number:
                return fault.reads
        return item

    def pulse(self, number: int, *, time: float) -> None:
        """Current through a lock: the latch lets go and the spring pushes the door ajar."""
        if number not in self._compartments:
            self.record(What.PULSE_UNWIRED, number, time=time)
            return
        with self._lock:
            before = self._compartments[number]
            after = replace(before, pulses=before.pulses + 1)
            if before.latched and StuckLatch(number) not in self._faults:
                after = replace(after, latched=False, closed=WeakSpring(number) in self._faults)
            self._history.append(Happening(time, What.PULSE, number))
            if before.closed and not after.closed:
                self._history.append(Happening(time, What.SPRANG_OPEN, number))
            self._compartments[number] = after
        self._announce()

    def burn(self, number: int, *, time: float) -> None:
        """Let the solenoid of a lock melt: its latch is stuck from now on, until somebody mends the fault."""
        self.compartment(number)
        with self._lock:
            if StuckLatch(number) not in self._faults:
                self._faults = (*self._faults, StuckLatch(number))
            self._history.append(Happening(time, What.BURNT, number))
        self._announce()

    def open(self, number: int, *, time: float) -> None:
        """Pull a door open whose latch has let go."""
        with self._lock:
            before = self.compartment(number)
            self._refuse_if(not before.closed, Refusal.DOOR_OPEN, number)
            self._refuse_if(before.latched, Refusal.LATCHED, number)
            self._become(replace(before, closed=False), What.OPENED, time=time)
        self._announce()

    def close(self, number: int, *, time: float) -> None:
        """Push a door shut until the latch catches."""
        with self._lock:
            before = self.compartment(number)
            self._refuse_if(before.latched, Refusal.DOOR_SHUT, number)
            if DoorDoesNotClose(number) in self._faults:
                self._become(replace(before, closed=False), What.SPRANG_BACK, time=time)
            else:
                self._become(replace(before, closed=True, latched=True), What.CLOSED, time=time)
        self._announce()

    def put_item(self, number: int, *, time: float) -> None:
        """Lay a document into an open, empty compartment."""
        self._move_item(number, What.ITEM_PUT, time=time)

    def take_item(self, number: int, *, time: float) -> None:
        """Take the document out of an open compartment."""
        self._move_item(number, What.ITEM_TAKEN, time=time)

    def force(self, number: int, *, time: float) -> None:
        """Break a shut door open without a pulse; the latch survives and will catch again."""
        with self._lock:
            before = self.compartment(number)
            self._refuse_if(not before.closed, Refusal.DOOR_OPEN, number)
            self._become(replace(before, closed=False, latched=False), What.FORCED, time=time)
        self._announce()

    def set_faults(self, *faults: AnyFault, time: float) -> None:
        """Let exactly these faults be present from now on."""
        for fault in faults:
            if isinstance(fault, CompartmentFault):
                self.compartment(fault.compartment)
        with self._lock:
            self._faults = faults
            self._history.append(Happening(time, What.FAULTS_SET))
        self._announce()

    def unplug(self, *, time: float) -> None:
        """Pull the plug of the bus."""
        self._set_plugged(False, time=time)

    def plug(self, *, time: float) -> None:
        """Put the plug of the bus back in."""
        self._set_plugged(True, time=time)

    def use_fault(self, kind: type[F]) -> F | None:
        """The fault of this kind if it is present; one that is good for some times loses one of them."""
        with self._lock:
            fault = next((fault for fault in self._faults if isinstance(fault, kind)), None)
            if not isinstance(fault, NoReply | FlippedBit | HalfFrame | Garbage):
                return fault
            spent = () if fault.times == 1 else (replace(fault, times=fault.times - 1),)
            at = self._faults.index(fault)
            self._faults = (*self._faults[:at], *spent, *self._faults[at + 1 :])
        self._announce()
        return fault

    def record(self, what: What, compartment: int | None = None, *, time: float) -> None:
        """Note in the history something that moved nothing."""
        with self._lock:
            self._history.append(Happening(time, what, compartment))
        self._announce()

    def _set_plugged(self, plugged: bool, *, time: float) -> None:
        with self._lock:
            if plugged == self.plugged:
                return
            others = tuple(fault for fault in self._faults if fault != Unplugged())
            self._faults = others if plugged else (*others, Unplugged())
            self._history.append(Happening(time, What.PLUGGED if plugged else What.UNPLUGGED))
        self._announce()

    def _move_item(self, number: int, what: What, *, time: float) -> None:
        with self._lock:
            before = self.compartment(number)
            self._refuse_if(before.closed, Refusal.DOOR_SHUT, number)
            self._refuse_if(before.item and what is What.ITEM_PUT, Refusal.OCCUPIED, number)
            self._refuse_if(not before.item and what is What.ITEM_TAKEN, Refusal.EMPTY, number)
            self._become(replace(before, item=not before.item), what, time=time)
        self._announce()

    def _become(self, compartment: Compartment, what: What, *, time: float) -> None:
        self._compartments[compartment.number] = compartment
        self._history.append(Happening(time, what, compartment.number))

    @staticmethod
    def _refuse_if(condition: bool, refusal: Refusal, number: int) -> None:
        if condition:
            raise ImpossibleActError(refusal, number)

    def _announce(self) -> None:
        for watcher in tuple(self._watchers):
            watcher()
