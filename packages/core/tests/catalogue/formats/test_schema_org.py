"""The export as schema.org: known names only, exact hours, nothing that staff alone may see."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from servicepunkt.core.catalogue.formats import schema_org
from servicepunkt.core.catalogue.model import Catalogue

#: Properties by type, as schema.org has them, with those of the types above.
SERVICE = "url name alternateName description disambiguatingDescription identifier additionalType category provider "
SERVICE += "areaServed audience availableChannel offers serviceOutput subjectOf"
PROPERTIES = {
    "Service": SERVICE,
    "GovernmentService": f"{SERVICE} serviceOperator jurisdiction",
    "ServiceChannel": "serviceLocation description availableLanguage processingTime servicePhone serviceUrl name",
    "Place": "name address description telephone openingHoursSpecification containedInPlace",
    "PostalAddress": "streetAddress postalCode addressLocality addressCountry",
    "OpeningHoursSpecification": "dayOfWeek opens closes",
    "Offer": "price priceCurrency description priceSpecification",
    "PriceSpecification": "minPrice maxPrice priceCurrency",
    "PropertyValue": "propertyID value",
    "AdministrativeArea": "name identifier",
    "Country": "name",
    "Audience": "identifier",
    "ContactPoint": "telephone",
    "GovernmentOrganization": "name url telephone email address",
    "Organization": "name url telephone email address",
    "Thing": "name",
    "WebPage": "url name",
}


@pytest.fixture
def document(example: Catalogue, base: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(b"".join(schema_org.write(example, base)))
    return found


def nodes(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [node for one in value for node in nodes(one)]
    if not isinstance(value, dict):
        return []
    return [value] + [node for one in value.values() for node in nodes(one)]


def by_id(document: dict[str, Any], end: str) -> dict[str, Any]:
    return next(node for node in document["@graph"] if node["@id"].endswith(end))


def test_only_names_that_schema_org_has(document: dict[str, Any]) -> None:
    assert document["@context"] == "https://schema.org"
    for node in nodes(document["@graph"]):
        if "@type" in node:
            unknown = {name for name in node if not name.startswith("@")} - set(PROPERTIES[node["@type"]].split())
            assert not unknown, node
        else:
            assert set(node) in ({"@id"}, {"@language", "@value"})


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    own = {node["@id"] for node in document["@graph"]}
    referred = {node["@id"] for node in nodes(document["@graph"]) if set(node) == {"@id"}}
    assert referred <= own


def test_says_what_the_catalogue_says(document: dict[str, Any]) -> None:
    passport = by_id(document, "/service/reisepass")
    assert passport["@type"] == "GovernmentService"
    assert passport["url"] == passport["@id"] == "https://stadt.example/punkt/service/reisepass"
    assert {one["@language"] for one in passport["name"]} == {"de", "en", "de-x-leicht"}
    assert passport["provider"] == [{"@id": "https://stadt.example/punkt/#partner-stadt"}]
    assert passport["serviceOperator"] == [{"@id": "https://stadt.example/punkt/#partner-werke"}]
    assert [one["name"] for one in passport["jurisdiction"]] == ["Musterstadt"]
    assert [one["name"] for one in passport["areaServed"]] == ["Musterstadt", "DE"]
    prices = [one.get("price") or one["priceSpecification"] for one in passport["offers"]]
    specification = {"@type": "PriceSpecification", "priceCurrency": "EUR", "minPrice": "22", "maxPrice": "32.50"}
    assert prices == ["70.00", specification, "0"]
    urls = [one["serviceUrl"] for one in passport["availableChannel"] if "serviceUrl" in one]
    assert "https://online.example/%7Bantrag%7D" in urls
    assert by_id(document, "/service/schuhe")["@type"] == "Service"


def test_hours_that_differ_from_those_of_the_point(document: dict[str, Any]) -> None:
    point = by_id(document, "#point-punkt")
    assert [one["dayOfWeek"] for one in point["openingHoursSpecification"]] == [
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
        ["PublicHolidays"],
    ]
    here, bus = (one["serviceLocation"] for one in by_id(document, "/service/reisepass")["availableChannel"][:2])
    assert here["containedInPlace"] == {"@id": point["@id"]}
    assert [(one["opens"], one["closes"]) for one in here["openingHoursSpecification"]] == [
        ("10:00", "16:00"),
        ("00:00", "00:00"),
    ]
    assert bus == {"@id": "https://stadt.example/punkt/#point-bus"}
    assert "openingHoursSpecification" not in by_id(document, "#point-bus")  # from January to March: no plain week


def test_nothing_for_staff_alone_and_nothing_that_ends_a_script(example: Catalogue, base: str) -> None:
    written = b"".join(schema_org.write(example, base))
    assert b"geheim" not in written
    assert b"<" not in written


def test_on_a_day_only_what_is_valid_then(example: Catalogue, base: str) -> None:
    assert b"/service/strom" not in b"".join(schema_org.write(example, base, day=date(2026, 7, 1)))


def test_an_empty_catalogue(base: str) -> None:
    assert msgspec.json.decode(b"".join(schema_org.write(Catalogue(), base)))["@graph"] == []
