"""Applying at a terminal and on the web, and what staff see of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from httpx import Response

from servicepunkt.core.applications import service, store
from servicepunkt.core.applications.model import DRAFT
from servicepunkt.core.audit.store import audit_entry
from servicepunkt.core.testing import FixedClock
from servicepunkt.web.devices.attempts import MOST

if TYPE_CHECKING:
    from conftest import Town, Visit

APPLY = "/t/alpha/k/apply/card"
WEB = "/t/alpha/apply/card"
HIDDEN = re.compile(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">')
RIGHT = {
    "field-born": "12.08.1964",
    "field-address": "Heidestraße 17, 51147 Köln, D",
    "field-why": "office",
    "field-mail": "",
    "field-honorary": "no",
}


async def press(visit: Visit, page: str, action: str, **fields: str) -> Response:
    """Send the last form of a page that goes to `action`, with what stands in it hidden."""
    text = (await visit.get(page)).text
    form = text[text.rindex(f'action="{action}"') :]
    return await visit.client.post(action, data={**dict(HIDDEN.findall(form[: form.index("</form>")])), **fields})


async def identified(visit: Visit, path: str = APPLY) -> Response:
    """Through the door and back, to the form."""
    answer = await press(visit, path, path)
    assert answer.status_code == 303, answer.text
    answer = await visit.get(answer.headers["location"])
    return await visit.get(answer.headers["location"])


async def fill_in(visit: Visit, path: str = APPLY, **fields: str) -> Response:
    return await press(visit, f"{path}/form", f"{path}/form", **{**RIGHT, **fields})


async def submit(visit: Visit, path: str = APPLY, **fields: str) -> Response:
    return await press(visit, f"{path}/check", f"{path}/check", **{"consent": "yes", **fields})


async def submitted(visit: Visit, path: str = APPLY) -> str:
    """The address of the page with the reference."""
    await identified(visit, path)
    assert (await fill_in(visit, path)).headers["location"] == f"{path}/check"
    answer = await submit(visit, path)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def rows(here: Town, table: Any = store.application) -> list[Any]:
    async with here.deployment.database.tenant(here.alpha) as tx:
        return list((await tx.execute(sa.select(table).where(table.c.tenant_id == tx.tenant_id))).all())


async def forward(here: Town, location: str) -> None:
    await service.forward.function(here.deployment, here.alpha, application_id=location.rpartition("/")[2])


# --- the way of an application --------------------------------------------------------------------------------


async def test_the_whole_way_from_the_service_to_the_reference(here: Town, terminal: Visit, practice: Any) -> None:
    page = (await terminal.get("/t/alpha/k/service/card")).text
    assert f'href="{APPLY}"><span class="kern-label">Hier jetzt beantragen</span>' in page
    assert "/apply/" not in (await terminal.get("/t/alpha/k/service/contract")).text
    page = (await terminal.get(APPLY)).text
    for words in ("Die Angaben braucht die Stadt für den Ausweis.", "Nachname", "With the card", "37,00 Euro"):
        assert words in page
    assert "Kommen Sie ins Bürgerbüro, Markt 1." in page
    assert await rows(here) == []
    page = (await identified(terminal)).text
    assert "<dt>Nachname</dt><dd>Mustermann</dd>" in page
    assert 'name="field-family"' not in page
    assert 'value="12.08.1964"' in page
    assert page.count("Aus Ihrem Ausweis.") == 2
    answer = await fill_in(terminal, **{"field-address": "Kai 1\n12345 Seeburg"})
    page = (await terminal.get(answer.headers["location"])).text
    assert "<dd>12. August 1964 <span" in page
    assert "<dd>Kai 1\n12345 Seeburg</dd>" in page, "what was changed is no longer marked"
    assert "<dd>Für eine Behörde</dd>" in page
    assert "Ich bin einverstanden." in page
    answer = await submit(terminal)
    (row,) = await rows(here)
    assert answer.headers["location"] == f"/t/alpha/k/application/{row.id}"
    page = (await terminal.get(answer.headers["location"])).text
    assert row.reference in page
    assert "In drei Wochen kommt Post." in page
    assert "Mustermann" not in page
    receipt = await terminal.get(f"{answer.headers['location']}/receipt")
    assert row.reference in receipt.text
    await forward(here, answer.headers["location"])
    (sent,) = practice.register.taken
    assert {one.name: (one.value, one.given) for one in sent.answers} == {
        "family": ("Mustermann", True),
        "born": ("1964-08-12", True),
        "address": ("Kai 1\n12345 Seeburg", False),
        "why": ("office", False),
        "honorary": ("no", False),
    }
    assert "Weitergeleitet" in (await terminal.get(answer.headers["location"])).text


async def test_the_same_on_the_web_in_english(here: Town, visit: Visit) -> None:
    visit.client.cookies.set("sp_language", "en")
    assert "Apply here now" in (await visit.get("/t/alpha/service/card")).text
    location = await submitted(visit, WEB)
    assert location.startswith("/t/alpha/application/")
    page = (await visit.get(location)).text
    assert "A letter comes in three weeks." in page
    async with here.client() as other:
        assert (await other.get(location)).status_code == 200, "a page without anything of the person"
        assert (await other.get(location.replace("alpha", "beta"))).status_code == 404


async def test_every_mistake_stands_beside_its_field_and_what_was_typed_stays(here: Town, terminal: Visit) -> None:
    await identified(terminal)
    wrong = {"field-born": "gestern", "field-why": "", "field-mail": "a@b", "field-address": "<script>"}
    answer = await fill_in(terminal, **wrong)
    assert answer.status_code == 422
    for name in ("field-born", "field-why", "field-mail"):
        assert f'href="#{name}"' in answer.text
        assert f'id="{name}-error"' in answer.text
    assert "Geburtsdatum: Bitte geben Sie ein Datum ein" in answer.text
    assert 'value="gestern"' in answer.text
    assert "&lt;script&gt;</textarea>" in answer.text
    page = (await terminal.get(f"{APPLY}/form")).text
    assert 'value="gestern"' in page, "also after going away and coming back"
    assert (await terminal.get(f"{APPLY}/check")).status_code == 422


async def test_what_the_card_says_cannot_be_changed(here: Town, terminal: Visit) -> None:
    await identified(terminal)
    await fill_in(terminal, **{"field-family": "Räuber"})
    assert "Räuber" not in (await terminal.get(f"{APPLY}/check")).text
    assert (await fill_in(terminal, **{"field-other": "x"})).status_code == 422


async def test_without_agreeing_nothing_is_submitted(here: Town, terminal: Visit) -> None:
    await identified(terminal)
    await fill_in(terminal)
    answer = await submit(terminal, consent="")
    assert answer.status_code == 422
    assert 'id="consent-error"' in answer.text
    assert [row.state for row in await rows(here)] == ["draft"]


async def test_pressing_twice_and_going_back_submits_once(here: Town, terminal: Visit) -> None:
    await identified(terminal)
    await fill_in(terminal)
    page = (await terminal.get(f"{APPLY}/check")).text
    form = page[page.index(f'action="{APPLY}/check"') :]
    fields = {**dict(HIDDEN.findall(form)), "consent": "yes"}
    answers = [await terminal.client.post(f"{APPLY}/check", data=fields) for _ in range(2)]
    assert len({answer.headers["location"] for answer in answers}) == 1
    for back in ("form", "check", f"back?key={fields['key']}"):
        answer = await terminal.get(f"{APPLY}/{back}")
        while answer.headers["location"].startswith(APPLY):
            answer = await terminal.get(answer.headers["location"])
        assert answer.headers["location"] == answers[0].headers["location"]
    assert len(await rows(here)) == 1


async def test_what_a_second_tab_changed_is_looked_at_before_it_is_submitted(here: Town, terminal: Visit) -> None:
    await identified(terminal)
    await fill_in(terminal)
    page = (await terminal.get(f"{APPLY}/check")).text
    form = page[page.index(f'action="{APPLY}/check"') :]
    fields = {**dict(HIDDEN.findall(form)), "consent": "yes"}
    await fill_in(terminal, **{"field-why": "private"})
    fields["_csrf_token"] = re.findall(r'name="_csrf_token" value="([^"]+)"', (await terminal.get(APPLY)).text)[0]
    answer = await terminal.client.post(f"{APPLY}/check", data=fields)
    assert answer.status_code == 409
    assert "Das wurde inzwischen geändert." in answer.text
    assert "Für mich" in answer.text
    assert [row.state for row in await rows(here)] == ["draft"]


async def test_beginning_again_in_a_second_tab_goes_on_with_the_same(here: Town, terminal: Visit) -> None:
    await identified(terminal)
    await fill_in(terminal, **{"field-why": "private"})
    assert "Sie haben schon begonnen." in (await terminal.get(APPLY)).text
    page = (await identified(terminal)).text
    assert len(await rows(here)) == 1
    assert re.search(r'value="private"[^>]* checked', page)


# --- nothing is left ------------------------------------------------------------------------------------------


async def test_end_and_delete_leaves_nothing(here: Town, terminal: Visit) -> None:
    await identified(terminal)
    own = terminal.client.cookies["sp_application"]
    assert 'data-idle="60"' in (await terminal.get("/t/alpha/k")).text
    await press(terminal, "/t/alpha/k", "/t/alpha/k/end")
    assert await rows(here) == []
    assert "sp_application" not in terminal.client.cookies
    terminal.client.cookies.set("sp_application", own)
    assert (await terminal.get(f"{APPLY}/form")).headers["location"] == f"{APPLY}?note=gone"


async def test_a_draft_that_was_left_is_gone_and_that_is_said(here: Town, terminal: Visit, clock: FixedClock) -> None:
    await identified(terminal)
    clock.instant += DRAFT
    for path in ("form", "check"):
        answer = await terminal.get(f"{APPLY}/{path}")
        assert answer.headers["location"] == f"{APPLY}?note=gone"
    assert "weil eine Zeit lang nichts geschah" in (await terminal.get(f"{APPLY}?note=gone")).text


async def test_another_browser_opens_nothing_of_a_draft(here: Town, terminal: Visit) -> None:
    await identified(terminal)
    (row,) = await rows(here)
    async with here.client() as other:
        await other.become_terminal(here.alpha)
        for path in ("form", "check", f"back?key={row.id}"):
            answer = await other.get(f"{APPLY}/{path}")
            assert (answer.status_code, "Mustermann" in answer.text) == (303, False)
        assert (await other.get(f"/t/alpha/k/application/{row.id}")).status_code == 404


# --- doors ----------------------------------------------------------------------------------------------------


async def test_who_gives_up_at_the_door_is_told_so(here: Town, terminal: Visit, practice: Any) -> None:
    practice.door.gives = False
    page = (await identified(terminal)).text
    assert "Sie wurden nicht ausgewiesen, und nichts wurde gespeichert." in page
    answer = await terminal.get(f"{APPLY}/form")
    assert answer.headers["location"] == APPLY, "the form is behind the door"


async def test_without_a_door_that_is_enough_one_goes_to_the_counter(
    here: Town, terminal: Visit, practice: Any
) -> None:
    practice.door.level = 1
    page = (await terminal.get(APPLY)).text
    assert "Bitte fragen Sie am Schalter." in page
    assert f'method="post" action="{APPLY}"' not in page
    assert (await terminal.submit("/t/alpha/k/help", APPLY, door="door")).status_code == 404


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example", "/../../beta", "/t/beta/k"])
async def test_a_door_leads_nowhere_else(here: Town, terminal: Visit, practice: Any, where: str) -> None:
    practice.door.leads_to = where
    answer = await press(terminal, APPLY, APPLY)
    assert answer.headers["location"] in (APPLY, f"/t/alpha{where}")


async def test_what_is_offered_without_a_form_or_by_another_town_is_not_there(here: Town, terminal: Visit) -> None:
    for path in ("/t/alpha/k/apply/contract", "/t/alpha/k/apply/none", "/t/alpha/apply/bonus"):
        assert (await terminal.get(path)).status_code == 404
    await here._town("gamma", plugins=["web"])
    assert (await terminal.get("/t/gamma/apply/card")).status_code == 404


async def test_nobody_fills_the_tables_by_pressing_again(visit: Visit) -> None:
    answers = [await press(visit, WEB, WEB) for _ in range(MOST + 1)]
    assert [answer.status_code for answer in answers] == [303] * MOST + [429]


@pytest.mark.parametrize("value", ["", "x" * 5000, "\u202e", "🦊" * 50, "%00", "-1", "9" * 30, "٣", "\ufffe"])
async def test_whatever_is_sent_nothing_breaks(here: Town, terminal: Visit, value: str) -> None:
    await identified(terminal)
    token = re.findall(r'name="_csrf_token" value="([^"]+)"', (await terminal.get(APPLY)).text)[0]
    names = ("field-born", "field-why", "field-mail", "field-zz", "door", "key", "version", "consent", "x")
    for path in ("/form", "/check", ""):
        for name in names:
            answer = await terminal.client.post(APPLY + path, data={name: value, "_csrf_token": token})
            assert answer.status_code < 500, (path, name)
    for name in ("key", "note"):
        for path in ("", "/back"):
            assert (await terminal.client.get(APPLY + path, params={name: value})).status_code < 500
    assert {row.state for row in await rows(here)} == {"draft"}


# --- staff ----------------------------------------------------------------------------------------------------


async def test_staff_see_what_failed_and_send_it_again(here: Town, terminal: Visit, practice: Any) -> None:
    location = await submitted(terminal)
    practice.register.is_down = True
    with pytest.raises(Exception, match="SP8254"):
        await forward(here, location)
    (row,) = await rows(here)
    async with here.client() as staff:
        await staff.sign_in("boss")
        assert "Anträge, die nicht weitergeleitet wurden" in (await staff.get("/t/alpha/staff")).text
        page = (await staff.get("/t/alpha/staff/applications")).text
        assert row.reference in page
        assert "Abgegeben, noch nicht weitergeleitet" in page
        assert "Mustermann" not in page
        path = f"/t/alpha/staff/applications/{row.id}"
        assert (await staff.get(path)).status_code == 403, "who administers does not read"
        practice.register.is_down = False
        assert (await staff.submit("/t/alpha/staff/applications", path)).status_code == 303
        await forward(here, location)
        page = (await staff.get(f"/t/alpha/staff/applications?reference={row.reference.lower()}")).text
        assert "Empfänger: case-1" in page
        assert (await staff.submit("/t/alpha/staff/account", path)).status_code == 409


async def test_a_clerk_reads_and_the_audit_says_so(here: Town, terminal: Visit) -> None:
    await submitted(terminal)
    (row,) = await rows(here)
    async with here.client() as staff:
        await staff.sign_in("clerk")
        page = (await staff.get(f"/t/alpha/staff/applications/{row.id}")).text
        assert "<dd>Mustermann <span" in page
        assert "<dd>Nein</dd>" in page
    assert "application.read" in [one.action for one in await rows(here, audit_entry)]
    async with here.client() as guide:
        await guide.sign_in("guide")
        for path in ("", f"/{row.id}"):
            assert (await guide.get(f"/t/alpha/staff/applications{path}")).status_code == 403
    async with here.client() as other:
        await other.sign_in("clerk", "/t/beta")
        for unknown in (row.id, uuid4()):
            assert (await other.get(f"/t/beta/staff/applications/{unknown}")).status_code == 404
