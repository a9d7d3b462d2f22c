"""What the tests of the controller share: a terminal with a scripted AusweisApp, a centre that says what `wire` says,
and somebody who presses. In an environment without the house they are left out.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from importlib.util import find_spec
from typing import Any, Self
from uuid import UUID

import msgspec
import pytest

LIGHT = find_spec("litestar") is None
collect_ignore_glob = ["test_*.py"] if LIGHT else []

if not LIGHT:
    import httpx
    from litestar import Litestar, Request, Response, get, post

    from servicepunkt.eid import wire
    from servicepunkt.eid.console import Practice
    from servicepunkt.eid.controller.desk import Desk
    from servicepunkt.eid.controller.link import Link
    from servicepunkt.eid.controller.pages import create_reader_app
    from servicepunkt.eid.sdk.client import Limits, SdkClient
    from servicepunkt.eid.testing.ausweisapp import FakeAusweisApp, Scenario
    from servicepunkt.web.server import serving

KEY = UUID("01980000-0000-7000-8000-000000000001")
TICKET = "a" * 64
TODAY = date(2026, 11, 22)
NOWHERE = "ws://127.0.0.1:9/eID-Kernel"


class Clock:
    """Time that goes by when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Centre:
    """A centre of one terminal: a ticket is good once."""

    def __init__(self) -> None:
        self.tickets = {TICKET}
        self.ended: list[str] = []
        self.enrolled: list[dict[str, Any]] = []
        self.fetched = 0
        self.purpose = {"de": "Führungszeugnis beantragen", "en": "Apply for a certificate of conduct"}
        self.answers: dict[str, Callable[[], Any]] = {}
        self.url = ""

    def app(self) -> Any:
        @get("/api/v1/eid/config")
        async def config(request: Request[Any, Any, Any]) -> Response[Any]:
            self.fetched += 1
            if "config" in self.answers:
                return self.answers["config"]()  # type: ignore[no-any-return]
            if request.headers.get("if-none-match") == '"1"':
                return Response(None, status_code=304)
            said = wire.ReaderConfig(
                tenant_name="Musterhausen", reader="reader-1", point="mitte", point_name={"de": "Mitte"},
                languages=("de", "en"), centre_url=f"{self.url}/t/alpha", help_phone="0561 115",
            )  # fmt: skip
            return Response(msgspec.json.encode(said), media_type="application/json", headers={"etag": '"1"'})

        @post("/api/v1/eid/claim", status_code=200)
        async def claim(request: Request[Any, Any, Any]) -> Response[Any]:
            if "claim" in self.answers:
                return self.answers["claim"]()  # type: ignore[no-any-return]
            ticket = msgspec.json.decode(await request.body(), type=wire.Claim).ticket
            if ticket not in self.tickets:
                return Response({"code": "SP4300"}, status_code=404)
            self.tickets.remove(ticket)
            claimed = wire.Claimed(
                key=KEY, purpose=self.purpose, tc_token_url="https://eid.example/token?session=5f3a",
                back="/k/apply/conduct", seconds=600,
            )  # fmt: skip
            return Response(msgspec.json.encode(claimed), media_type="application/json")

        @post("/api/v1/devices/enrol", status_code=200)
        async def enrol(request: Request[Any, Any, Any]) -> dict[str, str]:
            self.enrolled.append(msgspec.json.decode(await request.body()))
            return {"token": "1.device.secret"}

        @post("/api/v1/eid/ended", status_code=204)
        async def ended(request: Request[Any, Any, Any]) -> None:
            said = msgspec.json.decode(await request.body(), type=wire.Ended)
            assert said.key == KEY
            self.ended.append(said.outcome)

        @get(["/t/alpha/k", "/t/alpha/k/help", "/t/alpha/k/apply/conduct"], media_type="text/html")
        async def terminal(request: Request[Any, Any, Any]) -> str:
            return f"<title>Terminal</title><p id=asked>{request.url.path}?{request.url.query}</p>"

        return Litestar([config, claim, ended, enrol, terminal], openapi_config=None, logging_config=None)


