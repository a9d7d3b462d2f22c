"""Virtual time: an asyncio loop whose clock jumps to the next timer, and the clocks that the box is given."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday, midnight
DAY = 86_400.0
OPENS, CLOSES = 9.5 * 3600, 20 * 3600.0
WORK_SECONDS = 0.09  # an Argon2id run on a small computer


class StalledError(Exception):
    """Nothing is left that could ever happen, and the run is not over."""


class _Instant(selectors.SelectSelector):
    """Waits for nobody: the time that was to be waited is added to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StalledError
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual; what is given to a thread runs here, `WORK_SECONDS` later.

    `watch_work` is told when such a piece of work begins (True) and ends (False).
    """

    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)
        # Of a float of 10^8 seconds a nanosecond is nothing; two instants closer than this are one.
        self._clock_resolution = 1e-6
        self.watch_work: Callable[[bool], None] = lambda begins: None

    def time(self) -> float:
        return self._instant.now

    def run_in_executor(  # type: ignore[override]  # typeshed's is generic in the arguments
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        self.watch_work(True)
        self.call_later(WORK_SECONDS, self._work, future, func, args)
        return future

    def _work(self, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.watch_work(False)
        if not future.done():
            future.set_result(func(*args))


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]]) -> Any:
    """Run `main` to its end in virtual time."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()


class Clocks:
    """The true time, and the box's own clock, wrong by `error` seconds since `set_at`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.error = self.set_at = 0.0

    @property
    def seconds(self) -> float:
        return self._loop.time()

    def true(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds + self.error)

    def set(self, error: float) -> None:
        self.error, self.set_at = error, self.seconds


def is_open(seconds: float) -> bool:
    """Whether the shop is open: Monday to Saturday, 9:30 to 20:00."""
    day, within = divmod(seconds, DAY)
    return int(day) % 7 != 6 and OPENS <= within < CLOSES


def next_open(seconds: float) -> float:
    """The same instant if the shop is open, else the next opening."""
    while not is_open(seconds):
        day, within = divmod(seconds, DAY)
        seconds = (day if within < OPENS else day + 1) * DAY + OPENS
        if int(seconds // DAY) % 7 == 6:
            seconds += DAY
    return seconds
