"""The console in a real browser: accessible on a desk and on a telephone, in two languages, without scripts."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from servicepunkt.core.clock import SystemClock
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.operators import service, store
from servicepunkt.core.operators.consents import service as consents
from servicepunkt.core.operators.meters import Used
from servicepunkt.core.people import service as people
from servicepunkt.core.people import store as accounts
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import empty_database, open_deployment
from servicepunkt.web.app import create_app
from servicepunkt.web.testing import LANDSCAPE, axe_violations, browser, serve, small_targets

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE = {"width": 390, "height": 844}
PASSWORD = "a long sentence to sign in"
SECRET = base64.b32encode(b"twenty bytes of seed").decode()
CONSOLE = "/t/alpha/staff/operator"
PAGES = (CONSOLE, f"{CONSOLE}/use", f"{CONSOLE}/health", f"{CONSOLE}/tenants/beta", "/t/alpha/staff/consents")
SHOTS = os.environ.get("SERVICEPUNKT_TEST_SHOTS", "")


@pytest.fixture(scope="module")
def base(
    urls: Urls, plugins: PluginHost, tmp_path_factory: pytest.TempPathFactory, make_town: Callable[..., Any]
) -> Iterator[str]:
    home = tmp_path_factory.mktemp("console")

    async def seed() -> None:
        empty_database(urls.owner)
        clock: Any = SystemClock()
        async with open_deployment(urls, home, plugins, clock=clock, operator_tenant="alpha") as deployment:
            town = make_town(deployment, urls)
            await town.found()
            now = clock.now()
            async with deployment.database.tenant(town.alpha) as tx:
                made = await people.create_account(
                    tx, at=now, actor="test", login="olga", name="Olga", password=PASSWORD,
                    roles=("operator", "city_admin"),
                )  # fmt: skip
                # A code of a minute ago, so that the next one can be used.
                code = pyotp.TOTP(SECRET).at(now - timedelta(seconds=30))
                await people.enable_totp(deployment, tx, made, SECRET, code)
            async with deployment.database.tenant(town.beta) as tx:
                boss = await accounts.by_login(tx, "boss")
            for ctx, by in ((town.beta, boss), (town.alpha, made)):
                await consents.give(
                    deployment, ctx, by=by, role="editor", reason="Die Suche findet nichts", starts_at=now,
                    ends_at=now + timedelta(hours=2),
                )  # fmt: skip
                await service.count.function(deployment, ctx)
            async with deployment.database.platform("test") as connection:
                used = {town.alpha.id: Used(requests=1200, seconds=34.5, database_seconds=9.1, refused=3, jobs=12)}
                used[town.beta.id] = Used(requests=90, seconds=700, database_seconds=0.4, failures=2)
                await store.add_usage(connection, now.replace(second=0, microsecond=0), service.new_id(), used)

    asyncio.run(seed())
    settings = Settings(
        home=home, database_url=urls.application, owner_database_url=urls.owner, secure_cookies=False,
        operator_tenant="alpha",
    )  # fmt: skip
    deployment = Deployment(settings, plugins, Database(urls.application))
    with serve(create_app(deployment), closing=deployment.database.close) as found:
        yield found


def shot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look at the pages."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def faults(page: Page, name: str) -> list[str]:
    """What is wrong with a page for somebody who cannot see well, or has large fingers."""
    shot(page, name)
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = [*axe_violations(page), *small_targets(page, 40), *([] if fits else ["it is wider than the window"])]
    return [f"{name}: {fault}" for fault in found]


def test_the_console_without_scripts(base: str) -> None:
    with browser() as chromium:
        context = chromium.new_context(base_url=base, viewport=LANDSCAPE, java_script_enabled=False)
        page = context.new_page()
        page.goto("/t/alpha/staff/sign-in")
        page.fill("#login", "olga")
        page.fill("#password", PASSWORD)
        page.fill("#code", pyotp.TOTP(SECRET).at(datetime.now(UTC)))
        page.click("main button")
        page.get_by_role("link", name="Plattform").click()
        page.get_by_role("link", name="Anfragen").click()
        assert "sort=requests" in page.url
        page.fill("#q", "berg")
        page.get_by_role("button", name="Anzeigen").click()
        page.get_by_role("link", name="Bergstadt").click()
        page.fill("#slow_requests", "5")
        page.locator("form[action$='/slow'] [name=reason]").fill("Probe")
        page.get_by_role("button", name="In Kraft setzen").first.click()
        assert "Höchstens 5 Anfragen" in page.content()
        page.get_by_role("button", name="Beginnen").click()
        page.wait_for_url("**/t/beta/staff")
        assert page.locator(".sp-acting").count() == 1
        state, wrong = context.storage_state(), []
        for language in ("de", "en"):
            for name, size in (("desk", LANDSCAPE), ("phone", PHONE)):
                looking = chromium.new_context(base_url=base, viewport=size, storage_state=state)
                host = base.removeprefix("http://").partition(":")[0]
                looking.add_cookies([{"name": "sp_language", "value": language, "domain": host, "path": "/t/alpha"}])
                seen = looking.new_page()
                for path in (*PAGES, "/t/beta/staff", "/t/beta/staff/catalogue"):
                    seen.goto(path)
                    wrong += faults(seen, f"{name}-{language}{path.replace('/', '_')}")
                looking.close()
        assert wrong == []
        page.get_by_role("button", name="Jetzt beenden").click()
        page.goto("/t/beta/staff")
        assert "sign-in" in page.url
