"""Somebody applies for a certificate of conduct in the demonstration: with the card and with the wallet, in a browser.

Every process is a real one; the AusweisApp, the eID service and the wallet are simulated, and know the test person.
Pictures are kept with SERVICEPUNKT_TEST_PICTURES=DIR.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from servicepunkt.tenants import files
from servicepunkt.web.testing import LANDSCAPE, PORTRAIT, axe_violations, browser, small_targets

SERVICE = "fuehrungszeugnis"
PERSON = ("MUSTERMANN", "HEIDESTRA", "GABLER", "1964-08-12", "12.08.1964")
NUMBERS = ("123456", "500540", "111111", "739164")
pytestmark = pytest.mark.skipif("kassel" not in files.installed_packs(), reason="the reference tenant is not installed")


class Town:
    """The demonstration, by the addresses that it has printed."""

    def __init__(self, home: Path, said: str) -> None:
        def found(pattern: str) -> str:
            (address,) = set(re.findall(rf"^\s*(http://[\w.]+:\d+{pattern})$", said, re.MULTILINE))
            return str(address)

        self.home = home
        self.terminal = found("/terminal/kassel/ksp")
        self.centre = found("/t/kassel/").rstrip("/")
        desk, own = re.findall(r"^\s*leser-1: .*\n\s*(http://\S+)$", said, re.MULTILINE)
        self.desk, self.reader = desk, own

    def lay(self, kind: str = "") -> None:
        """The card, of a kind if it is another one."""
        if kind:
            httpx.post(f"{self.desk}/card/{kind}")
        httpx.post(f"{self.desk}/lay")

    def take(self) -> None:
        httpx.post(f"{self.desk}/take")

    def log(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted((self.home / "logs").glob("*.log")))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("demo")
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home, (folder / "said").open("wb") as said:
        environment = {**os.environ, "SERVICEPUNKT_HOME": home, "COLUMNS": "80"}
        command = [sys.executable, "-m", "servicepunkt.core", "demo", "--base-port", "0", "--tenant", "kassel"]
        demo = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + 150
            while "Ctrl-C ends everything." not in (folder / "said").read_text():
                assert demo.poll() is None, (folder / "said").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield Town(Path(home), (folder / "said").read_text())
        finally:
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0


class Screen:
    """A terminal, and somebody in front of it."""

    def __init__(self, town: Town, page: Any) -> None:
        self.town, self.page = town, page
        self._seen = 0

    def apply(self, door: str) -> None:
        self.page.goto(f"{self.town.centre}/k/apply/{SERVICE}")
        self.page.locator(f'form:has(input[name="door"][value="{door}"]) button').click()

    def sees(self, heading: str) -> None:
        """The page with this heading, without a mistake in it."""
        self.page.get_by_role("heading", level=1).filter(has_text=re.compile(heading)).wait_for(timeout=30_000)
        self.page.wait_for_load_state("load")
        self._seen += 1
        if pictures := os.environ.get("SERVICEPUNKT_TEST_PICTURES"):
            height = self.page.viewport_size["height"]
            self.page.screenshot(path=str(Path(pictures) / f"identify-{height}-{self._seen:02}.png"))

    def judge(self) -> None:
        assert axe_violations(self.page) == []
        assert small_targets(self.page) == []

    def types(self, number: str) -> None:
        keys = self.page.locator(".sp-keypad")
        for digit in number:
            keys.get_by_role("button", name=digit, exact=True).click()
        self.page.locator("form[data-keypad] button.kern-btn--primary").click()

    def goes_on(self) -> None:
        self.page.locator("main form button.kern-btn--primary").first.click()

    def ends(self) -> None:
        self.page.get_by_role("button", name=re.compile("Beenden")).first.click()
        self.page.wait_for_url(re.compile(r"/t/kassel/k/?(\?.*)?$"), timeout=20_000)

    def fills_in(self) -> str:
        """The reference of what was submitted."""
        self.sees("Ihr Antrag")
        self.page.get_by_label("Für mich").check()
        self.page.get_by_label("Nein").check()
        self.goes_on()
        self.page.get_by_text("MUSTERMANN").or_(self.page.get_by_text("Mustermann")).first.wait_for()
        self.page.locator("input[name=consent]").check()
        self.judge()
        self.goes_on()
        self.page.wait_for_url(re.compile("/k/application/"))
        return str(self.page.locator("main").inner_text())


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running:
        yield running


@pytest.fixture
def screen(request: pytest.FixtureRequest, town: Town, chromium: Any) -> Iterator[Screen]:
    size = getattr(request, "param", PORTRAIT)
    context = chromium.new_context(viewport=size, locale="de-DE")
    page = context.new_page()
    page.goto(town.terminal)
    page.locator("main form button.kern-btn--primary").last.click()
    page.get_by_role("heading", name="Was möchten Sie erledigen?").wait_for()
    town.take()
    yield Screen(town, page)
    context.close()


def rights(screen: Screen) -> None:
    screen.sees("möchte das wissen")
    screen.judge()
    screen.goes_on()


@pytest.mark.parametrize("screen", [PORTRAIT, LANDSCAPE], ids=["portrait", "landscape"], indirect=True)
def test_with_the_card_and_wrong_pins(town: Town, screen: Screen) -> None:
    httpx.post(f"{town.desk}/card/ready")
    screen.apply("card")
    rights(screen)
    screen.sees("Legen Sie Ihren Ausweis auf")
    screen.judge()
    town.lay()
    for number, then in (("111111", "Wie lautet Ihre PIN"), ("111111", "Nummer auf Ihrem Ausweis"), ("500540", "PIN")):
        screen.sees("Wie lautet")
        screen.judge()
        screen.types(number)
        screen.sees(then)
    screen.types("123456")
    screen.sees("Nehmen Sie Ihren Ausweis")
    screen.judge()
    town.take()
    said = screen.fills_in()
    assert re.search(r"[2-9A-Z]{4}-[2-9A-Z]{4}", said), said
    screen.ends()


def test_three_wrong_pins_and_the_next_human_step(town: Town, screen: Screen) -> None:
    town.lay("last_try")
    screen.apply("card")
    rights(screen)
    screen.sees("Nummer auf Ihrem Ausweis")
    screen.types("500540")
    screen.sees("Wie lautet Ihre PIN")
    screen.types("111111")
    screen.sees("PUK")
    screen.judge()
    screen.ends()


@pytest.mark.parametrize("moment", ["rights", "PIN", "reading"])
def test_the_card_is_pulled(town: Town, screen: Screen, moment: str) -> None:
    town.lay("ready")
    screen.apply("card")
    screen.sees("möchte das wissen")
    if moment == "rights":
        town.take()
        screen.goes_on()
        screen.sees("Legen Sie Ihren Ausweis auf")
        town.lay()
    else:
        screen.goes_on()
    screen.sees("Wie lautet Ihre PIN")
    if moment == "PIN":
        town.take()
        screen.sees("zu früh weggenommen")
        screen.judge()
        town.lay()
        screen.sees("Wie lautet Ihre PIN")
    screen.types("123456")
    if moment == "reading":
        screen.sees("Einen Moment")
        town.take()
        screen.sees("zu früh weggenommen")
        screen.judge()
        screen.page.goto(f"{town.centre}/k/apply/{SERVICE}/form")
        screen.sees("Führungszeugnis")  # nobody was identified, so there is no form
        assert "MUSTERMANN" not in screen.page.content()
    else:
        screen.sees("Nehmen Sie Ihren Ausweis")
        town.take()
        screen.sees("Ihr Antrag")
    screen.ends()


@pytest.mark.parametrize("screen", [PORTRAIT, LANDSCAPE], ids=["portrait", "landscape"], indirect=True)
def test_with_the_wallet(town: Town, screen: Screen) -> None:
    screen.apply("wallet")
    screen.sees("Wallet")
    screen.judge()
    link = screen.page.locator("#says").get_attribute("href")
    httpx.post(f"{town.desk}/wallet", data={"link": link}, timeout=30)
    screen.fills_in()
    screen.ends()
    assert "✗" in httpx.post(f"{town.desk}/wallet", data={"link": link}, timeout=30, follow_redirects=True).text


def test_practice(town: Town, screen: Screen) -> None:
    before = town.log().count('"/api/v1/eid/claim"')
    screen.page.goto(f"{town.reader}/practice")
    screen.goes_on()
    screen.sees("möchte das wissen")
    assert screen.page.get_by_text("Übung – nichts wird gesendet").first.is_visible()
    screen.judge()
    screen.goes_on()
    screen.page.get_by_role("button", name=re.compile("auflegen")).first.click()
    screen.sees("Wie lautet Ihre PIN")
    screen.types("123456")
    screen.page.get_by_text("MUSTERMANN").first.wait_for()
    assert screen.page.get_by_text("Übung – nichts wird gesendet").first.is_visible()
    screen.judge()
    assert town.log().count('"/api/v1/eid/claim"') == before


def test_the_logs_know_nobody_and_no_number(town: Town) -> None:
    said = town.log()
    assert "visit_failed" in said
    for word in (*PERSON, *NUMBERS):
        assert word.lower() not in said.lower(), word
