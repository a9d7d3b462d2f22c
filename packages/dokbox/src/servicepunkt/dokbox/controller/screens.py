"""One person in front of the screen, by a random name in a cookie: in memory, bounded, forgotten after a while."""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec
from litestar import Request

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.errors import VisitOverError

COOKIE = "sp_box_visit"
SCREEN_SECONDS = 300
VISIT_SECONDS = wire.IDENTIFY_SECONDS + 60  # the visit itself ends earlier
MAX_SCREENS = 200


class Screen(msgspec.Struct):
    """One person in front of the screen: what was typed so far, and the visit once the code was right.

    `identifies`: the visit was left for the terminal's pages, so that its end may have been their answer.
    """

    number: str = ""
    visit: str = ""
    used: float = 0.0
    identifies: bool = False

    def is_over(self, now: float) -> bool:
        """Whether nobody was here for so long that it is forgotten; `now` is monotonic."""
        return now - self.used > (VISIT_SECONDS if self.visit else SCREEN_SECONDS)

    def __repr__(self) -> str:
        return "Screen()"


class Screens:
    """Screens by the random name in their cookie; bounded, and forgotten after a while."""

    def __init__(self) -> None:
        self._open: dict[str, Screen] = {}

    def new(self) -> tuple[str, Screen]:
        now = time.monotonic()
        for name in [name for name, screen in self._open.items() if screen.is_over(now)]:
            del self._open[name]
        if len(self._open) >= MAX_SCREENS:
            del self._open[next(iter(self._open))]
        name, screen = secrets.token_hex(16), Screen(used=now)
        self._open[name] = screen
        return name, screen

    def of(self, request: Request[Any, Any, Any]) -> Screen:
        """Raises VisitOverError."""
        screen = self._open.get(request.cookies.get(COOKIE, ""))
        if screen is None or screen.is_over(time.monotonic()):
            raise VisitOverError
        screen.used = time.monotonic()
        return screen

    def forget(self, request: Request[Any, Any, Any]) -> Screen | None:
        return self._open.pop(request.cookies.get(COOKIE, ""), None)
