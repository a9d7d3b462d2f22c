"""The picture in a real browser: reachable by mouse and keyboard, with and without script, for everybody."""

import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("litestar", reason="litestar is not installed: the pages need servicepunkt-dokbox[service]")
import uvicorn

from servicepunkt.dokbox.simulator import Cabinet, Compartment, KrCu16Boards, Line, WeakSpring
from servicepunkt.dokbox.simulator.pages import create_simulator_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture
def cabinet() -> Cabinet:
    ajar = {"closed": False, "latched": False}
    cabinet = Cabinet(restored=[Compartment(3, **ajar), Compartment(12, item=True, **ajar)])
    cabinet.set_faults(WeakSpring(30), time=0)
    cabinet.pulse(30, time=0)
    return cabinet


@pytest.fixture
def address(cabinet: Cabinet, tmp_path: Path) -> Iterator[str]:
    with Line(KrCu16Boards(cabinet, Random(1)), link=tmp_path / "dokbox", baud=None) as line:
        config = uvicorn.Config(create_simulator_app(cabinet, line), host="127.0.0.1", port=0, log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        deadline = monotonic() + 10
        while not server.started and monotonic() < deadline:
            sleep(0.005)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
        line.stop()
        server.should_exit = True
        thread.join()


@pytest.fixture
def browser() -> Iterator["Browser"]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(browser: "Browser", complaints: list[str]) -> Iterator["Page"]:
    """A page on which every complaint of the browser, such as a broken policy, is a failure."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


@pytest.mark.parametrize("lang", ["de", "en"])
@pytest.mark.parametrize("width", [1440, 420])
def test_no_barriers(page: "Page", address: str, lang: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}?lang={lang}&refused=latched")
    report = axe.Axe().run(page)
    assert report.violations_count == 0, report.generate_report()


def test_changes_are_seen_without_a_reload(page: "Page", address: str, cabinet: Cabinet) -> None:
    page.goto(address)
    page.wait_for_selector("#c3.is-ajar")
    cabinet.pulse(5, time=0)
    page.wait_for_selector("#c5.is-ajar.is-bare")
    assert page.get_attribute("#c5", "aria-label") == "Fach 5: offen, leer"
    assert page.text_content("[data-count=doors]") == "3"


def test_mouse(page: "Page", address: str, cabinet: Cabinet) -> None:
    page.goto(address)
    page.click("#c12 .take")
    page.wait_for_selector("#c12.is-bare")
    page.click("#c12 .close")
    page.wait_for_selector("#c12.is-shut")
    page.click("#c30 .open")
    page.wait_for_selector("#c30.is-ajar")
    page.click("[data-plug=in]")
    page.wait_for_selector("[data-plug=out]:not([hidden])")
    assert cabinet.compartment(12) == Compartment(12)
    assert not cabinet.plugged


def test_keyboard_stays_where_it_was(page: "Page", address: str, cabinet: Cabinet) -> None:
    """And a second press does not break open the door that the first one closed."""
    page.goto(address)
    page.focus("#c3 .put")
    page.keyboard.press("Enter")
    page.wait_for_selector("#c3.is-full")
    page.focus("#c3 .close")
    page.keyboard.press("Enter")
    page.wait_for_selector("#c3.is-shut")
    assert page.evaluate("document.activeElement.id") == "c3"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Fach 3 aufbrechen"
    assert cabinet.compartment(3) == Compartment(3, item=True)


def test_a_refusal_is_said_aloud(page: "Page", address: str, cabinet: Cabinet, complaints: list[str]) -> None:
    page.goto(address)
    page.wait_for_selector("#c3.is-ajar")
    page.evaluate("document.querySelector('#c3 .open').hidden = false")
    page.evaluate("document.querySelector('#c3 .open').click()")
    page.wait_for_selector("[role=alert]:not(:empty)")
    assert page.text_content("[role=alert]") == "Das geht nicht: die Tür ist offen."
    assert not cabinet.compartment(3).closed
    assert [complaint for complaint in complaints if "409 (Conflict)" not in complaint] == []
    complaints.clear()


def test_without_script(browser: "Browser", address: str, cabinet: Cabinet) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{address}?lang=en")
    page.click("#c12 .take")
    page.wait_for_selector("#c12.is-bare")
    page.click("#c12 .close")
    page.wait_for_selector("#c12.is-shut")
    page.click("[data-plug=in]")
    page.wait_for_selector("[data-plug=out]")
    assert page.url == f"{address}?lang=en#line"
    assert cabinet.compartment(12) == Compartment(12)
    assert not cabinet.plugged
    page.close()
