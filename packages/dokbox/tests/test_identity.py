"""Whether who identified is the person of the document: names as passports write them, days with unknown parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.identification import ATTRIBUTES, TEST_PERSON
from servicepunkt.dokbox import identity
from servicepunkt.dokbox.identity import fits, letters

BORN = "1964-08-12"


def same(typed: str, said: str) -> bool:
    return fits(typed, BORN, {"family_names": said, "date_of_birth": BORN})


def test_the_test_person_is_herself() -> None:
    assert fits("Mustermann", BORN, TEST_PERSON)
    assert set(identity.REQUIRED) <= set(ATTRIBUTES)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("Müller", "MUELLER"),
        ("Mueller", "Müller"),
        ("Mu\u0308ller", "MÜLLER"),
        ("Groß", "GROSS"),
        ("GROẞ", "Groß"),
        ("Åström", "AASTROEM"),
        ("Sørensen", "SOERENSEN"),
        ("Núñez", "NUNEZ"),
        ("Łukasz-Żak", "Lukasz Zak"),
        ("Yıldız", "YILDIZ"),
        ("İnönü", "INOENUE"),
        ("O'Connor", "O’CONNOR"),
        ("Müller-Lüdenscheidt", "MÜLLER LÜDENSCHEIDT"),
        ("von der  Heide", "VON DER HEIDE"),
        ("de la Cruz García", "DE LA CRUZ GARCIA"),
        ("Dr. Mustermann", "MUSTERMANN"),
        ("Dr. med. Mustermann", "MUSTERMANN"),
        ("Dr.-Ing. Mustermann", "MUSTERMANN"),
        ("Dr. Dr. h.c. Mustermann", "MUSTERMANN"),
        ("Mustermann", "Dr. MUSTERMANN"),
        ("Dr", "DR"),
    ],
)
def test_names_that_are_the_same(typed: str, said: str) -> None:
    assert same(typed, said)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("Muller", "Müller"),
        ("Mustermann", "Musterfrau"),
        ("Müller", "Müller-Lüdenscheidt"),
        ("Drees", "Ees"),
        ("Иванов", "Ivanov"),
        ("Иванов Ivanov", "Ivanov"),
        ("", ""),
        ("-", "'"),
        ("Mustermann", ""),
    ],
)
def test_names_that_are_not(typed: str, said: str) -> None:
    assert not same(typed, said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (BORN, True),
        ("1964-08", True),
        ("1964", True),
        ("1964-08-13", False),
        ("1964-09", False),
        ("1965", False),
        ("", False),
        ("19", False),
        ("1964-", False),
        ("1964-08-1", False),
        ("12.08.1964", False),
        ("1964-08-12\n", False),
    ],
)
def test_days_whose_parts_may_be_unknown(said: str, expected: bool) -> None:
    assert fits("Mustermann", BORN, {"family_names": "Mustermann", "date_of_birth": said}) is expected


def test_nothing_fits_where_nothing_is_known() -> None:
    assert not fits("Mustermann", "", TEST_PERSON)
    assert not fits("", BORN, TEST_PERSON)
    assert not fits("Mustermann", BORN, {})
    assert not fits("Mustermann", BORN, {"family_names": "Mustermann"})


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=12))
def test_whatever_is_typed_and_said_is_answered(typed: str, said: str, born: str) -> None:
    fits(typed, born, {"family_names": said, "date_of_birth": said})
    fits(typed, BORN, {"family_names": said, "date_of_birth": born})


@given(st.text(alphabet="abcxyzäöüßéØÅłñ -'", min_size=1, max_size=40))
def test_a_name_is_itself_however_it_is_written(name: str) -> None:
    assert letters(name) == letters(name.upper()) == letters(f"  {name} ")
    assert letters(name) == "" or same(name, letters(name))
