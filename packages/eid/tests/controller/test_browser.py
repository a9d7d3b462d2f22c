"""The pages in a real browser: both sizes, large type, German, with axe; the keypad; and the way back to the centre.

With SERVICEPUNKT_PICTURES=FOLDER every screen is kept as a picture, to be looked at.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from servicepunkt.eid.testing.ausweisapp import FakeCard, Scenario
from servicepunkt.web.testing import (
    AXE_TAGS,
    CHROMIUM,
    CHROMIUM_ARGUMENTS,
    LANDSCAPE,
    OVERLAPS,
    PORTRAIT,
    require_chromium,
)

from .conftest import TICKET

PICTURES = os.environ.get("SERVICEPUNKT_PICTURES", "")
SMALL = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), summary')]
    .filter(e => e.getClientRects().length && e.className !== 'sp-skip' && !e.matches('[type=checkbox]'))
    .filter(e => e.getBoundingClientRect().height < 44).map(e => e.outerHTML.slice(0, 80))"""


class Look:
    """Looks at each screen and keeps what is wrong with it."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.name = page, name
        self.found: list[str] = []
        page.on("console", lambda m: self.found.append(m.text) if "Content Security" in m.text else None)
        page.on("pageerror", lambda error: self.found.append(str(error)))

    async def at(self, screen: str, *, scrolls: bool = False) -> None:
        from axe_playwright_python.async_playwright import Axe

        result = await Axe().run(self.page, options={"runOnly": {"type": "tag", "values": list(AXE_TAGS)}})
        wrong = [f"{v['id']} {v['nodes'][0]['html'][:100]}" for v in result.response["violations"]]
        wrong += [f"small {html}" for html in await self.page.evaluate(SMALL)]
        wrong += await self.page.evaluate(OVERLAPS)
        if await self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wrong.append("scrolls sideways")
        if not scrolls and await self.page.evaluate("document.documentElement.scrollHeight > window.innerHeight"):
            wrong.append("is cut off")
        self.found += [f"{self.name} {screen}: {what}" for what in wrong]
        if PICTURES:
            await self.page.screenshot(path=str(Path(PICTURES) / f"{self.name}-{screen}.png"))

    async def on(self, screen: str, *, scrolls: bool = False) -> None:
        await self.page.wait_for_selector(f"[data-screen={screen}]", timeout=15_000)
        await self.at(screen, scrolls=scrolls)

    async def keys(self, digits: str) -> None:
        for digit in digits:
            await self.page.click(f".sp-key:has-text('{digit}')")
        await self.page.click(".sp-question button[data-working]")


@pytest.mark.parametrize(
    ("name", "size", "language", "view"),
    [
        ("portrait", PORTRAIT, "de", "plain"),
        ("landscape", LANDSCAPE, "en", "plain"),
        ("portrait-large", PORTRAIT, "de", "contrast-large"),
    ],
)
async def test_identify_with_a_wrong_pin_and_go_back(
    place: Any, name: str, size: Any, language: str, view: str
) -> None:
    require_chromium()
    async with place(Scenario(card=FakeCard(tries=2))) as here, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=size)
        look = Look(page, name)
        await page.goto(f"{here.url}/?lang={language}&view={view}")
        await page.wait_for_selector("a[href='/practice']")
        await look.at("start")
        await page.goto(f"{here.url}/pin?for=puk")
        await look.at("begin")
        await page.goto(f"{here.url}/identify?ticket={TICKET}&lang={language}&view={view}")
        await look.on("rights", scrolls="large" in name)
        await page.click("label[for=right-Address]")
        await page.click("form.sp-rights button.kern-btn--primary")
        await look.on("pin")
        assert await page.get_attribute("#number", "type") == "password"
        await look.keys("000000")
        await look.on("can", scrolls="large" in name)
        await look.keys("500540")
        await look.on("pin")
        await look.keys("123456")
        await look.on("take")
        here.ausweisapp._conversation._lies = False
        await page.wait_for_selector("#asked")
        assert await page.inner_text("#asked") == f"/t/alpha/k/apply/conduct?lang={language}&view={view}"
        assert "Address" not in here.ausweisapp._conversation._effective
        await browser.close()
    assert look.found == []


@pytest.mark.parametrize(("name", "size"), [("portrait", PORTRAIT), ("landscape", LANDSCAPE)])
async def test_practise_and_pull_the_card(place: Any, name: str, size: Any) -> None:
    require_chromium()
    async with place(app=False) as here, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=size)
        look = Look(page, f"practice-{name}")
        await page.goto(f"{here.url}/?lang=de&view=plain")
        await page.click("a[href='/practice']")
        await look.at("begin")
        await page.click("form[action='/practice'] button")
        await look.on("rights")
        await page.click("form.sp-rights button.kern-btn--primary")
        await look.on("card")
        await page.click("form[action='/card'] button")
        await look.on("pin")
        await page.click("form[action='/card'] button")
        await look.on("gone")
        await page.click("form[action='/card'] button")
        await page.wait_for_selector("[data-screen=pin]")
        await look.keys("123456")
        await look.on("done")
        assert "MUSTERMANN" in await page.inner_text("main")
        await browser.close()
    assert look.found == []


async def test_the_pin_service_without_a_script(place: Any) -> None:
    """No JavaScript: pages that wait renew themselves, forms are forms."""
    require_chromium()
    async with place(Scenario(card=FakeCard(pin="12345", letter=True))) as here, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        context = await browser.new_context(viewport=PORTRAIT, java_script_enabled=False)
        page = await context.new_page()
        await page.goto(f"{here.url}/pin?for=letter")
        await page.click("form[action='/pin'] button")
        await page.wait_for_selector("[data-screen=pin]", timeout=15_000)
        for number, screen in (("12345", "new_pin"), ("111222", "again"), ("111222", "take")):
            await page.fill("#number", number)
            await page.keyboard.press("Enter")
            await page.wait_for_selector(f"[data-screen={screen}]", timeout=15_000)
        here.ausweisapp._conversation._lies = False
        await page.wait_for_selector("[data-screen=done]", timeout=15_000)
        await browser.close()
    assert here.ausweisapp.card.pin == "111222"
