"""The pages in a real browser: accessible, large enough, without scrolling, wiped when left, usable without scripts."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import pytest

from servicepunkt.core.catalogue import service as catalogue_service
from servicepunkt.core.catalogue.model import Service
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.notices import service as notices
from servicepunkt.core.notices import store as notice_store
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock, empty_database, open_deployment
from servicepunkt.web.app import create_app
from servicepunkt.web.testing import LANDSCAPE, PORTRAIT, axe_violations, browser, scrolls, serve, small_targets

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

K = "/t/alpha/k"
# "nur unter 16 Jahren": a number comes from the words alone.
CARD_CASE = 3235
SIZES = pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE], ids=["portrait", "landscape"])
CITIZEN = [
    *("", "/theme/energy", "/theme/events", "/theme/tourism", "/service/card", "/service/bonus", "/help", "/none"),
    "/hours",
    *("/service/card/checklist", f"/service/card/checklist?case={CARD_CASE}"),
    "/service/card/authority",
    *("/search", "/search?q=perso", "/search?q=xyz", "/search?q=stadt&here=yes"),
]
STAFF = [
    "",
    "/help",
    "/devices",
    "/devices/new",
    "/account",
    "/account/second-factor",
    "/account/links",
    "/accounts",
    "/accounts/new",
    "/notices",
]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


# The second day of Christmas: nothing else has so much to say about when it opens again.
CLOSED = datetime(2026, 12, 26, 11, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def town_clock() -> FixedClock:
    """The clock on the wall of the served town."""
    return FixedClock()


@pytest.fixture
def closed(town_clock: FixedClock) -> Iterator[None]:
    """A public holiday for the length of a test."""
    before, town_clock.instant = town_clock.instant, CLOSED
    yield
    town_clock.instant = before


@pytest.fixture(scope="module")
def place(
    urls: Urls,
    plugins: PluginHost,
    tmp_path_factory: pytest.TempPathFactory,
    make_town: Callable[..., Any],
    town_clock: FixedClock,
) -> Iterator[tuple[str, Callable[[str, str], str]]]:
    """The address of a served town, and a function that gives tokens of terminals, each for one use."""
    home, clock = tmp_path_factory.mktemp("browser"), town_clock

    async def seed() -> dict[tuple[str, str], list[str]]:
        empty_database(urls.owner)
        async with open_deployment(urls, home, plugins, clock=clock) as deployment:
            town = make_town(deployment, urls)
            await town.found()
            await fail_messages(town)
            await publish_long(town)
            made = (("alpha", "harbour", 140), ("alpha", "hill", 20), ("beta", "harbour", 20))
            return {
                (slug, point): [await town.terminal_token(getattr(town, slug), point) for _ in range(count)]
                for slug, point, count in made
            }

    tokens = asyncio.run(seed())
    with serve_town(urls, plugins, home, clock) as base:
        yield base, lambda slug, point: tokens[slug, point].pop()


async def publish_long(town: Any) -> None:
    """The second town has a theme of sixty services, in German alone."""
    deployment = town.deployment
    async with deployment.database.tenant(town.beta) as tx:
        found = await catalogue_service.newest(tx)
        more = tuple(
            Service(id=f"{letter}-{number}", name={"de": f"{letter.upper()}mt {number}"}, themes=("living",))
            for letter in "abz"
            for number in range(20)
        )
        changed = msgspec.structs.replace(found, services=(*found.services, *more))
        await catalogue_service.publish(tx, changed, at=deployment.clock.now(), actor="test")


async def fail_messages(town: Any) -> None:
    """Messages of which each went wrong in its own way."""
    deployment, now = town.deployment, town.deployment.clock.now()
    async with deployment.database.tenant(town.alpha) as tx:
        for state, reference, provider in (
            ("permanent-failure", "limit", ""),
            ("permanent-failure", "m-77149843739", "north"),
            ("technical-failure", "", "south"),
        ):
            notice = await notices.create(
                tx, deployment.keyring, at=now, case=uuid4(), kind="sms", recipient="+4915112345678", template="x",
                locale="de", params={}, source="box-1",
            )  # fmt: skip
            sent_at = now if provider == "north" else None
            values = {"state": state, "reference": reference, "provider": provider, "sent_at": sent_at}
            await notice_store.update(tx, notice.id, at=now, **values)


@contextmanager
def serve_town(urls: Urls, plugins: PluginHost, home: Path, clock: FixedClock) -> Iterator[str]:
    settings = Settings(home=home, database_url=urls.application, owner_database_url=urls.owner, secure_cookies=False)
    deployment = Deployment(settings, plugins, Database(urls.application, clock=clock), clock=clock)
    with serve(create_app(deployment), closing=deployment.database.close) as base:
        yield base


@pytest.fixture(scope="module")
def chromium(place: Any) -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def visit(place: tuple[str, Callable[[str, str], str]], chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages of people who share nothing; what a browser complains about fails the test."""
    base, next_token = place
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(
        *,
        size: Any = PORTRAIT,
        terminal: bool = True,
        view: str = "",
        language: str = "",
        slug: str = "alpha",
        point: str = "harbour",
        **options: Any,
    ) -> Page:
        context = chromium.new_context(base_url=base, viewport=size, **options)
        contexts.append(context)
        cookies = {"sp_device": next_token(slug, point) if terminal else "", "sp_view": view, "sp_language": language}
        where = {"domain": "127.0.0.1", "path": f"/t/{slug}"}
        context.add_cookies([{"name": name, "value": value, **where} for name, value in cookies.items() if value])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def is_complaint(message: Any) -> bool:
    """An error of ours: answers other than 200 are the test's own doing."""
    return message.type == "error" and "Failed to load resource" not in message.text


