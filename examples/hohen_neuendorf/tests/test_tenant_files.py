"""The files of the small-town example: complete, consistent, and right about who decides."""

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
TENANT = PACKAGE / "src" / "servicepunkt_example_hohen_neuendorf" / "tenant"
LEIKA = PACKAGE.parents[1] / ".." / "shared" / "data" / "catalogue" / "leika_nrw_ozg" / "leika_2019_nrw.csv"

PARTS = ("hosts", "points", "partners", "themes", "services", "offers", "areas", "responsibilities")
ICONS = {"bolt", "tram", "home", "id", "calendar", "compass", "leaf"}
TODAY = date(2026, 11, 21)
CORPUS_CHRISTI = date(2026, 6, 4)
ZONE = ZoneInfo("Europe/Berlin")
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


@pytest.fixture(scope="module")
def calendar(tenant: dict[str, Any]) -> Calendar:
    return Calendar(zone=tenant["tenant"]["zone"], subdivision=tenant["tenant"]["subdivision"])


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


def test_the_package_says_that_it_is_a_tenant_pack() -> None:
    project = read(PACKAGE / "pyproject.toml")["project"]
    packs = project["entry-points"]["servicepunkt.tenant_packs"]
    assert packs == {"hohen-neuendorf": "servicepunkt_example_hohen_neuendorf"}


def test_the_tenant_is_in_brandenburg(tenant: dict[str, Any]) -> None:
    assert tenant["schema"] == 1
    assert set(tenant) == {"schema", "tenant", "notices", "line115", "hosts", "points", "partners", "themes", "dokbox"}
    assert tenant["tenant"]["ags"] == "12065144"
    assert tenant["tenant"]["subdivision"] == "BB"
    assert tenant["tenant"]["state"] == "rehearsal"


def test_the_catalogue_has_no_mistakes(catalogue: Catalogue) -> None:
    assert mistakes(catalogue) == []


@pytest.mark.parametrize("path", sorted(TENANT.rglob("*.toml")), ids=lambda path: path.stem)
def test_every_text_is_there_in_german_and_english(path: Path) -> None:
    found = list(texts(read(path)))
    assert found
    for place, text in found:
        assert set(text) == {"de", "en"}, place
        assert all(words == words.strip() != "" for words in text.values()), place


def test_every_service_can_be_found_and_understood(catalogue: Catalogue) -> None:
    assert len(catalogue.services) >= 10
    for service in catalogue.services:
        assert service.summary, service.id
        assert service.description, service.id
        assert service.keywords, service.id


def test_every_theme_has_services_and_an_icon(catalogue: Catalogue) -> None:
    for theme in catalogue.themes:
        assert len(catalogue.services_of(theme.id)) >= 2, theme.id
        assert theme.icon in ICONS, theme.id


def test_every_service_is_offered_now(catalogue: Catalogue) -> None:
    for service in catalogue.services:
        current = [offer for offer in catalogue.offers_of(service.id) if is_current(catalogue, service, offer, TODAY)]
        assert current, service.id


def test_every_offer_has_a_way_without_the_internet(catalogue: Catalogue) -> None:
    assert [offer.service for offer in catalogue.offers if not offer.non_digital] == []


def test_what_is_invented_says_so(catalogue: Catalogue) -> None:
    host, point = catalogue.host("beispielbank"), catalogue.point("s-bahnhof")
    assert host
    assert point
    assert "erfunden" in host.name
    assert point.name == {
        "de": "Servicepunkt am S-Bahnhof (Beispiel)",
        "en": "Service point at the S-Bahn station (example)",
    }
    assert point.address.street.startswith("Beispiel")


@pytest.mark.parametrize("name", ["kfz-zulassung", "fuehrerschein"])
def test_the_district_decides_on_vehicles_and_licences(catalogue: Catalogue, name: str) -> None:
    service = catalogue.service(name)
    assert service
    assert service.competence == "landkreis-oberhavel"
    for offer in catalogue.offers_of(name):
        if "apply" in offer.can:
            assert offer.accepted_for == "landkreis-oberhavel"


def test_the_town_hall_takes_licences_in_but_no_vehicles(catalogue: Catalogue) -> None:
    (licence,) = catalogue.offers_of("fuehrerschein", "rathaus")
    (vehicle,) = catalogue.offers_of("kfz-zulassung", "rathaus")
    assert "apply" in licence.can
    assert set(vehicle.can) == {"inform"}


def test_birkenwerder_is_served_too(catalogue: Catalogue) -> None:
    for name in ("reisepass", "personalausweis", "wohnsitz-anmelden", "meldebescheinigung"):
        service = catalogue.service(name)
        assert service
        assert all("Birkenwerder" in service.description[language] for language in ("de", "en")), name


