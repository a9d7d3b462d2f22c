"""The step identify between box, terminal and centre: who gets the document, who does not, and what is kept of it."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import msgspec
import pytest
from httpx import AsyncClient, Response
from playwright.async_api import Page, async_playwright

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.identification import TEST_PERSON, Identified, IdentityWish
from servicepunkt.core.plugins import PluginHost, hookimpl
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, RecordingChannel
from servicepunkt.dokbox import care, identifying, service, store
from servicepunkt.dokbox import plugin as dokbox_plugin
from servicepunkt.dokbox.controller.pages import create_box_app
from servicepunkt.dokbox.controller.visits import Visit
from servicepunkt.dokbox.errors import RefusedError, VisitOverError
from servicepunkt.dokbox.identifying import Here, NobodyWaitsError
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.ready import BoxesReady
from servicepunkt.dokbox.service import Correction
from servicepunkt.dokbox.settings import BoxSettings, DokboxSettings
from servicepunkt.dokbox.store import DepositRow
from servicepunkt.dokbox.testing import Bench
from servicepunkt.web import plugin as web_plugin
from servicepunkt.web.app import create_app
from servicepunkt.web.devices import model as device_model
from servicepunkt.web.devices import service as devices
from servicepunkt.web.devices.model import Device
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

if TYPE_CHECKING:
    from conftest import Wire

TOKEN = re.compile(r'name="_csrf_token" value="([^"]+)"')
PHONE = "0151 12345678"
CLERK = "account:test"
NAME, BORN = "Mustermann", "12.08.1964"
OTHERS: list[dict[str, str]] = [
    {"family_name": "Musterfrau"},
    {"birth_date": "13.08.1964"},
    {"family_name": "Musterfrau", "birth_date": "13.08.1964"},
]


class Door:
    """Leads straight back as somebody; `person` None is somebody who gives up."""

    name, title, text, level = "card", "Mit dem Ausweis", "Sie brauchen Ihren Ausweis und die PIN.", 3

    def __init__(self) -> None:
        self.person: dict[str, str] | None = dict(TEST_PERSON)
        self.reached = 3
        self.is_down = False
        self.begun: dict[tuple[int, UUID], IdentityWish] = {}

    async def begin(self, deployment: Deployment, tx: Any, wish: IdentityWish) -> str:
        if self.is_down:
            raise OSError("canary")
        self.begun[tx.tenant_id, wish.key] = wish
        return f"{wish.return_path}?key={wish.key}"

    async def take(self, deployment: Deployment, tx: Any, key: UUID) -> Identified | None:
        if self.begun.pop((tx.tenant_id, key), None) is None or self.person is None:
            return None
        return Identified(provider="card", level=self.reached, at=tx.now(), proof="p-7", attributes=self.person)

    async def forget(self, deployment: Deployment, tx: Any, key: UUID) -> None:
        """Whoever comes back later finds nothing."""


class Weak(Door):
    """A door that reaches too little."""

    name, level = "weak", 2


class Doors:
    """The plugin."""

    servicepunkt_api = "1"

    def __init__(self) -> None:
        self.door, self.weak, self.is_there = Door(), Weak(), True

    @hookimpl
    def identity_providers(self) -> list[Any]:
        return [self.door, self.weak] if self.is_there else [self.weak]


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    for plugin, name in ((core_plugin, "core"), (web_plugin, "web"), (dokbox_plugin, "dokbox"), (Doors(), "doors")):
        host.register(plugin, name)
    host.freeze()
    return host


@pytest.fixture
def practice(plugins: PluginHost) -> Any:
    found: Any = plugins._manager.get_plugin("doors")
    found.door, found.weak, found.is_there = Door(), Weak(), True
    return found


POLICY = DocumentPolicy(
    type="card",
    name={"de": "Ausweis", "en": "Card"},
    steps=("phone", "code", "identify", "open", "removal", "close"),
    without_identity="staff_check",
)


@pytest.fixture
def section() -> DokboxSettings:
    box = BoxSettings(
        id="box-1", point="point-1", name={"de": "DokBox"}, compartments=16, local_url="http://127.0.0.1:8620"
    )
    return DokboxSettings(boxes=(box,), documents=(POLICY,))


@pytest.fixture
def enabled() -> list[str]:
    return ["web", "dokbox", "doors"]


async def terminal_at(deployment: Deployment, ctx: TenantContext, point: str = "point-1") -> tuple[Device, str]:
    """A terminal of its own; returns it with its token."""
    _, code = await devices.announce(deployment, ctx, actor="test", kind="terminal", target=point, label="T")
    return await devices.enrol(deployment, ctx, code=code, kind="terminal")


class Collection:
    """Somebody with the right code, at the step identify."""

    def __init__(self, line: Wire, row: DepositRow, code: str, visit: Visit, device: Device) -> None:
        self.line, self.row, self.code, self.visit, self.device = line, row, code, visit, device

    async def calls(self, device: Device | None = None) -> Here:
        """Go to the terminal."""
        call = await self.line.bench.controller.begin_identifying(self.visit.token)
        await self.line.up()
        return Here(box="box-1", device=(device or self.device).id, ticket=call.ticket)

    async def begins(self, here: Here) -> None:
        await identifying.begin(self.line.deployment, self.line.ctx, here, door="card", return_path="/k/back")

    async def comes_back(self, here: Here, key: UUID | None = None) -> bool:
        return await identifying.finish(self.line.deployment, self.line.ctx, here, door="card", key=key or here.key)

    async def identifies(self) -> bool:
        here = await self.calls()
        await self.begins(here)
        answered = await self.comes_back(here)
        await self.line.both()
        return answered

    @property
    def may_open(self) -> bool:
        return self.visit.next_question is None


@pytest.fixture
async def collection(line: Wire, channel: RecordingChannel, practice: Any) -> Collection:
    return await collecting(line, channel)


async def collecting(line: Wire, channel: RecordingChannel, **fields: str) -> Collection:
    device, _ = await terminal_at(line.deployment, line.ctx)
    row = await line.told(kind="card", **{"family_name": NAME, "birth_date": BORN, **fields})
    code = line.code_in(channel)
    return Collection(line, row, code, await line.bench.controller.present("+4915112345678", code), device)


async def audited(line: Wire, row: DepositRow) -> list[Any]:
    async with line.deployment.database.tenant(line.ctx) as tx:
        return [entry async for entry in audit_store.entries(tx, subject=f"deposit:{row.id}")]


# --- the right person, and a wrong one --------------------------------------------------------------------------------


async def test_the_right_person_gets_the_document(collection: Collection, practice: Any) -> None:
    line, visit = collection.line, collection.visit
    here = await collection.calls()
    await collection.begins(here)
    [(_, wish)] = practice.door.begun.items()
    assert wish.required == ("family_names", "date_of_birth")
    assert (wish.optional, wish.level, wish.device, wish.key) == ((), 3, collection.device.id, here.key)
    assert wish.purpose["de"] == "Damit Ihr Dokument nur an Sie geht"
    assert await collection.comes_back(here)
    await line.both()
    assert collection.may_open
    await line.bench.controller.release(visit.token)
    await line.bench.opened(visit.compartment)
    await line.bench.close(visit.compartment, item=False)
    await line.up()
    done = await line.fresh(collection.row)
    assert (done.state, done.personal) == ("done", None), "the name is erased with the rest"


@pytest.mark.parametrize("told", OTHERS)
async def test_a_wrong_person_is_told_the_same_whatever_differs_and_counts(
    line: Wire, channel: RecordingChannel, told: dict[str, str]
) -> None:
    collection = await collecting(line, channel, **told)
    assert await collection.identifies(), "an answer is on its way, as for the right person"
    assert not collection.may_open
    assert collection.visit.wrong
    assert (await line.fresh(collection.row)).attempts == 1
    for _ in range(4):
        await collection.identifies()
    assert (await line.fresh(collection.row)).state == "locked_out"
    with pytest.raises(VisitOverError):
        line.bench.controller.visit(collection.visit.token)


async def test_nothing_is_kept_but_that_somebody_identified(collection: Collection, deployment: Deployment) -> None:
    await collection.identifies()
    [entry] = [
        entry for entry in await audited(collection.line, collection.row) if entry.action.startswith("deposit.i")
    ]
    assert (entry.action, entry.actor) == ("deposit.identified", f"device:{collection.device.id}")
    assert entry.details == {"provider": "card", "level": 3}
    said = msgspec.json.encode([entry.data for entry in collection.line.bench.journal.entries()]).lower()
    for known in (b"mustermann", b"1964", b"p-7"):
        assert known not in said


async def test_who_gives_up_at_the_door_has_lost_nothing(collection: Collection, practice: Any) -> None:
    practice.door.person = None
    assert not await collection.identifies()
    assert (await collection.line.fresh(collection.row)).attempts == 0
    practice.door.person = dict(TEST_PERSON)
    assert await collection.identifies()
    assert collection.may_open


async def test_who_came_through_at_too_low_a_level_was_not_identified(collection: Collection, practice: Any) -> None:
    practice.door.reached = 2
    assert not await collection.identifies()
    assert not collection.may_open


async def test_a_door_that_reaches_too_little_is_none(collection: Collection) -> None:
    here = await collection.calls()
    with pytest.raises(NotFoundError):
        await identifying.begin(collection.line.deployment, collection.line.ctx, here, door="weak", return_path="/k")


# --- whose answer counts ----------------------------------------------------------------------------------------------


async def test_another_terminal_is_not_the_one_at_the_box(collection: Collection) -> None:
    line = collection.line
    elsewhere, _ = await terminal_at(line.deployment, line.ctx)
    here = await collection.calls()
    await collection.begins(here)
    for stolen in (
        Here(box="box-1", device=elsewhere.id, ticket=here.ticket),
        Here(box="box-1", device=here.device, ticket="0" * 32),
        Here(box="box-1", device=here.device, ticket=""),
    ):
        with pytest.raises(NobodyWaitsError):
            await collection.comes_back(stolen, here.key)
    with pytest.raises(NobodyWaitsError):
        await collection.begins(Here(box="box-1", device=here.device, ticket="0" * 32))
    with pytest.raises(NobodyWaitsError):
        await collection.comes_back(here, uuid4())
    await line.both()
    assert not collection.may_open


async def test_another_tenant_has_nobody_waiting(collection: Collection, other: TenantContext) -> None:
    here = await collection.calls()
    deployment = collection.line.deployment
    with pytest.raises(NobodyWaitsError):
        await identifying.begin(deployment, other, here, door="card", return_path="/k")
    await collection.begins(here)
    assert not await identifying.finish(deployment, other, here, door="card", key=here.key)
    await collection.line.both()
    assert not collection.may_open


async def test_a_key_counts_once(collection: Collection, practice: Any) -> None:
    here = await collection.calls()
    await collection.begins(here)
    begun = dict(practice.door.begun)
    practice.door.person = {**TEST_PERSON, "family_names": "Other"}
    assert await collection.comes_back(here)
    practice.door.person = dict(TEST_PERSON)
    for heard in (False, True):  # while the answer is on its way, and after it
        if heard:
            await collection.line.both()
        practice.door.begun |= begun
        with pytest.raises(NobodyWaitsError):
            await collection.comes_back(here)
        assert not practice.door.begun, "what the door knows of somebody is forgotten all the same"
        with pytest.raises(NobodyWaitsError):
            await collection.begins(here)
    await collection.line.both()
    assert not collection.may_open


async def test_a_stale_call_is_answered_by_nobody(collection: Collection, clock: FixedClock) -> None:
    here = await collection.calls()
    await collection.begins(here)
    clock.instant += timedelta(minutes=11)
    with pytest.raises(NobodyWaitsError):
        await collection.comes_back(here)
    with pytest.raises(NobodyWaitsError):
        await collection.begins(here)


async def test_a_call_of_an_earlier_visit_is_over(collection: Collection) -> None:
    line, here = collection.line, await collection.calls()
    await collection.begins(here)
    await line.bench.controller.leave(collection.visit.token)
    await line.up()
    with pytest.raises(NobodyWaitsError):
        await collection.comes_back(here)
    collection.visit = await line.bench.controller.present("+4915112345678", collection.code)
    newer = await collection.calls()
    with pytest.raises(NobodyWaitsError):
        await collection.begins(here)
    await collection.begins(newer)
    assert await collection.comes_back(newer)
    await line.both()
    assert collection.may_open


async def test_the_answer_for_an_earlier_visit_opens_nothing(collection: Collection) -> None:
    """The centre has not heard yet that the visit is over."""
    line, here = collection.line, await collection.calls()
    await collection.begins(here)
    await line.bench.controller.leave(collection.visit.token)
    again = await line.bench.controller.present("+4915112345678", collection.code)
    assert await collection.comes_back(here)
    await line.both()
    assert again.next_question == "identify"
    assert (await line.fresh(collection.row)).alert == ""


async def test_an_answer_that_comes_late_opens_nothing(collection: Collection, clock: FixedClock) -> None:
    here = await collection.calls()
    await collection.begins(here)
    assert await collection.comes_back(here)
    collection.line.bench.clock.forward(minutes=2)
    await collection.line.both()
    assert not collection.may_open


async def test_whose_data_are_known_to_be_wrong_is_compared_with_nobody(collection: Collection) -> None:
    line, here = collection.line, await collection.calls()
    await collection.begins(here)
    right = Correction(phone="0151 87654321", family_name="Gabler", birth_date="01.01.1990")
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=collection.row.id, correction=right)
    with pytest.raises(NobodyWaitsError):
        await collection.comes_back(here)
    await line.both()
    with pytest.raises(RefusedError):
        await line.bench.controller.present("+4915112345678", collection.code)


# --- the desk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", " ", "-", "Иванов", "X" * 121, "Muster\x07mann"])
async def test_the_name_is_asked_for_at_the_desk(line: Wire, name: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await line.announce(kind="card", family_name=name, birth_date="")
    assert {place for place, _ in refused.value.mistakes} == {"family_name", "birth_date"}


async def test_the_name_is_sealed_and_only_for_the_centre(line: Wire) -> None:
    row = await line.announce(kind="card", family_name="  von der  Heide ", birth_date=BORN)
    assert b"Heide" not in (row.personal or b"")
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert (await service.personal_of(line.deployment, tx, row)).family_name == "von der Heide"
        [command] = await store.waiting_commands(tx, "box-1")
    opened = line.bench.controller.codes.unseal(
        bytes.fromhex(command.command.sealed), f"dokbox-person/1|{line.ctx.id}|box-1|{row.id}"
    )
    assert b"Heide" not in opened


# --- checks -----------------------------------------------------------------------------------------------------------


async def test_before_a_town_goes_live_a_terminal_stands_beside_the_box(line: Wire) -> None:
    async def codes() -> set[str]:
        async with line.deployment.database.tenant(line.ctx) as tx:
            return {found.rule.code for found in await BoxesReady(line.ctx).look(tx)}

    assert "SP3505" in await codes()
    await terminal_at(line.deployment, line.ctx, "point-2")
    assert "SP3505" in await codes()
    await terminal_at(line.deployment, line.ctx)
    assert "SP3505" not in await codes()


# --- the pages --------------------------------------------------------------------------------------------------------


class Browser:
    """A terminal's browser at `/t/alpha`; redirects are not followed."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client

    async def arrives(self, here: Here) -> Response:
        """From the box's page, with the ticket."""
        answer = await self.client.get(
            "/k/box/box-1/identify", params={"ticket": here.ticket, "lang": "en", "view": ""}
        )
        for _ in range(2):
            answer = await self.client.get(relative(answer))
        return answer

    async def chooses(self, page: Response, door: str = "card") -> Response:
        token = TOKEN.search(page.text)
        assert token
        return await self.client.post("/k/box/box-1/identify", data={"_csrf_token": token[1], "door": door})


