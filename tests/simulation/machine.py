"""The box's computer: the product's journal, vault, controller and link, on what is simulated around them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx

from servicepunkt.dokbox.boards import CabinetError
from servicepunkt.dokbox.controller.link import (
    CONDITION_SECONDS,
    CONFIG_SECONDS,
    PEPPER_SECONDS,
    RETRY_LONGEST,
    Link,
)
from servicepunkt.dokbox.controller.service import Controller, Timing
from servicepunkt.dokbox.errors import DokboxError
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.testing import CHEAP, plain_number
from servicepunkt.dokbox.vault import FileVault

from .cabinet import Cabinet, Driver
from .centre import Centre
from .clockwork import Clocks, is_open
from .disk import Disk, Power, PowerCut
from .network import Transport, Weather
from .profile import Profile
from .slot import Reader, Slot

T = TypeVar("T")
LINGER, LINGER_TICK = 240.0, 5.0  # after somebody has gone
QUIET_TICK = 600.0  # while nobody is there and no door is open, time is looked at this often
QUIET_CONFIG = 6 * 3600.0
QUIET_RETRY = 300.0  # while the network is gone for hours


class PowerOutError(Exception):
    """The screen is dark: the box has no power, or lost it while somebody waited for an answer."""


class Hours:
    """The shop's hours, by the true time."""

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks

    def is_open(self) -> bool:
        return is_open(self._clocks.seconds)


class Quiet:
    """Whether anything goes on at the box; ticks are far apart while nothing does."""

    def __init__(self) -> None:
        self._people = 0
        self._left_at = 0.0
        self._stirred = asyncio.Event()

    def begin(self) -> None:
        self._people += 1
        self._stirred.set()

    def end(self, seconds: float) -> None:
        self._people -= 1
        self._left_at = seconds
        if not self._people:
            self._stirred.clear()

    @property
    def busy(self) -> bool:
        return self._people > 0

    async def wait(self, seconds: float) -> None:
        """Until somebody comes, at most for a while: a short one while what he left behind may still need an end."""
        if not self._people:
            waiting = asyncio.ensure_future(self._stirred.wait())
            await asyncio.wait([waiting], timeout=LINGER_TICK if seconds < self._left_at + LINGER else QUIET_TICK)
            waiting.cancel()


class Machine:
    """Starts the box, takes its power away at any moment, and passes on what people do at its screen."""

    def __init__(
        self,
        folder: Path,
        *,
        profile: Profile,
        chance: random.Random,
        clocks: Clocks,
        cabinet: Cabinet,
        slot: Slot,
        centre: Centre,
        disk: Disk,
        weather: Weather,
        quiet: Quiet,
        spawn: Callable[[Coroutine[Any, Any, Any]], object],
        fired: Callable[[int], None],
        crashed: Callable[[str], None],
    ) -> None:
        self.folder, self.profile, self.chance = folder, profile, chance
        self.clocks, self.cabinet, self.centre, self.disk, self.weather = clocks, cabinet, centre, disk, weather
        self.slot = slot
        self.quiet, self._spawn, self._fired, self._crashed = quiet, spawn, fired, crashed
        self.timing = Timing(tick=profile.tick)
        self.power = Power()
        self.power.on = False
        self.starts = 0
        self.driver: Driver | None = None
        self.controller: Controller | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._calls: dict[asyncio.Task[Any], None] = {}

    # ---- power -----------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Current is there again."""
        self.starts += 1
        power = self.power = Power()
        journal = Journal(self.folder / "journal.sqlite", connect=self.disk.connect(power))
        vault = FileVault(self.folder / "vault", self.chance.randbytes)
        self.centre.public_key = vault.public_key
        self.driver = Driver(
            self.cabinet,
            power,
            self.chance,
            now=self.clocks.now,
            fired=self._fired,
            spawn=self._spawn,
            lost_replies=self.profile.lost_replies,
        )
        self.controller = Controller(
            journal,
            vault,
            self.driver,  # type: ignore[arg-type]  # the same outside as Cabinet
            clock=self.clocks,
            randomness=self.chance.randbytes,
            randbelow=self._dice,
            numbers=plain_number,
            hours=lambda _: Hours(self.clocks),
            timing=self.timing,
            cost=CHEAP,
            monotonic=lambda: self.clocks.seconds,
            sleep=self._tick,
            slot=Reader(self.slot, power, self.chance, trouble=self.profile.slot_trouble),
        )
        transport = Transport(self.centre, self.weather, power, self.chance, self._spawn)
        client = httpx.AsyncClient(transport=transport, base_url="http://centre", timeout=10)
        link = Link(self.controller, journal, client, sleep=self._pause, randomness=self.chance.randbytes)
        self._tasks = [asyncio.create_task(self._run(work, power)) for work in (self.controller.run, link.run)]
        self.driver.start()

    def cut(self) -> None:
        """Pull the plug, here and now."""
        if not self.power.on:
            return
        self.power.on = False
        self.disk.lose()
        self.controller = None
        for task in [*self._tasks, *self._calls]:
            task.cancel()
        self._tasks = []

    async def _run(self, work: Callable[[], Awaitable[None]], power: Power) -> None:
        try:
            await work()
            self._ended(power, "it came to its end")
        except (PowerCut, BaseExceptionGroup) as error:
            self._ended(power, repr(error))
        except Exception as error:  # noqa: BLE001 - whatever ends the box is a finding
            self._ended(power, repr(error))

    def _ended(self, power: Power, why: str) -> None:
        if power.on:
            self._crashed(why)

    # ---- what the controller and the link are given ----------------------------------------------------------

    async def _tick(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if seconds == self.timing.tick:
            await self.quiet.wait(self.clocks.seconds)

    async def _pause(self, seconds: float) -> None:
        """The link's pauses; those that only ask again and again are longer here."""
        if seconds in (CONFIG_SECONDS, PEPPER_SECONDS, CONDITION_SECONDS):
            seconds = QUIET_CONFIG
        await asyncio.sleep(seconds)
        while seconds == RETRY_LONGEST and self.weather.partition:
            await asyncio.sleep(QUIET_RETRY)

    def _dice(self, limit: int) -> int:
        """Uniform, or dice that fall on the same few sides again and again: allowed, and a hard case for codes."""
        sides = 2 if self.chance.random() < self.profile.dice_repeat else limit
        return self.chance.randrange(sides)

    # ---- people ----------------------------------------------------------------------------------------------

    async def ask(self, what: Callable[[Controller], Awaitable[T]]) -> T:
        """Somebody presses a button. Raises PowerOutError, or what the box answers."""
        if self.controller is None:
            raise PowerOutError
        controller = self.controller
        task = asyncio.ensure_future(self._answer(what, controller))
        self._calls[task] = None
        try:
            await asyncio.wait([task])
        finally:
            self._calls.pop(task, None)
            task.cancel()
        if task.cancelled():
            raise PowerOutError
        try:
            return task.result()
        except PowerCut:
            raise PowerOutError from None
        except (DokboxError, CabinetError):
            raise
        except Exception as error:
            self._crashed(f"somebody was answered with {error!r}")
            raise PowerOutError from error

    @staticmethod
    async def _answer(what: Callable[[Controller], Awaitable[T]], controller: Controller) -> T:
        return await what(controller)
