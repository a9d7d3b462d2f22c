"""The card's door through its pages: the whole way, what is refused, and that nothing of the person stays."""

from __future__ import annotations

import asyncio
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa
from httpx import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from servicepunkt.core.audit.store import audit_entry
from servicepunkt.core.identification import IdentityWish
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.testing import FixedClock
from servicepunkt.eid import wire
from servicepunkt.eid.model import Answers, Level
from servicepunkt.eid.ready import CardReady
from servicepunkt.eid.service.model import OPERATIONS, Result
from servicepunkt.eid.sessions import card, store
from servicepunkt.eid.sessions.card import CardDoor
from servicepunkt.eid.testing.heap import digest, on_the_heap, pieces
from servicepunkt.eid.testing.person import ERIKA

if TYPE_CHECKING:
    from conftest import House, Listener, Visit

APPLY = "/t/alpha/k/apply/certificate"
WEB = "/t/alpha/apply/certificate"
GONE = "SP4471"
HIDDEN = re.compile(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">')


async def begun(visit: Visit, path: str = APPLY) -> str:
    """From the form to the door; where the identification is."""
    text = (await visit.get(path)).text
    form = text[text.rindex(f'action="{path}"') :]
    answer = await visit.client.post(path, data=dict(HIDDEN.findall(form[: form.index("</form>")])))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def ticket_of(visit: Visit, here: str) -> str:
    answer = await visit.get(f"{here}/reader")
    assert answer.status_code == 303, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)["ticket"][0]


async def claim(reader: Visit, ticket: str, town: str = "alpha") -> Response:
    return await reader.client.post(f"/t/{town}/api/v1/eid/claim", json={"ticket": ticket})


async def claimed(terminal: Visit, reader: Visit) -> tuple[str, dict[str, Any]]:
    here = await begun(terminal)
    answer = await claim(reader, await ticket_of(terminal, here))
    assert answer.status_code == 200, answer.text
    return here, answer.json()


def local(address: str) -> str:
    """A path of the first town for what its public address says."""
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}" == "https://town.example.org"
    return f"/t/alpha{parts.path}?{parts.query}"


async def fetched(house: House, address: str) -> dict[str, str]:
    """The TcToken, as an AusweisApp fetches it: without cookies."""
    async with house.browser() as app:
        answer = await app.get(local(address))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return {one.tag: one.text or "" for one in etree.fromstring(answer.content).iter()}


async def read(house: House, terminal: Visit, reader: Visit) -> str:
    """As far as the eID service is asked; where the identification is."""
    here, told = await claimed(terminal, reader)
    await fetched(house, told["tc_token_url"])
    return here


async def rows(house: House) -> list[Any]:
    async with house.deployment.database.tenant(house.alpha) as tx:
        query = sa.select(store.session).where(store.session.c.tenant_id == tx.tenant_id)
        return list((await tx.execute(query)).all())


# --- at a terminal ------------------------------------------------------------------------------------------------


