"""The box's own pages in a real browser: every page at both sizes, with axe, the refusals of a form, the way back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar, Request, get
from playwright.async_api import Page, async_playwright

from servicepunkt.dokbox.controller.pages import create_box_app
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.testing import Bench, example_config
from servicepunkt.web.server import serving
from servicepunkt.web.testing import (
    AXE_TAGS,
    CHROMIUM,
    CHROMIUM_ARGUMENTS,
    LANDSCAPE,
    OVERLAPS,
    PORTRAIT,
    require_chromium,
)

NUMBER = "+4915112345678"
SUNDAYS = b'{"type":"osm","expression":"Su 10:00-11:00"}'
D1 = "01980000-0000-7000-8000-000000000001"


class Link:
    connected = False


@get(["/t/alpha/k", "/t/alpha/k/left", "/t/alpha/k/help"], media_type="text/html")
async def terminal_page(request: Request[Any, Any, Any]) -> str:
    """The terminal's pages, as far as a box knows them."""
    return f"<title>Terminal</title><p id=asked>{request.url.path}?{request.url.query}</p>"


@asynccontextmanager
async def centre(bench: Bench) -> AsyncIterator[str]:
    """A centre on a port of its own, named in the box's configuration; yields the address of the terminal's start."""
    async with serving(Litestar([terminal_page]), host="127.0.0.1", port=0) as port:
        url = f"http://127.0.0.1:{port}/t/alpha"
        bench.controller.configure(msgspec.structs.replace(example_config(), centre_url=url))
        yield f"{url}/k"


@asynccontextmanager
async def served(bench: Bench, link: Link | None = None) -> AsyncIterator[str]:
    """The pages of the bench's box on a port of their own, in this event loop."""
    app = create_box_app(bench.controller, clock=bench.clock, link=link or Link(), secure_cookies=False)
    async with serving(app, host="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}"


def csrf_of(text: str) -> dict[str, str]:
    found = re.search(r'name="_csrf_token" value="([^"]+)"', text)
    assert found
    return {"_csrf_token": found[1]}


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
        found += [f"{name}: {pair}" for pair in await page.evaluate(OVERLAPS)]
        cut = "document.documentElement.scrollHeight > window.innerHeight"
        found += [f"{name}: cut off at {size}"] if await page.evaluate(cut) else []
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
        await page.click("form.sp-question button[data-working]")
        await page.wait_for_selector("#code")
        await look("code")
        await page.fill("#code", "000000" if code != "000000" else "111111")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#refused")
        await look("refused")
        assert NUMBER not in page.url
        for key in code:
            await page.click(f".sp-key:has-text('{key}')")
        await page.click("form.sp-question button[data-working]")
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


@pytest.mark.parametrize(("answer", "state"), [("yes", "done"), ("no", "blocked")])
async def test_what_no_sensor_can_tell_is_asked_at_the_door(bench: Bench, answer: str, state: str) -> None:
    require_chromium()
    await bench.reserve(D1)
    await bench.command("open_for_load", deposit=D1)
    await bench.opened(7)
    await bench.close(7, item=False)
    await bench.command("confirm_loaded", deposit=D1)
    found: list[str] = []
    async with served(bench) as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=PORTRAIT)
        await page.goto(f"{base}/number")
        await page.fill("#number", NUMBER)
        await page.click("form.sp-question button[data-working]")
        await page.fill("#code", bench.code(D1))
        await page.click("form.sp-question button[data-working]")
        await page.click("form:has(input[value=yes]) button")
        await page.click("form[action='/open'] button")
        await page.wait_for_selector("[data-state=releasing], [data-state=taking]")
        await bench.opened(7)
        await page.wait_for_selector("[data-state=taking]")
        await bench.close(7, item=False)
        await page.wait_for_selector("input[value=removal]", state="attached")
        found.extend(await faults(page, "removal"))
        await page.click(f"form:has(input[value={answer}]) button")
        await page.wait_for_selector(f"[data-state={state}]")
        await browser.close()
    assert found == []
    assert bench.last_state(D1) == state


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
            return csrf_of((await client.get(path)).text)

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


# A minute of waiting becomes a tenth of a second, and the half minute of warning, too.
SOONER = """(() => {
    const [wait, now, began] = [setTimeout, Date.now, Date.now()];
    window.setTimeout = (act, ms) => wait(act, ms / 600);
    Date.now = () => began + (now() - began) * 600;
})()"""


