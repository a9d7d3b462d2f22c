"""A box as a process: controller, link to the centre and local pages around one cabinet."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from pathlib import Path

import httpx
import msgspec
import structlog

from servicepunkt.core.clock import Clock
from servicepunkt.core.errors import SettingsError
from servicepunkt.core.hours import model as hours
from servicepunkt.core.phone import mobile_number_or_none
from servicepunkt.dokbox import pins, wire
from servicepunkt.dokbox.cabinet import open_cabinet
from servicepunkt.dokbox.controller.environment import BoxEnvironment, open_vault
from servicepunkt.dokbox.controller.link import Link
from servicepunkt.dokbox.controller.pages import create_box_app
from servicepunkt.dokbox.controller.service import Controller, Timing
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.slot import Slot, open_slot
from servicepunkt.web.local.enrolment import Enrolment, enrolled_token
from servicepunkt.web.local.watchdog import Watchdog
from servicepunkt.web.server import serving, stop_on_signals

IN_FILES = "whoever takes this computer has the keys of the codes too; use a TPM, or have the centre keep them"
log = structlog.get_logger("servicepunkt.dokbox")


class PointHours:
    """The point's opening hours, from the last configuration."""

    def __init__(self, config: wire.BoxConfig, clock: Clock) -> None:
        self.calendar = hours.Calendar(config.zone, config.subdivision)
        self._hours: hours.Hours = msgspec.json.decode(config.hours, type=hours.Hours)
        self._clock = clock

    def state(self) -> hours.State:
        return hours.state(self._hours, self.calendar, self._clock.now())

    def is_open(self) -> bool:
        return self.state().open


class BoxProcess(msgspec.Struct, frozen=True, kw_only=True):
    """What `box run` is told. `home` holds journal, token and vault; the vault may lie on another volume.

    `slot`: where the slot for old documents is, see `slot`; empty where there is none.
    """

    home: Path
    vault: Path
    cabinet: str
    centre: str
    enrol: str = ""
    host: str = "127.0.0.1"
    port: int = 8620
    url: str = ""
    slot: str = ""
    secure_cookies: bool = True
    environment: BoxEnvironment = BoxEnvironment()


def run(box: BoxProcess, clock: Clock, *, timing: Timing | None = None, cost: pins.Cost = pins.DEFAULT_COST) -> None:
    """Run until SIGTERM or SIGINT."""
    asyncio.run(_run(box, clock, timing=timing, cost=cost))


async def _run(box: BoxProcess, clock: Clock, *, timing: Timing | None, cost: pins.Cost) -> None:
    box.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    vault = open_vault(box.environment, box.vault, secrets.token_bytes)
    if vault.kind == "file":
        log.warning("vault_in_files", reason=IN_FILES)
    slot = slot_of(box)
    token = await enrolled_token(enrolment_of(box, vault.public_key))
    journal = Journal(box.home / "journal.sqlite")
    try:
        async with open_cabinet(box.cabinet) as cabinet:
            controller = Controller(
                journal,
                vault,
                cabinet,
                clock=clock,
                randomness=secrets.token_bytes,
                randbelow=secrets.randbelow,
                numbers=mobile_number_or_none,
                hours=lambda config: PointHours(config, clock),
                timing=timing,
                cost=cost,
                pepper_life=box.environment.pepper_life,
                monotonic=time.monotonic,
                slot=slot,
            )
            async with httpx.AsyncClient(
                base_url=box.centre, headers={"authorization": f"Bearer {token}"}, timeout=10
            ) as client:
                await _serve(box, controller, Link(controller, journal, client), clock)
    finally:
        journal.close()


async def _serve(box: BoxProcess, controller: Controller, link: Link, clock: Clock) -> None:
    app = create_box_app(controller, clock=clock, link=link, secure_cookies=box.secure_cookies)
    stop = stop_on_signals()
    watchdog = Watchdog(os.environ, asyncio.sleep)
    async with serving(app, host=box.host, port=box.port):
        works = (controller.run(), link.run(), watchdog.run(controller.alive), stop.wait())
        tasks = [asyncio.create_task(work) for work in works]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()


def enrolment_of(box: BoxProcess, public_key: bytes) -> Enrolment:
    """What it takes to get a token of the centre."""
    return Enrolment(home=box.home, centre=box.centre, kind="box", code=box.enrol, url=box.url, public_key=public_key)


def slot_of(box: BoxProcess) -> Slot | None:
    """The slot for old documents. Raises SettingsError."""
    try:
        return open_slot(box.slot) if box.slot else None
    except ValueError as error:
        raise SettingsError(str(error)) from None
