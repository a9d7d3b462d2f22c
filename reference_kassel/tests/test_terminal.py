"""Kassel's own pages at the terminal: nothing is cut off, and what has ended says so."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment, load_plugins
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock, database_server, open_deployment
from servicepunkt.tenants import files, service
from servicepunkt.web.app import create_app
from servicepunkt.web.devices import service as devices
from servicepunkt.web.testing import LANDSCAPE, PORTRAIT, axe_violations, browser, scrolls, serve, small_targets

OPEN = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)
CLOSED = datetime(2026, 12, 26, 11, 0, tzinfo=UTC)


class Terminal(NamedTuple):
    """An enrolled terminal of Kassel, its clock, and where its pages begin."""

    page: Any
    clock: FixedClock
    base: str


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    plugins = load_plugins(Settings())
    with (
        tempfile.TemporaryDirectory(prefix="servicepunkt-") as folder,
        database_server(Path(folder), plugins) as urls,
    ):
        clock = FixedClock(OPEN)

        async def prepare() -> str:
            async with open_deployment(urls, Path(folder), plugins, clock=clock) as deployment:
                read = service.load(deployment, files.folder_of("kassel"))
                await service.apply(deployment, read, actor="test")
                ctx = await deployment.directory.by_slug("kassel")
                assert ctx is not None
                _, code = await devices.announce(
                    deployment, ctx, actor="test", kind="terminal", target="ksp", label="Terminal"
                )
                return code

        code = asyncio.run(prepare())
        settings = Settings(home=Path(folder), database_url=urls.application, secure_cookies=False)
        database = Database(urls.application, clock=clock)
        app = create_app(Deployment(settings, plugins, database, clock=clock))
        with serve(app, closing=database.close) as base, browser() as chromium:
            page = chromium.new_page(viewport=PORTRAIT)
            page.goto(f"{base}/t/kassel/device/enrol?code={code}")
            page.click("main form button")
            yield Terminal(page, clock, f"{base}/t/kassel")


def test_pages_of_the_terminal(terminal: Terminal) -> None:
    page, clock, base = terminal
    for at, size, view in product((OPEN, CLOSED), (PORTRAIT, LANDSCAPE), ("", "large", "contrast-large")):
        clock.instant = at
        page.context.add_cookies([{"name": "sp_view", "value": view, "url": f"{base}"}])
        page.set_viewport_size(size)
        page.goto(f"{base}/k")
        assert page.locator(".sp-tile").count() == 9
        assert not scrolls(page), (at, size, view)
        assert axe_violations(page) == []
    clock.instant = OPEN
    page.context.clear_cookies(name="sp_view")
    page.set_viewport_size(PORTRAIT)
    for theme in ("wohnen", "mobilitaet", "veranstaltungen", "tourismus"):
        page.goto(f"{base}/k/theme/{theme}")
        assert small_targets(page) == [], theme
    page.goto(f"{base}/k/theme/wohnen")
    assert page.locator(".sp-card").count() > 10
    assert page.locator(".sp-card h2").first.inner_text() == "Wohnungsangebote ansehen"
    assert axe_violations(page) == []
    page.goto(f"{base}/k/service/documenta-15-ticket")
    assert "endete am 25. September 2022" in page.inner_text("main")
    assert page.locator("main .sp-card--ended").count() == 1
    assert axe_violations(page) == []
    page.goto(f"{base}/k/theme/veranstaltungen")
    assert "documenta fifteen" in page.inner_text("main")


def test_a_tour_is_booked_at_the_terminal(terminal: Terminal) -> None:
    """Choose, look at it once more, and leave with a reference that is paid at the counter."""
    page, clock, base = terminal
    clock.instant = OPEN
    for size, view in product((PORTRAIT, LANDSCAPE), ("", "contrast-large")):
        page.context.add_cookies([{"name": "sp_view", "value": view, "url": base}])
        page.set_viewport_size(size)
        page.goto(f"{base}/k/service/stadtfuehrung")
        page.get_by_role("link", name="Buchen").click()
        look_at(page, f"choose-{size['width']}-{view}")
        page.locator("main select, main input[type=number]").first.focus()
        page.keyboard.press("ArrowDown" if page.locator("main select").count() else "ArrowUp")
        page.locator("main form").get_by_role("button").last.click()
        look_at(page, f"check-{size['width']}-{view}")
        page.locator("main form").get_by_role("button").last.click()
        look_at(page, f"placed-{size['width']}-{view}")
        assert re.search(r"\b[2-9A-HJ-NP-Z]{4}-?[2-9A-HJ-NP-Z]{4}\b", page.inner_text("main"))
        assert "bezahl" in page.inner_text("main").lower()


def look_at(page: Any, name: str) -> None:
    if folder := os.environ.get("SERVICEPUNKT_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")
    assert axe_violations(page) == [], name
    assert small_targets(page) == [], name
