"""The box's own pages in a real browser: every page at both sizes, with axe, and the refusals of a form."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from playwright.async_api import Page, async_playwright

from servicepunkt.dokbox.controller.pages import create_box_app
from servicepunkt.dokbox.testing import Bench, example_config
from servicepunkt.web.server import serving
from servicepunkt.web.testing import (
    AXE_TAGS,
    CHROMIUM,
    CHROMIUM_ARGUMENTS,
    LANDSCAPE,
    PORTRAIT,
    require_chromium,
)

NUMBER = "+4915112345678"
SUNDAYS = b'{"type":"osm","expression":"Su 10:00-11:00"}'
D1 = "01980000-0000-7000-8000-000000000001"


class Link:
    connected = False


@asynccontextmanager
async def served(bench: Bench) -> AsyncIterator[str]:
    """The pages of the bench's box on a port of their own, in this event loop."""
    app = create_box_app(bench.controller, clock=bench.clock, link=Link(), secure_cookies=False)
    async with serving(app, host="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    await made.look()
    return made


async def faults(page: Page, name: str) -> list[str]:
    """What axe finds on the page, and targets that are too small for a finger."""
    from axe_playwright_python.async_playwright import Axe

    found = []
    for size in (PORTRAIT, LANDSCAPE):
        await page.set_viewport_size(size)
        result = await Axe().run(page, options={"runOnly": {"type": "tag", "values": list(AXE_TAGS)}})
        found += [f"{name}: {v['id']} {v['nodes'][0]['html'][:100]}" for v in result.response["violations"]]
        small = await page.evaluate(
            "() => [...document.querySelectorAll('a, button, input:not([type=hidden])')]"
            ".filter(e => e.getClientRects().length && e.className !== 'sp-skip')"
            ".filter(e => e.getBoundingClientRect().height < 44).map(e => e.outerHTML.slice(0, 80))"
        )
        found += [f"{name}: small target {html}" for html in small]
        wide = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        found += [f"{name}: scrolls sideways"] if wide else []
        cut = "document.documentElement.scrollHeight > window.innerHeight"
        found += [f"{name}: cut off at {size}"] if name in ("number", "code") and await page.evaluate(cut) else []
    return found


async def test_every_page_of_a_collection(bench: Bench) -> None:
    require_chromium()
    compartment, code = await bench.load(D1)
    found: list[str] = []
    async with served(bench) as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=PORTRAIT)
        page.on("console", lambda m: found.append(m.text) if "Content Security" in m.text else None)

        async def look(name: str) -> None:
            found.extend(await faults(page, name))

        config = example_config()
        bench.controller.configure(msgspec.structs.replace(config, hours=msgspec.Raw(SUNDAYS)))
        await page.goto(base)
        await look("closed")
        assert await page.locator("a[href='/number']").count() == 0
        bench.controller.configure(config)
        await page.goto(f"{base}/help")
        await look("help")
        await page.goto(f"{base}/number")
        await look("number")
        for key in NUMBER:
            await page.click(f".sp-key:has-text('{key}')")
        assert await page.input_value("#number") == NUMBER
        await page.click("form.sp-question > button")
        await look("code")
        await page.fill("#code", "000000" if code != "000000" else "111111")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#refused")
        await look("refused")
        assert NUMBER not in page.url
        for key in code:
            await page.click(f".sp-key:has-text('{key}')")
        await page.click("form.sp-question > button")
        await page.wait_for_selector("input[name=answer]", state="attached")
        await look("question")
        await page.click("form:has(input[value=yes]) button")
        await page.wait_for_selector("form[action='/open']")
        await look("open")
        assert bench.doors.pulses[compartment] == 1
        await page.click("form[action='/open'] button")
        await page.wait_for_selector("[data-state=releasing], [data-state=taking]")
        await bench.opened(compartment)
        await page.wait_for_selector("[data-state=taking]")
        await look("taking")
        await bench.close(compartment, item=False)
        await page.wait_for_selector("[data-state=done]")
        await look("done")
        await page.click("form[action='/end'] button")
        await page.wait_for_url(f"{base}/")
        await page.goto(f"{base}/door")
        assert page.url == f"{base}/"
        await browser.close()
    assert found == []
    assert bench.doors.pulses[compartment] == 2


async def test_blocked_declined_and_contrast_pages(bench: Bench) -> None:
    require_chromium()
    compartment, code = await bench.load(D1)
    found: list[str] = []
    async with served(bench) as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=PORTRAIT)

        async def type_in() -> None:
            await page.goto(f"{base}/number")
            await page.fill("#number", NUMBER)
            await page.keyboard.press("Enter")
            await page.wait_for_selector("#code")
            await page.fill("#code", code)
            await page.keyboard.press("Enter")
            await page.wait_for_selector("input[name=answer]", state="attached")

        await type_in()
        await page.click("form:has(input[value=no]) button")
        await page.wait_for_load_state()
        found += await faults(page, "declined")
        await type_in()
        await page.click("form:has(input[value=yes]) button")
        await page.wait_for_selector("form[action='/open']")
        await page.click("form[action='/open'] button")
        await page.wait_for_selector("[data-state=releasing], [data-state=taking]")
        await bench.opened(compartment)
        await bench.close(compartment, item=True)
        await page.wait_for_selector("[data-state=blocked]")
        found += await faults(page, "blocked")
        for name, value in (("contrast", "contrast"), ("large", "large")):
            await page.context.add_cookies([{"name": "sp_view", "value": value, "url": base}])
            await page.goto(base)
            found += await faults(page, name)
        await browser.close()
    assert found == []


async def test_without_javascript_and_with_bad_input(bench: Bench) -> None:
    _, code = await bench.load(D1)
    async with served(bench) as base, httpx.AsyncClient(base_url=base, follow_redirects=True) as client:

        async def form(path: str) -> dict[str, str]:
            page = await client.get(path)
            found = re.search(r'name="_csrf_token" value="([^"]+)"', page.text)
            assert found
            return {"_csrf_token": found[1]}

        assert (await client.post("/number", data={"number": NUMBER})).status_code == 403
        token = await form("/number")
        answers: list[Any] = []
        for number, typed in ((NUMBER, "123456" if code != "123456" else "654321"), ("x" * 5000, code), ("", "")):
            await client.post("/number", data={**token, "number": number})
            answer = await client.post("/code", data={**token, "code": typed})
            answers.append((answer.status_code, re.sub(r'value="[^"]*"|nonce="[^"]*"', "", answer.text)))
        assert answers[0] == answers[1] == answers[2]
        assert answers[0][0] == 422
        assert (await client.post("/number", data={**token, "number": "1" * 20_000})).status_code == 413
        assert (
            await client.post("/code", content=b"\xff\xfe", headers={"content-type": "text/plain"})
        ).status_code < 500
        assert (await client.get("/static/dokbox/../../plugin.py")).status_code == 404
        await client.post("/number", data={**token, "number": NUMBER})
        page = await client.post("/code", data={**token, "code": f" {code[:3]} {code[3:]} "})
        assert page.status_code == 200
        assert page.url.path == "/confirm"
        again = await client.post("/code", data={**token, "code": code})
        assert again.url.path == "/confirm"
        other = httpx.AsyncClient(base_url=base)
        assert (await other.get("/confirm")).status_code == 303
        await other.aclose()