def relative(answer: Response) -> str:
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/t/alpha")


@asynccontextmanager
async def browser_at(deployment: Deployment, token: str) -> AsyncIterator[Browser]:
    async with serving(create_app(deployment), host="127.0.0.1", port=0) as port:
        base = f"http://127.0.0.1:{port}/t/alpha"
        async with AsyncClient(base_url=base, cookies={device_model.COOKIE: token}) as client:
            yield Browser(client)


async def own_terminal(collection: Collection) -> str:
    """The token of the terminal at which this person is."""
    line = collection.line
    collection.device, token = await terminal_at(line.deployment, line.ctx)
    return token


async def test_the_way_over_the_pages(collection: Collection, practice: Any) -> None:
    token = await own_terminal(collection)
    async with browser_at(collection.line.deployment, token) as browser:
        page = await browser.arrives(await collection.calls())
        assert "Mit dem Ausweis" in page.text
        assert page.text.count('name="door"') == 1, "a door that reaches too little is not shown"
        assert "lang" not in str(page.url)
        back = await browser.client.get(relative(await browser.chooses(page)))
        assert back.status_code == 200
        assert 'content="0; url=http://127.0.0.1:8620/identified?sent=1&amp;lang=en&amp;view=plain"' in back.text
        await collection.line.both()
        assert collection.may_open
        again = await browser.client.get("/k/box/box-1/identify")
        assert "does not wait for you any more" in again.text


