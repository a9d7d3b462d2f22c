"""The files of the Kassel tenant: complete, consistent, and honest about what can be done at the point."""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from servicepunkt.core.catalogue.checks import mistakes
from servicepunkt.core.catalogue.competence import answer
from servicepunkt.core.catalogue.model import LEIKA_KEY, Catalogue, is_current, offer_hours, point_hours
from servicepunkt.core.hours.model import Calendar, state

PACKAGE = Path(__file__).resolve().parents[1]
TENANT = PACKAGE / "src" / "servicepunkt_reference_kassel" / "tenant"
LEIKA = PACKAGE.parent / ".." / "shared" / "data" / "catalogue" / "leika_nrw_ozg" / "leika_2019_nrw.csv"

PARTS = ("hosts", "points", "partners", "themes", "services", "offers", "areas", "responsibilities")
ICONS = {"bolt", "tram", "home", "id", "calendar", "compass", "leaf"}
STEPS = ["phone", "code", "pin_letter", "old_document", "open", "removal", "close"]
TODAY = date(2026, 11, 21)
ZONE = ZoneInfo("Europe/Berlin")
# What the published reports on the service point name.
NAMED = {
    "aufenthaltstitel",
    "behoerdennummer-115",
    "beglaubigung",
    "digital-begleitung",
    "digitales-rathaus",
    "documenta-15-ticket",
    "e-mobilitaet-beratung",
    "event-lounge",
    "fischereischein",
    "fuehrerschein",
    "fuehrerschein-abholung",
    "fuehrungszeugnis",
    "geburtsurkunde",
    "ideen-fuer-kassel",
    "kfz-neuzulassung",
    "namensaenderung",
    "personalausweis",
    "personalausweis-abholung",
    "praesentationsflaeche",
    "reisepass",
    "reisepass-abholung",
    "rundgang-360",
    "stadtfuehrung",
    "stadtplan",
    "strassenbahnticket",
    "stromvertrag",
    "themenwochen-2022",
    "wohnungsangebote",
}
# The only fees with an amount, each from a published source (README.md). All others are named at the counter.
AMOUNTS = {"reisepass", "personalausweis", "fuehrungszeugnis"}


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def tenant() -> dict[str, Any]:
    return read(TENANT / "tenant.toml")


@pytest.fixture(scope="module")
def catalogue(tenant: dict[str, Any]) -> Catalogue:
    """Every file below catalogue/ adds to the same lists; a key that no struct knows is refused."""
    merged: dict[str, list[Any]] = {part: list(tenant.get(part, [])) for part in PARTS}
    for path in sorted((TENANT / "catalogue").glob("*.toml")):
        content = read(path)
        assert set(content) <= {"services", "offers", "partners", "areas", "responsibilities"}, path.name
        for part, entries in content.items():
            merged[part] += entries
    return msgspec.convert(merged, type=Catalogue, strict=True)


