"""Power and disk: what was committed stays, what was not is gone, and nobody acts without current.

The disk keeps what a disk with a true flush keeps, if the journal asks for one (`synchronous=FULL`); of a journal that
does not ask, the last transactions may be lost with the power. How SQLite's own file behaves under torn writes is the
subject of another campaign.
"""

from __future__ import annotations

import random
import sqlite3
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_LOST = 4  # transactions that a disk may still hold in its cache when nobody asked for a flush
WRITES = ("INSERT", "UPDATE", "DELETE", "COMMIT")


class PowerCut(BaseException):
    """The process is gone: no `except Exception` of the code under test may live on after it."""


class Power:
    """The current of one start of the box. Whatever the box does to the world asks it first."""

    def __init__(self) -> None:
        self.on = True

    def need(self) -> None:
        """Raises PowerCut."""
        if not self.on:
            raise PowerCut


class Disk:
    """One database that outlives the processes; `step` is called before and after every write and may cut the power."""

    def __init__(self, chance: random.Random) -> None:
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        self.step: Callable[[], None] = lambda: None
        self.committed: Callable[[], None] = lambda: None
        self._chance = chance
        self._images: deque[bytes] = deque(maxlen=MOST_LOST)
        self.flushed = True

    def connect(self, power: Power) -> Callable[..., Connection]:
        """What a journal takes for `sqlite3.connect`."""

        def connect(path: Path, **_: Any) -> Connection:
            path.touch()
            return Connection(self, power)

        return connect

    def lose(self) -> None:
        """The power is gone: back to what the disk really has."""
        if self.database.in_transaction:
            self.database.execute("ROLLBACK")
        lost = 0 if self.flushed else self._chance.randrange(MOST_LOST)
        if 0 < lost <= len(self._images):
            self.database.deserialize(self._images[-lost])

    def remember(self) -> None:
        """Before a commit without a flush: what would be left if it were lost."""
        if not self.flushed:
            # A connection cannot be copied inside of its own transaction.
            self.database.execute("ROLLBACK")
            self._images.append(self.database.serialize())


class Connection:
    """The part of sqlite3.Connection that a journal uses, on a disk that can lose its power at any statement."""

    def __init__(self, disk: Disk, power: Power) -> None:
        self._disk = disk
        self._power = power
        self._pending: list[tuple[str, Any]] = []

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        self._power.need()
        verb = sql.split(None, 1)[0].upper()
        if verb == "PRAGMA" and "synchronous" in sql.lower():
            self._disk.flushed = sql.upper().rstrip("; ").endswith(("FULL", "EXTRA"))
        if verb in WRITES:
            self._disk.step()
        if verb == "COMMIT":
            return self._commit()
        if verb == "BEGIN":
            self._pending.clear()
        elif verb in WRITES and not self._disk.flushed:
            self._pending.append((sql, parameters))
        return self._disk.database.execute(sql, parameters)

    def _commit(self) -> sqlite3.Cursor:
        if not self._disk.flushed:
            self._disk.remember()
            self._disk.database.execute("BEGIN IMMEDIATE")
            for sql, parameters in self._pending:
                self._disk.database.execute(sql, parameters)
        done = self._disk.database.execute("COMMIT")
        self._disk.committed()
        self._disk.step()
        return done

    def executescript(self, script: str) -> sqlite3.Cursor:
        self._power.need()
        return self._disk.database.executescript(script)

    def close(self) -> None:
        """The database stays: it is the disk."""