async def test_right_and_wrong_people_see_the_same_pages(line: Wire, channel: RecordingChannel, practice: Any) -> None:
    collection = await collecting(line, channel)
    token = await own_terminal(collection)
    seen = []
    async with browser_at(line.deployment, token) as browser:
        for name in ("Other", "MUSTERMANN"):
            practice.door.person = {**TEST_PERSON, "family_names": name}
            page = await browser.arrives(await collection.calls())
            back = await browser.client.get(relative(await browser.chooses(page)))
            seen.append((back.status_code, back.text.partition("<main")[2].partition("</main>")[0]))
            await line.both()
    assert seen[0] == seen[1]
    assert collection.may_open


async def test_the_pages_say_what_is_missing(collection: Collection, practice: Any) -> None:
    token = await own_terminal(collection)
    async with browser_at(collection.line.deployment, token) as browser:
        call = await collection.line.bench.controller.begin_identifying(collection.visit.token)
        here = Here(box="box-1", device=collection.device.id, ticket=call.ticket)
        page = await browser.arrives(here)
        assert "One moment, please." in page.text, "the box's entry is still on its way"
        await collection.line.up()
        page = await browser.client.get("/k/box/box-1/identify")
        practice.door.is_down = True
        answer = await browser.chooses(page)
        assert relative(answer).endswith("?note=fault")
        assert "Identifying is not possible now" in (await browser.client.get(relative(answer))).text
        practice.door.is_down, practice.door.person = False, None
        answer = await browser.client.get(relative(await browser.chooses(page)))
        assert relative(answer).endswith("?note=again")
        assert "Nobody was identified" in (await browser.client.get(relative(answer))).text
        practice.is_there = False
        assert "You cannot identify yourself here" in (await browser.client.get("/k/box/box-1/identify")).text
        assert (await browser.client.get("/k/box/box-1/identify/back/card?key=x")).status_code == 303