class Person:
    """Somebody in front of a screen: reads pages, fills in forms, presses."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.page = ""
        self.status = 0
        self.at = ""

    async def go(self, path: str, **query: str) -> str:
        return await self._follow(await self.client.get(path, params=query or None))

    async def press(self, action: str, **fields: str) -> str:
        """Send a form of the page that is open."""
        token = re.search(r'name="_csrf_token" value="([^"]+)"', self.page)
        assert token, "no form on this page"
        return await self._follow(await self.client.post(action, data={"_csrf_token": token[1], **fields}))

    async def answer(self, action: str, **fields: str) -> str:
        return await self.press(action, step=self.step, **fields)

    async def type(self, number: str) -> str:
        return await self.answer("/number", number=number)

    async def agree(self, *rights: str) -> str:
        return await self.answer("/rights", **{f"right-{name}": "yes" for name in rights})

    @property
    def step(self) -> str:
        found = re.search(r'name="step" value="(\d+)"', self.page)
        return found[1] if found else "0"

    @property
    def screen(self) -> str:
        found = re.search(r'data-screen="([a-z_]+)"', self.page)
        return found[1] if found else ""

    async def until(self, *screens: str) -> str:
        """Look again until one of these stands there; "centre" for the way back to it."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            await self.go("/visit")
            if self.screen in screens or ("centre" in screens and "/t/alpha" in self.at):
                return self.page
            await asyncio.sleep(0.005)
        raise AssertionError(f"{self.screen or self.at} instead of {screens}: {self.page[:300]}")

    async def _follow(self, answer: Any) -> str:
        for _ in range(5):
            if answer.status_code not in (302, 303):
                break
            where = answer.headers["location"]
            self.at = where
            if where.startswith("http"):  # the centre's pages are elsewhere
                self.page = ""
                return ""
            answer = await self.client.get(where)
        self.at, self.status, self.page = str(answer.url.path), answer.status_code, answer.text
        assert self.status != 500, "the page could not be made"
        return self.page


class Place:
    """A terminal: AusweisApp, controller, centre."""

    def __init__(self, scenario: Any = None, *, app: bool = True, strict: bool = True) -> None:
        self.clock, self.centre = Clock(), Centre()
        self.ausweisapp = FakeAusweisApp(scenario or Scenario(), strict=strict) if app else None
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self.ausweisapp is not None:
            await self.stack.enter_async_context(self.ausweisapp)
        port = await self.stack.enter_async_context(serving(self.centre.app(), host="127.0.0.1", port=0))
        self.centre.url = f"http://127.0.0.1:{port}"
        client = await self.stack.enter_async_context(httpx.AsyncClient(base_url=self.centre.url, timeout=5))
        self.link = Link(client, sleep=lambda _: asyncio.sleep(0.01))
        await self.link.fetch_config()
        self.link.connected = True
        url = self.ausweisapp.url if self.ausweisapp else NOWHERE
        limits = Limits(connect=2, answer=2, app=2, person=60, card=60, cancel=0.5)
        self.desk = Desk(
            connect=lambda: SdkClient(url, limits=limits),
            tell=self.link.tell,
            clock=self.clock,
            today=lambda: TODAY,
            sleep=lambda _: asyncio.sleep(0.01),
            practice=Practice,
        )
        self.app = create_reader_app(self.desk, self.link, form_secret="f" * 64, secure_cookies=False)
        await self.stack.enter_async_context(running(self.desk))
        port = await self.stack.enter_async_context(serving(self.app, host="127.0.0.1", port=0))
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.stack.aclose()

    @asynccontextmanager
    async def person(self, language: str = "en") -> AsyncIterator[Person]:
        async with httpx.AsyncClient(base_url=self.url, timeout=10) as client:
            person = Person(client)
            await person.go("/", lang=language, view="plain")
            yield person

    async def identify(self, person: Person) -> None:
        """The terminal sends somebody here."""
        await person.go("/identify", ticket=TICKET, lang="en", view="large")

    async def settle(self) -> None:
        """Until nothing is under way any more."""
        for _ in range(300):
            if not self.desk._closing and not self.desk._telling:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("something does not end")


@asynccontextmanager
async def running(desk: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(desk.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def place() -> Callable[..., Any]:
    """`async with place(scenario) as here: async with here.person() as person: ...`"""
    return Place