async def test_the_terminal_gets_its_visitor_back(bench: Bench) -> None:
    link = Link()
    async with (
        centre(bench) as terminal,
        served(bench, link) as base,
        httpx.AsyncClient(base_url=base, follow_redirects=True) as client,
    ):
        link.connected = True
        page = await client.get("/?lang=en&view=contrast-large")
        assert page.url.path == "/"
        assert page.url.query == b""
        assert '<html lang="en"' in page.text
        assert "data-large" in page.text
        assert "data-contrast" in page.text
        assert 'data-idle="60"' in page.text
        assert (await client.get("/start", follow_redirects=False)).headers["location"] == (
            f"{terminal}?lang=en&view=contrast-large"
        )
        assert (await client.get("/help", follow_redirects=False)).headers["location"] == (
            f"{terminal}/help?lang=en&view=contrast-large"
        )
        assert (await client.get("/connection")).headers["hx-redirect"] == "/start"
        link.connected = False
        assert (await client.get("/start", follow_redirects=False)).headers["location"] == "/"
        assert "The other themes come back" in (await client.get("/")).text
        assert "Help at the box" in (await client.get("/help")).text
        assert "hx-redirect" not in (await client.get("/connection")).headers


@pytest.mark.parametrize(
    ("query", "lang", "view"),
    [
        ("lang=xx&view=large", "de", "large"),
        ("lang=en&view=huge", "en", "plain"),
        ("lang=en%0d%0aX:1&view=large%22", "de", "plain"),
        ("view=contrast", "de", "contrast"),
        ("lang=&view=", "de", "plain"),
    ],
)
async def test_what_the_terminal_does_not_offer_is_ignored(bench: Bench, query: str, lang: str, view: str) -> None:
    link = Link()
    async with centre(bench) as terminal, served(bench, link) as base, httpx.AsyncClient(base_url=base) as client:
        link.connected = True
        await client.get("/?lang=en&view=contrast")  # somebody else's choice, before
        await client.get(f"/?{query}")
        assert (await client.get("/start")).headers["location"] == f"{terminal}?lang={lang}&view={view}"


async def test_a_screen_that_no_terminal_sent_stays_at_the_box(bench: Bench) -> None:
    link = Link()
    async with centre(bench), served(bench, link) as base, httpx.AsyncClient(base_url=base) as client:
        link.connected = True
        page = (await client.get("/")).text
        assert 'data-idle="0"' in page
        assert "The other themes" not in page
        assert (await client.get("/start")).headers["location"] == "/"
        assert (await client.get("/help")).status_code == 200
        bench.controller.configure(msgspec.structs.replace(example_config(), centre_url="javascript:alert(1)//"))
        await client.get("/?lang=en")
        assert (await client.get("/start")).headers["location"] == "/"


async def test_start_gives_the_code_back(bench: Bench) -> None:
    _, code = await bench.load(D1)
    async with served(bench) as base, httpx.AsyncClient(base_url=base, follow_redirects=True) as client:
        for _ in range(2):
            token = csrf_of((await client.get("/number")).text)
            await client.post("/number", data={**token, "number": NUMBER})
            page = await client.post("/code", data={**token, "code": code})
            assert page.url.path == "/confirm"
            assert (await client.get("/start")).url.path == "/"
            assert bench.state(D1) == "notified"


async def test_end_and_the_time_out_lead_to_the_terminal_and_forget_the_view(bench: Bench) -> None:
    require_chromium()
    link, found = Link(), []
    async with centre(bench) as terminal, served(bench, link) as base, async_playwright() as playwright:
        link.connected = True
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=PORTRAIT)
        page.on("console", lambda m: found.append(m.text) if "Content Security" in m.text else None)
        await page.goto(f"{base}/?lang=en&view=large")
        await page.goto(f"{base}/number")
        assert await page.get_attribute("body", "data-idle") == "120"
        await page.click("form#end button")
        await page.wait_for_url(f"{terminal}/left?lang=de&view=plain")
        link.connected = False
        await page.goto(f"{base}/?lang=en&view=large")
        await page.goto(f"{base}/number")
        await page.click("form#end button")
        await page.wait_for_url(f"{base}/")
        assert "Die anderen Themen sind wieder da" in await page.inner_text("main")
        link.connected = True
        await page.add_init_script(SOONER)
        await page.goto(f"{base}/?lang=en&view=large")
        await page.wait_for_url(f"{terminal}/left?lang=de&view=plain", timeout=60_000)
        await browser.close()
    assert found == []


