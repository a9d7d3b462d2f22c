"""Staff pages in a real browser: by keyboard alone, with a focus that stays, and with live regions that stand still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, async_playwright

from servicepunkt.core.notices import service as notices
from servicepunkt.core.notices import store as notice_store
from servicepunkt.core.testing import FixedClock, RecordingChannel
from servicepunkt.dokbox import service, store
from servicepunkt.web.testing import (
    AXE_TAGS,
    CHROMIUM,
    CHROMIUM_ARGUMENTS,
    LANDSCAPE,
    OVERLAPS,
    PORTRAIT,
    require_chromium,
)

if TYPE_CHECKING:
    from conftest import Clerk, Wire

FOCUSED = "document.activeElement.id"
POLLS = 3  # one a second
# Counts what is put into or taken out of the content, and marks the live regions, so that others are told apart.
WATCH = """() => {
    window.changes = [];
    const note = (records) => records.forEach((r) => window.changes.push(r.target.id || r.target.nodeName));
    const what = { childList: true, characterData: true, subtree: true };
    new MutationObserver(note).observe(document.querySelector("#content"), what);
    document.querySelectorAll("[role=status], [role=alert]").forEach((region) => { region.marked = true; });
}"""
MARKED = "() => [...document.querySelectorAll('[role=status], [role=alert]')].every((region) => region.marked)"


@pytest.fixture
async def page(clerk: Clerk) -> AsyncIterator[Page]:
    """A browser whose person is signed in; a breach of the content policy or an error of a script fails the test."""
    require_chromium()
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        base = str(clerk.client.base_url).rstrip("/")
        context = await browser.new_context(base_url=f"{base}/", viewport=LANDSCAPE)
        where = {"domain": urlsplit(base).hostname or "", "path": "/t/alpha"}
        await context.add_cookies([{"name": "sp_session", "value": clerk.cookie, **where}])  # type: ignore[list-item]
        made = await context.new_page()
        made.on("pageerror", lambda error: complaints.append(str(error)))
        made.on("console", lambda m: complaints.append(m.text) if "Content Security" in m.text else None)
        yield made
        await browser.close()
    assert complaints == []


async def polled(page: Page) -> None:
    """Wait until the page has asked three times and there was nothing new."""
    for _ in range(POLLS):
        async with page.expect_response(lambda answer: "seen=" in answer.url) as asked:
            pass
        assert (await asked.value).status == 204


async def faults(page: Page, name: str) -> list[str]:
    """What axe finds, small targets, and a page that is wider than its window, at both sizes and in high contrast."""
    from axe_playwright_python.async_playwright import Axe

    found = []
    for size in (PORTRAIT, {"width": 640, "height": 512}, LANDSCAPE):  # the second is 1280 pixels at 200 %
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        result = await Axe().run(page, options={"runOnly": {"type": "tag", "values": list(AXE_TAGS)}})
        found += [f"{name}: {v['id']} {v['nodes'][0]['html'][:100]}" for v in result.response["violations"]]
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{name}: scrolls sideways at {size}")
        found += [f"{name}: {pair}" for pair in await page.evaluate(OVERLAPS)]
    return found


async def test_three_deposits_in_a_row_by_keyboard_alone(page: Page, line: Wire) -> None:
    await line.both()
    await page.goto("deposits/new")
    for number in range(3):
        assert await page.evaluate(FOCUSED) == "document_number"
        await page.keyboard.type(f"C01X{number:05d}")
        await page.keyboard.press("Enter")  # as a scanner ends what it reads
        assert await page.evaluate(FOCUSED) == "phone"
        assert page.url.endswith("/new") == (number == 0), "nothing was sent"
        await page.keyboard.type(f"0151 1234567{number}")
        async with page.expect_navigation(url="**/deposits/new/*"):
            await page.keyboard.press("Enter")
        assert await page.locator("[role=alert]").inner_text() == ""
        await line.both()
        await page.wait_for_selector("#last-status strong")
        assert await page.locator("#do-cancel").count() == 1
        assert await page.input_value("#document_number") == ""
    async with line.deployment.database.tenant(line.ctx) as tx:
        rows = await store.deposits(tx)
    assert [row.state for row in rows] == ["reserved"] * 3
    assert await page.inner_text("#last-status strong") == str(rows[0].compartment)
    for _ in range(2):  # the link, then undo
        await page.keyboard.press("Shift+Tab")
        if await page.evaluate(FOCUSED) == "do-cancel":
            break
    assert await page.evaluate(FOCUSED) == "do-cancel"
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await line.both()
    await page.wait_for_selector("#do-cancel", state="detached")
    assert "abgebrochen" in await page.inner_text("#last-status")
    assert await page.evaluate(FOCUSED) == "document_number"


async def test_without_scripts_enter_leads_to_the_telephone_too(page: Page, line: Wire, clerk: Clerk) -> None:
    assert page.context.browser
    plain = await page.context.browser.new_context(
        java_script_enabled=False, storage_state=await page.context.storage_state()
    )
    form = await plain.new_page()
    await form.goto(f"{clerk.client.base_url}deposits/new")
    await form.keyboard.type("C01X00T47")
    async with form.expect_navigation():
        await form.keyboard.press("Enter")
    assert await form.locator(".kern-alert").count() == 0
    await form.keyboard.type("0151 12345678")
    async with form.expect_navigation(url="**/deposits/new/*"):
        await form.keyboard.press("Enter")
    await plain.close()


async def test_the_focus_stays_and_nothing_is_put_in_again(
    page: Page, line: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = RecordingChannel("phone")
    monkeypatch.setattr(notices, "builtin_channels", lambda _: (channel,))
    row = await line.announce()
    await line.both()
    await service.request(line.deployment, line.ctx, actor="account:test", deposit_id=row.id, kind="open_for_load")
    await line.both()
    await line.bench.opened(7)
    await line.bench.close(7, item=True)
    await line.both()
    async with line.deployment.database.tenant(line.ctx) as tx:
        await store.update_deposit(tx, row.id, alert="left_open")
    await page.goto(f"deposits/{row.id}")
    await page.focus("#do-recall")
    await page.evaluate(WATCH)
    await polled(page)
    assert await page.evaluate("window.changes") == []
    assert await page.evaluate(FOCUSED) == "do-recall"
    async with line.deployment.database.tenant(line.ctx) as tx:
        [notice] = await notice_store.of_case(tx, row.id)
    await notices.deliver.function(line.deployment, line.ctx, notice_id=str(notice.id))
    await line.both()
    await line.down()
    await page.wait_for_selector("[data-state=notified]")
    assert await page.evaluate(FOCUSED) == "do-recall", "a real change keeps it as well"
    assert await page.evaluate(MARKED), "the live regions are the same ones"
    assert "abholbereit" in await page.inner_text("#deposit-status")
    assert "deposit-alert" not in await page.evaluate("window.changes"), "and what did not change was not written"


async def test_an_order_that_waits_cannot_be_given_twice(page: Page, line: Wire, clock: FixedClock) -> None:
    row = await line.announce()
    await line.both()
    await page.goto(f"deposits/{row.id}")
    async with page.expect_navigation():
        await page.click("#do-open_for_load")
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
    await page.focus("#do-open_for_load")
    await page.keyboard.press("Enter")
    clock.forward(seconds=6)
    await page.wait_for_selector("#deposit-alert .kern-alert")
    assert "der Auftrag gilt bis 19:41:30" in await page.inner_text("#deposit-alert")
    assert await page.evaluate(FOCUSED) == "do-open_for_load"
    assert sent == []
    assert await faults(page, "box away") == []


async def test_the_pages_are_accessible(page: Page, line: Wire, clerk: Clerk) -> None:
    row = await line.announce()
    await line.both()
    await line.down()
    async with line.deployment.database.tenant(line.ctx) as tx:
        await store.update_deposit(tx, row.id, alert="not_opened")
    found = []
    paths = ("", "deposits", "deposits?show=attention", "deposits/new", f"deposits/new/{row.id}", f"deposits/{row.id}")
    for view in ("", "contrast"):
        await page.context.add_cookies([{"name": "sp_view", "value": view, "url": str(clerk.client.base_url)}])
        more = (f"deposits/{row.id}/correct", f"deposits/{row.id}/lift", "deposits?show=overdue", "attest")
        for path in (*paths, *more, "boxes", "boxes/box-1/contents"):
            answer = await page.goto(path or "../staff")
            assert answer is not None
            assert answer.ok, path
            found += await faults(page, f"{path} {view}")
    assert found == []
