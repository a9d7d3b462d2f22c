"""From a form to the wallet and back in a real browser: accessible, large, without scripts, and by itself."""

from __future__ import annotations

import asyncio
import html
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock, empty_database, open_deployment
from servicepunkt.eid.sessions import party, wallet_pages
from servicepunkt.eid.testing.wallet import FakeIssuer, FakeWallet, Fault
from servicepunkt.web.app import create_app
from servicepunkt.web.testing import (
    LANDSCAPE,
    PORTRAIT,
    axe_violations,
    browser,
    overlaps,
    scrolls,
    serve,
    small_targets,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Where somebody who looks at the pages wants their pictures.
PICTURES = os.environ.get("SERVICEPUNKT_TEST_PICTURES", "")
VISITS = 8
PHONE: Any = {"width": 390, "height": 844}


class Place:
    """A served town, tokens of its terminals, each for one use, and wallets that reach it."""

    def __init__(self, base: str, tokens: list[str], codes: list[str], issuer: FakeIssuer) -> None:
        self.base, self.tokens, self.codes, self.issuer = base, tokens, codes, issuer

    def code(self) -> str:
        """What the page showed last; a camera reads the same from the image."""
        return self.codes[-1]

    def wallet(self, fault: Fault | None = None) -> FakeWallet:
        return FakeWallet(self.issuer, now=self.issuer.now, fault=fault)

    def http(self, method: str, url: str, body: bytes | None) -> bytes:
        kind = {"content-type": "application/x-www-form-urlencoded"} if body else {}
        return httpx.request(method, url, content=body, headers=kind, timeout=20).raise_for_status().content


@pytest.fixture(scope="module")
def place(
    urls: Urls, plugins: PluginHost, tmp_path_factory: pytest.TempPathFactory, make_towns: Callable[..., Any]
) -> Iterator[Place]:
    home, clock = tmp_path_factory.mktemp("browser"), FixedClock()
    issuer = FakeIssuer(now=clock.now())
    codes: list[str] = []

    async def seed() -> list[str]:
        empty_database(urls.owner)
        async with open_deployment(urls, home, plugins, clock=clock) as deployment:
            towns = make_towns([deployment], issuer, clock)
            await towns.found(urls.owner, "alpha")
            return [await towns.terminal_token() for _ in range(VISITS)]

    tokens = asyncio.run(seed())
    with pytest.MonkeyPatch.context() as patch:
        party._verifier.cache_clear()
        patch.setattr(party, "fetch", issuer.fetch)
        drawn = wallet_pages.qr_once
        patch.setattr(wallet_pages, "qr_once", lambda text: (codes.append(text), drawn(text))[1])
        settings = Settings(
            home=home,
            database_url=urls.application,
            owner_database_url=urls.owner,
            secure_cookies=False,
            tenant_requests=0.0,
            address_requests=0.0,
        )
        deployment = Deployment(settings, plugins, Database(urls.application, clock=clock), clock=clock)
        with serve(create_app(deployment), closing=deployment.database.close) as base:
            deployment.settings = _at(settings, base)
            yield Place(base, tokens, codes, issuer)


def _at(settings: Settings, base: str) -> Settings:
    return msgspec.structs.replace(settings, public_url=base)


@pytest.fixture(scope="module")
def chromium(place: Place) -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def visit(place: Place, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a browser, a terminal's where it is not `web`; what it complains about fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(
        *, size: Any = PORTRAIT, view: str = "", language: str = "", web: bool = False, **options: Any
    ) -> Page:
        context = chromium.new_context(base_url=place.base, viewport=size, **options)
        contexts.append(context)
        cookies = {"sp_device": "" if web else place.tokens.pop(), "sp_view": view, "sp_language": language}
        where = {"domain": "127.0.0.1", "path": "/t/alpha"}
        context.add_cookies([{"name": name, "value": value, **where} for name, value in cookies.items() if value])  # type: ignore[misc]
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def look(page: Page, name: str, *, enhanced: bool = False, terminal: bool = True) -> None:
    """What every page has to be."""
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=not terminal)
    assert axe_violations(page, rules=("color-contrast-enhanced",) if enhanced else ()) == [], name
    assert small_targets(page, 48 if terminal else 24) == [], name
    assert overlaps(page) == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