async def test_the_question_says_where_the_old_document_goes(bench: Bench) -> None:
    passport, licence = example_config().policies
    told = msgspec.structs.replace(passport, old_document={"de": "In den Schlitz.", "en": "Into the slot."})
    link = Link()
    for policy, words in ((passport, "Geben Sie es dem Personal"), (told, "In den Schlitz.")):
        deposit = D1 if policy is passport else D1[:-1] + "2"
        bench.controller.configure(msgspec.structs.replace(example_config(), policies=(policy, licence)))
        _, code = await bench.load(deposit)
        async with served(bench, link) as base, httpx.AsyncClient(base_url=base, follow_redirects=True) as client:
            token = csrf_of((await client.get("/number")).text)
            await client.post("/number", data={**token, "number": NUMBER})
            page = (await client.post("/code", data={**token, "code": code})).text
            assert words in page
            assert "nicht in das Fach" in page
            await client.post("/end", data=token)


async def test_the_result_waits_less_long_than_the_door(bench: Bench) -> None:
    compartment, code = await bench.load(D1)
    async with served(bench) as base, httpx.AsyncClient(base_url=base, follow_redirects=True) as client:
        token = csrf_of((await client.get("/number")).text)
        await client.post("/number", data={**token, "number": NUMBER})
        idle = {"code": (await client.get("/code")).text}
        idle["question"] = (await client.post("/code", data={**token, "code": code})).text
        answer = {"step": "old_document", "answer": "yes"}
        idle["open"] = (await client.post("/confirm", data={**token, **answer})).text
        idle["door"] = (await client.post("/open", data=token)).text
        assert (await client.get("/result")).url.path == "/door"
        assert (await client.get("/stay")).status_code == 204
        await bench.opened(compartment)
        await bench.close(compartment, item=False)
        done = await client.get("/door")
        assert done.url.path == "/result"
        idle["result"] = done.text
    seconds = {name: re.findall(r'data-idle="(\d+)" data-warn="(\d+)"', text) for name, text in idle.items()}
    assert seconds.pop("result") == [("20", "30")]
    assert list(seconds.values()) == [[("120", "30")]] * 4
    assert bench.timing.visit_idle > 120 + 30


async def test_errors_are_sentences_of_ours(bench: Bench) -> None:
    async with served(bench) as base, httpx.AsyncClient(base_url=base, follow_redirects=True) as client:
        token = csrf_of((await client.get("/number")).text)
        foreign = await client.post("/number", data={**token, "number": NUMBER, "other": "1"})
        assert foreign.status_code == 422
        assert "Das Formular enthält etwas, das dort nicht hingehört." in foreign.text
        assert "sp-terminal" in foreign.text
        view = await client.post("/view", data={**token, "view": "huge"})
        assert "Diese Ansicht gibt es nicht" in view.text
        tongue = await client.post("/language", data={**token, "language": "xx"})
        assert tongue.status_code == 422
        spoilt = await client.post("/number", data={"_csrf_token": "ä", "number": NUMBER})
        assert spoilt.status_code == 403
        for text in (foreign.text, view.text, tongue.text):
            assert "Expected" not in text
            assert "Invalid" not in text


async def test_the_form_asks_for_six_digits_and_says_that_it_works(bench: Bench) -> None:
    require_chromium()
    await bench.load(D1)
    async with served(bench) as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=PORTRAIT)
        await page.goto(f"{base}/number")
        await page.fill("#number", NUMBER)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#code")
        assert await page.get_attribute("#code", "inputmode") == "numeric"
        for typed in ("", "12345", "abcdef", "1234567"):
            await page.fill("#code", typed)
            told = await page.eval_on_selector("#code", "input => [input.reportValidity(), input.validationMessage]")
            assert told == [False, "Bitte geben Sie die sechs Ziffern aus der SMS ein."]
        assert bench.controller.ledger.box.deposits[D1].attempts == 0
        # The answer that takes its time: the form is sent, and nothing comes back.
        await page.evaluate("document.addEventListener('submit', event => event.preventDefault())")
        await page.fill("#code", "123 456")
        await page.click("button[data-working]")
        button = page.locator("button[data-working]")
        await page.wait_for_selector("button[data-working]:disabled")
        assert await button.inner_text() == "Die Box prüft den Code …"
        await page.wait_for_selector(".sp-working:has-text('20 Sekunden')")
        await browser.close()


