"""The checklist to take along: its page, its paper and its receipt."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pypdf
import pytest

from servicepunkt.core.catalogue import service as catalogue_service
from servicepunkt.core.catalogue.checklist import conditions
from servicepunkt.core.catalogue.model import Catalogue, DocumentNeed, Duration, Fee, Module, Service
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.testing import FixedClock, make_tenant

if TYPE_CHECKING:
    from conftest import Town, Visit

NOW = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


def case_of(catalogue: Catalogue, service: str = "card", place: int = 0) -> int:
    found = catalogue.service(service)
    assert found
    return conditions(found)[place].number


async def publish(town: Town, catalogue: Catalogue, service: Service) -> None:
    """The town's catalogue with this service changed or added."""
    others = tuple(one for one in catalogue.services if one.id != service.id)
    changed = msgspec.structs.replace(catalogue, services=(*others, service))
    async with town.deployment.database.tenant(town.alpha) as tx:
        await catalogue_service.publish(tx, changed, at=NOW, actor="test")


def both_of(german: str, english: str) -> dict[str, str]:
    return {"de": german, "en": english}


def to_bring(text: str) -> list[str]:
    listed = re.search(r'<ul class="sp-needs">(.*?)</ul>', text, re.DOTALL)
    assert listed
    items = re.findall(r"<li>(.*?)</li>", listed[1], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in items]


@pytest.mark.parametrize("place", ["", "/k"])
async def test_without_an_answer_there_is_what_everybody_brings(terminal: Visit, place: str) -> None:
    answer = await terminal.get(f"/t/alpha{place}/service/card/checklist")
    assert answer.status_code == 200
    assert to_bring(answer.text) == ["Ein biometrisches Foto"]
    for words in (
        "Ihre Checkliste",
        "Trifft das auf Sie zu?",
        "nur unter 16 Jahren",
        "37,00 Euro",
        "Etwa drei Wochen",
        "Kai 1, 12345 Seeburg",
        "Montag bis Freitag 10 bis 18 Uhr, Samstag 10 bis 19.50 Uhr",
        "Kommen Sie ins Bürgerbüro, Markt 1.",
        "Stadt Seeburg",
        "Stand: Katalog Nr. 1 vom 21. November 2026.",
    ):
        assert words in answer.text, words


@pytest.mark.parametrize("place", ["", "/k"])
async def test_who_answers_gets_what_belongs_to_the_answer(
    terminal: Visit, place: str, make_catalogue: Callable[[], Catalogue]
) -> None:
    number = case_of(make_catalogue())
    text = (await terminal.get(f"/t/alpha{place}/service/card/checklist?case={number}")).text
    assert to_bring(text) == ["Ein biometrisches Foto", "Zustimmung der Eltern"]
    assert f'value="{number}" checked' in text
    assert f'name="next" value="{place}/service/card/checklist?case={number}"' in text, "another language keeps it"


SIGNS = "%C2%B2" * 4
RAW = ["case=0", "case=abcd", "case=-123", "case=99999", "case=", f"case={SIGNS}", "case=1&case=2"]


@pytest.mark.parametrize("raw", RAW)
async def test_numbers_that_are_none_are_ignored(terminal: Visit, raw: str) -> None:
    for path in ("/k/service/card/checklist", "/service/card/checklist", "/service/card/checklist.pdf"):
        answer = await terminal.get(f"/t/alpha{path}?{raw}")
        assert answer.status_code == 200, path
        if not path.endswith("pdf"):
            assert to_bring(answer.text) == ["Ein biometrisches Foto"]
            assert "checked" not in answer.text


async def test_more_numbers_than_any_service_has_are_refused(terminal: Visit) -> None:
    answer = await terminal.get("/t/alpha/service/card/checklist?" + "&".join(["case=1000"] * 200))
    assert answer.status_code == 422


@pytest.mark.parametrize("path", ["/checklist", "/checklist.pdf", "/checklist.wav?voice=de", "/speech.wav?voice=de"])
async def test_what_does_not_exist_or_is_for_staff_is_not_found(
    here: Town, terminal: Visit, path: str, make_catalogue: Callable[[], Catalogue]
) -> None:
    await publish(here, make_catalogue(), Service(id="inner", name={"de": "Nur intern"}, visibility="staff"))
    for service in ("none", "inner"):
        assert (await terminal.get(f"/t/alpha/service/{service}{path}")).status_code == 404
        assert (await terminal.get(f"/t/alpha/k/service/{service}{path}")).status_code == 404


async def test_a_terminal_shows_a_code_with_the_answers_and_the_web_a_page_to_print(
    terminal: Visit, make_catalogue: Callable[[], Catalogue]
) -> None:
    number = case_of(make_catalogue())
    at_terminal = (await terminal.get(f"/t/alpha/k/service/card/checklist?case={number}")).text
    assert 'src="data:image/svg+xml' in at_terminal
    assert "checklist.pdf" not in at_terminal
    assert "/receipt" not in at_terminal, "no printer is declared"
    on_web = (await terminal.get(f"/t/alpha/service/card/checklist?case={number}")).text
    assert f'href="/t/alpha/service/card/checklist.pdf?case={number}"' in on_web
    assert "data:image" not in on_web


