"""A card reader as a process: desk, link to the centre and local pages around one AusweisApp."""

from __future__ import annotations

import asyncio
import hmac
import os
import time
from pathlib import Path

import httpx
import msgspec

from servicepunkt.core.clock import Clock
from servicepunkt.core.errors import SettingsError
from servicepunkt.eid.controller.desk import Desk
from servicepunkt.eid.controller.link import Link
from servicepunkt.eid.controller.model import LONGEST
from servicepunkt.eid.controller.pages import create_reader_app
from servicepunkt.eid.sdk.client import URL, Limits, SdkClient
from servicepunkt.web.local.enrolment import Enrolment, enrolled_token
from servicepunkt.web.local.watchdog import Watchdog
from servicepunkt.web.server import serving, stop_on_signals

#: Nobody outside this computer sees the pages on which a PIN is typed.
HOST = "127.0.0.1"
#: How long a person takes is the visit's business, which knows of touches.
LIMITS = Limits(person=LONGEST, card=LONGEST)


class ReaderProcess(msgspec.Struct, frozen=True, kw_only=True):
    """What `eid run` is told. `home` holds the token. `ausweisapp`: its websocket on this computer."""

    home: Path
    centre: str
    enrol: str = ""
    ausweisapp: str = URL
    port: int = 8630
    url: str = ""
    secure_cookies: bool = True


def run(reader: ReaderProcess, clock: Clock) -> None:
    """Run until SIGTERM or SIGINT. Raises SettingsError."""
    asyncio.run(_run(reader, clock))


async def _run(reader: ReaderProcess, clock: Clock) -> None:
    try:
        SdkClient(reader.ausweisapp)
    except ValueError as error:
        raise SettingsError(f"--ausweisapp: {error}") from None
    reader.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = await enrolled_token(
        Enrolment(home=reader.home, centre=reader.centre, kind="reader", code=reader.enrol, url=reader.url)
    )
    async with httpx.AsyncClient(
        base_url=reader.centre, headers={"authorization": f"Bearer {token}"}, timeout=10
    ) as client:
        await _serve(reader, Link(client), clock, form_secret=form_secret(token))


def form_secret(token: str) -> str:
    """By which the pages recognise their forms, also after a restart."""
    return hmac.digest(token.encode(), b"forms", "sha256").hex()


async def _serve(reader: ReaderProcess, link: Link, clock: Clock, *, form_secret: str) -> None:
    desk = Desk(
        connect=lambda: SdkClient(reader.ausweisapp, limits=LIMITS),
        tell=link.tell,
        clock=time.monotonic,
        today=lambda: clock.now().date(),
    )
    app = create_reader_app(desk, link, form_secret=form_secret, secure_cookies=reader.secure_cookies, url=reader.url)
    stop = stop_on_signals()
    watchdog = Watchdog(os.environ, asyncio.sleep)
    async with serving(app, host=HOST, port=reader.port):
        works = (desk.run(), link.run(), watchdog.run(_alive), stop.wait())
        tasks = [asyncio.create_task(work) for work in works]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()


async def _alive() -> None:
    """That this loop comes around is the sign of life."""
