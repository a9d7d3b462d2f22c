"""Dates with unknown parts, retry counters, masked reprs, secrets."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.model import Attributes, Identity, Level, PartialDate, Place, RetryState
from servicepunkt.eid.secret import Secret


@pytest.mark.parametrize(
    ("text", "said", "latest", "known"),
    [
        ("19640812", "1964-08-12", date(1964, 8, 12), date(1964, 8, 12)),
        ("196402  ", "1964-02", date(1964, 2, 29), None),
        ("196412  ", "1964-12", date(1964, 12, 31), None),
        ("1964    ", "1964", date(1964, 12, 31), None),
        ("        ", "", None, None),
    ],
)
def test_dates_of_which_parts_are_unknown(text: str, said: str, latest: date | None, known: date | None) -> None:
    found = PartialDate.parse(text)
    assert (str(found), found.latest, found.day_known, found.encode()) == (said, latest, known, text)


@pytest.mark.parametrize(
    "text", ["", "1964081", "196408123", "19641301", "19640230", "1964  12", "00000000", "19640a12"]
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(MalformedError):
        PartialDate.parse(text)


@given(st.dates(min_value=date(1, 1, 1)))
def test_every_day(day: date) -> None:
    assert PartialDate.parse(f"{day.year:04}{day:%m%d}").day_known == day


@pytest.mark.parametrize(
    ("status", "tries", "active", "suspended", "blocked"),
    [
        (0x9000, 3, True, False, False),
        (0x63C2, 2, True, False, False),
        (0x63C1, 1, True, True, False),
        (0x63C0, 0, True, False, True),
        (0x6283, None, False, False, False),
    ],
)
def test_what_the_card_says_of_its_pin(
    status: int, tries: int | None, active: bool, suspended: bool, blocked: bool
) -> None:
    found = RetryState.of_status(status)
    assert (found.tries, found.active, found.is_suspended, found.is_blocked) == (tries, active, suspended, blocked)


@pytest.mark.parametrize("status", [0x63C4, 0x6A88, 0x6300, 0])
def test_other_status_words_say_nothing_about_it(status: int) -> None:
    with pytest.raises(MalformedError):
        RetryState.of_status(status)


def test_no_name_is_in_a_repr() -> None:
    person = Attributes(
        given_names="ERIKA", family_names="MUSTERMANN", address=Place(city="BERLIN"), pseudonym=b"geheim"
    )
    identity = Identity(
        origin="card", level=Level.HIGH, at=datetime(2026, 11, 22, tzinfo=UTC), proof="x", attributes=person
    )
    for said in (repr(person), repr(identity), str(identity), f"{identity!r:>10}", repr(identity.__rich_repr__())):
        assert "given_names" in said
        for datum in ("ERIKA", "MUSTERMANN", "BERLIN", "geheim"):
            assert datum not in said
    assert b"ERIKA" in msgspec.json.encode(person), "kept where it is kept on purpose"


def test_levels_can_be_compared() -> None:
    assert Level.HIGH > Level.SUBSTANTIAL > Level.LOW > Level.NONE


def test_a_secret_is_masked_and_wiped() -> None:
    with Secret("123456") as pin:
        assert pin.reveal() == b"123456"
        assert pin.is_digits(6)
        assert not pin.is_digits(5, 10)
        assert "123456" not in f"{pin!r} {pin}"
        with pytest.raises(TypeError):
            pickle.dumps(pin)
        with pytest.raises(TypeError):
            hash(pin)
        assert pin != Secret("123456")
    with pytest.raises(ValueError, match="wiped"):
        pin.reveal()
    buffer = pin._buffer
    assert bytes(buffer) == bytes(6)


@pytest.mark.parametrize("wrong", ["", "12\n", "ä", "1" * 65, b"\x00"])
def test_what_is_no_secret_is_not_repeated(wrong: str | bytes) -> None:
    with pytest.raises(ValueError, match="printable") as caught:
        Secret(wrong)
    assert not wrong or str(wrong) not in str(caught.value)