async def test_the_service_page_leads_to_the_checklist(terminal: Visit) -> None:
    assert 'href="/t/alpha/k/service/card/checklist"' in (await terminal.get("/t/alpha/k/service/card")).text


@pytest.mark.parametrize("place", ["", "/k"])
async def test_where_nothing_is_written_about_papers_nobody_says_that_there_are_none(
    here: Town, terminal: Visit, place: str, make_catalogue: Callable[[], Catalogue]
) -> None:
    lost = Service(id="lost", name={"de": "Fundsachen"}, documents=(DocumentNeed(text={"de": "x"}, direction="out"),))
    await publish(here, make_catalogue(), lost)
    assert (
        f'href="/t/alpha{place}/service/ticket/checklist"'
        not in (await terminal.get(f"/t/alpha{place}/service/ticket")).text
    )
    text = (await terminal.get(f"/t/alpha{place}/service/ticket/checklist")).text
    assert "Wir wissen von nichts" not in text
    assert "Uns liegt keine Liste vor. Bitte fragen Sie vorher nach: Stadtwerke." in text
    text = (await terminal.get(f"/t/alpha{place}/service/lost/checklist")).text
    assert "Uns liegt keine Liste vor. Bitte fragen Sie vorher nach: unter der Behördennummer 115." in text


async def test_the_paper_does_not_say_either_what_nobody_knows(visit: Visit) -> None:
    answer = await visit.get("/t/alpha/service/ticket/checklist.pdf")
    said = " ".join(pypdf.PdfReader(io.BytesIO(answer.content)).pages[0].extract_text().split())
    assert "Uns liegt keine Liste vor. Bitte fragen Sie vorher nach: Stadtwerke." in said


@pytest.mark.parametrize("path", ["", "/checklist"])
async def test_a_terminal_asks_for_what_is_needed_there_and_the_web_says_where_it_is_needed(
    here: Town, terminal: Visit, path: str, make_catalogue: Callable[[], Catalogue]
) -> None:
    card = make_catalogue().service("card")
    assert card
    documents = (
        DocumentNeed(text={"de": "Alter Ausweis"}),
        DocumentNeed(text={"de": "Foto als Datei"}, channel="200"),
        DocumentNeed(text={"de": "Foto auf Papier"}, channel="point"),
        DocumentNeed(text={"de": "Der neue Ausweis"}, direction="out"),
    )
    await publish(here, make_catalogue(), msgspec.structs.replace(card, documents=documents))
    assert to_bring((await terminal.get(f"/t/alpha/k/service/card{path}")).text) == [
        "Alter Ausweis",
        "Foto auf Papier am Servicepunkt",
    ]
    assert to_bring((await terminal.get(f"/t/alpha/service/card{path}")).text) == [
        "Alter Ausweis",
        "Foto als Datei online",
        "Foto auf Papier am Servicepunkt",
    ]


async def test_originals_and_what_is_optional_and_long_texts_are_marked(
    here: Town, visit: Visit, make_catalogue: Callable[[], Catalogue]
) -> None:
    card = make_catalogue().service("card")
    assert card
    changed = msgspec.structs.replace(
        card,
        documents=(
            DocumentNeed(text={"de": "Alter Ausweis"}, mandatory=False),
            DocumentNeed(text={"de": "Geburtsurkunde"}, original=True),
            DocumentNeed(text={"de": "Der neue Ausweis"}, direction="out"),
        ),
        modules=(Module(code="08", text={"de": "<p>Auch:</p><ul><li>Brille ab</li></ul>"}),),
        fee={"de": "<p>Es kostet</p><ul><li>37 Euro</li></ul>"},
    )
    await publish(here, make_catalogue(), changed)
    text = (await visit.get("/t/alpha/service/card/checklist")).text
    assert to_bring(text) == ["Geburtsurkunde Original", "Alter Ausweis falls vorhanden"]
    assert "<ul><li>Brille ab</li></ul>" in text
    assert "Was Sie bekommen" in text
    assert "Der neue Ausweis" in text


async def test_what_holds_only_later_says_from_when_on_its_own_pages(
    here: Town, terminal: Visit, make_catalogue: Callable[[], Catalogue]
) -> None:
    new = Service(id="new", name={"de": "Zukunftsausweis"}, themes=("papers",), valid_from=date(2030, 1, 1))
    await publish(here, make_catalogue(), new)
    for place in ("", "/k"):
        for path in ("/service/new", "/service/new/checklist"):
            assert "Das gilt ab 1. Januar 2030." in (await terminal.get(f"/t/alpha{place}{path}")).text
        assert "Zukunftsausweis" not in (await terminal.get(f"/t/alpha{place}/theme/papers")).text
        found = (await terminal.get(f"/t/alpha{place}/search", params={"q": "Zukunftsausweis"})).text
        assert "/service/new" not in found
    paper = pypdf.PdfReader(io.BytesIO((await terminal.get("/t/alpha/service/new/checklist.pdf")).content))
    assert "Das gilt ab 1. Januar 2030." in paper.pages[0].extract_text()


