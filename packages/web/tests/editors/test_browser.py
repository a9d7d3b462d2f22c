"""The editors' workplace in a real browser: accessible, on a desk and on a telephone, without scripts as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from servicepunkt.core.catalogue import links
from servicepunkt.core.catalogue.editing import publishing, store
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.search import misses
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import store as people
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock, empty_database, open_deployment
from servicepunkt.web.app import create_app
from servicepunkt.web.testing import axe_violations, browser, overlaps, serve, small_targets

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STAFF = "/t/alpha/staff"
CATALOGUE = f"{STAFF}/catalogue"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}
PAGES = (
    *("", "?q=strom", "/services/card", "/services/card/edit?field=summary", "/services/card/edit?field=documents"),
    *("/services/contract/edit?field=links", "/services/card/edit?field=visibility", "/changes?show=mine"),
    *("/changes?show=live", "/changes/{proposed}", "/changes/{live}", "/questions", "/publish", "/revisions"),
    *(
        "/revisions/compare?before=1&after=2",
        "/revisions/1/restore",
        "/sources",
        "/sources/runs/1",
        "/translations?into=en",
    ),
    *("/links", "/misses", "?add=schein+xqzwkj", "/services/card/edit?field=keywords&add=schein"),
)


@pytest.fixture(scope="module")
def place(
    urls: Urls,
    plugins: PluginHost,
    tmp_path_factory: pytest.TempPathFactory,
    make_town: Callable[..., Any],
    make_catalogue: Callable[..., Any],
    furnished: Callable[..., Any],
    password: str,
) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a served town in which much waits for editors, and the ids of some of its edits."""
    home, clock = tmp_path_factory.mktemp("browser"), FixedClock()

    async def seed() -> dict[str, str]:
        empty_database(urls.owner)
        async with open_deployment(urls, home, plugins, clock=clock) as deployment:
            town = make_town(deployment, urls)
            await town.found()
            return await fill(deployment, town.alpha, make_catalogue(), furnished, password, clock)

    ids = asyncio.run(seed())
    settings = Settings(home=home, database_url=urls.application, owner_database_url=urls.owner, secure_cookies=False)
    deployment = Deployment(settings, plugins, Database(urls.application, clock=clock), clock=clock)
    with serve(create_app(deployment), closing=deployment.database.close) as base:
        yield base, ids


async def fill(
    deployment: Deployment, ctx: Any, catalogue: Any, furnished: Any, password: str, clock: FixedClock
) -> dict[str, str]:
    """Edits in every state, a source that has changed, and links that lead nowhere."""
    await furnished(deployment, ctx, catalogue, password)
    clock.forward(hours=-30)
    async with deployment.database.tenant(ctx) as tx:
        names = {one.login: f"account:{one.id}" for one in await people.all_accounts(tx)}
        anna, ben = names["anna"], names["ben"]

        async def write(service: str, path: str, said: Any, actor: str = anna, **options: Any) -> Any:
            (edit,) = await editing.write(tx, service, {path: said}, actor=actor, **options)
            return edit

        for service, path, said in (
            ("card", "summary/de", "Der Personalausweis für alle Deutschen ab 16 Jahren, auf Wunsch früher."),
            ("moving", "name/de", "Umzug melden: an-, um- und abmelden"),
            ("card", "modules/11/point/de", ("Am Servicepunkt geht es ohne Termin.", False)),
        ):
            edit = await write(service, path, said)
            await editing.approve(tx, edit.id, actor=ben)
        await publishing.publish(tx, actor=ben)
        live = (await store.edits(tx, ("live",)))[0]
        changed = tuple(
            msgspec.structs.replace(one, summary={"de": "Der Ausweis für Deutsche ab 16 Jahren, neu auch digital."})
            if one.id == "card"
            else one
            for one in catalogue.services
        )
        await importing.put_files(tx, msgspec.structs.replace(catalogue, services=changed), at=tx.now())
        clock.forward(hours=28)
        proposed = await write(
            "card", "description/de", "Sie beantragen ihn hier, holen ihn hier ab und zahlen bar oder mit Karte."
        )
        await editing.propose(tx, proposed.id, actor=anna)
        rejected = await write("ticket", "name/en", "Monthly")
        await editing.propose(tx, rejected.id, actor=anna)
        await editing.reject(tx, rejected.id, actor=ben, remark="Bitte „Monthly ticket“.")
        await write("card", "fee/en", "37 euros, 22.80 euros under 24 years of age")
        due = await write("walk", "summary/de", "Jeden Samstag um 14 Uhr ab dem Hafen.")
        await editing.approve(tx, due.id, actor=anna)
        later = await write(
            "market", "summary/de", "Anmeldung ab Dezember.", publish_on=clock.now().date() + timedelta(days=10)
        )
        await editing.approve(tx, later.id, actor=anna)
        await misses.write(tx, "schein xqzwkj", 7, day=clock.now().date())
        for _ in range(2):
            await links.note(tx, {"https://example.org/strom": "404"}, await links.known(tx))
            clock.forward(hours=1)
    return {"live": str(live.id), "proposed": str(proposed.id)}


@pytest.fixture(scope="module")
def chromium(place: Any) -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def visit(place: tuple[str, dict[str, str]], chromium: Browser, password: str) -> Iterator[Callable[..., Page]]:
    """Pages of a signed-in editor; what a browser complains about fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(size: Any, *, view: str = "", **options: Any) -> Page:
        context = chromium.new_context(base_url=place[0], viewport=size, **options)
        contexts.append(context)
        if view:
            context.add_cookies([{"name": "sp_view", "value": view, "domain": "127.0.0.1", "path": "/t/alpha"}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda one: (
                complaints.append(one.text) if one.type == "error" and "Failed to load" not in one.text else None
            ),
        )
        page.goto(f"{STAFF}/sign-in")
        page.fill("#login", "anna")
        page.fill("#password", password)
        page.click("main button")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize(
    ("size", "view"), [(DESK, ""), (PHONE, "contrast-large")], ids=["desk", "phone-contrast-large"]
)
def test_the_workplace_is_accessible(
    visit: Callable[..., Page], place: tuple[str, dict[str, str]], size: Any, view: str, tmp_path: Path
) -> None:
    page = visit(size, view=view)
    for path in PAGES:
        page.goto(CATALOGUE + path.format(**place[1]))
        assert page.locator("h1").count() == 1, path
        assert axe_violations(page) == [], path
        assert small_targets(page, 24) == [], path
        assert overlaps(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_text_is_written_with_the_keyboard_alone(visit: Callable[..., Page]) -> None:
    page = visit(DESK, java_script_enabled=False)
    page.goto(f"{CATALOGUE}/services/tour/edit?field=summary")
    assert page.evaluate("document.activeElement.id") == "text-de", "one types at once"
    page.keyboard.type("Zwei Stunden, festes Schuhwerk.")
    page.keyboard.press("Tab")
    page.keyboard.type("Two hours, sturdy shoes.")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "draft":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{CATALOGUE}/services/tour")
    assert page.locator(".sp-badge--draft").count() == 2