def begin(page: Page, place: str = "/k") -> None:
    page.goto(f"/t/alpha{place}/apply/record")
    page.click("main form:has([name=door][value=wallet]) button")
    page.wait_for_selector("#wallet img")


def reached(page: Page, end: str) -> None:
    page.wait_for_url(f"**{end}", timeout=15_000)


@pytest.mark.parametrize(
    ("size", "view", "language"),
    [(PORTRAIT, "", ""), (LANDSCAPE, "", "en"), (LANDSCAPE, "contrast", ""), (PORTRAIT, "contrast-large", "")],
    ids=["portrait", "landscape", "landscape-contrast", "portrait-contrast-large"],
)
def test_the_whole_way(visit: Callable[..., Page], place: Place, size: Any, view: str, language: str) -> None:
    page = visit(size=size, view=view, language=language)
    sort, enhanced = f"{size['width']}{view}", "contrast" in view
    begin(page)
    look(page, f"code-{sort}", enhanced=enhanced)
    if not view:
        assert not scrolls(page), "the code and what is asked are seen at once"
    box = page.locator("#wallet img").bounding_box()
    assert box is not None
    assert box["width"] >= 480, "an arm's length away"
    wallet = place.wallet()
    request = wallet.fetch(place.code(), place.http)
    page.wait_for_selector("#wallet img", state="detached")
    look(page, f"reading-{sort}", enhanced=enhanced)
    place.http("POST", request.claims["response_uri"], wallet.answer(request))
    reached(page, "/apply/record/form")
    assert page.input_value("[name=field-born]") == "12.08.1964"
    assert "MUSTERMANN" in page.inner_text("main")


def test_declined(visit: Callable[..., Page], place: Place) -> None:
    page = visit()
    begin(page)
    place.wallet(Fault.DECLINED).scan(place.code(), place.http)
    page.wait_for_selector("#wallet [role=alert]")
    look(page, "declined-1080")
    page.click("#wallet form[action$=again] button")
    page.wait_for_selector("#wallet img")
    place.wallet().scan(place.code(), place.http)
    reached(page, "/apply/record/form")


def test_scanned_twice(visit: Callable[..., Page], place: Place) -> None:
    page = visit(size=LANDSCAPE)
    begin(page)
    place.wallet().fetch(place.code(), place.http)
    with pytest.raises(httpx.HTTPStatusError):
        place.wallet().fetch(place.code(), place.http)
    page.wait_for_selector("#wallet [role=alert]")
    assert "SP4332" in page.inner_text("#wallet")
    look(page, "twice-1920")
    page.click("#wallet form[action$=cancel] button")
    reached(page, "/apply/record?note=again")


def test_without_scripts(visit: Callable[..., Page], place: Place) -> None:
    page = visit(java_script_enabled=False)
    begin(page)
    place.wallet().scan(place.code(), place.http)
    reached(page, "/apply/record/form")


@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 900}], ids=["phone", "desk"])
def test_on_the_web_with_the_wallet_on_the_same_device(visit: Callable[..., Page], place: Place, size: Any) -> None:
    page = visit(size=size, web=True)
    begin(page, "")
    look(page, f"web-{size['width']}", terminal=False)
    link = page.get_attribute("#wallet a[href^='openid4vp:']", "href")
    assert link is not None
    wallet = place.wallet()
    request = wallet.fetch(link, place.http)
    answer = place.http("POST", request.claims["response_uri"], wallet.answer(request)).decode()
    found = re.search(r'"redirect_uri":"([^"]+)"', answer)
    assert found
    time.sleep(2.5)  # the page asks meanwhile, and is not led on
    assert "/eid/wallet/" in page.url
    page.goto(html.unescape(found[1]))
    reached(page, "/apply/record/form")
    assert page.input_value("[name=field-born]") == "12.08.1964"


def test_on_the_web_with_a_phone(visit: Callable[..., Page], place: Place) -> None:
    page = visit(size=LANDSCAPE, web=True)
    begin(page, "")
    place.wallet().scan(place.code(), place.http)
    reached(page, "/apply/record/form")