FEES = (
    Fee(amount=Decimal("70.00"), channel="point"),
    Fee(amount=Decimal("65.50"), channel="200"),
    Fee(amount=Decimal(32), text=both_of("Express", "Express")),
)
DURATIONS = (Duration(kind="processing", least=1, most=2, unit="TAG", text=both_of("im Express", "as express")),)


@pytest.mark.parametrize("path", ["/service/card", "/k/service/card", "/service/card/checklist", "/staff/answers/card"])
async def test_figures_stand_below_the_words(
    here: Town, terminal: Visit, path: str, make_catalogue: Callable[[], Catalogue]
) -> None:
    card = make_catalogue().service("card")
    assert card
    await publish(here, make_catalogue(), msgspec.structs.replace(card, fees=FEES, durations=DURATIONS))
    await terminal.sign_in("agent")
    text = (await terminal.get(f"/t/alpha{path}")).text.replace("\xa0", " ")
    said = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    assert "37,00 Euro 70,00 € am Servicepunkt 65,50 € online Express : 32,00 €" in said.replace(
        "Express:", "Express :"
    )
    assert "Etwa drei Wochen im Express: 1–2 Tage" in said


async def test_figures_alone_have_a_card_and_a_section(
    here: Town, visit: Visit, make_catalogue: Callable[[], Catalogue]
) -> None:
    lost = Service(id="lost", name=both_of("Fundsachen", "Lost things"), fees=FEES, durations=DURATIONS)
    await publish(here, make_catalogue(), lost)
    text = (await visit.get("/t/alpha/service/lost", headers={"cookie": "sp_language=en"})).text
    assert "What it costs" in text
    assert "€65.50" in text
    paper = pypdf.PdfReader(io.BytesIO((await visit.get("/t/alpha/service/lost/checklist.pdf")).content))
    said = " ".join(paper.pages[0].extract_text().replace("\xa0", " ").split())
    assert "65,50 € online" in said
    assert "im Express: 1–2 Tage" in said


async def test_a_service_that_is_over_says_so(visit: Visit) -> None:
    text = (await visit.get("/t/alpha/service/bonus/checklist")).text
    assert "Der Bonus endete am 30. Juni 2026." in text
    assert "Wo und wann" not in text


async def test_the_next_days_that_are_different_stand_with_the_hours(visit: Visit, clock: FixedClock) -> None:
    clock.instant = datetime(2026, 12, 20, 11, 0, tzinfo=UTC)
    text = (await visit.get("/t/alpha/service/market/checklist")).text
    assert "Freitag, 25. Dezember: geschlossen (Kaufhaus am Hafen geschlossen: Feiertag Erster Weihnachtstag)" in text


async def test_english_is_complete(visit: Visit) -> None:
    text = (await visit.get("/t/alpha/service/card/checklist", headers={"cookie": "sp_language=en"})).text
    for words in (
        "Your checklist",
        "Does this apply to you?",
        "Consent of the parents",
        "no. 1 of November 21, 2026",
    ):
        assert words in text


# --- the receipt --------------------------------------------------------------------------------------------------


async def test_a_receipt_is_offered_only_where_the_terminals_have_a_printer(terminal: Visit) -> None:
    assert (await terminal.get("/t/alpha/k/service/card/checklist/receipt")).status_code == 404


async def test_a_receipt_is_the_same_list_on_a_strip(
    here: Town, urls: Urls, make_catalogue: Callable[[], Catalogue]
) -> None:
    ctx = await make_tenant(here.deployment, urls.owner, "gamma", settings={"terminal": {"receipt": True}})
    async with here.deployment.database.tenant(ctx) as tx:
        await catalogue_service.publish(tx, make_catalogue(), at=NOW, actor="test")
    number = case_of(make_catalogue())
    async with here.client() as terminal:
        await terminal.become_terminal(ctx)
        page = (await terminal.get(f"/t/gamma/k/service/card/checklist?case={number}")).text
        assert f'href="/t/gamma/k/service/card/checklist/receipt?case={number}"' in page
        on_web = (await terminal.get("/t/gamma/service/card/checklist")).text
        assert "/receipt" not in on_web
        answer = await terminal.get(f"/t/gamma/k/service/card/checklist/receipt?case={number}")
    assert answer.status_code == 200
    for words in (
        "Zustimmung der Eltern",
        "Für Sie gilt: nur unter 16 Jahren",
        "37,00 Euro",
        'src="data:image/svg+xml',
    ):
        assert words in answer.text, words
