"""The story of a document, played over HTTP against the running processes; every step is checked.

The player is a browser without JavaScript: it reads pages, fills forms and follows redirects.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console

from servicepunkt.core.audit import service as audit
from servicepunkt.tenants.demo.story_file import StoryFile

if TYPE_CHECKING:
    from servicepunkt.tenants.demo.supervisor import BoxPlace, Demo, Stage

out = Console()
PATIENCE_SECONDS = 20.0
HAND_SECONDS = 0.8
CODE = re.compile(r"\b(\d{6})\b")


class CheckFailedError(AssertionError):
    """A check of the story did not hold."""


def check(holds: object, sentence: str) -> None:
    if not holds:
        raise CheckFailedError(sentence)


class _Forms(HTMLParser):
    """The forms of a page with their fields, and its plain text."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag == "input" and self.forms and given.get("name"):
            chosen = given.get("type") not in ("radio", "checkbox") or "checked" in given
            if chosen:
                self.forms[-1][1][given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


class Browser:
    """One person's browser: cookies of its own, pages, forms."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._client = httpx.AsyncClient(follow_redirects=True, timeout=30, headers={"accept": "text/html"})
        self.answer: httpx.Response | None = None
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.text = ""

    async def open(self, path: str) -> str:
        return self._read(await self._client.get(self._address(path)))

    async def send(self, action: str, **fields: str) -> str:
        """Fill and send the form of the present page whose action ends with `action`."""
        for target, given in self.forms:
            if target.endswith(action):
                return self._read(await self._client.post(self._address(target), data={**given, **fields}))
        said = f"{self.answer.status_code} {self.answer.url}" if self.answer else "no page"
        raise CheckFailedError(f"no form for {action} on {said}: {self.text[:200]}")

    def _address(self, path: str) -> str:
        if path.startswith("http"):
            return path
        root = self.base if self.answer is None else f"{self.answer.url.scheme}://{self.answer.url.netloc.decode()}"
        return root + path

    def _read(self, answer: httpx.Response) -> str:
        self.answer = answer
        parser = _Forms()
        parser.feed(answer.text)
        self.forms, self.text = parser.forms, " ".join(" ".join(parser.text).split())
        return self.text

    @property
    def html(self) -> str:
        return self.answer.text if self.answer else ""

    @property
    def status(self) -> int:
        return self.answer.status_code if self.answer else 0

    async def close(self) -> None:
        await self._client.aclose()


class Story:
    """One tenant's story with its players."""

    def __init__(self, demo: Demo, stage: Stage, place: BoxPlace, told: StoryFile) -> None:
        self.demo, self.stage, self.place, self.told = demo, stage, place, told
        base = f"{demo.centre}/t/{stage.ctx.slug}"
        self.clerk = Browser(base)
        self.citizen = Browser(place.pages)
        self.terminal = Browser(base)
        self.cabinet = httpx.AsyncClient(base_url=place.cabinet, timeout=10)
        self.box = demo.processes[f"box/{stage.ctx.slug}/{place.box}"]
        self.base = base
        moments = stage.moments
        if moments is None:
            raise CheckFailedError("this tenant has no story")
        self.moments = moments
        self.deposit = ""
        self.compartment = told.compartment
        self.code = ""
        self.refusal = ""
        self.pulses_before = 0
        self.started = datetime.now(UTC)

    async def until(self, what: str, look: Callable[[], Awaitable[Any]]) -> Any:
        """Look again until the answer is true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if found := await look():
                    return found
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.15)
        raise CheckFailedError(f"{what} did not happen within {PATIENCE_SECONDS:.0f} seconds")

    async def door(self) -> dict[str, Any]:
        state = (await self.cabinet.get("/state")).json()
        return next(entry for entry in state["compartments"] if entry["number"] == self.compartment)

    async def act(self, verb: str) -> None:
        """What a hand does at the cabinet, at the pace of a hand: the sensors look ten times a second."""
        await asyncio.sleep(HAND_SECONDS)
        answer = await self.cabinet.post(f"/compartments/{self.compartment}/{verb}")
        check(answer.status_code < 400, f"the cabinet refused to {verb} door {self.compartment}")

    async def pull_the_plug(self) -> None:
        """kill -9 of the controller, and start it again."""
        self.box.kill()
        self.box.start()
        await self.demo.answers(f"{self.place.pages}/health/live", self.box)

    async def deposit_page(self) -> str:
        """The clerk's page of the deposit; days pass in this story, so the session may have ended."""
        text = await self.clerk.open(f"{self.base}/staff/deposits/{self.deposit}")
        if "/sign-in" in str(self.clerk.answer.url if self.clerk.answer else ""):
            text = await self.sign_in()
        return text

    async def sign_in(self) -> str:
        return await self.clerk.send("/staff/sign-in", login="clerk", password=self.stage.passwords["clerk"])

    async def deposit_state(self, *wanted: str) -> bool:
        await self.deposit_page()
        found = re.search(r'data-state="([a-z_]+)"', self.clerk.html)
        return found is not None and found.group(1) in wanted

    async def box_ready(self) -> bool:
        """The box's start page offers to begin, or says that the place is closed: its eyes are open."""
        await self.citizen.open(f"{self.place.pages}/")
        return self.citizen.status == 200 and "kern-alert--warning" not in (
            self.citizen.answer.text if self.citizen.answer else ""
        )

    # --- the steps, in order ----------------------------------------------------------------------------------

    async def clerk_signs_in(self) -> str:
        self.demo.set_clock(self.moments.loading)
        await self.clerk.open(f"{self.base}/staff/deposits")
        check("/sign-in" in str(self.clerk.answer.url if self.clerk.answer else ""), "deposits ask for a sign-in")
        await self.sign_in()
        check(self.clerk.status == 200, "the clerk is signed in")
        return "The clerk signs in"

    async def landline_is_refused(self) -> str:
        await self.clerk.open(f"{self.base}/staff/deposits/new")
        await self.clerk.send(
            "/staff/deposits/new",
            document_number=self.told.document_number,
            phone="0561 787",
            kind=self.told.document_kind,
            box=self.told.box,
        )
        check(self.clerk.status == 422, "a landline number is refused")
        return "A landline is refused at the desk, with the reason"

    async def deposit_is_announced(self) -> str:
        await self.clerk.open(f"{self.base}/staff/deposits/new")
        await self.clerk.send(
            "/staff/deposits/new",
            document_number=self.told.document_number,
            phone=self.told.phone,
            kind=self.told.document_kind,
            box=self.told.box,
        )
        address = str(self.clerk.answer.url if self.clerk.answer else "")
        check(
            self.clerk.status == 200 and "/staff/deposits/" in address,
            f"the deposit is announced ({self.clerk.text[:200]})",
        )
        self.deposit = address.rpartition("/")[2]
        await self.until("the reservation of a compartment", lambda: self.deposit_state("reserved"))
        shown = re.search(r"<strong>(\d+)</strong>", self.clerk.html)
        check(
            shown and int(shown.group(1)) == self.told.compartment, f"compartment {self.told.compartment} is reserved"
        )
        return f"The document is announced, compartment {self.compartment} is reserved"

    async def compartment_opens_for_the_clerk(self) -> str:
        self.pulses_before = (await self.door())["pulses"]
        await self.deposit_page()
        await self.clerk.send("/open_for_load")
        await self.until("the door's opening", self._is_open)
        check(not self._messages(), "no SMS before the door is closed")
        return f"Door {self.compartment} opens for the clerk"

    async def _is_open(self) -> bool:
        return not (await self.door())["closed"]

    async def document_is_laid_in(self) -> str:
        await self.act("put")
        await self.act("close")
        await self.until("the message with the code", self._has_message)
        await self.until("the notice's way to the box", lambda: self.deposit_state("notified"))
        messages = self._messages()
        check(len(messages) == 1, "exactly one SMS went out")
        found = CODE.search(messages[0])
        check(found, "the SMS holds a code")
        self.code = found.group(1) if found else ""
        return "The door is closed; only now a code is made and one SMS goes out"

    async def _has_message(self) -> bool:
        return bool(self._messages())

    def _messages(self) -> list[str]:
        digits = re.sub(r"\D", "", self.told.phone).lstrip("0")
        return [m.text for m in self.demo.phone.messages() if m.recipient.endswith(digits) and m.at >= self.started]

    async def plug_after_loading(self) -> str:
        await self.pull_the_plug()
        await self.until("the box's return", self.box_ready)
        return "The plug is pulled and put in again: the document is still there"

    async def closed_at_night(self) -> str:
        # Back from Saturday night to Saturday evening would be a step back in time; the day before will do.
        self.demo.set_clock(self.moments.closed - timedelta(days=1))
        text = await self.citizen.open(f"{self.place.pages}/")
        check("eöffnet" in text or "ffnet " in text or "pens" in text, f"the screen says when it opens ({text[:300]})")
        await self.citizen.open(f"{self.place.pages}/number")
        check(
            "number" not in [n for _, fields in self.citizen.forms for n in fields], "no code can be typed while closed"
        )
        return "At night the store is closed, and the screen says when it opens"

    async def wrong_code_is_refused(self) -> str:
        self.demo.set_clock(self.moments.open)
        await self.until("the box's readiness", self.box_ready)
        text = await self.type_code(self.told.phone, f"{(int(self.code) + 1) % 10**6:06d}")
        self.refusal = text
        check(self.citizen.status == 422, "a wrong code is refused")
        return "A wrong code is refused"

    async def type_code(self, number: str, code: str) -> str:
        await self.citizen.open(f"{self.place.pages}/number")
        await self.citizen.send("/number", number=number)
        return await self.citizen.send("/code", code=code)

    async def unknown_number_is_refused_alike(self) -> str:
        text = await self.type_code("0152 54599371", self.code)
        check(self.citizen.status == 422 and text == self.refusal, "an unknown number gets the same words")
        return "An unknown number gets the same words"

    async def the_code_opens(self) -> str:
        await self.type_code(self.told.phone, self.code)
        check(self.citizen.status == 200, "the right code is accepted")
        for _ in range(4):
            if any(action.endswith("/open") for action, _ in self.citizen.forms):
                break
            await self.citizen.send("/confirm", answer="yes")
        pulses = (await self.door())["pulses"]
        check(pulses == self.pulses_before + 1, "nothing opens before the confirmations are given")
        await self.citizen.send("/open")
        await self.until("the opening for the citizen", self._is_open)
        return f"{self.told.citizen} types number and code, confirms, and door {self.compartment} opens"

    async def plug_at_the_open_door(self) -> str:
        await self.until("the mirror of the open door", lambda: self.deposit_state("taking"))
        await self.pull_the_plug()
        return "The plug is pulled while the door stands open"

    async def document_is_taken(self) -> str:
        await self.act("take")
        await self.act("close")
        await self.until("the end of the hand-over", lambda: self.deposit_state("done"))
        check((await self.door())["pulses"] == self.pulses_before + 2, "the door was pulsed once for each opening")
        return "The document is taken, the door closed; the clerk sees: collected"

    async def the_code_is_dead(self) -> str:
        await self.until("the box's readiness", self.box_ready)
        text = await self.type_code(self.told.phone, self.code)
        check(self.citizen.status == 422 and text == self.refusal, "the used code gets the words of an unknown one")
        return "The code is dead: the same words as for one that never existed"

    async def refusals_take_the_same_time(self) -> str:
        used: list[float] = []
        unknown: list[float] = []
        for number, times in ((self.told.phone, used), ("0152 28895456", unknown)):
            await self.citizen.open(f"{self.place.pages}/number")
            await self.citizen.send("/number", number=number)
            started = time.perf_counter()
            await self.citizen.send("/code", code=self.code)
            times.append(time.perf_counter() - started)
        check(abs(used[0] - unknown[0]) < 0.5, f"the refusals differ by {abs(used[0] - unknown[0]):.2f} s")
        return f"Refusals take the same time ({used[0]:.2f} s and {unknown[0]:.2f} s)"

    async def the_theme_shows_offers(self) -> str:
        point = self.place.point
        address = await self.demo.terminal_address(self.stage, point)
        await self.terminal.open(address)
        await self.terminal.send("/device/enrol")
        check(self.terminal.status == 200, "the terminal is enrolled")
        await self.terminal.open(f"{self.base}/k/theme/{self.told.theme}")
        check(self.terminal.status == 200, "the theme has a page")
        text = await self.terminal.open(f"{self.base}/k/service/{self.told.service}")
        check(
            self.terminal.status == 200 and len(text) > 200,
            "the service says what to bring, what it costs, when it is open",
        )
        if self.told.ended_service:
            await self.terminal.open(f"{self.base}/k/service/{self.told.ended_service}")
            check("sp-card--ended" in self.terminal.html, "an ended offer is shown as ended")
        return f"Meanwhile at the terminal: theme, service, and what can be done here ({point})"

    async def the_chain_proves_it(self) -> str:
        lines = []
        async with self.demo.deployment.database.tenant(self.stage.ctx) as tx:
            async for line in audit.export(tx):
                lines.append(line)
        verdict = audit.verify_export(lines)
        check(not verdict.faults, f"the audit chain holds: {verdict.faults[:3]}")
        own = [line for line in lines if self.deposit.encode() in line]
        for action in (b"deposit.announce", b"deposit.open_for_load", b"box.redeem", b"box.closed_empty"):
            check(any(action in line for line in own), f"the chain names {action.decode()}")
        tampered = [line.replace(b"box.redeem", b"box.expire") for line in lines]
        check(audit.verify_export(tampered).faults, "a changed entry is noticed")
        return f"The audit chain of {verdict.entries} entries proves who did what"

    async def play(self) -> bool:
        """All steps; False at the first that does not hold."""
        for step in (
            self.clerk_signs_in,
            self.landline_is_refused,
            self.deposit_is_announced,
            self.compartment_opens_for_the_clerk,
            self.document_is_laid_in,
            self.plug_after_loading,
            self.closed_at_night,
            self.wrong_code_is_refused,
            self.unknown_number_is_refused_alike,
            self.the_code_opens,
            self.plug_at_the_open_door,
            self.document_is_taken,
            self.the_code_is_dead,
            self.refusals_take_the_same_time,
            self.the_theme_shows_offers,
            self.the_chain_proves_it,
        ):
            try:
                out.print(f"[green]✓[/] {await step()}")
            except (CheckFailedError, httpx.HTTPError) as error:
                out.print(f"[red]✗ {step.__name__}[/]: {error}")
                return False
        return True

    async def close(self) -> None:
        for browser in (self.clerk, self.citizen, self.terminal):
            await browser.close()
        await self.cabinet.aclose()


async def tell(demo: Demo) -> bool:
    """Play the story of every tenant that has one; True when every check held."""
    told = False
    for stage in demo.stages:
        place = next((p for p in stage.boxes if stage.story and p.box == stage.story.box), None)
        if stage.story is None or place is None:
            continue
        told = True
        out.rule(stage.ctx.name)
        story = Story(demo, stage, place, stage.story)
        try:
            if not await story.play():
                return False
        finally:
            await story.close()
            demo.set_clock(None)
    out.print("The story held." if told else "No installed tenant pack has a story.")
    return told