async def test_only_the_door_in_question_is_numbered_and_actions_are_within_reach(bench: Bench) -> None:
    require_chromium()
    _, code = await bench.load(D1)
    async with served(bench) as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=PORTRAIT)
        for view in ("plain", "large", "contrast-large"):
            for size in (PORTRAIT, LANDSCAPE):
                await page.set_viewport_size(size)
                for lang in ("de", "en"):
                    await page.goto(f"{base}/?lang={lang}&view={view}")
                    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight"), (view, size)
        assert await page.locator(".sp-cabinet text").count() == 0
        await page.goto(f"{base}/?lang=de&view=plain")
        await page.set_viewport_size(PORTRAIT)

        async def lower_half(selector: str) -> bool:
            box = await page.locator(selector).first.bounding_box()
            return box is not None and box["y"] > PORTRAIT["height"] / 2 - 60 and box["height"] >= 60

        assert await lower_half("a[href='/number']")
        await page.goto(f"{base}/number")
        assert await lower_half(".sp-key")
        await page.fill("#number", NUMBER)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#code")
        await page.fill("#code", code)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("input[name=answer]", state="attached")
        assert await lower_half(".sp-answers button")
        await page.click("form:has(input[value=yes]) button")
        await page.wait_for_selector("form[action='/open']")
        assert await lower_half("form[action='/open'] button")
        assert await page.locator(".sp-cabinet[aria-hidden=true] text").all_text_contents() == ["7"]
        assert "Spalte 1 von links, Reihe 7 von oben" in await page.inner_text("main")
        await browser.close()


STEPS = DocumentPolicy(
    type="passport",
    name={"de": "Reisepass", "en": "Passport"},
    steps=("pickup_number", "code", "in_person", "birth_date", "fresh_code", "staff_check", "open", "removal", "close"),
    channel="email",
    check_digit=True,
)


async def test_the_pages_of_every_step(bench: Bench) -> None:
    require_chromium()
    bench.controller.configure(msgspec.structs.replace(example_config(), policies=(STEPS,)))
    await bench.load(D1, birth_date=date(1964, 8, 12))
    message = bench.message(D1)
    found: list[str] = []
    link = Link()
    link.connected = True
    async with served(bench, link) as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=PORTRAIT)

        async def look(name: str) -> None:
            found.extend(await faults(page, name))

        async def go_on() -> None:
            await page.click(".sp-local__doing form button.kern-btn--primary")

        await page.goto(f"{base}/number")
        await look("pick-up number")
        await page.fill("#number", message["number"])
        await go_on()
        await page.wait_for_selector("#code")
        await look("seven digits")
        await page.fill("#code", message["code"])
        await go_on()
        await page.wait_for_selector("input[value=in_person]", state="attached")
        await look("in person")
        await page.click("form:has(input[value=yes]) button")
        await page.wait_for_selector("input[value=birth_date]", state="attached")
        await look("birth date")
        await page.fill("#value", "13.08.1964")
        await go_on()
        await page.wait_for_selector("[role=alert]")
        await look("wrong birth date")
        for key in "12081964":
            await page.click(f".sp-key:has-text('{key}')")
        await go_on()
        await page.wait_for_selector("form[action='/fresh']")
        await look("fresh code")
        await go_on()
        await page.wait_for_selector("input[value=fresh_code]", state="attached")
        await look("fresh code sent")
        await page.fill("#value", bench.code(D1))
        await go_on()
        await page.wait_for_selector("form[action='/staff']")
        await look("staff")
        await go_on()
        await page.wait_for_selector("#check:has-text('Jemand kommt zu Ihnen')")
        await look("staff called")
        [visit] = bench.controller._visits
        await bench.command("attest", deposit=D1, answer=True, call=visit.called, actor="account:staff")
        await page.wait_for_selector("form[action='/open']")
        await browser.close()
    assert found == []


IDENTIFY = msgspec.structs.replace(STEPS, steps=("phone", "code", "identify", "open", "close"), channel="sms")


