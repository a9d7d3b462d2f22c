"""The pages of a house: each for its own host alone, and everything that can be done there."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from httpx import Response

from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.hosts.footfall import store as footfall
from servicepunkt.core.hosts.incidents import store as incidents
from servicepunkt.core.hosts.space import store as slots
from servicepunkt.core.testing import FixedClock
from servicepunkt.web.help import service as help_calls

if TYPE_CHECKING:
    from conftest import Town, Visit

HOST = "/t/alpha/staff/host"
STORE = f"{HOST}/store"
STAFF = "/t/alpha/staff"
HIDDEN = re.compile(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">')
WEEK = "&".join(f"day-{number}={'' if number == 6 else '9:30-20:00'}" for number in range(7))
OTHER_WEEK = WEEK.replace("day-3=9:30-20:00", "day-3={}")
PREVIEW = f"{STORE}/hours/preview?{WEEK}&holidays=closed"
CLOSED = f"{PREVIEW}&first=2026-11-24&reason=Inventur"
TABS = ("", "/hours", "/incidents", "/space", "/figures")
SignedIn = Callable[[str], AbstractAsyncContextManager[Any]]


def form_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent to `action`."""
    form = page[page.index(f'action="{action}"') :]
    return dict(HIDDEN.findall(form[: form.index("</form>")]))


async def look(visit: Visit, preview: str) -> Response:
    """The preview of what stands behind the question mark."""
    path, _, query = preview.partition("?")
    return await visit.submit(f"{STORE}/hours", path, **dict(parse_qsl(query, keep_blank_values=True)))


async def publish(visit: Visit, preview: str) -> Response:
    page = (await look(visit, preview)).text
    return await visit.client.post(f"{STORE}/hours", data=form_of(page, f"{STORE}/hours"))


# --- who sees what --------------------------------------------------------------------------------------------


async def test_a_host_of_one_house_sees_it_at_once_and_no_other(signed_in: SignedIn) -> None:
    async with signed_in("store") as visit:
        answer = await visit.get(HOST)
        assert (answer.status_code, answer.headers["location"]) == (303, STORE)
        for tab in TABS:
            assert (await visit.get(STORE + tab)).status_code == 200, tab
            assert (await visit.get(f"{HOST}/bank{tab}")).status_code == 404, tab
            assert (await visit.get(f"{HOST}/nowhere{tab}")).status_code == 404, tab
        assert (await visit.get(f"{HOST}/bank/hours/preview?{WEEK}")).status_code == 404
        assert 'href="/t/alpha/staff/host"' in (await visit.get(STAFF)).text
    async with signed_in("houses") as visit:
        page = (await visit.get(HOST)).text
        assert "Kaufhaus am Hafen" in page
        assert "Bank am Markt" in page


async def test_a_host_changes_nothing_of_another_house(here: Town, signed_in: SignedIn) -> None:
    async with signed_in("banker") as visit:
        slot, key = uuid4(), str(uuid4())
        for path in ("hours", "incidents", f"space/{slot}", "footfall"):
            answer = await visit.submit(f"{HOST}/bank/hours", f"{STORE}/{path}", key=key, do="approve", point="harbour")
            assert answer.status_code == 404, path
    async with here.deployment.database.tenant(here.alpha) as tx:
        assert await incidents.listed(tx) == []


@pytest.mark.parametrize("login", ["harbour", "boss", "editor", "clerk", "agent"])
async def test_who_is_no_host_sees_no_house(signed_in: SignedIn, login: str) -> None:
    async with signed_in(login) as visit:
        for path in ("", "/store", "/store/hours", "/store/figures"):
            assert (await visit.get(HOST + path)).status_code == 403


async def test_a_host_answers_no_incident_and_asks_for_no_space(signed_in: SignedIn) -> None:
    async with signed_in("store") as visit:
        for path in ("incidents", "space"):
            assert (await visit.get(f"{STAFF}/{path}")).status_code == 403


# --- hours ----------------------------------------------------------------------------------------------------


async def test_a_closure_is_looked_at_and_published_to_everybody(here: Town, signed_in: SignedIn) -> None:
    async with signed_in("store") as visit, here.client() as citizen:
        page = (await look(visit, CLOSED)).text
        assert "Ein Tag ändert sich" in page
        assert "Dienstag, 24. November" in page
        assert "9.30 bis 20 Uhr" in page
        for name in ("Kaufhaus am Hafen", "Servicepunkt am Hafen", "Monatskarte (Servicepunkt am Hafen)"):
            assert f"<li>{name}</li>" in page
        assert "Inventur" not in (await citizen.get("/t/alpha/hours/harbour")).text
        assert (await publish(visit, CLOSED)).status_code == 303
        assert "Inventur" in (await citizen.get("/t/alpha/hours/harbour")).text
        page = (await visit.get(f"{STORE}/hours")).text
        assert "24. November 2026: geschlossen (Inventur)" in page
        assert "Diese Zeiten haben Sie selbst geändert" in page
        assert (await publish(visit, f"{STORE}/hours/preview?as-below=yes")).status_code == 303
        assert "24. November 2026" not in (await visit.get(f"{STORE}/hours")).text
    async with here.deployment.database.tenant(here.alpha) as tx:
        done = [one.subject async for one in audit_store.entries(tx) if one.action == "host.hours"]
    assert done == ["host:store", "host:store"]


