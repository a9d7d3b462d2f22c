"""DCQL: every example of the standard, paths, choices, and the query for a PID."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.wallet.attributes import DOCTYPE, VCTS, Ask
from servicepunkt.eid.wallet.dcql import MDOC, SD_JWT, Query, check_claims, pid_query, select
from servicepunkt.eid.wallet.errors import AnswerError

EXAMPLES = sorted((Path(__file__).parent.parent / "data" / "openid4vp" / "query_lang").glob("*.json"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_of_the_standard_are_read_and_written(example: Path) -> None:
    found = Query.decode(example.read_bytes())
    assert json.loads(msgspec.json.encode(found)) == json.loads(example.read_bytes())


def test_all_examples_are_there() -> None:
    assert len(EXAMPLES) == 9


def example(name: str) -> Query:
    return Query.decode(next(path for path in EXAMPLES if path.stem == name).read_bytes())


@pytest.mark.parametrize(
    ("answered", "enough"),
    [
        (["pid"], True),
        (["other_pid"], True),
        (["pid_reduced_cred_1", "pid_reduced_cred_2"], True),
        (["pid", "nice_to_have"], True),
        (["pid_reduced_cred_1"], False),
        (["nice_to_have"], False),
        ([], False),
        (["pid", "unknown"], False),
    ],
)
def test_choices_between_documents(answered: list[str], enough: bool) -> None:
    query = example("credentials_alternatives")
    if enough:
        query.check_answered(answered)
        return
    with pytest.raises(AnswerError):
        query.check_answered(answered)


def test_without_choices_all_are_wanted() -> None:
    query = example("multi_credentials")
    query.check_answered(["pid", "mdl"])
    with pytest.raises(AnswerError):
        query.check_answered(["pid"])


CLAIMS = {
    "name": "Arthur",
    "address": {"street_address": "42 Market Street", "locality": "Milliways"},
    "degrees": [{"type": "Bachelor", "university": "Betelgeuse"}, {"type": "Master"}],
    "nationalities": ["British", "Betelgeusian"],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (["name"], ["Arthur"]),
        (["address", "locality"], ["Milliways"]),
        (["address", "country"], []),
        (["degrees", None, "type"], ["Bachelor", "Master"]),
        (["degrees", None, "university"], ["Betelgeuse"]),
        (["degrees", 1, "type"], ["Master"]),
        (["degrees", 2], []),
        (["nationalities", None], ["British", "Betelgeusian"]),
        (["nothing", "below"], []),
    ],
)
def test_paths(path: list[Any], found: list[Any]) -> None:
    """The example of §7.3, among others."""
    assert select(CLAIMS, path) == found


@pytest.mark.parametrize("path", [["name", "x"], ["address", None], ["address", 0], ["degrees", "type"]])
def test_paths_through_something_else(path: list[Any]) -> None:
    with pytest.raises(AnswerError):
        select(CLAIMS, path)


def test_one_set_of_claims_is_enough() -> None:
    [query] = example("claims_alternatives").credentials
    claims = {"family_name": "x", "locality": "x", "region": "x", "date_of_birth": "x"}
    check_claims(query, claims)
    check_claims(query, {"family_name": "x", "postal_code": "x", "date_of_birth": "x"})
    with pytest.raises(AnswerError):
        check_claims(query, {"family_name": "x", "locality": "x", "date_of_birth": "x"})


@pytest.mark.parametrize(
    "query",
    [
        "[]",
        "{}",
        '{"credentials": []}',
        '{"credentials": [{"id": "a b", "format": "x", "meta": {}}]}',
        '{"credentials": [{"id": "a", "format": "x"}]}',
        '{"credentials": [{"id": "a", "format": "x", "meta": {}}, {"id": "a", "format": "x", "meta": {}}]}',
        '{"credentials": [{"id": "a", "format": "x", "meta": {}, "claims": [{"path": []}]}]}',
        '{"credentials": [{"id": "a", "format": "x", "meta": {}, "claims": [{"path": [-1]}]}]}',
        '{"credentials": [{"id": "a", "format": "x", "meta": {}, "claims": [{"path": [1.5]}]}]}',
        '{"credentials": [{"id": "a", "format": "x", "meta": {}, "claim_sets": [["b"]]}]}',
        '{"credentials": [{"id": "a", "format": "x", "meta": {}}], "credential_sets": [{"options": [["b"]]}]}',
        '{"credentials": [{"id": "a", "format": "x", "meta": {}}], "credential_sets": [{"options": []}]}',
        '{"credentials": [{"id": "a", "format": "x", "meta": {}}], "credential_sets": [{"options": [[]]}]}',
    ],
)
def test_what_is_no_query(query: str) -> None:
    with pytest.raises(MalformedError):
        Query.decode(query.encode())


def test_the_query_for_a_pid() -> None:
    query = pid_query(Ask(required=("family_names", "address")))
    sdjwt, mdoc = query.credentials
    assert (sdjwt.format, sdjwt.meta) == (SD_JWT, {"vct_values": list(VCTS)})
    assert (mdoc.format, mdoc.meta) == (MDOC, {"doctype_value": DOCTYPE})
    assert [claim.path for claim in sdjwt.claims][:2] == [("family_name",), ("address", "street_address")]
    assert [claim.path for claim in mdoc.claims][:2] == [(DOCTYPE, "family_name"), (DOCTYPE, "resident_street")]
    assert query.credential_sets[0].options == (("pid_sdjwt",), ("pid_mdoc",))
    assert Query.decode(msgspec.json.encode(query)) == query


def test_one_format_needs_no_choice() -> None:
    query = pid_query(Ask(age=18), [SD_JWT])
    assert not query.credential_sets
    [one] = query.credentials
    assert [claim.path for claim in one.alternatives[0]] == [("age_equal_or_over", "18")]
    assert [claim.path for claim in one.alternatives[1]] == [("birthdate",)]


def test_an_age_is_not_asked_of_who_tells_the_birthday() -> None:
    [one] = pid_query(Ask(required=("date_of_birth",), age=18), [SD_JWT]).credentials
    assert [claim.path for claim in one.claims] == [("birthdate",)]


def test_optional_claims_are_left_out_one_by_one() -> None:
    [one] = pid_query(Ask(required=("sex",), optional=("email", "phone")), [SD_JWT]).credentials
    assert [[claim.path[0] for claim in claims] for claims in one.alternatives] == [
        ["sex", "email", "phone_number"], ["sex", "email"], ["sex", "phone_number"], ["sex"],
    ]  # fmt: skip


@pytest.mark.parametrize("formats", [[], ["jwt_vc_json"]])
def test_formats_that_no_pid_has(formats: list[str]) -> None:
    with pytest.raises(ValueError, match="PID"):
        pid_query(Ask(age=18), formats)