@asynccontextmanager
async def at_identify(bench: Bench, *, connected: bool = True, lang: str = "lang=en&view=large") -> AsyncIterator[Any]:
    """A browser at the step identify, as (client, answer of the step's page); it came from the terminal, if `lang`."""
    async with centre(bench):
        config = bench.controller.config
        assert config is not None
        bench.controller.configure(msgspec.structs.replace(config, policies=(IDENTIFY,)))
        _, code = await bench.load(D1, birth_date=date(1964, 8, 12), identifiable=True)
        link = Link()
        link.connected = connected
        async with served(bench, link) as base, httpx.AsyncClient(base_url=base, follow_redirects=True) as client:
            await client.get(f"/?{lang}")
            form = csrf_of((await client.get("/number")).text)
            form = csrf_of((await client.post("/number", data={**form, "number": NUMBER})).text)
            yield client, await client.post("/code", data={**form, "code": code})


async def test_the_step_identify_leads_to_the_terminal(bench: Bench) -> None:
    async with at_identify(bench) as (client, page):
        assert "Please identify yourself" in page.text
        client.follow_redirects = False
        away = await client.post("/identify", data=csrf_of(page.text))
        [visit] = bench.controller._visits
        assert away.status_code == 303
        asked = f"/t/alpha/k/box/box-1/identify?ticket={visit.identifying.ticket}&lang=en&view=large"
        assert away.headers["location"].endswith(asked)
        back = await client.get("/identified?sent=1&lang=de&view=plain")
        assert back.headers["location"] == "/confirm?sent=1"
        assert "Einen Moment: wir vergleichen" in (await client.get("/confirm?sent=1")).text
        assert "Bitte weisen Sie sich aus" in (await client.get("/confirm")).text
        form = csrf_of((await client.get("/number")).text)
        answer = await client.post("/number", data={**form, "number": NUMBER})
        assert re.search("sp_box_visit=[^;]+;.*SameSite=lax", answer.headers["set-cookie"], re.IGNORECASE)


@pytest.mark.parametrize("where", [{"connected": False}, {"lang": ""}])
async def test_without_the_centre_or_a_terminal_the_page_says_what_to_do(bench: Bench, where: Any) -> None:
    async with at_identify(bench, **where) as (client, page):
        assert {"not possible here at the moment", "ist hier im Moment nicht möglich"} & set(
            re.findall(r"not possible here at the moment|ist hier im Moment nicht möglich", page.text)
        )
        form = csrf_of(page.text)
        again = await client.post("/identify", data=form)
        assert "identity_wanted" not in [entry.event for entry in bench.journal.entries()]
        assert again.url.path == "/confirm"
        declined = await client.post("/confirm", data={**form, "step": "identify", "answer": "no"})
        assert re.search("at the counter|am Schalter", declined.text)
    assert bench.state(D1) == "notified"


async def test_a_visit_that_a_wrong_person_ended_says_so(bench: Bench) -> None:
    async with at_identify(bench) as (client, page):
        client.follow_redirects = False
        for _ in range(5):
            await client.post("/identify", data=csrf_of(page.text))
            [visit] = bench.controller._visits
            await bench.command("identified", deposit=D1, answer=False, call=visit.identifying.entry)
            page = await client.get("/confirm?sent=1")
            if bench.state(D1) == "presented":
                assert "This document cannot be handed out to this person." in page.text
    assert bench.state(D1) == "locked_out"
    assert "Identifying took too long, or this document cannot be handed out to this person." in page.text


async def test_wrong_birth_dates_end_at_a_page_that_says_so(bench: Bench) -> None:
    require_chromium()
    policy = msgspec.structs.replace(STEPS, steps=("pickup_number", "code", "birth_date", "open", "close"))
    bench.controller.configure(msgspec.structs.replace(example_config(), policies=(policy,)))
    await bench.load(D1, birth_date=date(1964, 8, 12))
    message = bench.message(D1)
    found: list[str] = []
    async with served(bench) as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        page = await browser.new_page(viewport=PORTRAIT)
        await page.goto(f"{base}/number")
        await page.fill("#number", f"{message['number']}.{message['code']}")
        await page.press("#number", "Enter")
        for day in range(1, 6):
            await page.wait_for_selector("#value")
            await page.fill("#value", f"{day:02d}011990")
            await page.click(".sp-local__doing form button.kern-btn--primary")
            await page.wait_for_load_state()
        await page.wait_for_selector("h1:has-text('Ihr Dokument bleibt hier')")
        found += await faults(page, "locked")
        assert "bleibt das Fach gesperrt" in await page.inner_text("main")
        await browser.close()
    assert found == []
    assert bench.state(D1) == "locked_out"