def test_the_box_is_small_and_takes_passports_for_a_week(tenant: dict[str, Any]) -> None:
    (box,) = tenant["dokbox"]["boxes"]
    assert (box["compartments"], box["rows"], box["point"]) == (24, 8, "s-bahnhof")
    assert sorted(box["rows_by_reach"]) == list(range(1, 9))
    (document,) = tenant["dokbox"]["documents"]
    assert (document["type"], document["hold_days"]) == ("reisepass", 7)
    assert document["steps"] == ["pickup_number", "code", "in_person", "old_document", "open", "removal", "close"]
    assert document["channel"] == "email"


def test_what_needs_nobody_is_open_when_nobody_is_there(catalogue: Catalogue, calendar: Calendar) -> None:
    (collect,) = catalogue.offers_of("reisepass-abholung")
    (help_here,) = catalogue.offers_of("digital-begleitung")
    for when, helped in ((at(TODAY, 19, 40), False), (at(date(2026, 11, 24), 15), True)):
        assert state(offer_hours(catalogue, collect), calendar, when).open
        assert state(offer_hours(catalogue, help_here), calendar, when).open is helped
    assert not state(offer_hours(catalogue, collect), calendar, at(TODAY, 23)).open


def test_corpus_christi_is_a_working_day_here(catalogue: Catalogue, calendar: Calendar) -> None:
    point = catalogue.point("rathaus")
    assert point
    thursday = state(point_hours(catalogue, point), calendar, at(CORPUS_CHRISTI, 10))
    assert thursday.open
    assert thursday.holiday is None
    assert not state(point_hours(catalogue, point), Calendar(subdivision="HE"), at(CORPUS_CHRISTI, 10)).open


def test_reformation_day_closes_the_town_hall_but_not_the_lobby(catalogue: Catalogue, calendar: Calendar) -> None:
    town_hall, lobby = catalogue.point("rathaus"), catalogue.point("s-bahnhof")
    assert town_hall
    assert lobby
    monday = at(date(2022, 10, 31), 10)
    assert not state(point_hours(catalogue, town_hall), calendar, monday).open
    assert state(point_hours(catalogue, lobby), calendar, monday).open


def test_115_is_closed_while_the_lobby_is_still_open(catalogue: Catalogue, calendar: Calendar) -> None:
    (offer,) = catalogue.offers_of("behoerdennummer-115")
    assert state(offer_hours(catalogue, offer), calendar, at(date(2026, 11, 20), 17, 59)).open
    assert not state(offer_hours(catalogue, offer), calendar, at(date(2026, 11, 20), 18, 30)).open
    assert not {"book", "apply"} & set(offer.can)


def test_an_amount_is_printed_only_where_it_has_a_source(catalogue: Catalogue) -> None:
    euros = re.compile(r"\d\s*(€|Euro|EUR|euros)")
    printed = {service.id for service in catalogue.services if any(map(euros.search, service.fee.values()))}
    assert printed == AMOUNTS


def test_leika_keys_have_the_right_form(catalogue: Catalogue) -> None:
    keys = [key for service in catalogue.services for key in service.leika]
    assert len(keys) >= 8
    assert [key for key in keys if not LEIKA_KEY.match(key)] == []


@pytest.mark.skipif(not LEIKA.is_file(), reason="the LeiKa list of 2019 is not beside this repository")
def test_leika_keys_exist(catalogue: Catalogue) -> None:
    with LEIKA.open(encoding="utf-8", newline="") as file:
        known = {row["leistungsschluessel"] for row in csv.DictReader(file)}
    assert len(known) > 4000
    assert {key for service in catalogue.services for key in service.leika} - known == set()


@pytest.mark.parametrize(
    ("place", "service", "decides", "accepts"),
    [
        ("Birkenwerder", "reisepass", "stadt-hohen-neuendorf", []),
        ("16547", "personalausweis", "stadt-hohen-neuendorf", []),
        ("12065036", "wohnsitz-anmelden", "stadt-hohen-neuendorf", []),
        ("birkenwerder", "kfz-zulassung", "landkreis-oberhavel", []),
        ("120650036036", "fuehrerschein", "landkreis-oberhavel", []),
        ("Birkenwerder", "fuehrungszeugnis", "bundesamt-fuer-justiz", ["stadt-hohen-neuendorf"]),
        ("Hohen Neuendorf", "fuehrerschein", "landkreis-oberhavel", ["stadt-hohen-neuendorf"]),
        ("16540", "kfz-zulassung", "landkreis-oberhavel", []),
        ("16562", "reisepass", "stadt-hohen-neuendorf", []),
    ],
)
def test_who_decides_depends_on_where_somebody_lives(
    catalogue: Catalogue, place: str, service: str, decides: str, accepts: list[str]
) -> None:
    found = answer(catalogue, service, place, day=TODAY)
    assert found.competence is not None
    assert [one.authority for one in found.competence.decides] == [decides]
    assert [one.authority for one in found.competence.accepts] == accepts
