"""Three policies in the browser against four kinds of boards: the tenant's own file, real bytes, real pages.

Two are those of the tenants that come with the product, the third is the one that docs/how-to/document-policy.md shows.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Page, async_playwright

from servicepunkt.dokbox import wire
from servicepunkt.dokbox.controller.pages import create_box_app
from servicepunkt.dokbox.controller.service import Timing
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.simulator import Cabinet, Line
from servicepunkt.dokbox.simulator.kinds import KINDS
from servicepunkt.dokbox.simulator.osdp import OsdpLocks
from servicepunkt.dokbox.testing import RunningBox, example_config, newest_message, running_box, sealed_person
from servicepunkt.tenants import files
from servicepunkt.web.server import serving
from servicepunkt.web.testing import CHROMIUM, CHROMIUM_ARGUMENTS, PORTRAIT, require_chromium

ROOT = Path(__file__).resolve().parent.parent
NUMBER, BORN = "+4915112345678", date(1964, 8, 12)
DEPOSIT = "01980000-0000-7000-8000-000000000001"
KEY = bytes(range(16))
BOARDS = {"krcu16": 16, "xor8a": 24, "modbus": 16, "osdp": 8}  # kinds with how many locks a board has
WITHOUT_SENSORS = {"xor8a"}


class Now:
    connected = True

    def now(self) -> datetime:
        return datetime.now(UTC)


def policies() -> dict[str, DocumentPolicy]:
    """One policy by what it is known for."""
    found = {}
    packs = files.installed_packs()
    for name, folder in (("sms, old passport", packs["kassel"]), ("mail, QR code", packs["hohen-neuendorf"])):
        found[name] = tomllib.loads((folder / "tenant.toml").read_text("utf-8"))
    shown = (ROOT / "docs" / "how-to" / "three-factors.toml").read_text("utf-8")
    found["three factors"] = tomllib.loads(shown)
    return {name: msgspec.convert(tenant["dokbox"]["documents"][0], DocumentPolicy) for name, tenant in found.items()}


class Box(RunningBox):
    """A running box with its pages, and the hands of the people in front of it."""

    steel: Cabinet
    kind: str

    async def load(self, kind: str) -> int:
        """Two clerks lay a document in; the compartment."""
        await self.until(lambda: self.controller.healthy)
        person = wire.Person(phone=NUMBER, birth_date=BORN)
        sealed = sealed_person(self.vault.public_key, DEPOSIT, person)
        await self.command("reserve", deposit=DEPOSIT, document=kind, sealed=sealed, actor="account:one")
        found = self.controller.ledger.deposit(DEPOSIT)
        assert found is not None
        await self.command("open_for_load", deposit=DEPOSIT, actor="account:two")
        await self.until(lambda: "door_opened" in self.events())
        self.steel.put_item(found.compartment, time=0.0)
        self.steel.close(found.compartment, time=0.0)
        if self.kind in WITHOUT_SENSORS:
            await self.until(lambda: "closed_empty" in self.events())
            await self.command("confirm_loaded", deposit=DEPOSIT, actor="account:two")
        await self.until(lambda: self.controller.ledger.box.deposits[DEPOSIT].version)
        await self.command("notice_accepted", deposit=DEPOSIT, version=1)
        return found.compartment


@asynccontextmanager
async def running(folder: Path, kind: str, policy: DocumentPolicy) -> AsyncIterator[tuple[Box, str]]:
    """A box with 16 compartments behind boards of `kind`, and the address of its pages."""
    steel = Cabinet(16)
    boards = (
        OsdpLocks(steel, random.Random(3), key=KEY) if kind == "osdp" else KINDS[kind].build(steel, random.Random(3))
    )
    (folder / "key").write_text(KEY.hex())
    secret = f"&key=file:{folder}/key" if kind == "osdp" else ""
    with Line(boards, link=folder / "line", baud=None):
        count = -(-16 // BOARDS[kind])
        address = f"{kind}:{folder}/line?boards={count}&compartments=16{secret}"
        config = msgspec.structs.replace(example_config(), policies=(policy,))
        timing = Timing(refusal=0.0, tick=0.05)
        async with running_box(folder, address, config=config, timing=timing, made=Box) as box:
            box.steel, box.kind = steel, kind
            app = create_box_app(box.controller, clock=Now(), link=Now(), secure_cookies=False)
            async with serving(app, host="127.0.0.1", port=0) as port:
                yield box, f"http://127.0.0.1:{port}"


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    require_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        yield await browser.new_page(viewport=PORTRAIT)
        await browser.close()


async def submit(page: Page) -> None:
    await page.click("main form button.kern-btn--primary")


async def show_code(page: Page, base: str, policy: DocumentPolicy, message: dict[str, str]) -> None:
    """Type what the message says, or let the scanner read it."""
    await page.goto(f"{base}/number")
    if policy.channel == "email":
        await page.fill("#number", f"{message['number']}.{message['code']}")
        await page.press("#number", "Enter")  # as a scanner ends what it reads
        return
    await page.fill("#number", NUMBER)
    await submit(page)
    await page.fill("#code", message["code"])
    await submit(page)


@pytest.mark.parametrize("kind", BOARDS)
@pytest.mark.parametrize("name", ["sms, old passport", "three factors", "mail, QR code"])
async def test_a_document_is_collected(name: str, kind: str, page: Page, tmp_path: Path) -> None:
    policy = policies()[name]
    async with running(tmp_path, kind, policy) as (box, base):
        compartment = await box.load(policy.type)
        message = newest_message(box.journal, DEPOSIT)
        await show_code(page, base, policy, message)
        for step in policy.asked:
            if step == "old_document" and policy.without_old_document == "birth_date":
                await page.get_by_role("button", name="Nein", exact=True).click()
                await page.fill("#value", "12.08.1965")
                await submit(page)
                await page.wait_for_selector("[role=alert]:has-text('Das passt nicht')")
                await page.fill("#value", "12081964")
                await submit(page)
            else:
                await page.get_by_role("button", name="Ja", exact=True).click()
        await page.click(f"button:has-text('Fach {compartment} öffnen')")
        await page.wait_for_selector(f"h1:has-text('Fach {compartment} ist offen')")
        box.steel.take_item(compartment, time=0.0)
        box.steel.close(compartment, time=0.0)
        if kind in WITHOUT_SENSORS:
            await page.wait_for_selector("h1:has-text('Haben Sie Ihr Dokument entnommen?')")
            await page.get_by_role("button", name="Ja", exact=True).click()
        await page.wait_for_url(f"{base}/result")
        assert box.controller.ledger.deposit(DEPOSIT) is None
        assert [e.state for e in box.journal.entries() if e.deposit == DEPOSIT][-1] == "done"
        assert box.steel.compartment(compartment).pulses == 2
        # The code is dead.
        await show_code(page, base, policy, message)
        await page.wait_for_selector("#refused")
    assert sum(each.pulses for each in box.steel.compartments) == 2


async def test_who_collects_for_somebody_else_reads_where_to_go(page: Page, tmp_path: Path) -> None:
    policy = policies()["mail, QR code"]
    async with running(tmp_path, "krcu16", policy) as (box, base):
        await box.load(policy.type)
        await show_code(page, base, policy, newest_message(box.journal, DEPOSIT))
        await page.get_by_role("button", name="Nein", exact=True).click()
        assert policy.proxy["de"] in await page.inner_text("main")
        assert box.controller.ledger.box.deposits[DEPOSIT].state == "notified"
