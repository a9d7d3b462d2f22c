"""The pages of a house in a real browser: accessible, on a desk and on a telephone, without scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.hosts.footfall import service as footfall
from servicepunkt.core.hosts.incidents import service as incidents
from servicepunkt.core.hosts.incidents.model import Report
from servicepunkt.core.hosts.space import service as space
from servicepunkt.core.hosts.space.model import Wish
from servicepunkt.core.ids import new_id
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock, empty_database, open_deployment
from servicepunkt.web.app import create_app
from servicepunkt.web.help import store as help_calls
from servicepunkt.web.help.model import HelpCall
from servicepunkt.web.testing import axe_violations, browser, overlaps, serve, small_targets

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STAFF = "/t/alpha/staff"
STORE = f"{STAFF}/host/store"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1920, "height": 1080}
OF_HOST = (*(f"{STORE}{tab}" for tab in ("", "/hours", "/incidents", "/space", "/figures", "/figures?taken=2")),)
OF_STAFF = (f"{STAFF}/incidents", f"{STAFF}/space")


@pytest.fixture(scope="module")
def place(
    urls: Urls,
    plugins: PluginHost,
    tmp_path_factory: pytest.TempPathFactory,
    make_town: Callable[..., Any],
    make_catalogue: Callable[..., Any],
    furnish: Callable[..., Any],
    password: str,
) -> Iterator[str]:
    """The address of a served town in whose store much goes on."""
    home, clock = tmp_path_factory.mktemp("browser"), FixedClock()

    async def seed() -> None:
        empty_database(urls.owner)
        async with open_deployment(urls, home, plugins, clock=clock) as deployment:
            town = make_town(deployment, urls)
            await town.found()
            ctx = await furnish(deployment, urls.owner, make_catalogue(), password)
            await fill(deployment, ctx, clock)

    asyncio.run(seed())
    settings = Settings(home=home, database_url=urls.application, owner_database_url=urls.owner, secure_cookies=False)
    deployment = Deployment(settings, plugins, Database(urls.application, clock=clock), clock=clock)
    with serve(create_app(deployment), closing=deployment.database.close) as base:
        yield base


async def fill(deployment: Deployment, ctx: Any, clock: FixedClock) -> None:
    """Incidents in two states, slots in three, four weeks of people, a week with help calls."""
    now = clock.now()
    async with deployment.database.tenant(ctx) as tx:
        catalogue = await catalogues.newest(tx)
        for place, kind in (("Aufzug, erster Stock", "access"), ("Eingang Nord", "cleaning")):
            report = Report(key=uuid4(), host="store", point="harbour", kind=kind, place=place, words="Seit 9 Uhr.")
            made = await incidents.report(tx, catalogue, report, actor="account:host")
        await incidents.answer(tx, made.id, to="acknowledged", actor="account:guide")
        begins = now.replace(minute=0) + timedelta(hours=1)
        for number, name in enumerate(("Polizei Nordsee", "Schülerforschungszentrum", "Volkshochschule")):
            at = begins + timedelta(days=number)
            said = {"organisation": name, "purpose": "Sicher im Netz: Fragen an die Fachleute", "noise": "loud"}
            wish = Wish(
                key=uuid4(), host="store", space="lounge", begins_at=at, ends_at=at + timedelta(hours=2), **said
            )
            slot = await space.ask(tx, wish, actor="account:guide")
            if number != 1:
                await space.decide(tx, slot.id, "approve", actor="account:host")
        lines = [
            f"{now.date() - timedelta(days=day)},{hour},{40 * hour - day}" for day in range(28) for hour in (9, 15)
        ]
        await footfall.take_over(tx, "store", "\n".join(["date,hour,count", *lines]).encode(), actor="account:host")
        for number in range(12):
            at = now - timedelta(days=7 + number // 5)
            call = HelpCall(id=new_id(), point="harbour", device=None, topic="/k", created_at=at, changed_at=at)
            await help_calls.insert(tx, call)


@pytest.fixture(scope="module")
def chromium(place: str) -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def visit(place: str, chromium: Browser, password: str) -> Iterator[Callable[..., Page]]:
    """Pages of somebody who has signed in."""
    contexts = []

    def open_page(login: str, size: Any, *, view: str = "", language: str = "", **options: Any) -> Page:
        context = chromium.new_context(base_url=place, viewport=size, **options)
        contexts.append(context)
        for name, value in (("sp_view", view), ("sp_language", language)):
            if value:
                context.add_cookies([{"name": name, "value": value, "domain": "127.0.0.1", "path": "/t/alpha"}])
        page = context.new_page()
        page.goto(f"{STAFF}/sign-in")
        page.fill("#login", login)
        page.fill("#password", password)
        page.click("main button")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize(
    ("size", "view", "language"),
    [(DESK, "", ""), (PHONE, "contrast-large", "en")],
    ids=["desk", "phone-contrast-large"],
)
def test_the_pages_of_a_house_are_accessible(visit: Callable[..., Page], size: Any, view: str, language: str) -> None:
    for login, paths in (("store", OF_HOST), ("harbour", OF_STAFF)):
        page = visit(login, size, view=view, language=language)
        for path in paths:
            page.goto(path)
            look_at(page)
        if login == "store":
            for typed in ({"#day-0": "9:30-21:00", "#first": "2026-11-24", "#reason": "Inventur"}, {"#day-0": "later"}):
                page.goto(f"{STORE}/hours")
                for field, words in typed.items():
                    page.fill(field, words)
                page.click("form.sp-edit button")
                look_at(page)


def look_at(page: Page) -> None:
    assert page.locator("h1").count() == 1, page.url
    assert axe_violations(page) == [], page.url
    assert small_targets(page, 24) == [], page.url
    assert overlaps(page) == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def test_hours_are_changed_without_scripts(visit: Callable[..., Page]) -> None:
    page = visit("store", PHONE, java_script_enabled=False)
    page.goto(f"{STORE}/hours")
    page.fill("#first", "2026-12-06")
    page.fill("#times", "13-18")
    page.fill("#reason", "Nikolaus")
    page.get_by_role("button", name="Ansehen, was sich ändert").click()
    assert page.get_by_text("13 bis 18 Uhr").count() > 0
    page.get_by_role("button", name="Veröffentlichen").click()
    page.wait_for_url(f"**{STORE}/hours")
    assert page.get_by_text("6. Dezember 2026: 13 bis 18 Uhr (Nikolaus)").count() == 1