def sign_in(page: Page, password: str) -> Page:
    page.goto("/t/alpha/staff/sign-in")
    page.fill("#login", "boss")
    page.fill("#password", password)
    page.click("main button")
    return page


# --- what everybody can read and hit ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "view"),
    [(PORTRAIT, ""), (LANDSCAPE, "contrast"), (LANDSCAPE, "large"), (PORTRAIT, "contrast-large")],
    ids=["portrait", "landscape-contrast", "landscape-large", "portrait-contrast-large"],
)
def test_terminal_pages_are_accessible(visit: Callable[..., Page], size: Any, view: str) -> None:
    page = visit(size=size, view=view, language="" if view else "en")
    for path in CITIZEN:
        page.goto(K + path)
        enhanced = ("color-contrast-enhanced",) if "contrast" in view else ()
        assert axe_violations(page, rules=enhanced) == [], path
        assert small_targets(page, 48) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@SIZES
@pytest.mark.parametrize("view", ["", "large"])
@pytest.mark.parametrize("language", ["de", "en"])
def test_the_start_page_does_not_scroll_and_has_large_tiles(
    visit: Callable[..., Page], size: Any, view: str, language: str
) -> None:
    start_page_fits(visit(size=size, view=view, language=language), size)


@SIZES
@pytest.mark.parametrize("view", ["", "large", "contrast-large"])
@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.usefixtures("closed")
def test_the_start_page_of_a_closed_point_does_not_scroll_either(
    visit: Callable[..., Page], size: Any, view: str, language: str
) -> None:
    page = visit(size=size, view=view, language=language)
    start_page_fits(page, size)
    assert page.locator("#now .sp-state--closed").count() == 1


def start_page_fits(page: Page, size: Any) -> None:
    page.goto(K)
    assert not scrolls(page)
    boxes = [tile.bounding_box() for tile in page.locator(".sp-tile").all()]
    assert len(boxes) == 7
    assert all(box["height"] >= 120 for box in boxes)
    bar = page.locator(".sp-bar").bounding_box()
    assert bar["y"] + bar["height"] == size["height"], "the bar stands at the bottom"
    assert max(box["y"] + box["height"] for box in boxes) <= bar["y"], "and covers no tile"
    assert all(button.bounding_box()["height"] >= 60 for button in page.locator(".sp-action").all())


