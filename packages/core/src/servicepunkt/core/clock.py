"""The clock is an argument: real, fixed for tests, or shifted for a rehearsal.

A rehearsal clock reads its shift (seconds) from a file, so that a demonstration can say "it is Saturday, 19:40" to
several processes at once. It exists only where SERVICEPUNKT_REHEARSAL_CLOCK is set.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

LONGEST_SHIFT = timedelta(days=36525)


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class RehearsalClock:
    """The system clock plus the number of seconds in `path`; a missing or senseless file means no shift."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift()

    def shift(self) -> timedelta:
        try:
            shift = timedelta(seconds=float(self._path.read_text()))
        except (FileNotFoundError, ValueError, OverflowError):
            return timedelta()
        return shift if abs(shift) < LONGEST_SHIFT else timedelta()

    def set(self, instant: datetime) -> None:
        """Make `instant` the present."""
        seconds = (instant - datetime.now(UTC)).total_seconds()
        part = self._path.with_suffix(".part")
        part.write_text(f"{seconds:.3f}")
        part.replace(self._path)
