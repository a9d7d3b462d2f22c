"""Kassel's own pages at the terminal: nothing is cut off, and what has ended says so."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

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


def test_pages_of_the_terminal() -> None:
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
            for at, size, view in product((OPEN, CLOSED), (PORTRAIT, LANDSCAPE), ("", "large", "contrast-large")):
                clock.instant = at
                page.context.add_cookies([{"name": "sp_view", "value": view, "url": f"{base}/t/kassel"}])
                page.set_viewport_size(size)
                page.goto(f"{base}/t/kassel/k")
                assert page.locator(".sp-tile").count() == 8
                assert not scrolls(page), (at, size, view)
                assert axe_violations(page) == []
            clock.instant = OPEN
            page.context.clear_cookies(name="sp_view")
            page.set_viewport_size(PORTRAIT)
            for theme in ("wohnen", "mobilitaet", "veranstaltungen", "tourismus"):
                page.goto(f"{base}/t/kassel/k/theme/{theme}")
                assert small_targets(page) == [], theme
            page.goto(f"{base}/t/kassel/k/theme/wohnen")
            assert page.locator(".sp-card").count() > 10
            assert page.locator(".sp-card h2").first.inner_text() == "Wohnungsangebote ansehen"
            assert axe_violations(page) == []
            page.goto(f"{base}/t/kassel/k/service/documenta-15-ticket")
            assert "endete am 25. September 2022" in page.inner_text("main")
            assert page.locator("main .sp-card--ended").count() == 1
            assert axe_violations(page) == []
            page.goto(f"{base}/t/kassel/k/theme/veranstaltungen")
            assert "documenta fifteen" in page.inner_text("main")
