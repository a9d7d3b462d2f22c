"""The card's door in a real browser: over the reader's pages and back, accessible, large enough, without scripts."""

from __future__ import annotations

import asyncio
import http.server
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from servicepunkt.core.catalogue import service as catalogue_service
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import service as people
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock, empty_database, make_tenant, open_deployment
from servicepunkt.eid.sessions import services
from servicepunkt.eid.testing.person import ERIKA
from servicepunkt.web.app import create_app
from servicepunkt.web.devices import service as devices
from servicepunkt.web.sessions import service as signed_in
from servicepunkt.web.testing import LANDSCAPE, PORTRAIT, axe_violations, browser, overlaps, serve, small_targets

if TYPE_CHECKING:
    from conftest import Bought
    from playwright.sync_api import Browser, Page

APPLY, WEB = "/t/alpha/k/apply/certificate", "/t/alpha/apply/certificate"
#: Where somebody who looks at the pages wants their pictures.
PICTURES = os.environ.get("SERVICEPUNKT_TEST_PICTURES", "")
VIEWS = pytest.mark.parametrize(
    ("size", "view", "language"),
    [(PORTRAIT, "", ""), (LANDSCAPE, "", "en"), (LANDSCAPE, "contrast-large", "")],
    ids=["portrait", "landscape", "contrast-large"],
)


class Reader(http.server.BaseHTTPRequestHandler):
    """The reader's own pages, as far as a browser goes there."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>reader</title><h1>The reader</h1>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Nothing."""


@pytest.fixture(scope="module")
def reader_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reader) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


class Place(msgspec.Struct, frozen=True):
    """A served town: its address, its eID service, and the tokens of a terminal and a reader, and of a clerk."""

    base: str
    bought: Any
    terminal: str
    reader: str
    clerk: str

    def claim(self, ticket: str) -> dict[str, Any]:
        """What the reader does."""
        headers = {"authorization": f"Bearer {self.reader}"}
        answer = httpx.post(f"{self.base}/t/alpha/api/v1/eid/claim", json={"ticket": ticket}, headers=headers)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def fetch(self, address: str) -> str:
        """What an AusweisApp does; the address to which it leads afterwards."""
        parts = urlsplit(address)
        answer = httpx.get(f"{self.base}/t/alpha{parts.path}?{parts.query}").raise_for_status()
        refresh = re.search(r"<RefreshAddress>([^<]+)<", answer.text)
        assert refresh
        return "/t/alpha" + refresh[1].removeprefix("https://town.example.org")


@pytest.fixture(scope="module")
def place(
    urls: Urls,
    plugins: PluginHost,
    tmp_path_factory: pytest.TempPathFactory,
    town_of: Any,
    make_service: type[Bought],
    reader_url: str,
) -> Iterator[Place]:
    home, clock = tmp_path_factory.mktemp("browser"), FixedClock()
    made, settings, catalogue = make_service(clock), *town_of
    beside = {"id": "reader-north", "point": "north", "local_url": reader_url}
    settings = {**settings, "eid": {**settings["eid"], "readers": [beside]}}

    async def seed() -> tuple[str, str, str]:
        empty_database(urls.owner)
        async with open_deployment(urls, home, plugins, clock=clock) as deployment:
            ctx = await make_tenant(deployment, urls.owner, "alpha", plugins=["web", "eid"], settings=settings)
            tokens = []
            for kind, target in (("terminal", "north"), ("reader", "reader-north")):
                _, code = await devices.announce(deployment, ctx, actor="test", kind=kind, target=target, label=target)
                tokens.append((await devices.enrol(deployment, ctx, code=code))[1])
            async with deployment.database.tenant(ctx) as tx:
                await catalogue_service.publish(tx, catalogue, at=clock.now(), actor="test")
                account = await people.create_account(
                    tx,
                    at=clock.now(),
                    actor="test",
                    login="clerk",
                    name="C",
                    password="a long sentence",
                    roles=("clerk",),
                )
            return tokens[0], tokens[1], await signed_in.start(deployment, ctx, account)

    terminal, reader, clerk = asyncio.run(seed())
    own = Settings(home=home, database_url=urls.application, owner_database_url=urls.owner, secure_cookies=False)
    deployment = Deployment(own, plugins, Database(urls.application, clock=clock), clock=clock)
    with (
        pytest.MonkeyPatch.context() as patched,
        serve(create_app(deployment), closing=deployment.database.close) as base,
    ):
        patched.setattr(services, "connected", made.connect)
        yield Place(base, made, terminal, reader, clerk)


