"""The export as HSDS: what the standard demands is there, in its types, and all ids hold together."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from servicepunkt.core.catalogue.formats import hsds
from servicepunkt.core.catalogue.model import Catalogue

SCHEMA = Path(__file__).parents[6] / "shared" / "data" / "catalogue" / "hsds" / "service.json"
#: What each table may say, by the standard's own tables; with an asterisk what is demanded. u is a UUID, s a text,
#: n a number, w an address, everything else the name of another table.
TABLES: dict[str, str] = {
    "service": "id*u organization_id:u name*s alternate_name:s description:s url:w email:s status*s "
    "application_process:s "
    "fees_description:s eligibility_description:s alert:s service_areas:service_area languages:language "
    "service_at_locations:service_at_location organization:organization cost_options:cost_option "
    "required_documents:required_document attributes:attribute",
    "service_area": "id*u name:s description:s uri:w",
    "service_at_location": "id*u description:s schedules:schedule location:location",
    "location": "id*u location_type*s url:w name:s description:s transportation:s addresses:address phones:phone "
    "schedules:schedule",
    "address": "id*u address_1*s city*s state_province*s postal_code*s country*s address_type*s",
    "phone": "id*u number*s type:s",
    "schedule": "id*u freq:s interval:n byday:s opens_at:s closes_at:s description:s",
    "language": "id*u name:s code:s",
    "organization": "id*u name*s description*s email:s website:w uri:w phones:phone",
    "cost_option": "id*u option:s currency:s amount:n amount_description:s",
    "required_document": "id*u document:s",
    "attribute": "id*u link_entity:s taxonomy_term:taxonomy_term",
    "taxonomy_term": "id*u code:s name*s description*s taxonomy:s language:s term_uri:w",
}


def wrong(table: str, record: dict[str, Any]) -> list[str]:
    """Everything in which a record differs from what its table may say."""
    fields = {name: (mark == "*", kind) for name, mark, kind in re.findall(r"(\w+)([*:])(\w+)", TABLES[table])}
    found = [f"{table}.{name} is missing" for name, (needed, _) in fields.items() if needed and name not in record]
    for name, value in record.items():
        if name not in fields:
            found.append(f"{table}.{name} is unknown")
            continue
        kind = fields[name][1]
        if kind in TABLES:
            for one in value if isinstance(value, list) else [value]:
                found += wrong(kind, one)
        elif kind == "n":
            found += [f"{table}.{name}"] * (not isinstance(value, int | float))
        elif not isinstance(value, str):
            found.append(f"{table}.{name}")
        elif kind == "u":
            UUID(value)
        elif kind == "w":
            found += [f"{table}.{name}"] * (not re.match(r"(https?://|urn:)\S+\Z", value))
    return found


@pytest.fixture
def services(example: Catalogue, base: str) -> list[dict[str, Any]]:
    page = msgspec.json.decode(b"".join(hsds.write(example, base)))
    assert page["total_items"] == page["size"] == len(page["contents"])
    found: list[dict[str, Any]] = page["contents"]
    return found


def test_each_table_has_what_the_standard_demands(services: list[dict[str, Any]]) -> None:
    assert [problem for one in services for problem in wrong("service", one)] == []


def test_the_check_notices_what_is_missing(services: list[dict[str, Any]]) -> None:
    broken = services[0] | {"status": 1, "color": "red"}
    del broken["name"]
    assert wrong("service", broken) == ["service.name is missing", "service.status", "service.color is unknown"]


def test_against_the_schema_itself(services: list[dict[str, Any]]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    referencing = pytest.importorskip("referencing", reason="jsonschema is not installed")
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is not here")
    dialect = pytest.importorskip("referencing.jsonschema").DRAFT202012

    def anything(_: str) -> Any:  # the schemas of the other tables are not here
        return referencing.Resource.from_contents({}, default_specification=dialect)

    schema = msgspec.json.decode(SCHEMA.read_bytes())
    validator = jsonschema.Draft202012Validator(
        schema,
        registry=referencing.Registry(retrieve=anything),
        format_checker=jsonschema.FormatChecker(),
    )
    assert [error.message for one in services for error in validator.iter_errors(one)] == []


def test_says_what_the_catalogue_says(services: list[dict[str, Any]]) -> None:
    passport = services[0]
    assert (passport["name"], passport["alternate_name"]) == ("Reisepass", "Reisepass Ausstellung")
    assert passport["description"] == "Mit Foto <biometrisch>.\neins"
    assert [one["amount"] for one in passport["cost_options"]] == [70.0, 22.0, 0.0]
    assert passport["cost_options"][1]["amount_description"] == "22–32.50 EUR"
    assert [one["document"] for one in passport["required_documents"]] == [
        "Foto – wenn Sie keines machen lassen",
        "Urkunde",
    ]
    assert [one["code"] for one in passport["languages"]] == ["de", "tr"]
    here, bus, *online = passport["service_at_locations"]
    assert [(one["byday"], one["opens_at"], one["closes_at"]) for one in here["schedules"]] == [
        ("MO,TU,WE,TH,FR", "10:00", "16:00")
    ]
    assert here["location"]["addresses"][0]["state_province"] == "Hessen"
    assert [set(one) for one in bus["schedules"]] == [{"id", "description"}]
    assert [one["location"]["location_type"] for one in online] == ["virtual"] * 3


def test_ids_stay_the_same_and_are_not_used_twice(
    services: list[dict[str, Any]], example: Catalogue, base: str
) -> None:
    assert msgspec.json.decode(b"".join(hsds.write(example, base.rstrip("/"))))["contents"] == services
    for key in ("service_at_locations", "cost_options", "required_documents", "attributes", "languages"):
        ids = [one["id"] for service in services for one in service.get(key, [])]
        assert len(ids) == len(set(ids))


def test_nothing_for_staff_alone_and_only_what_is_valid(example: Catalogue, base: str) -> None:
    assert b"geheim" not in b"".join(hsds.write(example, base))
    assert b"/service/strom" not in b"".join(hsds.write(example, base, day=date(2026, 7, 1)))