@SIZES
@pytest.mark.parametrize("view", ["", "contrast", "large"])
def test_few_tiles_are_no_towers(visit: Callable[..., Page], size: Any, view: str) -> None:
    page = visit(size=size, view=view, point="hill")
    page.goto(K)
    assert axe_violations(page) == []
    assert small_targets(page, 48) == []
    boxes = [tile.bounding_box() for tile in page.locator(".sp-tile").all()]
    assert len(boxes) == 3
    assert all(120 <= box["height"] <= 480 for box in boxes), boxes
    assert len({tile.inner_html() for tile in page.locator(".sp-tile__icon").all()}) == 3
    assert page.locator(".sp-next > div").count() == 7
    if not view:
        assert not scrolls(page)
    page.locator(".sp-seek").click()
    page.wait_for_url("**/k/search")


@SIZES
@pytest.mark.parametrize("view", ["", "contrast"])
def test_a_long_theme_is_read_in_pages_that_do_not_scroll(visit: Callable[..., Page], size: Any, view: str) -> None:
    page = visit(size=size, view=view, language="en", slug="beta")
    page.goto("/t/beta/k/theme/living")
    assert axe_violations(page) == []
    assert small_targets(page, 48) == []
    page.get_by_role("link", name="Z", exact=True).click()
    page.wait_for_url("**/living?page=6*")
    assert axe_violations(page) == []
    assert not scrolls(page)
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**/living?page=7")
    page = visit(size=PHONE, view=view, slug="beta", terminal=False)
    page.goto("/t/beta/theme/living")
    assert axe_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("view", ["", "contrast", "large"])
@SIZES
def test_start_and_end_keep_their_places(visit: Callable[..., Page], size: Any, language: str, view: str) -> None:
    page = visit(size=size, language=language, view=view)
    places = []
    for path in ("", "/theme/energy", "/service/card", "/search"):
        page.goto(K + path)
        places.append(
            [
                page.locator(one).bounding_box()
                for one in (".sp-bar__actions > a:first-child", ".sp-bar__end .sp-action")
            ]
        )
    assert all(one == places[0] for one in places), places
    if size == LANDSCAPE and view != "large":
        assert page.locator(".sp-bar").bounding_box()["height"] < 120, "one row"


def test_a_box_without_its_tick_is_dark_in_high_contrast(visit: Callable[..., Page]) -> None:
    page = visit(view="contrast")
    page.goto(K + "/service/card/checklist")
    box = page.get_by_role("checkbox")
    dark = "element => getComputedStyle(element).backgroundColor"
    assert box.evaluate(dark) == page.locator(".sp-case").evaluate(dark)
    assert box.evaluate("element => getComputedStyle(element, '::before').content") == "none"
    box.check()
    assert box.evaluate(dark) == page.locator(".sp-case").evaluate(dark)
    assert box.evaluate("element => getComputedStyle(element, '::before').content") != "none"