async def test_pressing_twice_publishes_once_and_an_old_preview_is_refused(signed_in: SignedIn) -> None:
    async with signed_in("store") as visit:
        form = form_of((await look(visit, CLOSED)).text, f"{STORE}/hours")
        old = form_of((await look(visit, f"{CLOSED}&times=10-12")).text, f"{STORE}/hours")
        first, second = [await visit.client.post(f"{STORE}/hours", data=form) for _ in range(2)]
        assert (first.status_code, second.status_code) == (303, 303)
        assert (await visit.client.post(f"{STORE}/hours", data=old)).status_code == 409
        assert (await visit.get(f"{STORE}/hours")).text.count("Inventur)") == 1


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (f"?{WEEK}&holidays=closed", "Nichts davon würde etwas ändern."),
        (f"?{OTHER_WEEK.format('25-26')}", "Geben Sie Zeiten wie 9:30-20:00 ein"),
        (f"?{OTHER_WEEK.format('9-12, 11-13')}", "Diese Zeiten überschneiden sich"),
        (f"?{WEEK}&reason=Umbau", "Geben Sie einen Tag ein."),
        (f"?{WEEK}&first=2026-11-24", "Sagen Sie, warum"),
        (f"?{WEEK}&first=2026-11-24&last=soon&reason=x", "Geben Sie einen Tag ein."),
        (f"?{WEEK}&first=2026-11-24&last=2026-11-20&reason=x", "Der letzte Tag liegt vor dem ersten"),
        (f"?{WEEK}&remove-x=yes", "etwas, das dort nicht hingehört"),
    ],
)
async def test_what_is_wrong_is_said_above_the_form(signed_in: SignedIn, query: str, says: str) -> None:
    async with signed_in("store") as visit:
        answer = await look(visit, f"{STORE}/hours/preview{query}")
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert says in answer.text


# --- incidents ------------------------------------------------------------------------------------------------


async def test_an_incident_goes_to_the_staff_of_its_point_and_back(here: Town, signed_in: SignedIn) -> None:
    said = {"point": "harbour", "kind": "access", "place": "Rolltreppe", "words": "Steht."}
    async with signed_in("store") as visit:
        page = (await visit.get(f"{STORE}/incidents")).text
        form = form_of(page, f"{STORE}/incidents") | said
        for _ in range(2):
            assert (await visit.client.post(f"{STORE}/incidents", data=form)).status_code == 303
        answer = await visit.client.post(f"{STORE}/incidents", data=form | {"place": "", "point": "vault"})
        assert answer.status_code == 422
        assert "Sagen Sie, wo es ist" in answer.text
        assert "Rolltreppe" in (await visit.get(STORE)).text
    async with here.deployment.database.tenant(here.alpha) as tx:
        (incident,) = await incidents.listed(tx)
    path = f"{STAFF}/incidents/{incident.id}"
    async with signed_in("vault") as visit:
        assert "Rolltreppe" not in (await visit.get(f"{STAFF}/incidents")).text
        assert (await visit.submit(f"{STAFF}/incidents", path, to="closed")).status_code == 404
    async with signed_in("harbour") as visit:
        assert "Rolltreppe" in (await visit.get(f"{STAFF}/incidents")).text
        assert (await visit.submit(f"{STAFF}/incidents", path, to="acknowledged")).status_code == 303
        assert (await visit.submit(f"{STAFF}/incidents", path, to="reported")).status_code == 422
        assert (await visit.submit(f"{STAFF}/incidents", path, to="closed")).status_code == 303
    async with signed_in("store") as visit:
        assert "Kein Vorfall ist offen." in (await visit.get(STORE)).text
        assert "Erledigt" in (await visit.get(f"{STORE}/incidents")).text
    async with signed_in("banker") as visit:
        assert "Rolltreppe" not in (await visit.get(f"{HOST}/bank/incidents")).text


# --- spaces ---------------------------------------------------------------------------------------------------


async def ask(visit: Visit, **more: str) -> Response:
    page = (await visit.get(f"{STAFF}/space")).text
    said = {"space": "store/lounge", "begins": "2026-11-28T11:00", "ends": "2026-11-28T13:00", "noise": "loud"}
    said |= {"organisation": "Polizei Nordsee", "purpose": "Sicher im Netz", "equipment": "Strom"}
    return await visit.client.post(f"{STAFF}/space", data=form_of(page, f"{STAFF}/space") | said | more)


