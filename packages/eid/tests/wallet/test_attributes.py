"""The same person from both formats, and claims of kinds that no PID has."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.model import Answers, PartialDate, Place
from servicepunkt.eid.wallet.attributes import NAMESPACE, PID, Ask, from_mdoc, from_sdjwt, is_so_old
from servicepunkt.eid.wallet.countries import ALPHA_3, as_on_cards

TODAY = date(2026, 11, 22)
ALL = [name for name in PID if name not in ("email", "phone")]
#: The mdoc of a PID as the rulebook's table has it, and the same as SD-JWT VC.
ELEMENTS = {
    "given_name": "Jean", "family_name": "Dupont", "family_name_birth": "Petit", "birth_date": date(1980, 5, 23),
    "place_of_birth": {"country": "DD", "locality": "Leipzig"}, "nationality": ["FR", "DE"], "sex": 5,
    "resident_street": "123 Via Appia", "resident_city": "Rome", "resident_postal_code": "00100",
    "resident_country": "IT", "issuing_country": "DE", "expiry_date": datetime(2031, 10, 31, tzinfo=UTC),
}  # fmt: skip
CLAIMS = {
    "given_name": "Jean", "family_name": "Dupont", "birth_family_name": "Petit", "birthdate": "1980-05-23",
    "place_of_birth": {"country": "DD", "locality": "Leipzig"}, "nationalities": ["FR", "DE"], "sex": 5,
    "address": {"street_address": "123 Via Appia", "locality": "Rome", "postal_code": "00100", "country": "IT"},
    "issuing_country": "DE", "date_of_expiry": "2031-10-31",
}  # fmt: skip


def ask(*names: str, age: int | None = None) -> Ask:
    return Ask(required=names, age=age)


def test_both_formats_say_the_same() -> None:
    wanted = Ask(required=tuple(ALL))
    mdoc, _ = from_mdoc({NAMESPACE: ELEMENTS}, wanted, TODAY)
    sdjwt, _ = from_sdjwt(CLAIMS, wanted, TODAY)
    assert mdoc.place_of_birth == Place(city="Leipzig", country="DD")
    assert sdjwt.place_of_birth == Place(city="Leipzig"), "only what was asked for"
    for name in ALL:
        assert name == "place_of_birth" or getattr(mdoc, name) == getattr(sdjwt, name), name
    assert (mdoc.nationality, mdoc.sex, mdoc.issuing_country) == ("FRA, D", "X", "D")
    assert mdoc.address == Place(street="123 Via Appia", zip_code="00100", city="Rome", country="ITA")
    assert (mdoc.date_of_birth, mdoc.valid_until) == (PartialDate(1980, 5, 23), date(2031, 10, 31))


def test_what_is_not_there_stays_empty() -> None:
    for found, answers in (from_sdjwt({}, ask(*ALL, age=18), TODAY), from_mdoc({}, ask(*ALL, age=18), TODAY)):
        assert found.held() == ()
        assert answers == Answers()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1964", PartialDate(1964)), ("1964-08", PartialDate(1964, 8)), ("1964-08-12", PartialDate(1964, 8, 12))],
)
def test_dates(text: str, expected: PartialDate) -> None:
    assert from_sdjwt({"birthdate": text}, ask("date_of_birth"), TODAY)[0].date_of_birth == expected


@pytest.mark.parametrize(
    ("name", "claim", "value"),
    [
        ("date_of_birth", "birthdate", "19640812"),
        ("date_of_birth", "birthdate", "1964-0812"),
        ("date_of_birth", "birthdate", "1964-13-12"),
        ("date_of_birth", "birthdate", "12.08.1964"),
        ("date_of_birth", "birthdate", 1964),
        ("valid_until", "date_of_expiry", "2031-10"),
        ("given_names", "given_name", 4711),
        ("given_names", "given_name", ["ERIKA"]),
        ("given_names", "given_name", "ERIKA\n"),
        ("given_names", "given_name", "\ud800"),
        ("given_names", "given_name", "E" * 501),
        ("sex", "sex", "F"),
        ("sex", "sex", 7),
        ("sex", "sex", True),
        ("sex", "sex", 2.0),
        ("nationality", "nationalities", [["DE"]]),
        ("nationality", "nationalities", ["DE"] * 11),
        ("nationality", "nationalities", {"DE": 1}),
    ],
)
def test_claims_of_another_kind(name: str, claim: str, value: Any) -> None:
    with pytest.raises(MalformedError) as caught:
        from_sdjwt({claim: value}, ask(name), TODAY)
    assert str(value) not in str(caught.value)


def test_an_age_that_is_neither_yes_nor_no() -> None:
    with pytest.raises(MalformedError):
        from_sdjwt({"age_equal_or_over": {"18": "yes"}}, ask(age=18), TODAY)


@pytest.mark.parametrize(
    ("born", "today", "expected"),
    [
        (PartialDate(2008, 11, 22), date(2026, 11, 22), True),
        (PartialDate(2008, 11, 23), date(2026, 11, 22), False),
        (PartialDate(2008, 11), date(2026, 11, 29), False),
        (PartialDate(2008, 11), date(2026, 11, 30), True),
        (PartialDate(2008), date(2026, 12, 30), False),
        (PartialDate(2008), date(2026, 12, 31), True),
        (PartialDate(2008, 2, 29), date(2026, 2, 28), False),
        (PartialDate(2008, 2, 29), date(2026, 3, 1), True),
        (PartialDate(), date(2026, 3, 1), None),
    ],
)
def test_birthdays(born: PartialDate, today: date, expected: bool | None) -> None:
    assert is_so_old(born, 18, today) is expected


def test_countries() -> None:
    assert (as_on_cards("DE"), as_on_cards("FR"), as_on_cards("DD"), as_on_cards("")) == ("D", "FRA", "DD", "")
    assert len(ALPHA_3) == 249
    assert all(len(two) == 2 and (len(three) == 3 or two == "DE") for two, three in ALPHA_3.items())