async def test_only_the_terminal_beside_the_box_shows_the_pages(collection: Collection) -> None:
    line = collection.line
    _, elsewhere = await terminal_at(line.deployment, line.ctx, "point-2")
    _, beside = await terminal_at(line.deployment, line.ctx)
    here = await collection.calls()
    await collection.begins(here)
    async with browser_at(line.deployment, elsewhere) as browser:
        for path in (
            "/k/box/box-1/identify",
            f"/k/box/box-1/identify/back/card?key={here.key}",
            "/k/box/box-9/identify",
        ):
            assert (await browser.client.get(path)).status_code == 404
        browser.client.cookies.clear()
        assert (await browser.client.get("/k/box/box-1/identify")).status_code in (401, 403)
    async with browser_at(line.deployment, beside) as browser:
        browser.client.cookies.set("sp_box_ticket", here.ticket)
        answer = await browser.client.get(f"/k/box/box-1/identify/back/card?key={here.key}")
        assert relative(answer) == "/k/box/box-1/identify"
    await line.both()
    assert not collection.may_open


# --- in a browser: the box's pages and the centre's, on two sites -----------------------------------------------------


class Link:
    connected = True


async def faults(page: Page, name: str) -> list[str]:
    """What axe finds, what overlaps, and a page that is wider than its window, at both sizes."""
    from axe_playwright_python.async_playwright import Axe

    found = []
    for size in (PORTRAIT, LANDSCAPE):
        await page.set_viewport_size(size)
        result = await Axe().run(page, options={"runOnly": {"type": "tag", "values": list(AXE_TAGS)}})
        found += [f"{name}: {v['id']} {v['nodes'][0]['html'][:100]}" for v in result.response["violations"]]
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{name}: scrolls sideways at {size}")
        found += [f"{name}: {pair}" for pair in await page.evaluate(OVERLAPS)]
    await page.set_viewport_size(PORTRAIT)
    return found


