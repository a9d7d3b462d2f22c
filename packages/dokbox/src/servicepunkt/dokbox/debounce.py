"""From raw readings to events: a value counts after it was seen in several consecutive readings of its board.

A closed door counts only together with its item sensor, so that `DoorClosed.item` is confirmed; an open door
counts alone, so that a flickering item sensor cannot hide it. The first confirmed reading makes a snapshot.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from servicepunkt.dokbox.boards import Reading
from servicepunkt.dokbox.events import DoorClosed, DoorOpened, Event, ItemChanged, Snapshot


class _Compartment:
    """What was seen of one compartment and what counts."""

    def __init__(self) -> None:
        self.confirmed: Reading | None = None
        self._last: Reading | None = None
        self._same_door = 0
        self._same_item = 0

    def see(self, reading: Reading, *, times: int) -> None:
        last, self._last = self._last, reading
        self._same_door = self._same_door + 1 if last and last.closed == reading.closed else 1
        self._same_item = self._same_item + 1 if last and last.item == reading.item else 1
        item_counts = self._same_item >= times
        door_counts = self._same_door >= times and (item_counts or not reading.closed)
        if self.confirmed is None:
            self.confirmed = reading if item_counts and door_counts else None
            return
        self.confirmed = Reading(
            closed=reading.closed if door_counts else self.confirmed.closed,
            item=reading.item if item_counts else self.confirmed.item,
        )


def _changes(compartment: int, *, before: Reading, after: Reading, at: datetime) -> Iterator[Event]:
    """The order of a hand: open, take or put, close."""
    if before.closed and not after.closed:
        yield DoorOpened(compartment, at)
    if before.item != after.item:
        yield ItemChanged(compartment, after.item, at)
    if after.closed and not before.closed:
        yield DoorClosed(compartment, after.item, at)


class Debounce:
    """Turns raw readings into events; knows neither time nor bus."""

    def __init__(self, *, readings: int) -> None:
        self._readings = readings
        self._compartments: dict[int, _Compartment] = {}

    def snapshot(self, at: datetime) -> Snapshot | None:
        """The confirmed state of what is seen, None when that is nothing."""
        readings = {n: seen.confirmed for n, seen in self._compartments.items() if seen.confirmed is not None}
        return Snapshot(readings, at) if readings else None

    def forget(self, compartments: Iterable[int]) -> None:
        """Nobody sees these any more: what they are is told by a snapshot when they are seen again."""
        for compartment in compartments:
            self._compartments.pop(compartment, None)

    def see(self, readings: Mapping[int, Reading], at: datetime) -> list[Event]:
        """Take one reading of some or all compartments."""
        fresh: dict[int, Reading] = {}
        events: list[Event] = []
        for n, reading in readings.items():
            seen = self._compartments.setdefault(n, _Compartment())
            before = seen.confirmed
            seen.see(reading, times=self._readings)
            if seen.confirmed is None:
                continue
            if before is None:
                fresh[n] = seen.confirmed
            else:
                events += _changes(n, before=before, after=seen.confirmed, at=at)
        return [Snapshot(fresh, at), *events] if fresh else events