async def test_a_slot_is_asked_for_and_the_house_says_yes_and_then_no(
    here: Town, signed_in: SignedIn, clock: FixedClock
) -> None:
    async with signed_in("harbour") as staff, signed_in("store") as host:
        assert (await ask(staff)).status_code == 303
        answer = await ask(staff, begins="2026-11-28T12:45", ends="2026-11-28T14:00")
        assert answer.status_code == 422
        assert "Die Fläche ist zu dieser Zeit schon vergeben." in answer.text
        assert "Eine Anfrage wartet auf Ihre Antwort." in (await host.get(STORE)).text
        async with here.deployment.database.tenant(here.alpha) as tx:
            (slot,) = await slots.listed(tx, ending_after=clock.now())
        assert slot.begins_at.hour == 10, "the clock on the wall is an hour ahead in winter"
        path = f"{STORE}/space/{slot.id}"
        assert (await host.submit(f"{STORE}/space", path, do="approve")).status_code == 303
        clock.forward(days=6)
        # The session has ended meanwhile.
        await host.sign_in("store")
        await staff.sign_in("harbour")
        page = (await host.get(STORE)).text
        assert "Samstag, 28. November, 11:00 Uhr bis 13:00 Uhr" in page
        assert "Polizei Nordsee" in page
        refused = await host.submit(f"{STORE}/space", path, do="veto")
        assert refused.status_code == 422
        assert "Sagen Sie, warum" in refused.text
        assert (await host.submit(f"{STORE}/space", path, do="veto", reason="Umbau")).status_code == 303
        assert "Das Haus sagt: Umbau" in (await staff.get(f"{STAFF}/space")).text
        assert (await ask(staff)).status_code == 303


async def test_whose_house_it_is_decides(here: Town, signed_in: SignedIn, clock: FixedClock) -> None:
    async with signed_in("harbour") as staff, signed_in("vault") as other, signed_in("banker") as banker:
        await ask(staff)
        async with here.deployment.database.tenant(here.alpha) as tx:
            (slot,) = await slots.listed(tx, ending_after=clock.now())
        assert "Polizei" not in (await other.get(f"{STAFF}/space")).text
        assert (await ask(other)).status_code == 422, "the space of another house"
        path = f"{STAFF}/space/{slot.id}"
        assert (await other.submit(f"{STAFF}/space", path)).status_code == 404
        for house in ("store", "bank"):
            answer = await banker.submit(f"{HOST}/bank/hours", f"{HOST}/{house}/space/{slot.id}", do="approve")
            assert answer.status_code == 404
        assert (await staff.submit(f"{STAFF}/space", path)).status_code == 303
        clock.forward(days=8)
        await staff.sign_in("harbour")
        assert (await staff.submit(f"{STAFF}/space", path)).status_code == 409


# --- figures --------------------------------------------------------------------------------------------------


async def send_file(visit: Visit, content: bytes) -> Response:
    page = (await visit.get(f"{STORE}/figures")).text
    form = form_of(page, f"{STORE}/footfall")
    return await visit.client.post(f"{STORE}/footfall", data=form, files={"file": ("footfall.csv", content)})


async def test_a_file_is_taken_over_or_every_mistake_is_named(
    here: Town, signed_in: SignedIn, clock: FixedClock
) -> None:
    file = b"date;hour;count\n2026-11-20;9;112\n2026-11-20;10;148\n"
    async with signed_in("store") as visit:
        answer = await send_file(visit, file)
        assert answer.headers["location"] == f"{STORE}/figures?taken=1"
        page = (await visit.get(answer.headers["location"])).text
        assert "1 Tage sind neu" in page
        assert "260" in page
        assert (await send_file(visit, file)).headers["location"] == f"{STORE}/figures?taken=0"
        refused = await send_file(visit, file + b"2026-11-31;9;1\n2026-11-19;24;-1\n")
        assert refused.status_code == 422
        for says in ("Zeile 4:", "ist kein Tag", "Zeile 5:", "ist keine Stunde von 0 bis 23"):
            assert says in refused.text
        assert (await send_file(visit, b"x" * 200_001)).status_code == 422
        missing = await visit.submit(f"{STORE}/figures", f"{STORE}/footfall")
        assert missing.status_code == 422
    async with here.deployment.database.tenant(here.alpha) as tx:
        today = clock.now().date()
        assert len(await footfall.between(tx, "store", today - timedelta(days=9), today)) == 1


async def test_small_numbers_of_a_point_are_not_shown(
    here: Town, signed_in: SignedIn, clock: FixedClock, terminal: Visit
) -> None:
    later = clock.instant
    clock.instant -= timedelta(days=9)
    for _ in range(3):
        page = (await terminal.get("/t/alpha/k/help")).text
        await terminal.client.post("/t/alpha/k/help", data=form_of(page, "/t/alpha/k/help"))
        for call in await help_calls.waiting(here.deployment, here.alpha):
            await help_calls.answer(here.deployment, here.alpha, call.id, to="coming")
            await help_calls.answer(here.deployment, here.alpha, call.id, to="closed")
    clock.instant = later
    async with signed_in("store") as visit:
        page = (await visit.get(f"{STORE}/figures")).text
    table = page[page.index("<h2>Hilferufe</h2>") :]
    table = table[: table.index("</table>")]
    assert "unter 5" in table
    assert not re.search(r"<td[^>]*>[0-9]", table)