async def test_the_whole_way_at_a_terminal(
    house: House, terminal: Visit, reader: Visit, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    here = await begun(terminal)
    page = await terminal.get(here)
    assert f'content="0; url={here}/reader"' in page.text
    terminal.client.cookies.set("sp_language", "en")
    answer = await terminal.get(f"{here}/reader")
    assert answer.headers["location"].startswith("http://localhost:8630/identify?ticket=")
    assert answer.headers["location"].endswith("&lang=en&view=plain")
    terminal.client.cookies.delete("sp_language")
    told = (await claim(reader, await ticket_of(terminal, here))).json()
    assert told["purpose"] == {"de": "Für Ihr Führungszeugnis.", "en": "For your certificate of conduct."}
    assert told["back"] == here.removeprefix("/t/alpha") + "/back"
    assert told["seconds"] == 600
    token = await fetched(house, told["tc_token_url"])
    assert token["ServerAddress"] == "https://service.invalid/paos"
    assert token["RefreshAddress"].startswith(f"https://town.example.org{told['back']}?proof=")
    assert (token["Binding"], len(bytes.fromhex(token["PSK"]))) == ("urn:liberty:paos:2006-08", 32)
    (held,) = house.bought.server.sessions.values()
    asked = {name for name, word in held.operations.items() if word == "REQUIRED"}
    assert asked == {"FamilyNames", "PlaceOfResidence"}
    waiting = await terminal.get(f"{here}/back")
    assert "Wir holen das Ergebnis" in waiting.text
    assert '<meta http-equiv="refresh" content="3;' in waiting.text
    house.bought.server.finish(house.bought.session, ERIKA)
    answer = await terminal.get(f"{here}/back")
    assert answer.headers["location"].startswith(f"{APPLY}/back?key=")
    assert (await terminal.get(f"{here}/back")).headers["location"] == answer.headers["location"]
    assert (await terminal.get(here)).headers["location"] == f"{here}/back"
    (row,) = await rows(house)
    assert b"MUSTERMANN" not in row.found + row.wish
    answer = await terminal.get(answer.headers["location"])
    assert answer.headers["location"] == f"{APPLY}/form"
    form = (await terminal.get(answer.headers["location"])).text
    assert "<dd>MUSTERMANN</dd>" in form
    assert await rows(house) == []
    assert [outcome for _, outcome in listener.told] == ["identified"]
    assert "MUSTERMANN" not in caplog.text
    await _nothing_is_kept(house, row.id)


async def _nothing_is_kept(house: House, session_id: UUID) -> None:
    async with house.deployment.database.tenant(house.alpha) as tx:
        keys = sa.select(data_key).where(data_key.c.tenant_id == tx.tenant_id)
        assert str(session_id) not in str((await tx.execute(keys)).all())
        noted = sa.select(audit_entry).where(
            audit_entry.c.tenant_id == tx.tenant_id, audit_entry.c.action.startswith("identification.")
        )
        entries = (await tx.execute(noted.order_by(audit_entry.c.seq))).all()
    assert [entry.action for entry in entries] == ["identification.begun", "identification.identified"]
    assert all(entry.actor.startswith("device:") for entry in entries)
    assert {entry.details for entry in entries} == {'{"door":"card","point":"north"}'}


async def test_nothing_of_somebody_is_on_the_heap_after_the_end(
    house: House, terminal: Visit, reader: Visit, capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = await somebody_was_here(house, terminal, reader)
    assert on_the_heap(wanted, 12) == []
    assert not any(digest(piece) == wanted for piece in pieces("".join(capfd.readouterr()), 12))


async def somebody_was_here(house: House, terminal: Visit, reader: Visit) -> str:
    """The digest of their name, which consists of digits."""
    name = "".join(secrets.choice("0123456789") for _ in range(12))
    here = await read(house, terminal, reader)
    house.bought.server.finish(house.bought.session, msgspec.structs.replace(ERIKA, family_names=name))
    answer = await terminal.get((await terminal.get(f"{here}/back")).headers["location"])
    assert name in (await terminal.get(answer.headers["location"])).text
    assert (await terminal.submit("/t/alpha/k", "/t/alpha/k/end")).status_code == 303
    return digest(name.encode())


async def test_a_ticket_serves_once_at_its_point_and_in_its_town(
    house: House, terminal: Visit, reader: Visit, clock: FixedClock
) -> None:
    here = await begun(terminal)
    ticket = await ticket_of(terminal, here)
    async with house.reader(house.alpha, "reader-south") as south, house.reader(house.beta) as abroad:
        assert (await claim(south, ticket)).json()["code"] == GONE
        assert (await claim(abroad, ticket, "beta")).json()["code"] == GONE
    assert (await claim(terminal, ticket)).status_code == 403
    assert (await claim(reader, ticket)).status_code == 200
    assert (await claim(reader, ticket)).json()["code"] == GONE
    assert (await terminal.get(f"{here}/reader")).status_code == 410
    later = await ticket_of(terminal, await begun(terminal))
    clock.instant += timedelta(minutes=1)
    assert (await claim(reader, later)).json()["code"] == GONE


async def test_it_is_the_terminals_that_has_begun_it(house: House, terminal: Visit, reader: Visit) -> None:
    here = await read(house, terminal, reader)
    house.bought.server.finish(house.bought.session, ERIKA)
    web = here.replace("/k/eid", "/eid")
    async with house.terminal(house.alpha) as beside, house.browser() as anybody, house.terminal(house.beta) as abroad:
        for path in (here, f"{here}/reader", f"{here}/back"):
            assert (await beside.get(path)).status_code == 410
            assert (await anybody.get(path)).status_code == 403
            assert (await abroad.get(path.replace("alpha", "beta"))).status_code == 410
        for path in (web, f"{web}/back"):
            assert (await anybody.get(path)).status_code == 410
        cancelled = await beside.submit("/t/alpha/k/help", f"{here}/cancel")
        assert cancelled.status_code == 410
    assert (await terminal.get(f"{here}/back")).status_code == 303


async def test_a_token_is_fetched_once_and_by_who_knows_it(house: House, terminal: Visit, reader: Visit) -> None:
    _, told = await claimed(terminal, reader)
    path = local(told["tc_token_url"])
    async with house.browser() as app:
        for wrong in (path.partition("?")[0], path[:-1] + ("0" if path[-1] != "0" else "1"), f"{path}0"):
            assert (await app.get(wrong)).status_code in (410, 422)
        assert (await app.get(path.replace("alpha", "beta"))).status_code == 410
        assert house.bought.asked == 0
        assert (await app.get(path)).status_code == 200
        assert (await app.get(path)).status_code == 410
        assert len(house.bought.server.sessions) == 1
        refused = [(await app.get(path)).status_code for _ in range(25)]
        assert (await app.get(path.replace("alpha", "beta"))).status_code == 410, "another town counts for itself"
    assert refused[0] == 410
    assert refused[-1] == 429


@pytest.mark.parametrize("outcome", ["cancelled", "refused"])
async def test_what_ended_at_the_reader_leads_back(
    outcome: str, house: House, terminal: Visit, reader: Visit, listener: Listener
) -> None:
    here, told = await claimed(terminal, reader)
    await fetched(house, told["tc_token_url"])
    said = {"key": told["key"], "outcome": outcome}
    async with house.reader(house.alpha, "reader-south") as south, house.reader(house.beta) as abroad:
        assert (await south.client.post("/t/alpha/api/v1/eid/ended", json=said)).status_code == 410
        assert (await abroad.client.post("/t/beta/api/v1/eid/ended", json=said)).status_code == 410
    asked = house.bought.asked
    assert (await reader.client.post("/t/alpha/api/v1/eid/ended", json=said)).status_code == 204
    answer = await terminal.get(f"{here}/back")
    assert answer.headers["location"].startswith(f"{APPLY}/back?key=")
    assert house.bought.asked == asked
    assert (await terminal.get(answer.headers["location"])).headers["location"] == f"{APPLY}?note=again"
    assert [end for _, end in listener.told] == [outcome]
    assert (await reader.client.post("/t/alpha/api/v1/eid/ended", json=said)).status_code == 410


async def test_who_goes_back_before_anything_was_read_has_cancelled(
    house: House, terminal: Visit, reader: Visit, listener: Listener
) -> None:
    here = await begun(terminal)
    assert (await terminal.get(f"{here}/back")).status_code == 303
    here, _ = await claimed(terminal, reader)
    assert (await terminal.get(f"{here}/back")).status_code == 303
    here = await read(house, terminal, reader)
    assert (await terminal.submit(f"{here}/back", f"{here}/cancel")).status_code == 303
    assert [end for _, end in listener.told] == ["cancelled"] * 3
    assert await rows(house) == []


async def test_what_the_ausweisapp_says_of_its_failure_is_believed(
    house: House, terminal: Visit, reader: Visit, listener: Listener
) -> None:
    base = "http://www.bsi.bund.de/ecard/api/1.1/"
    for minor, status in (("sal%23cancellationByUser", 303), ("dp%23trustedChannelEstablishmentFailed", 200)):
        here = await read(house, terminal, reader)
        said = f"ResultMajor={base}resultmajor%23error&ResultMinor={base}resultminor/{minor}"
        assert (await terminal.get(f"{here}/back?{said}")).status_code == status
    assert [end for _, end in listener.told] == ["cancelled", "refused"]
    here = await read(house, terminal, reader)
    said = f"ResultMajor={base}resultmajor%23ok"
    assert "Wir holen das Ergebnis" in (await terminal.get(f"{here}/back?{said}")).text


# --- what the service says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "words"),
    [
        ("/getResult#deniedDocument", "nimmt diesen Ausweis nicht an"),
        ("/getResult#invalidDocument", "nimmt diesen Ausweis nicht an"),
        ("/getResult#invalidSession", "Identifizieren hat nicht geklappt"),
        ("/getResult#invalidCounter", "Identifizieren hat nicht geklappt"),
        ("/common#internalError", "Identifizieren hat nicht geklappt"),
    ],
)
async def test_a_refused_card_is_said_plainly(
    minor: str, words: str, house: House, terminal: Visit, reader: Visit, listener: Listener
) -> None:
    here = await read(house, terminal, reader)
    house.bought.server.refuse(house.bought.session, minor)
    page = (await terminal.get(f"{here}/back")).text
    assert words in page
    back = re.search(r'href="(/t/alpha/k/apply/certificate/back\?key=[0-9a-f-]+)"', page)
    assert back
    assert (await terminal.get(back[1])).headers["location"] == f"{APPLY}?note=again"
    assert [end for _, end in listener.told] == ["refused"]
    assert await rows(house) == []


async def test_an_answer_of_somebody_else_is_not_believed(
    house: House, terminal: Visit, reader: Visit, listener: Listener
) -> None:
    here = await read(house, terminal, reader)
    house.bought.server.finish(house.bought.session, ERIKA)
    house.bought.is_forged = True
    page = (await terminal.get(f"{here}/back")).text
    assert "Identifizieren hat nicht geklappt" in page
    assert "MUSTERMANN" not in page
    assert [end for _, end in listener.told] == ["refused"]
    assert (await terminal.get(f"{here}/back")).status_code == 410


async def test_a_level_too_low_is_refused(house: House, terminal: Visit, reader: Visit, listener: Listener) -> None:
    house.bought.server._level = Level.SUBSTANTIAL
    here = await read(house, terminal, reader)
    house.bought.server.finish(house.bought.session, ERIKA)
    assert "weist nicht sicher genug nach" in (await terminal.get(f"{here}/back")).text
    assert [end for _, end in listener.told] == ["refused"]


async def test_a_service_that_is_down_is_asked_again(house: House, terminal: Visit, reader: Visit) -> None:
    here = await read(house, terminal, reader)
    house.bought.server.finish(house.bought.session, ERIKA)
    house.bought.is_down = True
    answer = await terminal.get(f"{here}/back")
    assert answer.status_code == 503
    assert "antwortet nicht" in answer.text
    assert f'href="{here}/back"' in answer.text
    assert (await terminal.get(f"{here}/back", headers={"hx-request": "true"})).status_code == 200
    house.bought.is_down = False
    assert (await terminal.get(f"{here}/back")).status_code == 303


async def test_a_service_that_opens_nothing_is_said_when_one_comes_back(
    house: House, terminal: Visit, reader: Visit, listener: Listener
) -> None:
    for change, words in (("down", "antwortet nicht"), ("denied", "Das darf die Stadt")):
        house.bought.is_down = change == "down"
        house.bought.server.denied = frozenset({"FamilyNames"} if change == "denied" else ())
        here, told = await claimed(terminal, reader)
        async with house.browser() as app:
            answer = await app.get(local(told["tc_token_url"]))
        assert answer.status_code == 503
        assert "SP4472" in answer.text
        page = (await terminal.get(f"{here}/back")).text
        assert words in page
    assert [end for _, end in listener.told] == ["refused", "refused"]


async def test_two_that_come_back_at_once_ask_once(house: House, terminal: Visit, reader: Visit) -> None:
    here = await read(house, terminal, reader)
    house.bought.server.finish(house.bought.session, ERIKA)
    asked, second = house.bought.asked, []

    async def meanwhile() -> None:
        house.bought.meanwhile = None
        second.append(await terminal.get(f"{here}/back"))

    house.bought.meanwhile = meanwhile
    first = await terminal.get(f"{here}/back")
    assert first.status_code == 303
    assert "Wir holen das Ergebnis" in second[0].text
    assert house.bought.asked == asked + 1


async def test_nobody_waits_for_ever(house: House, terminal: Visit, reader: Visit, listener: Listener) -> None:
    here = await read(house, terminal, reader)
    for _ in range(card.MOST_QUESTIONS):
        assert "Wir holen das Ergebnis" in (await terminal.get(f"{here}/back")).text
    assert "antwortet nicht" in (await terminal.get(f"{here}/back")).text
    assert [end for _, end in listener.told] == ["refused"]


async def test_no_transaction_is_open_while_the_service_is_asked(house: House, terminal: Visit, reader: Visit) -> None:
    here = await read(house, terminal, reader)
    (row,) = await rows(house)

    async def meanwhile() -> None:
        async with asyncio.timeout(2), house.deployment.database.tenant(house.alpha) as tx:
            assert await store.by_id(tx, row.id)

    house.bought.meanwhile = meanwhile
    assert (await terminal.get(f"{here}/back")).status_code == 200


# --- questions that are answered with yes or no -------------------------------------------------------------------


def wish(**values: Any) -> IdentityWish:
    return IdentityWish(key=uuid4(), purpose={"de": "Zweck", "en": "purpose"}, **values)


async def test_age_and_residence_arrive_as_yes_and_no(house: House, bought: Any) -> None:
    asked = wish(age=18, community="0661", return_path="/back")
    async with house.deployment.database.tenant(house.alpha) as tx:
        path = await CardDoor().begin(house.deployment, tx, asked)
    async with house.browser() as visit:
        page = (await visit.get(f"/t/alpha{path}")).text
        assert "mindestens 18 Jahre alt" in page
        assert 'href="eid://127.0.0.1:24727/eID-Client?tcTokenURL=https%3A%2F%2Ftown.example.org%2Feid%2F' in page
        token = await fetched(house, house.link_in(page))
        bought.server.finish(bought.session, ERIKA, Answers(old_enough=True, lives_there=False))
        answer = await visit.get(local(token["RefreshAddress"]))
        assert answer.headers["location"] == f"/t/alpha/back?key={asked.key}"
    async with house.deployment.database.tenant(house.alpha) as tx:
        found = await CardDoor().take(house.deployment, tx, asked.key)
    assert found is not None
    assert (found.attributes, found.old_enough, found.lives_there) == ({}, True, False)


def test_what_is_needed_has_to_be_there() -> None:
    allowed = dict.fromkeys(OPERATIONS, "ALLOWED")
    full = Result(attributes=ERIKA, allowed=allowed, level=Level.HIGH)
    assert card.lacks(full, wish(required=("family_names",))) is None
    assert card.lacks(full, wish(required=("doctoral_degree",))) == "incomplete"
    none_there = Result(attributes=ERIKA, allowed=allowed | {"AcademicTitle": "NOTONCHIP"}, level=Level.HIGH)
    assert card.lacks(none_there, wish(required=("doctoral_degree", "email"))) is None
    assert card.lacks(full, wish(age=18)) == "incomplete"
    assert card.lacks(full, wish(community="06")) == "incomplete"
    assert card.lacks(Result(attributes=ERIKA, allowed=allowed), wish()) == "level"


def test_only_what_was_wished_for_is_asked() -> None:
    asked = card.wanted(wish(required=("family_names", "email"), optional=("address", "sex"), level=2), "de")
    assert asked.operations == {"FamilyNames": "REQUIRED", "PlaceOfResidence": "ALLOWED"}
    assert (asked.level, asked.transaction) == (Level.SUBSTANTIAL, "Zweck")
    with pytest.raises(ValueError, match="community"):
        card.wanted(wish(community="Seeburg"), "de")


# --- on the web ---------------------------------------------------------------------------------------------------


async def test_the_whole_way_on_the_web(house: House, listener: Listener) -> None:
    async with house.browser() as visit, house.browser() as thief:
        here = await begun(visit, WEB)
        assert here.startswith("/t/alpha/eid/")
        page = (await visit.get(here)).text
        assert "Für Ihr Führungszeugnis." in page
        assert (await thief.get(here)).status_code == 410
        address = house.link_in((await visit.get(here)).text)
        async with house.browser() as app:
            assert (await app.get(local(house.link_in(page)))).status_code == 410, "a new link makes the old one void"
        token = await fetched(house, address)
        house.bought.server.finish(house.bought.session, ERIKA)
        assert "Die AusweisApp arbeitet" in (await visit.get(here)).text
        # Who has sent the link to somebody else lacks the proof; who was led here by it lacks the cookie.
        assert (await visit.get(f"{here}/back")).status_code == 410
        assert (await visit.get(f"{here}/back?proof={'0' * 64}")).status_code == 410
        assert (await thief.get(local(token["RefreshAddress"]))).status_code == 410
        answer = await visit.get(local(token["RefreshAddress"]))
        assert answer.headers["location"].startswith(f"{WEB}/back?key=")
        answer = await visit.get(answer.headers["location"])
        assert "<dd>MUSTERMANN</dd>" in (await visit.get(answer.headers["location"])).text
    assert [end for _, end in listener.told] == ["identified"]


async def test_one_may_choose_another_way_on_the_web(house: House, listener: Listener) -> None:
    async with house.browser() as visit, house.browser() as other:
        here = await begun(visit, WEB)
        assert (await visit.get(here)).status_code == 200
        assert (await other.submit(f"{WEB}", f"{here}/cancel")).status_code == 410
        assert (await visit.submit(here, f"{here}/cancel")).status_code == 303
    assert [end for _, end in listener.told] == ["cancelled"]


async def test_a_terminals_identification_is_none_of_the_web(house: House, terminal: Visit) -> None:
    here = await begun(terminal)
    async with house.browser() as visit:
        assert (await visit.get(here.replace("/k/eid", "/eid"))).status_code == 410
        web = await begun(visit, WEB)
    assert (await terminal.get(web.replace("/eid", "/k/eid"))).status_code == 410


# --- readers ------------------------------------------------------------------------------------------------------


async def test_a_reader_learns_what_its_pages_need(house: House, reader: Visit) -> None:
    answer = await reader.get("/t/alpha/api/v1/eid/config")
    said = answer.json()
    assert (said["reader"], said["point"], said["help_phone"]) == ("reader-north", "north", "0123 115")
    assert said["centre_url"].endswith("/t/alpha")
    again = await reader.get("/t/alpha/api/v1/eid/config", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await reader.get("/t/beta/api/v1/eid/config")).status_code == 404
    async with house.reader(house.alpha, "reader-gone") as gone:
        assert (await gone.get("/t/alpha/api/v1/eid/config")).status_code == 404
        assert (await claim(gone, "0" * 64)).status_code == 404


async def test_a_town_is_ready_when_readers_report_and_somebody_came_through(
    house: House, terminal: Visit, reader: Visit, clock: FixedClock
) -> None:
    async def broken() -> list[str]:
        async with house.deployment.database.tenant(house.alpha) as tx:
            return [f"{one.rule.code} {one}" for one in await CardReady(house.alpha).look(tx)]

    assert [one.partition(" ")[0] for one in await broken()] == ["SP4428", "SP4429"]
    here = await read(house, terminal, reader)
    house.bought.server.finish(house.bought.session, ERIKA)
    answer = await terminal.get(f"{here}/back")
    await terminal.get(answer.headers["location"])
    async with house.reader(house.alpha, "reader-south"):
        assert await broken() == []
    clock.instant += timedelta(minutes=3)
    assert len(await broken()) == 2


async def test_the_tile_leads_to_the_readers_own_pages(house: House, terminal: Visit) -> None:
    assert "Online-Ausweis" in (await terminal.get("/t/alpha/k")).text
    answer = await terminal.get("/t/alpha/k/eid")
    assert answer.headers["location"] == "http://localhost:8630/?lang=de&view=plain"


async def test_staff_see_the_readers_of_their_points(house: House, reader: Visit, clock: FixedClock) -> None:
    async with house.browser() as clerk, house.browser() as guide, house.browser() as editor:
        await clerk.sign_in("clerk")
        page = (await clerk.get("/t/alpha/staff/eid")).text
        assert 'href="http://localhost:8630/"' in page
        assert 'href="http://localhost:8631/"' in page
        assert page.count("noch nicht eingerichtet") == 1
        await guide.sign_in("guide")
        page = (await guide.get("/t/alpha/staff/eid")).text
        assert "reader-north" in page
        assert "reader-south" not in page
        clock.instant += timedelta(minutes=3)
        assert "seit mehr als zwei Minuten" in (await guide.get("/t/alpha/staff/eid")).text
        await editor.sign_in("editor")
        assert (await editor.get("/t/alpha/staff/eid")).status_code == 403
        assert "/staff/eid" not in (await editor.get("/t/alpha/staff")).text


@given(st.dictionaries(st.sampled_from(["ticket", "key", "outcome", "x"]), st.text() | st.integers() | st.none()))
def test_a_reader_that_says_anything_is_read_strictly(said: dict[str, Any]) -> None:
    for kind in (wire.Claim, wire.Ended):
        try:
            found = msgspec.json.decode(msgspec.json.encode(said), type=kind)
        except msgspec.ValidationError:
            continue
        assert set(said) == set(found.__struct_fields__)


FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
REFUSED = {400, 404, 410, 413, 422, 429}


@FUZZ
@given(
    body=st.binary(max_size=400) | st.recursive(st.none() | st.text(), st.lists).map(msgspec.json.encode),
    call=st.sampled_from(["claim", "ended"]),
)
async def test_whatever_a_reader_sends_is_refused(house: House, reader: Visit, body: bytes, call: str) -> None:
    answer = await reader.client.post(f"/t/alpha/api/v1/eid/{call}", content=body)
    assert answer.status_code in REFUSED


async def test_what_is_too_large_is_refused(house: House, reader: Visit) -> None:
    answer = await reader.client.post("/t/alpha/api/v1/eid/claim", json={"ticket": "0" * 10_000_000})
    assert answer.status_code == 413


@FUZZ
@given(
    query=st.dictionaries(
        st.sampled_from(["token", "proof", "ResultMajor", "ResultMinor", "x"]), st.text(max_size=300)
    ),
    page=st.sampled_from(["", "/token", "/back"]),
)
async def test_whatever_stands_in_an_address_is_refused(house: House, query: dict[str, str], page: str) -> None:
    async with house.deployment.database.tenant(house.alpha) as tx:
        here = "/t/alpha" + await CardDoor().begin(house.deployment, tx, wish())
    async with house.browser() as owner, house.browser() as stranger:
        await owner.get(here)
        answer = await stranger.get(f"{here}{page}", params=query)
        assert answer.status_code in REFUSED
        if page:
            assert (await owner.get(f"{here}{page}", params=query)).status_code in REFUSED
