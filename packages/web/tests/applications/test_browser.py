"""The whole way of an application in a real browser: accessible, large enough, by keyboard, without scripts, wiped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock, empty_database, open_deployment
from servicepunkt.web.app import create_app
from servicepunkt.web.testing import LANDSCAPE, PORTRAIT, axe_violations, browser, overlaps, serve, small_targets

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

K = "/t/alpha/k"
#: Where somebody who looks at the pages wants their pictures.
PICTURES = os.environ.get("SERVICEPUNKT_TEST_PICTURES", "")
VISITS = 12


@pytest.fixture(scope="module")
def place(
    urls: Urls,
    plugins: PluginHost,
    tmp_path_factory: pytest.TempPathFactory,
    make_town: Callable[..., Any],
    make_forms: Callable[[Any], Any],
) -> Iterator[tuple[str, list[str]]]:
    """The address of a served town, and tokens of terminals, each for one use."""
    home, clock = tmp_path_factory.mktemp("browser"), FixedClock()

    async def seed() -> list[str]:
        empty_database(urls.owner)
        async with open_deployment(urls, home, plugins, clock=clock) as deployment:
            town = make_town(deployment, urls)
            await make_forms(town)
            return [await town.terminal_token(town.alpha) for _ in range(VISITS)]

    tokens = asyncio.run(seed())
    settings = Settings(home=home, database_url=urls.application, owner_database_url=urls.owner, secure_cookies=False)
    deployment = Deployment(settings, plugins, Database(urls.application, clock=clock), clock=clock)
    with serve(create_app(deployment), closing=deployment.database.close) as base:
        yield base, tokens


@pytest.fixture(scope="module")
def chromium(place: Any) -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def visit(place: tuple[str, list[str]], chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a terminal; what a browser complains about fails the test."""
    base, tokens = place
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(*, size: Any = PORTRAIT, view: str = "", language: str = "", **options: Any) -> Page:
        context = chromium.new_context(base_url=base, viewport=size, **options)
        contexts.append(context)
        cookies = {"sp_device": tokens.pop(), "sp_view": view, "sp_language": language}
        where = {"domain": "127.0.0.1", "path": "/t/alpha"}
        context.add_cookies([{"name": name, "value": value, **where} for name, value in cookies.items() if value])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def look(page: Page, name: str, *, enhanced: bool = False, covered: bool = False) -> None:
    """What every page has to be. `covered`: a keyboard lies over what can be scrolled away below it."""
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))
    assert axe_violations(page, rules=("color-contrast-enhanced",) if enhanced else ()) == [], name
    assert small_targets(page, 48) == [], name
    assert covered or overlaps(page) == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.parametrize(
    ("size", "view", "language"),
    [(PORTRAIT, "", ""), (LANDSCAPE, "", "en"), (LANDSCAPE, "contrast", ""), (PORTRAIT, "contrast-large", "")],
    ids=["portrait", "landscape", "landscape-contrast", "portrait-contrast-large"],
)
def test_the_whole_way_is_accessible(visit: Callable[..., Page], size: Any, view: str, language: str) -> None:
    page = visit(size=size, view=view, language=language)
    sort = f"{size['width']}{view}"

    def seen(name: str) -> None:
        look(page, f"{name}-{sort}", enhanced="contrast" in view, covered=name == "typing")

    page.goto(f"{K}/service/card")
    page.click(f"main a[href='{K}/apply/card']")
    seen("about")
    page.click(f"main form[action='{K}/apply/card'] button")
    assert page.url.endswith("/apply/card/form")
    seen("form")
    page.click("#application > button")
    seen("mistakes")
    page.check("[name=field-why][value=office]")
    page.check("[name=field-honorary][value=yes]")
    page.fill("[name=field-mail]", "erika@example.org")
    seen("typing")
    page.click("#application > button")
    seen("check")
    page.check("#consent")
    page.click(f"main form[action='{K}/apply/card/check'] button")
    assert "/application/" in page.url
    seen("applied")


def test_the_keyboard_on_the_screen_types_into_the_field_that_was_touched(visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto(f"{K}/apply/card")
    page.click(f"main form[action='{K}/apply/card'] button")
    assert not page.is_visible("[data-typing]")
    page.fill("[name=field-address]", "")
    page.focus("[name=field-address]")
    for key in ("k", "a", "i", " ", "1", "x", "back"):
        page.click(f"[data-typing] [data-key='{key}']")
    assert page.input_value("[name=field-address]") == "Kai 1"
    page.focus("[name=field-mail]")
    for key in ("a", "@", "b"):
        page.click(f"[data-typing] [data-key='{key}']")
    assert page.input_value("[name=field-mail]").lower() == "a@b"


def test_by_keys_alone_and_without_scripts_it_is_submitted(visit: Callable[..., Page]) -> None:
    page = visit(java_script_enabled=False)
    page.goto(f"{K}/apply/card")
    page.focus(f"main form[action='{K}/apply/card'] button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/form")
    page.focus("[name=field-why][value=private]")
    page.keyboard.press("Space")
    page.focus("[name=field-honorary][value=no]")
    page.keyboard.press("Space")
    page.focus("[name=field-mail]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/check")
    page.focus("#consent")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/application/**")


def test_after_end_and_delete_going_back_shows_nothing(visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto(f"{K}/apply/card")
    page.click(f"main form[action='{K}/apply/card'] button")
    assert "Mustermann" in page.content()
    page.click("#end button")
    page.wait_for_url("**/k")
    for _ in range(3):
        page.go_back()
        assert "Mustermann" not in page.content()
    assert [one["name"] for one in page.context.cookies() if one["name"] == "sp_application"] == []
