"""A box as a process: controller, link to the centre and local pages around one cabinet."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from pathlib import Path

import httpx
import msgspec
import structlog
import uvicorn

from servicepunkt.core.clock import Clock
from servicepunkt.core.errors import SettingsError
from servicepunkt.core.hours import model as hours
from servicepunkt.core.phone import mobile_number_or_none
from servicepunkt.dokbox import pins, wire
from servicepunkt.dokbox.cabinet import open_cabinet
from servicepunkt.dokbox.controller.link import Link
from servicepunkt.dokbox.controller.pages import create_box_app
from servicepunkt.dokbox.controller.service import Controller, Timing
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.vault import FileVault, write_secret

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
    """What `box run` is told. `home` holds journal, token and vault; the vault may lie on another volume."""

    home: Path
    vault: Path
    cabinet: str
    centre: str
    enrol: str = ""
    host: str = "127.0.0.1"
    port: int = 8620
    url: str = ""
    secure_cookies: bool = True


def run(box: BoxProcess, clock: Clock, *, timing: Timing | None = None, cost: pins.Cost = pins.DEFAULT_COST) -> None:
    """Run until SIGTERM or SIGINT."""
    asyncio.run(_run(box, clock, timing=timing, cost=cost))


async def _run(box: BoxProcess, clock: Clock, *, timing: Timing | None, cost: pins.Cost) -> None:
    box.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    vault = FileVault(box.vault, secrets.token_bytes)
    log.warning("vault_in_files", reason="whoever takes the whole computer has the peppers too; use a TPM")
    token = await enrolled_token(box, vault.public_key)
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
                monotonic=time.monotonic,
            )
            async with httpx.AsyncClient(
                base_url=box.centre, headers={"authorization": f"Bearer {token}"}, timeout=10
            ) as client:
                await _serve(box, controller, Link(controller, journal, client), clock)
    finally:
        journal.close()


async def _serve(box: BoxProcess, controller: Controller, link: Link, clock: Clock) -> None:
    app = create_box_app(controller, clock=clock, link=link, secure_cookies=box.secure_cookies)
    server = uvicorn.Server(
        uvicorn.Config(app, host=box.host, port=box.port, log_level="warning", access_log=False, server_header=False)
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    tasks = [
        asyncio.create_task(controller.run()),
        asyncio.create_task(link.run()),
        asyncio.create_task(server.serve()),
        asyncio.create_task(stop.wait()),
    ]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    for task in tasks:
        if task is not tasks[2]:
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for task, result in zip(tasks, results, strict=True):
        if task in done and isinstance(result, Exception):
            raise result


async def enrolled_token(box: BoxProcess, public_key: bytes) -> str:
    """The device token from disk, or a new one for the one-time code. Raises SettingsError."""
    path = box.home / "token"
    if path.exists():
        return path.read_text()
    if not box.enrol:
        raise SettingsError(
            "this box is not enrolled: create a one-time code on the devices page and pass --enrol CODE"
        )
    body = {"code": box.enrol, "kind": "box", "public_key": public_key.hex(), "info": {"url": box.url}}
    async with httpx.AsyncClient(base_url=box.centre, timeout=10) as client:
        answer = await client.post("/api/v1/devices/enrol", json=body)
    if answer.status_code not in (200, 201):
        raise SettingsError(f"the centre refused the one-time code ({answer.status_code})")
    token = str(answer.json()["token"])
    write_secret(path, token.encode())
    return token
