"""BundID: attributes by their identifiers, the lower of two levels, and the extension of a request."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid import bundid
from servicepunkt.eid.errors import EidError, MalformedError
from servicepunkt.eid.model import Level, PartialDate, Place

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ERIKA = {
    "urn:oid:2.5.4.42": ["Erika"],
    "urn:oid:2.5.4.4": ["Mustermann"],
    "urn:oid:1.2.40.0.10.2.1.1.55": ["1964-08-12"],
    "urn:oid:1.3.6.1.5.5.7.9.2": ["Berlin"],
    "urn:oid:2.5.4.16": ["Heidestraße 17"],
    "urn:oid:2.5.4.17": ["51147"],
    "urn:oid:2.5.4.7": ["Köln"],
    "urn:oid:0.9.2342.19200300.100.1.3": ["erika@example.org"],
    bundid.PSEUDONYM: ["bPK2-of-a-test"],
    bundid.TRUST: ["STORK-QAA-Level-4"],
    "urn:oid:something.new": ["kept out"],
}


def test_a_person() -> None:
    found = bundid.identity(ERIKA, context="STORK-QAA-Level-4", proof="_assertion", at=NOW)
    assert (found.origin, found.level, found.proof) == ("bundid", Level.HIGH, "_assertion")
    person = found.attributes
    assert (person.given_names, person.family_names, person.email) == ("Erika", "Mustermann", "erika@example.org")
    assert person.date_of_birth == PartialDate(1964, 8, 12)
    assert person.address == Place(street="Heidestraße 17", zip_code="51147", city="Köln")
    assert "Erika" not in repr(found)


@pytest.mark.parametrize(
    ("context", "said", "level"),
    [
        ("STORK-QAA-Level-4", "STORK-QAA-Level-1", Level.LOW),
        ("STORK-QAA-Level-1", "STORK-QAA-Level-4", Level.LOW),
        ("STORK-QAA-Level-3", "", Level.SUBSTANTIAL),
        ("", "", Level.NONE),
    ],
)
def test_the_lower_level_counts(context: str, said: str, level: Level) -> None:
    values = {**ERIKA, bundid.TRUST: [said] if said else []}
    assert bundid.identity(values, context=context, proof="x", at=NOW).level == level


@pytest.mark.parametrize(
    "wrong",
    [
        {"urn:oid:2.5.4.42": ["Erika", "Maria"]},
        {"urn:oid:2.5.4.42": ["x" * 3000]},
        {"urn:oid:2.5.4.42": ["Eri\x00ka"]},
        {"urn:oid:1.2.40.0.10.2.1.1.55": ["12.8.1964"]},
        {"urn:oid:1.2.40.0.10.2.1.1.55": ["1964-13-01"]},
        {bundid.TRUST: ["STORK-QAA-Level-9"]},
        {f"urn:oid:1.{number}": ["x"] for number in range(70)},
    ],
)
def test_assertions_that_make_no_sense(wrong: dict[str, list[str]]) -> None:
    with pytest.raises(MalformedError):
        bundid.identity({**ERIKA, **wrong}, context="STORK-QAA-Level-4", proof="x", at=NOW)


def test_somebody_who_knows_only_the_year() -> None:
    values: dict[str, Sequence[str]] = {"urn:oid:1.2.40.0.10.2.1.1.55": ["1964-00-00"]}
    assert bundid.identity(values, context="", proof="x", at=NOW).attributes.date_of_birth == PartialDate(1964)


@given(st.dictionaries(st.sampled_from([*ERIKA]), st.lists(st.text(max_size=30), max_size=2)), st.text(max_size=30))
def test_any_values_are_read_or_refused(values: dict[str, list[str]], context: str) -> None:
    with suppress(EidError):
        bundid.identity(values, context=context, proof="x", at=NOW)


def test_the_extension_of_a_request() -> None:
    wanted = {"given_names": True, "address": False, "pseudonym": True}
    root = ElementTree.fromstring(bundid.extension(wanted, bundid.Display(organisation="Stadt", service_id="BMI-1")))
    requested = {one.get("Name"): one.get("RequiredAttribute") for one in root[0]}
    assert requested == {
        "urn:oid:2.5.4.42": "true", bundid.PSEUDONYM: "true", "urn:oid:2.5.4.16": None, "urn:oid:2.5.4.17": None,
        "urn:oid:2.5.4.7": None, "urn:oid:1.2.40.0.10.2.1.1.225599": None,
    }  # fmt: skip
    assert [one.text for one in root[1][0]] == ["Stadt", "BMI-1"]
    with pytest.raises(ValueError, match="shoe_size"):
        bundid.extension({"shoe_size": True}, bundid.Display(organisation="Stadt"))


def test_what_level_is_asked_for() -> None:
    assert [bundid.level_name(level) for level in Level] == [
        "STORK-QAA-Level-1", "STORK-QAA-Level-1", "STORK-QAA-Level-3", "STORK-QAA-Level-4",
    ]  # fmt: skip