def test_what_is_over_is_a_card_that_a_finger_hits(visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto(K + "/theme/events")
    card = page.locator(".sp-card--ended").bounding_box()
    page.mouse.click(card["x"] + card["width"] - 20, card["y"] + card["height"] - 20)
    page.wait_for_url("**/k/service/fair")


@SIZES
def test_what_is_typed_on_the_screen_is_found_at_once(visit: Callable[..., Page], size: Any) -> None:
    page = visit(size=size)
    page.goto(K)
    page.click(".sp-bar >> text=Suche")
    for key in "persso":
        page.click(f".sp-keyboard button[value={key}]")
    page.click(".sp-keyboard button[value=back]")
    page.click(".sp-keyboard button[value=back]")
    page.click(".sp-keyboard button[value=o]")
    first = page.locator(".sp-cards--found a").first
    first.wait_for()
    assert page.input_value("#q") == "perso"
    box, keys = first.bounding_box(), page.locator(".sp-keyboard").bounding_box()
    assert box["y"] + box["height"] <= keys["y"] or box["x"] >= keys["x"] + keys["width"], "in sight beside the keys"
    bar = page.locator(".sp-bar").bounding_box()
    assert keys["y"] + keys["height"] <= bar["y"] + 1, "no key lies under the bar"
    first.click()
    page.wait_for_url("**/k/service/card")


def test_without_scripts_each_key_is_a_button(visit: Callable[..., Page]) -> None:
    page = visit(java_script_enabled=False)
    page.goto(K + "/search")
    for key in "strom":
        page.click(f".sp-keyboard button[value={key}]")
    assert page.input_value("#q") == "strom"
    assert page.locator(".sp-cards--found h2").first.inner_text() == "Stromvertrag"


def test_text_is_large_enough_for_a_terminal(visit: Callable[..., Page]) -> None:
    for view, least in (("", 20), ("large", 32)):
        page = visit(view=view)
        page.goto(K + "/service/card")
        assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= least


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_public_pages_are_accessible(visit: Callable[..., Page], size: Any) -> None:
    page = visit(size=size, terminal=False)
    for path in (
        "/",
        "/search",
        "/search?q=perso",
        "/search?q=xyz",
        "/theme/energy",
        "/service/card",
        "/service/bonus",
        "/service/card/checklist",
        f"/service/card/checklist?case={CARD_CASE}",
        "/hours/harbour",
        "/device/enrol",
        "/staff/sign-in",
        "/none",
    ):
        page.goto("/t/alpha" + path)
        assert axe_violations(page) == [], path
        assert small_targets(page, 44) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.parametrize(("size", "view"), [(PHONE, ""), (DESK, "contrast")], ids=["phone", "desk-contrast"])
def test_staff_pages_are_accessible(visit: Callable[..., Page], password: str, size: Any, view: str) -> None:
    page = sign_in(visit(size=size, terminal=False, view=view), password)
    for path in STAFF:
        page.goto("/t/alpha/staff" + path)
        assert axe_violations(page, rules=("color-contrast-enhanced",) if view else ()) == [], path
        assert small_targets(page, 44) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.goto("/t/alpha/staff/accounts")
    page.locator("main .sp-rows a").first.click()
    assert axe_violations(page) == []
    page.goto("/t/alpha/staff/devices/new")
    page.click("main button")
    assert axe_violations(page) == []
    assert page.evaluate("document.activeElement.className").endswith("sp-summary"), "the mistakes are read out first"
    page.fill("#target", "harbour")
    page.fill("#label", "At the door")
    page.click("main button")
    assert axe_violations(page) == []
    assert page.locator("img.sp-qr").evaluate("image => image.naturalWidth") > 100
    page.goto("/t/alpha/staff/devices")
    page.locator("a", has_text="Abschalten").first.click()
    assert axe_violations(page) == []


# --- to the box's own pages and back ----------------------------------------------------------------------------


def test_who_comes_back_from_another_site_is_known_and_read_on_as_before(visit: Callable[..., Page]) -> None:
    """The box's own pages are another site than the centre's, and cookies are shy of other sites."""
    page = visit()
    page.goto(K)
    back = page.url
    page.goto(back.replace("127.0.0.1", "localhost").replace(K, "/health/live"))
    page.evaluate("address => { location.href = address; }", f"{back}?lang=en&view=large")
    page.wait_for_url("**/t/alpha/k")
    assert page.url == back
    assert page.locator("h1").inner_text() == "What would you like to do?"
    assert page.locator("html[data-large]").count() == 1
    page.get_by_role("button", name="End and delete", exact=True).click()
    page.wait_for_url("**/t/alpha/k")
    assert page.locator("h1").inner_text() == "Was möchten Sie erledigen?"


# --- leaving a terminal -----------------------------------------------------------------------------------------


def opened(page: Page, path: str) -> Page:
    """Open a page whose clock only the test moves."""
    page.clock.install()
    page.goto(K + path)
    page.wait_for_load_state("networkidle")
    return page


def test_who_left_is_warned_and_then_forgotten(visit: Callable[..., Page]) -> None:
    page = visit(view="large", language="en")
    opened(page, "/theme/energy")
    dialog = page.locator("#idle")
    page.clock.run_for(45_000)  # real time goes on beneath, so not up to the last second
    assert not dialog.is_visible()
    page.clock.run_for(16_000)
    assert dialog.is_visible()
    assert axe_violations(page) == []
    assert small_targets(page, 48) == []
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    assert 28 <= int(page.locator("[data-idle-left]").inner_text()) <= 30
    page.clock.run_for(27_000)
    assert dialog.is_visible(), "there are at least twenty seconds"
    page.clock.run_for(4_000)
    page.wait_for_url("**/t/alpha/k")
    assert {cookie["name"] for cookie in page.context.cookies()} <= {"sp_device", "sp_csrf"}
    assert page.locator("h1").inner_text() == "Was möchten Sie erledigen?"


def test_one_touch_or_key_goes_on_as_often_as_one_likes(visit: Callable[..., Page]) -> None:
    page = opened(visit(), "/theme/energy")
    dialog = page.locator("#idle")
    for turn in range(12):
        page.locator(".sp-card--link a").focus()
        page.clock.run_for(61_000)
        assert dialog.is_visible(), turn
        if turn % 2:
            page.keyboard.press("Enter")
        else:
            # On the warning's backdrop, over a link of the page.
            box = page.locator(".sp-card--link").bounding_box()
            page.mouse.click(box["x"] + 60, box["y"] + 40)
        assert not dialog.is_visible(), turn
        assert page.url.endswith("/k/theme/energy"), "what lies behind the warning is not pressed"


def test_the_key_that_goes_on_types_nothing(visit: Callable[..., Page]) -> None:
    page = opened(visit(), "/theme/energy")
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    page.locator("main input").focus()
    page.clock.run_for(61_000)
    page.keyboard.press("5")
    assert not page.locator("#idle").is_visible()
    assert page.locator("main input").input_value() == ""
    page.keyboard.press("5")
    assert page.locator("main input").input_value() == "5"


def test_a_trembling_hand_presses_once(visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto(K + "/theme/energy")
    page.evaluate(
        """() => {
            window.pressed = { usual: 0, keypad: 0 };
            for (const name of ["usual", "keypad"]) {
                const button = document.createElement("button");
                button.textContent = name;
                if (name === "keypad") button.dataset.repeat = "";
                button.onclick = () => { window.pressed[name] += 1; };
                document.querySelector("main").append(button);
            }
        }"""
    )
    page.get_by_role("button", name="usual").dblclick()
    page.get_by_role("button", name="keypad").dblclick()
    assert page.evaluate("pressed") == {"usual": 1, "keypad": 2}
    page.get_by_role("button", name="usual").click()
    assert page.evaluate("pressed.usual") == 2, "another press between the two makes it a wish"


def test_a_form_on_its_way_is_not_sent_again(visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto(K + "/help")
    sent = page.evaluate(
        """() => {
            const form = document.querySelector("main form");
            let sent = 0;
            // After ours: whatever is still allowed would leave now; it is held back, so that the page stays.
            addEventListener("submit", (event) => { sent += event.defaultPrevented ? 0 : 1; event.preventDefault(); });
            form.requestSubmit();
            form.requestSubmit();
            return sent;
        }"""
    )
    assert sent == 1


def test_the_warning_can_end_at_once(visit: Callable[..., Page]) -> None:
    page = opened(visit(view="contrast"), "/theme/energy")
    page.clock.run_for(61_000)
    page.locator("[data-idle-end]").click()
    page.wait_for_url("**/t/alpha/k")
    assert "sp_view" not in {cookie["name"] for cookie in page.context.cookies()}


def test_an_untouched_start_page_warns_nobody(visit: Callable[..., Page]) -> None:
    page = opened(visit(), "")
    page.clock.run_for(300_000)
    assert not page.locator("#idle").is_visible()


def test_an_error_page_goes_back_to_the_start_too(visit: Callable[..., Page]) -> None:
    page = opened(visit(), "/none")
    page.clock.run_for(61_000)
    page.clock.run_for(31_000)
    page.wait_for_url("**/t/alpha/k")


def test_without_a_connection_nothing_entered_stays_on_the_screen(visit: Callable[..., Page]) -> None:
    page = opened(visit(), "/service/card")
    page.context.set_offline(True)
    page.clock.run_for(61_000)
    page.clock.run_for(31_000)
    page.get_by_text("Die Verbindung ist unterbrochen.").wait_for()
    assert "Personalausweis" not in page.locator("main").inner_text()
    page.context.set_offline(False)
    page.clock.run_for(11_000)
    page.wait_for_url("**/t/alpha/k")


# --- help, live and without scripts ------------------------------------------------------------------------------


def test_a_call_is_answered_before_ones_eyes(visit: Callable[..., Page], password: str) -> None:
    citizen = opened(visit(), "/help")
    posts = []
    citizen.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    citizen.get_by_role("button", name="Jemanden rufen").dblclick()
    citizen.get_by_text("Das Personal weiß Bescheid.").wait_for()
    assert len(posts) == 1, "a second press within half a second is ignored"
    assert axe_violations(citizen) == []

    staff = sign_in(visit(terminal=False, size=DESK), password)
    staff.goto("/t/alpha/staff/help")
    assert axe_violations(staff) == []
    staff.get_by_role("button", name="Ich komme").click()
    citizen.clock.run_for(5_000)
    citizen.get_by_text("Es ist jemand auf dem Weg zu Ihnen.").wait_for()
    staff.get_by_role("button", name="Erledigt").click()
    staff.get_by_text("Niemand wartet auf Hilfe.").wait_for()


def test_a_list_whose_session_has_ended_becomes_the_sign_in(visit: Callable[..., Page], password: str) -> None:
    page = sign_in(visit(terminal=False, size=DESK), password)
    page.clock.install()
    page.goto("/t/alpha/staff/help")
    page.context.clear_cookies(name="sp_session")
    page.clock.run_for(6_000)
    page.wait_for_url("**/staff/sign-in?next=/staff/help")


def test_everything_works_without_scripts(visit: Callable[..., Page]) -> None:
    page = visit(java_script_enabled=False)
    page.goto(K)
    page.get_by_role("link", name="Ausweise und Dokumente").click()
    page.get_by_role("link", name="Personalausweis").click()
    assert page.get_by_text("37,00 Euro").is_visible()
    page.get_by_role("button", name="English").click()
    assert page.url.endswith("/k/service/card")
    assert page.locator("h1").inner_text() == "Identity card"
    page.get_by_role("button", name="Large text").click()
    assert page.locator("html[data-large]").count() == 1
    page.get_by_role("link", name="Get help").click()
    page.get_by_role("button", name="Call somebody").click()
    assert page.get_by_text("The staff has been told.").is_visible()
    page.get_by_role("link", name="Show the latest state").click()
    page.get_by_role("button", name="End and delete", exact=True).click()
    assert page.locator("h1").inner_text() == "Was möchten Sie erledigen?"
    assert {cookie["name"] for cookie in page.context.cookies()} <= {"sp_device", "sp_csrf"}


def test_a_terminal_is_registered_by_scanning(visit: Callable[..., Page], password: str) -> None:
    staff = sign_in(visit(terminal=False, size=DESK, java_script_enabled=False), password)
    staff.goto("/t/alpha/staff/devices/new")
    staff.fill("#target", "harbour")
    staff.fill("#label", "By the window")
    staff.click("main button")
    code = staff.locator(".sp-code").inner_text().replace(" ", "")
    terminal = visit(terminal=False, java_script_enabled=False)
    terminal.goto(f"/t/alpha/device/enrol?code={code}")
    terminal.get_by_role("button", name="Anmelden").click()
    assert terminal.url.endswith("/t/alpha/k")


# --- the checklist, and reading it aloud --------------------------------------------------------------------------


@SIZES
def test_an_answer_changes_the_list_at_once_and_everything_that_leads_on(visit: Callable[..., Page], size: Any) -> None:
    page = visit(size=size)
    page.goto(K + "/service/card")
    page.get_by_role("link", name="Meine Checkliste zum Mitnehmen").click()
    before = page.locator("img.sp-qr").get_attribute("src")
    page.get_by_role("checkbox", name="nur unter 16 Jahren").check()
    page.locator(".sp-needs").get_by_text("Zustimmung der Eltern").wait_for()
    assert page.url.endswith(f"/k/service/card/checklist?case={CARD_CASE}"), "and a second look is the same"
    assert page.locator("img.sp-qr").get_attribute("src") != before
    assert page.locator("#tools [name=next]").first.input_value().endswith(f"?case={CARD_CASE}")
    assert page.get_by_role("checkbox").is_checked()
    page.get_by_role("button", name="English").click()
    assert page.locator(".sp-needs").get_by_text("Consent of the parents").is_visible()


def test_a_checklist_works_without_scripts_and_with_the_keyboard(visit: Callable[..., Page]) -> None:
    page = visit(java_script_enabled=False)
    page.goto(K + "/service/card/checklist")
    page.get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Meine Liste zeigen").click()
    assert page.locator(".sp-needs").get_by_text("Zustimmung der Eltern").is_visible()
    assert page.locator("audio").is_visible() == has_speech()


def has_speech() -> bool:
    return shutil.which("espeak-ng") is not None


def require_speech() -> None:
    if not has_speech():
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
            pytest.fail("espeak-ng is missing")
        pytest.skip("NOT RUN: espeak-ng is missing; sudo apt-get install espeak-ng")


PLAYS = "() => !document.querySelector('audio').paused"
SILENT = "() => document.querySelector('audio').paused && document.querySelector('audio').currentTime === 0"


@pytest.mark.parametrize("stop", ["button", "touch", "key", "Escape", "leave", "answer"])
def test_reading_aloud_stops_at_any_touch(visit: Callable[..., Page], stop: str) -> None:
    require_speech()
    page = visit()
    page.goto(K + "/service/card/checklist")
    assert not page.locator("audio").is_visible()
    page.get_by_role("button", name="Vorlesen").click()
    page.wait_for_function(PLAYS)
    button = page.locator(".sp-aloud__button")
    assert button.inner_text().strip() == "Anhalten"
    assert button.get_attribute("aria-pressed") == "true"
    assert axe_violations(page) == []
    page.wait_for_timeout(600)
    if stop == "button":
        button.click()
    elif stop == "touch":
        page.locator("h1").click()
    elif stop == "key":
        page.keyboard.press("a")
    elif stop == "Escape":
        page.keyboard.press("Escape")
    elif stop == "answer":
        page.get_by_role("checkbox").check()
        page.locator(".sp-needs").get_by_text("Zustimmung der Eltern").wait_for()
        assert f"case={CARD_CASE}" in (page.locator("audio").get_attribute("src") or "")
    else:
        page.get_by_role("link", name="Start").click()
        page.wait_for_url("**/t/alpha/k")
        return
    page.wait_for_function(SILENT)
    assert button.inner_text().strip() == "Vorlesen"
    assert button.get_attribute("aria-pressed") == "false"
    page.wait_for_timeout(600)
    button.click()
    page.wait_for_function(PLAYS)


def test_who_listens_is_not_asked_whether_he_is_there(visit: Callable[..., Page]) -> None:
    require_speech()
    page = opened(visit(), "/service/card")
    page.get_by_role("button", name="Vorlesen").click()
    page.wait_for_function(PLAYS)
    page.clock.run_for(55_000)
    page.evaluate("document.querySelector('audio').dispatchEvent(new Event('timeupdate'))")
    page.clock.run_for(20_000)
    assert not page.locator("#idle").is_visible()
    page.clock.run_for(45_000)
    assert page.locator("#idle").is_visible()


def test_what_cannot_be_read_aloud_says_so(visit: Callable[..., Page]) -> None:
    require_speech()
    page = visit()
    page.goto(K + "/service/card")
    page.evaluate("document.querySelector('audio').src = '/t/alpha/k/service/none/speech.wav?voice=de'")
    page.get_by_role("button", name="Vorlesen").click()
    page.get_by_role("button", name="Jetzt nicht möglich").wait_for()
