"""The editors' pages: who may, what they show, and that nothing typed is ever taken for more than a text."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest

from servicepunkt.core.catalogue import links
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.editing import publishing
from servicepunkt.core.catalogue.formats import table
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.search import misses
from servicepunkt.core.catalogue.sources.importing import Wanted, import_files
from servicepunkt.core.testing import FixedClock, make_tenant
from servicepunkt.web.editors import missing

if TYPE_CHECKING:
    from conftest import Town, Visit

CATALOGUE = "/t/alpha/staff/catalogue"
READ = (
    "",
    "/services/card",
    "/revisions",
    "/revisions/compare?before=1&after=1",
    "/sources",
    "/translations",
    "/links",
)
WRITE = ("/services/card/edit?field=summary", "/changes", "/questions", "/publish", "/revisions/1/restore")
XSS = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


# --- who may --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*READ, *WRITE])
async def test_editors_read_and_write(desk: Any, path: str) -> None:
    answer = await desk.anna.get(CATALOGUE + path)
    assert answer.status_code == 200, answer.text


async def test_who_reads_sees_and_changes_nothing(desk: Any) -> None:
    async with desk.town.client() as agent:
        await agent.sign_in("agent")
        for path in READ:
            answer = await agent.get(CATALOGUE + path)
            assert answer.status_code == 200
            assert "/edit?" not in answer.text
            assert "/restore" not in answer.text
        for path in WRITE:
            assert (await agent.get(CATALOGUE + path)).status_code == 403
        for path in ("/services/card/edit", "/publish", "/revisions/1/restore", f"/changes/{UUID(int=1)}"):
            answer = await agent.submit(CATALOGUE, CATALOGUE + path, field="summary", do="draft")
            assert answer.status_code == 403
    assert await desk.edits() == []


@pytest.mark.parametrize("login", ["clerk", "guide", "boss"])
async def test_others_have_no_business_there(desk: Any, login: str) -> None:
    async with desk.town.client() as visit:
        await visit.sign_in(login)
        for path in (*READ, *WRITE):
            assert (await visit.get(CATALOGUE + path)).status_code == 403
        assert "/staff/catalogue" not in (await visit.get("/t/alpha/staff")).text


async def test_who_is_not_signed_in_is_sent_to_the_sign_in(desk: Any, visit: Visit) -> None:
    for path in (*READ, *WRITE):
        assert (await visit.get(CATALOGUE + path)).status_code == 303


@pytest.mark.parametrize("path", ["/services/card/edit", "/publish", "/revisions/1/restore", f"/changes/{UUID(int=1)}"])
async def test_a_form_without_its_token_is_refused(desk: Any, path: str) -> None:
    answer = await desk.anna.client.post(CATALOGUE + path, data={"field": "summary", "text-de": "Neu", "do": "draft"})
    assert answer.status_code == 403
    assert await desk.edits() == []


# --- the way of a text ----------------------------------------------------------------------------------------


async def test_a_text_goes_from_a_draft_to_the_citizens(desk: Any, visit: Visit) -> None:
    answer = await desk.type(desk.anna, "summary", **{"text-de": "Der neue Ausweis für Deutsche ab 16 Jahren."})
    assert answer.headers["location"].endswith("/staff/catalogue/services/card")
    page = (await desk.anna.get(f"{CATALOGUE}/services/card")).text
    assert "Entwurf" in page
    assert "Anna Adler" in page
    assert "aus: eigene Dateien" in page
    answer = await desk.type(desk.anna, "summary", "publish")
    assert answer.headers["location"].endswith("/staff/catalogue/publish")
    page = (await desk.anna.get(f"{CATALOGUE}/publish")).text
    assert re.search(r"<ins>.{0,80}</span>neue </ins>", page) or re.search(r"<ins>.{0,80}</span>\s?neue", page)
    assert "Der neue Ausweis" not in (await visit.get("/t/alpha/service/card")).text
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen
    answer = await desk.anna.submit(f"{CATALOGUE}/publish", f"{CATALOGUE}/publish", seen=seen[1])
    assert answer.headers["location"].endswith("/staff/catalogue/revisions")
    assert "bearbeitet von Anna Adler" in (await desk.anna.get(f"{CATALOGUE}/services/card")).text
    assert (await desk.do(catalogues.newest)).service("card").summary["de"].startswith("Der neue")


async def test_nothing_else_is_published_than_was_looked_at(
    desk: Any, make_catalogue: Callable[..., Catalogue]
) -> None:
    await desk.type(desk.anna, "summary", "publish", **{"text-de": "Neu"})
    page = (await desk.anna.get(f"{CATALOGUE}/publish")).text
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen
    await desk.type(desk.ben, "summary", "publish", service="moving", **{"text-de": "Auch neu"})
    answer = await desk.anna.submit(f"{CATALOGUE}/publish", f"{CATALOGUE}/publish", seen=seen[1])
    assert answer.status_code == 409
    assert "Auch neu" in answer.text
    assert (await desk.do(catalogues.newest)).service("card").summary["de"] != "Neu"


async def test_a_day_in_the_future_is_kept_and_a_day_that_is_over_is_refused(desk: Any, clock: FixedClock) -> None:
    answer = await desk.type(desk.anna, "summary", "publish", **{"text-de": "Neu", "publish_on": "2026-11-20"})
    assert answer.status_code == 422
    assert "Dieser Tag ist vorbei." in answer.text
    assert ">\nNeu</textarea>" in answer.text, "what was typed is kept"
    answer = await desk.type(desk.anna, "summary", "publish", **{"text-de": "Neu", "publish_on": "2026-12-01"})
    assert answer.headers["location"].endswith("/services/card")
    (edit,) = await desk.edits("approved")
    assert edit.publish_on.isoformat() == "2026-12-01"
    assert "01.12.2026" in (await desk.anna.get(f"{CATALOGUE}/publish")).text


async def test_an_empty_day_is_no_day(desk: Any) -> None:
    await desk.type(desk.anna, "summary", "publish", **{"text-de": "Neu", "publish_on": "2026-12-01"})
    answer = await desk.type(desk.anna, "summary", "publish", publish_on="")
    assert answer.headers["location"].endswith("/publish")
    (edit,) = await desk.edits("approved")
    assert edit.publish_on is None
    await desk.step(desk.anna, edit, "take_back")
    await desk.step(desk.anna, edit, "propose", publish_on="2026-12-01")
    await desk.step(desk.anna, edit, "approve", publish_on="")
    assert [one.publish_on for one in await desk.edits("approved")] == [None]


async def test_all_mistakes_of_a_form_are_named_at_once(desk: Any) -> None:
    answer = await desk.type(
        desk.anna, "name", **{"text-de": "<ul><li>x</li></ul>", "text-en": "a\x07b", "publish_on": "never"}
    )
    assert answer.status_code == 422
    assert "Geben Sie einen Tag ein." in answer.text
    answer = await desk.type(desk.anna, "name", **{"text-de": "<ul><li>x</li></ul>", "text-en": "a\x07b"})
    assert 'href="#text-de">Ein Name ist einfacher Text ohne HTML.' in answer.text
    assert 'href="#text-en">Dieser Text enthält ein Zeichen' in answer.text
    assert await desk.edits() == []


async def test_html_is_cleaned(desk: Any) -> None:
    await desk.type(
        desk.anna, "description", **{"text-de": f'<p onclick="x()">Gut <b>so</b> {XSS}</p><ul><li>x</li></ul>'}
    )
    (edit,) = await desk.edits("draft")
    assert edit.said.startswith("<p>Gut <strong>so</strong>")
    assert "script" not in edit.said
    assert "onerror" not in edit.said


async def test_what_was_typed_is_shown_as_text_everywhere(desk: Any) -> None:
    plain = f"Text {XSS}"
    await desk.type(desk.anna, "summary", "publish", **{"text-de": plain})
    await desk.do(publishing.publish, actor="account:test")
    await desk.type(desk.anna, "name", "publish", **{"text-de": f"Ausweis {XSS}", "text-en": XSS[8:]})
    await desk.do(publishing.publish, actor="account:test")
    await desk.type(desk.anna, "keywords", value=XSS[8:])
    (edit,) = await desk.edits("draft")
    for path in (
        *("", f"?q={XSS}", "/services/card", "/services/card/edit?field=summary", "/changes", "/changes?show=live"),
        *(f"/changes/{edit.id}", "/publish", "/revisions/compare?before=1&after=3", "/translations", "/questions"),
        *("/services/card/edit?field=name", "/services/card/edit?field=keywords"),
    ):
        answer = await desk.anna.get(CATALOGUE + path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
        assert "<img src=x" not in answer.text, path
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=\"|javascript:", answer.text), path
    answer = await desk.type(desk.anna, "name", **{"text-de": f"<ul><li>{XSS}</li></ul>"})
    assert "<script>alert" not in answer.text


async def test_who_comes_second_sees_what_the_first_one_wrote(desk: Any) -> None:
    page = f"{CATALOGUE}/services/card/edit"
    text = (await desk.ben.get(f"{page}?field=summary")).text
    marks = dict(re.findall(r'name="(mark-[^"]+)" value="([^"]*)"', text))
    await desk.type(desk.anna, "summary", **{"text-de": "Von Anna"})
    sent = {**marks, "field": "summary", "do": "draft", "text-de": "Von Ben", "text-en": "By Ben"}
    answer = await desk.ben.submit(f"{page}?field=summary", page, **sent)
    assert answer.status_code == 422
    assert "inzwischen geändert" in answer.text
    assert ">\nVon Ben</textarea>" in answer.text
    (edit,) = await desk.edits("draft")
    assert edit.said == "Von Anna"


async def test_rows_are_written_and_the_parts_that_are_not_shown_stay(desk: Any) -> None:
    await desk.type(
        desk.anna,
        "links",
        service="contract",
        **{"row-1-kind": "form", "row-1-url": "https://example.org/form", "row-1-name-de": "Formular"},
    )
    (edit,) = await desk.edits("draft")
    first, second = edit.said
    assert (first["url"], first["kind"]) == ("https://example.org/strom", "online")
    assert second == {"kind": "form", "url": "https://example.org/form", "name": {"de": "Formular"}}
    answer = await desk.type(
        desk.anna, "links", service="contract", **{"row-0-url": "", "row-1-url": "ftp://x", "row-1-kind": "x"}
    )
    assert answer.status_code == 422
    assert 'href="#row-1-kind">Das steht nicht zur Wahl.' in answer.text
    answer = await desk.type(
        desk.anna, "links", service="contract", **{"row-0-url": "", "row-0-kind": "page", "row-1-url": "ftp://x"}
    )
    assert 'href="#row-1-url">Eine Adresse beginnt mit' in answer.text


async def test_a_form_that_is_sent_as_it_was_changes_nothing(desk: Any) -> None:
    for field in ("name", "summary", "description", "documents", "links", "keywords", "visibility", "modules/11/point"):
        typed = {"value": "public"} if field == "visibility" else {}
        answer = await desk.type(desk.anna, field, **typed)
        assert answer.status_code == 303, (field, answer.text)
    assert await desk.edits() == []


async def test_a_field_that_nobody_writes_does_not_exist(desk: Any) -> None:
    for field in ("", "id", "leika", "offers", "modules/99/000", "modules/05/000", "../x"):
        assert (await desk.anna.get(f"{CATALOGUE}/services/card/edit?field={field}")).status_code == 404, field
    assert (await desk.anna.get(f"{CATALOGUE}/services/none")).status_code == 404
    assert (await desk.anna.get(f"{CATALOGUE}/services/card/edit?code=11&channel=point")).status_code == 200


async def test_what_does_not_belong_into_a_form_is_refused(desk: Any) -> None:
    answer = await desk.type(desk.anna, "summary", **{"text-fr": "x", "state": "live"})
    assert answer.status_code == 422
    assert await desk.edits() == []


# --- four eyes ------------------------------------------------------------------------------------------------


@pytest.fixture
async def strict(desk: Any, urls: Any) -> Any:
    """The first town wants four eyes from now on."""
    settings = {"catalogue": {"four_eyes": True}}
    ctx = desk.town.alpha
    desk.town.alpha = await make_tenant(
        desk.town.deployment, urls.owner, "alpha", name=ctx.name, hosts=["alpha.example.org"], settings=settings
    )
    return desk


async def test_a_proposal_is_approved_by_somebody_else(strict: Any) -> None:
    page = (await strict.anna.get(f"{CATALOGUE}/services/card/edit?field=summary")).text
    assert 'value="propose"' in page
    assert 'value="publish"' not in page
    await strict.type(strict.anna, "summary", "propose", **{"text-de": "Neu"})
    (edit,) = await strict.edits("proposed")
    address = f"{CATALOGUE}/changes/{edit.id}"
    assert 'value="approve"' not in (await strict.anna.get(address)).text
    assert (await strict.step(strict.anna, edit, "approve")).status_code == 409
    assert "Was Sie geschrieben haben, muss jemand anderes freigeben." in (await strict.anna.get(address)).text
    assert "Neu" in (await strict.ben.get(f"{CATALOGUE}/changes?show=waiting")).text
    answer = await strict.step(strict.ben, edit, "reject", remark="")
    assert answer.status_code == 422
    assert 'href="#remark">Sagen Sie, warum' in answer.text
    await strict.step(strict.ben, edit, "reject", remark=f"Zu kurz {XSS}")
    text = (await strict.anna.get(f"{CATALOGUE}/changes")).text
    assert "Zu kurz" in text
    assert "<script>alert" not in text
    await strict.type(strict.anna, "summary", "propose", **{"text-de": "Etwas länger"})
    answer = await strict.step(strict.ben, edit, "approve", remark="Gut")
    assert answer.headers["location"].endswith("/publish")


async def test_nobody_approves_on_a_page_that_is_old(strict: Any) -> None:
    await strict.type(strict.anna, "summary", "propose", **{"text-de": "Harmlos"})
    (edit,) = await strict.edits("proposed")
    address = f"{CATALOGUE}/changes/{edit.id}"
    seen = re.search(r'name="seen" value="([^"]+)"', (await strict.ben.get(address)).text)
    await strict.type(strict.anna, "summary", "propose", **{"text-de": "Etwas ganz anderes"})
    assert seen
    answer = await strict.ben.submit(address, address, do="approve", seen=seen[1], remark="Gut so")
    assert answer.status_code == 409
    for said in ("Jemand anderes hat das inzwischen geändert.", "noch einmal", "Etwas ganz anderes", "Gut so"):
        assert said in answer.text, said
    assert [one.state for one in await strict.edits()] == ["proposed"]
    answer = await strict.ben.submit(address, address, do="approve")
    assert answer.status_code == 422, "a form without the mark says nothing of what was seen"
    assert (await strict.step(strict.ben, edit, "approve")).status_code == 303


async def test_without_asking_nobody_publishes_alone(strict: Any) -> None:
    answer = await strict.type(strict.anna, "summary", "publish", **{"text-de": "Neu"})
    assert answer.status_code >= 400
    assert await strict.edits("approved", "live") == []


# --- questions ------------------------------------------------------------------------------------------------


def with_summary(catalogue: Catalogue, text: str) -> Catalogue:
    services = tuple(
        msgspec.structs.replace(one, summary={"de": text}) if one.id == "card" else one for one in catalogue.services
    )
    return msgspec.structs.replace(catalogue, services=services)


async def test_what_a_source_changes_below_is_asked(desk: Any, make_catalogue: Callable[..., Catalogue]) -> None:
    await desk.live("summary", **{"text-de": "Unser Text"})
    await desk.arrives(with_summary(make_catalogue(), "Ganz anders"))
    page = (await desk.anna.get(f"{CATALOGUE}/questions")).text
    for said in ("Unser Text</p>", "Der Ausweis für Deutsche ab 16 Jahren.</p>", "</span>Ganz anders</ins>"):
        assert said in page, said
    assert "Texte, deren Quelle sich geändert hat" in (await desk.anna.get("/t/alpha/staff")).text
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    (edit,) = await desk.edits("live")
    address = f"{CATALOGUE}/questions/{edit.id}"
    assert seen
    answer = await desk.anna.submit(f"{CATALOGUE}/questions", address, do="keep", seen="something else")
    assert answer.status_code == 409
    assert (await desk.anna.submit(f"{CATALOGUE}/questions", address, do="keep", seen=seen[1])).status_code == 303
    assert "Keine Quelle hat geändert" in (await desk.anna.get(f"{CATALOGUE}/questions")).text


async def test_a_text_is_given_back_to_its_source(desk: Any) -> None:
    await desk.live("summary", **{"text-de": "Unser Text"})
    (edit,) = await desk.edits("live")
    answer = await desk.step(desk.anna, edit, "withdraw")
    assert answer.headers["location"].endswith("/publish")
    await desk.do(publishing.publish, actor="account:test")
    assert (await desk.do(catalogues.newest)).service("card").summary["de"] == "Der Ausweis für Deutsche ab 16 Jahren."


async def test_whose_draft_is_in_the_way_is_said(desk: Any, make_catalogue: Callable[..., Catalogue]) -> None:
    await desk.live("summary", **{"text-de": "Unser Text"})
    (edit,) = await desk.edits("live")
    address = f"{CATALOGUE}/changes/{edit.id}"
    seen = re.search(r'name="seen" value="([^"]+)"', (await desk.anna.get(address)).text)
    await desk.type(desk.ben, "summary", **{"text-de": "Von Ben, mit viel Mühe"})
    assert seen
    answer = await desk.anna.submit(address, address, do="withdraw", seen=seen[1])
    assert answer.status_code == 409
    page = (await desk.anna.get(address)).text
    assert "Ben Bach arbeitet hier an einem neuen Text." in page
    assert 'value="withdraw"' not in page
    await desk.arrives(with_summary(make_catalogue(), "Ganz anders"))
    page = (await desk.anna.get(f"{CATALOGUE}/questions")).text
    assert "Ben Bach arbeitet hier an einem neuen Text." in page
    assert "Den der Quelle nehmen" not in page
    assert [one.said for one in await desk.edits("draft")] == ["Von Ben, mit viel Mühe"]


# --- to look up -----------------------------------------------------------------------------------------------


async def test_an_earlier_revision_comes_back_with_one_button(desk: Any) -> None:
    await desk.live("summary", **{"text-de": "Unser Text"})
    page = f"{CATALOGUE}/revisions/1/restore"
    assert "</span>Unser Text</del>" in (await desk.anna.get(page)).text
    assert (await desk.anna.submit(page, page)).status_code == 303
    assert (await desk.do(catalogues.newest)).service("card").summary["de"].startswith("Der Ausweis")
    assert "Eine frühere Revision wurde zurückgeholt" in (await desk.anna.get("/t/alpha/staff")).text
    assert "Es gilt, was Revision 1 sagte" in (await desk.anna.get(f"{CATALOGUE}/publish")).text
    text = (await desk.anna.get(f"{CATALOGUE}/revisions")).text
    assert "sagt, was Revision 1 sagte" in text
    assert "Anna Adler" in text
    assert (await desk.anna.get(f"{CATALOGUE}/revisions/99/restore")).status_code == 404
    assert (await desk.anna.get(f"{CATALOGUE}/revisions/compare?before=1&after=99")).status_code == 404


async def test_search_finds_what_citizens_find_and_what_only_staff_see(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogues, "FRESH_SECONDS", 0.0)
    await desk.type(desk.anna, "visibility", "publish", value="staff")
    await desk.do(publishing.publish, actor="account:test")
    assert "Monatskarte" in (await desk.anna.get(f"{CATALOGUE}?q=monats")).text
    assert "Nur Beschäftigte" in (await desk.anna.get(f"{CATALOGUE}?q=personal")).text
    assert "Für xyzzy wurde nichts gefunden." in (await desk.anna.get(f"{CATALOGUE}?q=xyzzy")).text


async def test_missing_translations_are_listed_by_language(desk: Any) -> None:
    text = (await desk.anna.get(f"{CATALOGUE}/translations?into=en")).text
    assert "Monatskarte" in text
    assert "edit?field=name" in text


async def test_dead_links_say_where_they_stand(desk: Any, clock: FixedClock) -> None:
    url = "https://example.org/strom"
    for _ in range(2):
        await desk.do(links.note, {url: "404"}, await desk.do(links.known))
        clock.forward(minutes=10)
    text = (await desk.anna.get(f"{CATALOGUE}/links")).text
    assert url in text
    assert "Stromvertrag" in text
    assert "404" in text


async def test_sources_say_what_is_in_force(desk: Any) -> None:
    text = (await desk.anna.get(f"{CATALOGUE}/sources")).text
    assert "eigene Dateien" in text
    assert "/sources/runs/" not in text, "of the tenant's own files there is no report"
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(b"id;name_de\nbus;Bus\n")
        file.flush()
        wanted = Wanted(source="table", format=table.FORMAT, files={"services": Path(file.name)})
        await import_files(desk.town.deployment.database, desk.town.alpha, wanted, actor="command-line")
    text = (await desk.anna.get(f"{CATALOGUE}/sources")).text
    run = re.search(r"/sources/runs/(\d+)", text)
    assert run
    assert (await desk.anna.get(f"{CATALOGUE}/sources/runs/{run[1]}")).status_code == 200
    assert (await desk.anna.get(f"{CATALOGUE}/sources/runs/99")).status_code == 404


async def test_another_town_knows_nothing_of_it(desk: Any, here: Town) -> None:
    await desk.type(desk.anna, "summary", **{"text-de": "Neu"})
    (edit,) = await desk.edits("draft")
    for path in (f"/changes/{edit.id}", "/services/card"):
        answer = await desk.anna.get(f"/t/beta/staff/catalogue{path}")
        assert answer.status_code in (303, 403, 404)


async def test_before_the_files_are_taken_over_nothing_can_be_published(here: Town, password: str) -> None:
    """A town whose catalogue was published by an earlier version of the software."""
    from servicepunkt.core.people import service as people

    async with here.deployment.database.tenant(here.alpha) as tx:
        await people.create_account(
            tx, at=tx.now(), actor="test", login="anna", name="Anna", password=password, roles=("editor",)
        )
    async with here.client() as anna:
        await anna.sign_in("anna")
        text = (await anna.get(f"{CATALOGUE}/publish")).text
        assert "noch nicht übernommen" in text
        answer = await anna.submit(f"{CATALOGUE}/publish", f"{CATALOGUE}/publish", seen="x")
        assert answer.status_code == 422


async def test_a_title_is_plain_words_in_every_language(desk: Any) -> None:
    await desk.type(desk.anna, "summary", service="ticket", **{"text-de": "Neu"})
    (edit,) = await desk.edits("draft")
    desk.anna.client.cookies.set("sp_language", "en")
    for path in ("/services/ticket", "/services/ticket/edit?field=summary", f"/changes/{edit.id}"):
        title = re.search(r"<title>(.*?)</title>", (await desk.anna.get(CATALOGUE + path)).text, re.DOTALL)
        assert title
        assert "Monatskarte" in title[1]
        assert "<" not in title[1], path
        assert "&lt;" not in title[1], path


async def test_what_was_not_found_becomes_a_hidden_word_of_a_service(desk: Any, clock: FixedClock) -> None:
    await desk.do(misses.write, "ausweis xqzwkj", 7, day=clock.now().date())
    page = (await desk.anna.get(f"{CATALOGUE}/misses")).text
    assert len(re.findall(r'<li><a href="[^"]+" aria-current="page">', page)) == 1, "one entry of the areas is lit"
    (link,) = re.findall(r'href="(/t/alpha/staff/catalogue\?add=[^"]+)"', page)
    page = (await desk.anna.get(unescape(link))).text
    found = re.findall(r'href="(/t/alpha/staff/catalogue/services/[^"]+)"', page)
    assert found[0].startswith("/t/alpha/staff/catalogue/services/card/edit?field=keywords")
    assert "ausweis xqzwkj" in page
    page = (await desk.anna.get(unescape(found[0]))).text
    assert 'href="/t/alpha/staff/catalogue" aria-current="page">Katalog' in page
    typed = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert typed
    assert typed[1].split("\n")[-1] == "ausweis xqzwkj"
    await desk.type(desk.anna, "keywords", value=typed[1])
    (edit,) = await desk.edits("draft")
    assert edit.said[-1] == "ausweis xqzwkj"


async def test_own_files_have_a_name_and_no_report(desk: Any) -> None:
    page = (await desk.anna.get(f"{CATALOGUE}/sources")).text
    assert "Format: Mandantendatei" in page
    assert "/sources/runs/" not in page


async def test_of_a_text_that_is_not_shown_nobody_says_that_it_holds(
    desk: Any, make_catalogue: Callable[..., Catalogue]
) -> None:
    await desk.live("summary", **{"text-de": "Unser Text"})
    made = make_catalogue()
    left = tuple(one for one in made.services if one.id != "card")
    offers = tuple(one for one in made.offers if one.service != "card")
    await desk.arrives(msgspec.structs.replace(made, services=left, offers=offers))
    page = (await desk.anna.get(f"{CATALOGUE}/questions")).text
    assert "Ihr Text wird nirgends angezeigt" in page
    assert "Ihr Text gilt weiter" not in page


async def test_long_lists_of_translations_come_in_pages(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "PAGE", 1)
    monkeypatch.setattr(catalogues, "FRESH_SECONDS", 0.0)
    await desk.live("name", service="moving", **{"text-en": ""})
    page = (await desk.anna.get(f"{CATALOGUE}/translations?into=en")).text
    assert page.count("sp-rows__what") == 1
    assert 'rel="next"' in page