@pytest.fixture(scope="module")
def chromium(place: Place) -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def visit(place: Place, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a browser, a terminal's where nothing else is said; what it complains about fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(
        *, cookie: str = "sp_device", value: str = "", size: Any = PORTRAIT, view: str = "", language: str = "",
        **options: Any,
    ) -> Page:  # fmt: skip
        context = chromium.new_context(base_url=place.base, viewport=size, **options)
        contexts.append(context)
        cookies = {cookie: value or place.terminal, "sp_view": view, "sp_language": language}
        where = {"domain": "127.0.0.1", "path": "/t/alpha"}
        context.add_cookies([{"name": name, "value": text, **where} for name, text in cookies.items() if text])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def look(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))
    assert axe_violations(page) == [], name
    assert small_targets(page, 48) == [], name
    assert overlaps(page) == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


def to_the_reader(page: Page, place: Place) -> str:
    """From the form to the reader, which takes it over; the path back."""
    page.goto(APPLY)
    page.click(f"main form[action='{APPLY}'] button")
    page.wait_for_url("**/identify?*")
    told = place.claim(parse_qs(urlsplit(page.url).query)["ticket"][0])
    place.fetch(told["tc_token_url"])
    return f"{place.base}/t/alpha{told['back']}?lang=de&view=plain"


@VIEWS
def test_over_the_reader_and_back(
    visit: Callable[..., Page], place: Place, size: Any, view: str, language: str
) -> None:
    page = visit(size=size, view=view, language=language)
    sort = f"{size['width']}{view}"
    back = to_the_reader(page, place).partition("?")[0]
    # As the reader's page does it: another site leads here.
    page.evaluate("address => { location.href = address }", back)
    page.wait_for_url("**/back")
    look(page, f"waiting-{sort}")
    place.bought.server.finish(place.bought.session, ERIKA)
    page.wait_for_url("**/apply/certificate/form")
    assert "MUSTERMANN" in page.inner_text("main")


@VIEWS
def test_trouble_is_said(visit: Callable[..., Page], place: Place, size: Any, view: str, language: str) -> None:
    page = visit(size=size, view=view, language=language)
    sort = f"{size['width']}{view}"
    back = to_the_reader(page, place).partition("?")[0]
    place.bought.is_down = True
    page.goto(back)
    look(page, f"silent-{sort}")
    place.bought.is_down = False
    page.click("#result a")
    assert page.is_visible("[hx-get]")
    place.bought.server.refuse(place.bought.session, "/getResult#deniedDocument")
    page.wait_for_selector("#result a")
    look(page, f"refused-{sort}")
    page.click("#result a")
    assert page.url.endswith("/apply/certificate?note=again")


def test_without_scripts(visit: Callable[..., Page], place: Place) -> None:
    page = visit(java_script_enabled=False)
    back = to_the_reader(page, place)
    page.goto(back)
    place.bought.server.finish(place.bought.session, ERIKA)
    page.wait_for_url("**/apply/certificate/form")


@VIEWS
def test_a_terminal_without_a_reader(
    visit: Callable[..., Page], place: Place, size: Any, view: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from servicepunkt.eid.sessions import pages

    async def nobody(*_: Any) -> None:
        return None

    monkeypatch.setattr(pages, "at_point", nobody)
    page = visit(size=size, view=view, language=language)
    page.goto(APPLY)
    page.click(f"main form[action='{APPLY}'] button")
    look(page, f"no-reader-{size['width']}{view}")
    page.goto("/t/alpha/k/eid")
    look(page, f"no-reader-tile-{size['width']}{view}")


@pytest.mark.parametrize("size", [{"width": 390, "height": 844}, {"width": 1440, "height": 900}], ids=["phone", "desk"])
def test_on_the_web(visit: Callable[..., Page], place: Place, size: Any) -> None:
    page = visit(cookie="nothing", value="x", size=size)
    page.goto(WEB)
    page.click(f"main form[action='{WEB}'] button")
    look(page, f"web-{size['width']}")
    href = page.get_attribute("main a[href^='http://127.0.0.1:24727/']", "href") or ""
    refresh = place.fetch(parse_qs(urlsplit(href).query)["tcTokenURL"][0])
    page.reload()
    look(page, f"web-at-work-{size['width']}")
    place.bought.server.finish(place.bought.session, ERIKA)
    page.goto(refresh)
    assert page.url.endswith("/apply/certificate/form")


def test_staff_see_the_readers(visit: Callable[..., Page], place: Place) -> None:
    page = visit(cookie="sp_session", value=place.clerk, size={"width": 1440, "height": 900})
    page.goto("/t/alpha/staff/eid")
    look(page, "staff")