@pytest.mark.parametrize("view", ["plain", "contrast-large"])
async def test_the_whole_way_in_a_browser(
    line: Wire, channel: RecordingChannel, practice: Any, bench: Bench, shots: Any, view: str
) -> None:
    require_chromium()
    _, token = await terminal_at(line.deployment, line.ctx)
    row = await line.told(kind="card", family_name=NAME, birth_date=BORN)
    code, found = line.code_in(channel), list[str]()
    practice.door.person = {**TEST_PERSON, "family_names": "Other"}
    app = create_app(line.deployment)
    async with (
        serving(app, host="127.0.0.1", port=0) as port,
        serving(
            create_box_app(bench.controller, clock=bench.clock, link=Link(), secure_cookies=False),
            host="127.0.0.1",
            port=0,
        ) as box_port,
        async_playwright() as playwright,
    ):
        # Two sites, as a box and a data centre are: cookies that are strict do not come along.
        centre, box = f"http://localhost:{port}/t/alpha", f"http://127.0.0.1:{box_port}"
        config = bench.controller.config
        assert config is not None
        async with line.deployment.database.tenant(line.ctx) as tx:
            device = await devices.active(tx, "box", "box-1")
        assert device is not None
        await devices.heartbeat(line.deployment, line.ctx, device, {"url": box})
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        context = await browser.new_context(viewport=PORTRAIT)
        cookie = {"name": device_model.COOKIE, "value": token, "domain": "localhost", "path": "/t/alpha"}
        await context.add_cookies([cookie])  # type: ignore[list-item]
        page = await context.new_page()
        page.on("console", lambda m: found.append(m.text) if "Content Security" in m.text else None)
        page.on("pageerror", lambda error: found.append(str(error)))

        async def moved(*, down: bool = False) -> None:
            """What the link does, with the centre where this test has it."""
            await (line.both() if down else line.up())
            kept = msgspec.structs.replace(bench.controller.config or config, centre_url=centre)
            bench.controller.configure(kept)

        async def look(name: str) -> None:
            found.extend(await faults(page, name))
            await shots(page, f"{view} {name}")

        await moved()
        await page.goto(f"{centre}/k/box/box-1?lang=de&view={view}")
        await page.wait_for_url(f"{box}/")
        await page.click("a[href='/number']")
        await page.fill("#number", PHONE.replace("0151 ", "+49151"))
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#code")
        await page.fill("#code", code)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("form[action='/identify']")
        await look("step")
        await page.click("form[action='/identify'] button")
        await page.wait_for_selector("#wait")
        await look("wait")
        await moved()
        await page.wait_for_selector("input[name=door]", state="attached")
        assert "Damit Ihr Dokument nur an Sie geht" in await page.inner_text("main")
        await look("doors")
        await page.click("form:has(input[value=card]) button")
        await page.wait_for_selector("h1:has-text('Einen Moment: wir vergleichen')")
        assert page.url.startswith(box)
        await look("compared")
        await moved(down=True)
        await page.wait_for_selector("[role=alert]")
        assert "an diese Person nicht ausgegeben" in await page.inner_text("main")
        await look("wrong person")
        practice.door.person = dict(TEST_PERSON)
        await page.click("form[action='/identify'] button")
        await page.wait_for_selector("#wait")
        await moved()
        await page.wait_for_selector("input[name=door]", state="attached")
        await page.click("a.sp-back")  # and back again
        await page.wait_for_url(f"{box}/confirm")
        await page.click("form[action='/identify'] button")
        await page.wait_for_selector("#wait")
        await moved()
        await page.click("form:has(input[value=card]) button")
        await page.wait_for_selector("h1:has-text('Einen Moment: wir vergleichen')")
        await moved(down=True)
        await page.click("form[action='/open'] button")
        await page.wait_for_url(f"{box}/door")
        assert bench.state(str(row.id)) in ("releasing", "taking")
        await browser.close()
    assert found == []


@pytest.fixture
def shots(request: pytest.FixtureRequest) -> Any:
    """Pictures of the pages, where somebody asks for them with SERVICEPUNKT_SHOTS."""
    folder = os.environ.get("SERVICEPUNKT_SHOTS", "")

    async def take(page: Page, name: str) -> None:
        if folder:
            await page.screenshot(path=Path(folder) / f"{name.replace(' ', '_')}.png")

    return take
