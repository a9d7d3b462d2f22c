"""The ledger: the journal and the state that it gives, always changed together and on disk before it is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from servicepunkt.dokbox import model
from servicepunkt.dokbox.controller.anchor import SPENDING, Anchor
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.model import Box, Deposit, Entry, Event


class Clock(Protocol):
    def now(self) -> datetime: ...


Details = Mapping[str, str | int | bool | None]
Also = Callable[[Entry], None]
# Longer than any hold period: what lies within it only ages codes, or lets them live until the journal's own time.
CLOCK_MAY_DIFFER = timedelta(days=90)


class Ledger:
    """State by replay. `record` returns after the entry has reached the disk.

    Every method raises DiskError where the disk fails; `box` then stays what it was.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        listener: Callable[[Entry, Deposit | None], None],
        *,
        anchor: Anchor | None = None,
    ) -> None:
        self.journal = journal
        self.anchor = anchor
        self._clock = clock
        self._listener = listener
        self.box: Box = model.replay(journal.entries())

    @property
    def clock_is_behind(self) -> bool:
        """The clock stands at a time that the journal has left long ago, or was far ahead when an entry was written.

        Every code would end at once, or none ever.
        """
        return self.box.at is not None and self.box.at - self._clock.now() > CLOCK_MAY_DIFFER

    def now(self) -> datetime:
        """The time for deadlines of days: a clock that was set back does not bring an expired code to life."""
        present = self._clock.now()
        return max(present, self.box.at) if self.box.at else present

    def deposit(self, deposit_id: str) -> Deposit | None:
        return self.box.deposits.get(deposit_id)

    def record(
        self, event: Event, deposit: Deposit, *, data: Details | None = None, also: Also | None = None
    ) -> Deposit | None:
        """Journal an event of a deposit; returns the deposit after it, None when that was the end of it.

        `also` writes secrets in the same transaction. Raises IllegalMoveError before anything is written.
        """
        self.record_all([(event, deposit, data or {})], also=also)
        return self.deposit(deposit.id)

    def record_all(self, events: list[tuple[Event, Deposit, Details]], *, also: Also | None = None) -> None:
        """Journal several events of several deposits in one transaction."""
        box, written = self.box, []
        with self.journal.transaction():
            for event, deposit, data in events:
                current = box.deposits[deposit.id]
                entry = model.next_entry(box, at=self._clock.now(), event=event, deposit=current, data=data)
                box = self._write(box, entry, also)
                written.append((entry, box.deposits.get(deposit.id) or current))
        self._believe(box)
        for entry, after in written:
            self._listener(entry, after)

    def reserve(self, deposit_id: str, compartment: int, *, data: Details, also: Also) -> Deposit:
        """Journal a new deposit."""
        entry = model.next_entry(
            self.box,
            at=self._clock.now(),
            event=Event.RESERVE,
            deposit_id=deposit_id,
            compartment=compartment,
            data=data,
        )
        with self.journal.transaction():
            box = self._write(self.box, entry, also)
        self._believe(box)
        self._listener(entry, box.deposits[deposit_id])
        return box.deposits[deposit_id]

    def note(
        self,
        what: str,
        *,
        deposit_id: str = "",
        compartment: int | None = None,
        data: Details | None = None,
        also: Also | None = None,
    ) -> None:
        """Journal something about the box that moves no deposit; `also` as for `record`."""
        entry = model.next_entry(
            self.box, at=self._clock.now(), event=what, deposit_id=deposit_id, compartment=compartment, data=data
        )
        with self.journal.transaction():
            box = self._write(self.box, entry, also)
        self._believe(box)
        self._listener(entry, None)

    def _believe(self, box: Box) -> None:
        self.box = box
        if self.anchor is not None:
            self.anchor.finish()

    def _write(self, box: Box, entry: Entry, also: Also | None) -> Box:
        after = model.apply(box, entry)
        self.journal.append(entry)
        if also is not None:
            also(entry)
        if entry.deposit and entry.deposit in box.deposits and entry.deposit not in after.deposits:
            # The end of a deposit is the end of everything by which it could be opened.
            self.journal.shred(entry.deposit)
        if self.anchor is not None:
            self.anchor.write(after, spends=entry.event in SPENDING)
        return after