def texts(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    """Every table of languages in a TOML document, with the way to it."""
    if isinstance(node, dict):
        if {"de", "en"} & set(node):
            yield place, node
        else:
            for key, child in node.items():
                yield from texts(child, f"{place}.{key}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from texts(child, f"{place}[{number}]")


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)


def calendar(tenant: dict[str, Any]) -> Calendar:
    return Calendar(zone=tenant["tenant"]["zone"], subdivision=tenant["tenant"]["subdivision"])


def test_the_package_says_that_it_is_a_tenant_pack() -> None:
    project = read(PACKAGE / "pyproject.toml")["project"]
    assert project["entry-points"]["servicepunkt.tenant_packs"] == {"kassel": "servicepunkt_reference_kassel"}


def test_the_tenant_is_kassel_in_hesse(tenant: dict[str, Any]) -> None:
    assert tenant["schema"] == 1
    lists = {"hosts", "points", "partners", "themes"}
    assert set(tenant) == {"schema", "tenant", "notices", "line115", "house", "dokbox", "eid", "applications"} | lists
    assert tenant["tenant"]["ags"] == "06611000"
    assert tenant["tenant"]["subdivision"] == "HE"
    assert tenant["tenant"]["state"] == "rehearsal"


def test_the_catalogue_has_no_mistakes(catalogue: Catalogue) -> None:
    assert mistakes(catalogue) == []


@pytest.mark.parametrize(
    "path", [TENANT / "tenant.toml", *sorted((TENANT / "catalogue").glob("*.toml"))], ids=lambda path: path.stem
)
def test_every_text_is_there_in_german_and_english(path: Path) -> None:
    found = list(texts(read(path)))
    assert found
    for place, text in found:
        assert set(text) == {"de", "en"}, place
        assert all(words == words.strip() != "" for words in text.values()), place


def test_every_service_can_be_found_and_understood(catalogue: Catalogue) -> None:
    for service in catalogue.services:
        assert service.themes, service.id
        assert service.summary, service.id
        assert service.description, service.id
        assert service.keywords, service.id
    names = [service.name[language] for service in catalogue.services for language in ("de", "en")]
    assert len(names) == len(set(names))


def test_everything_that_the_reports_name_is_in_the_catalogue(catalogue: Catalogue) -> None:
    assert NAMED - {service.id for service in catalogue.services} == set()


def test_every_theme_has_services_and_an_icon(catalogue: Catalogue) -> None:
    for theme in catalogue.themes:
        assert len(catalogue.services_of(theme.id)) >= 2, theme.id
        assert theme.icon in ICONS, theme.id
        assert theme.intro, theme.id
    assert len({theme.order for theme in catalogue.themes}) == len(catalogue.themes)
    housing = {
        offer.provider for service in catalogue.services_of("wohnen") for offer in catalogue.offers_of(service.id)
    }
    assert {"gwg", "staedtische-werke", "kasselwasser", "stadtreiniger", "stadt-kassel"} <= housing
    assert len(catalogue.services_of("wohnen")) >= 10


def test_a_service_is_offered_now_or_has_ended(catalogue: Catalogue) -> None:
    for service in catalogue.services:
        current = [offer for offer in catalogue.offers_of(service.id) if is_current(catalogue, service, offer, TODAY)]
        assert bool(current) != bool(service.ended), service.id


def test_every_offer_has_a_way_without_the_internet(catalogue: Catalogue) -> None:
    assert [offer.service for offer in catalogue.offers if not offer.non_digital] == []


def test_who_accepts_for_another_says_so(catalogue: Catalogue) -> None:
    for offer in catalogue.offers:
        service = catalogue.service(offer.service)
        assert service
        if "apply" in offer.can and service.competence != offer.provider:
            assert offer.accepted_for == service.competence, offer.service


@pytest.mark.parametrize("service", ["personalausweis", "reisepass", "fuehrerschein", "aufenthaltstitel"])
def test_documents_are_not_applied_for_at_the_point(catalogue: Catalogue, service: str) -> None:
    """It was once reported that ID cards could be applied for there, and the city had to correct it."""
    offers = catalogue.offers_of(service, "ksp")
    assert offers
    for offer in offers:
        assert not {"apply", "start"} & set(offer.can)
        assert offer.hint


def test_what_is_collected_has_a_box_and_a_policy(catalogue: Catalogue, tenant: dict[str, Any]) -> None:
    boxes = {box["point"] for box in tenant["dokbox"]["boxes"]}
    types = {document["type"] for document in tenant["dokbox"]["documents"]}
    collected = [offer for offer in catalogue.offers if "collect" in offer.can]
    assert {offer.point for offer in collected} <= boxes
    assert {offer.service.removesuffix("-abholung") for offer in collected} == types
    assert not any(offer.staffed for offer in collected)


def test_the_box_and_its_documents(tenant: dict[str, Any]) -> None:
    (box,) = tenant["dokbox"]["boxes"]
    assert box["compartments"] == 48
    assert box["compartments"] % box["rows"] == 0
    assert sorted(box["rows_by_reach"]) == list(range(1, box["rows"] + 1))
    steps = {document["type"]: document["steps"] for document in tenant["dokbox"]["documents"]}
    for ordered in steps.values():
        assert ordered == [step for step in STEPS if step in ordered]
    assert steps["reisepass"] == ["phone", "code", "old_document", "open", "removal", "close"]
    assert "pin_letter" in steps["personalausweis"]
    assert {document["hold_days"] for document in tenant["dokbox"]["documents"]} == {14}


def test_nothing_is_said_to_take_in_old_documents_but_staff(catalogue: Catalogue, tenant: dict[str, Any]) -> None:
    for document in tenant["dokbox"]["documents"]:
        assert "Personal" in document["old_document"]["de"]
        assert "staff" in document["old_document"]["en"]
        service = catalogue.service(f"{document['type']}-abholung")
        assert service
        assert "beim Personal am Service Point" in service.description["de"]
        assert "staff at the service point" in service.description["en"]
        assert not re.search("entwertet|einlegen| ein\\. Dann öffnet|cancels|insert", str(service.description))


def test_open_on_saturday_evening_and_closed_at_night(catalogue: Catalogue, tenant: dict[str, Any]) -> None:
    point = catalogue.point("ksp")
    assert point
    (collect,) = catalogue.offers_of("reisepass-abholung")
    for hours in (point_hours(catalogue, point), offer_hours(catalogue, collect)):
        assert state(hours, calendar(tenant), at(TODAY, 19, 40)).open
        assert not state(hours, calendar(tenant), at(TODAY, 21)).open


def test_closed_on_corpus_christi(catalogue: Catalogue, tenant: dict[str, Any]) -> None:
    point = catalogue.point("ksp")
    assert point
    thursday = at(date(2026, 6, 4), 12)
    closed = state(point_hours(catalogue, point), calendar(tenant), thursday)
    assert not closed.open
    assert closed.holiday == "Fronleichnam"
    assert state(point_hours(catalogue, point), Calendar(subdivision="BB"), thursday).open


def test_115_is_closed_while_the_store_is_still_open(catalogue: Catalogue, tenant: dict[str, Any]) -> None:
    (offer,) = catalogue.offers_of("behoerdennummer-115")
    assert state(offer_hours(catalogue, offer), calendar(tenant), at(TODAY, 12, 59)).open
    assert not state(offer_hours(catalogue, offer), calendar(tenant), at(TODAY, 19, 40)).open


def test_the_tram_company_has_left_and_its_tickets_with_it(catalogue: Catalogue) -> None:
    kvg = catalogue.partner("kvg")
    assert kvg
    assert kvg.valid_from == date(2021, 10, 1)
    assert kvg.valid_until == date(2024, 3, 31)
    ticket = catalogue.service("strassenbahnticket")
    assert ticket

    def can(day: date) -> set[str]:
        offers = [offer for offer in catalogue.offers_of(ticket.id) if is_current(catalogue, ticket, offer, day)]
        return {capability for offer in offers for capability in offer.can}

    assert can(date(2022, 7, 1)) == {"inform", "sell"}
    assert can(TODAY) == {"inform"}


def test_the_documenta_ticket_can_never_be_sold(catalogue: Catalogue) -> None:
    ticket = catalogue.service("documenta-15-ticket")
    assert ticket
    assert ticket.valid_until == date(2022, 9, 25)
    assert ticket.ended
    assert catalogue.offers_of(ticket.id) == []


def test_an_amount_is_printed_only_where_it_has_a_source(catalogue: Catalogue) -> None:
    euros = re.compile(r"\d\s*(€|Euro|EUR|euros)")
    printed = {service.id for service in catalogue.services if any(map(euros.search, service.fee.values()))}
    assert printed == AMOUNTS


def test_leika_keys_have_the_right_form(catalogue: Catalogue) -> None:
    keys = [key for service in catalogue.services for key in service.leika]
    assert len(keys) >= 20
    assert [key for key in keys if not LEIKA_KEY.match(key)] == []


@pytest.mark.skipif(not LEIKA.is_file(), reason="the LeiKa list of 2019 is not beside this repository")
def test_leika_keys_exist(catalogue: Catalogue) -> None:
    with LEIKA.open(encoding="utf-8", newline="") as file:
        known = {row["leistungsschluessel"] for row in csv.DictReader(file)}
    assert len(known) > 4000
    assert {key for service in catalogue.services for key in service.leika} - known == set()


def test_the_story_can_be_played() -> None:
    from datetime import UTC, datetime

    from servicepunkt.core.hours.model import Calendar
    from servicepunkt.tenants.demo.story_file import read_story

    story = read_story(TENANT)
    assert story is not None
    assert (story.compartment, story.theme, story.document_kind) == (7, "wohnen", "reisepass")
    christmas = story.moments(datetime(2026, 12, 20, tzinfo=UTC), Calendar("Europe/Berlin", "HE"))
    assert christmas.open.strftime("%a %d.%m. %H:%M") == "Sat 02.01. 19:40"
    assert christmas.loading < christmas.open < christmas.closed


@pytest.mark.parametrize(
    ("place", "service", "decides"),
    [
        ("Herborn", "reisepass", "stadt-herborn"),
        ("35745", "personalausweis", "stadt-herborn"),
        ("06532012", "wohnsitz-anmelden", "stadt-herborn"),
        ("herborn", "kfz-neuzulassung", "lahn-dill-kreis"),
        ("065320012012", "fuehrerschein", "lahn-dill-kreis"),
        ("Herborn", "fuehrungszeugnis", "bundesamt-fuer-justiz"),
        ("Baunatal", "reisepass", "stadt-baunatal"),
        ("34225", "kfz-ummelden", "landkreis-kassel"),
        ("Niestetal", "meldebescheinigung", "gemeinde-niestetal"),
        ("34266", "fuehrerschein", "landkreis-kassel"),
        ("34117", "kfz-neuzulassung", "stadt-kassel"),
        ("Kassel", "reisepass", "stadt-kassel"),
    ],
)
def test_who_decides_depends_on_where_somebody_lives(
    catalogue: Catalogue, place: str, service: str, decides: str
) -> None:
    found = answer(catalogue, service, place, day=TODAY)
    assert found.competence is not None
    assert [one.authority for one in found.competence.decides] == [decides]
    assert found.competence.is_certain


@pytest.mark.parametrize(("place", "service"), [("Herborn", "wohngeld"), ("Baunatal", "sperrmuell")])
def test_nobody_is_guessed(catalogue: Catalogue, place: str, service: str) -> None:
    found = answer(catalogue, service, place, day=TODAY)
    assert found.competence is not None
    assert not found.competence.is_known
    assert answer(catalogue, service, "Atlantis", day=TODAY).places == ()
