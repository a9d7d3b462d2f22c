"""Who decides for whom: nearest level first, several are all given, nobody is guessed."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.checks import area_mistakes
from servicepunkt.core.catalogue.competence import (
    Areas,
    ags_of,
    answer,
    level_of,
    resolve,
    surroundings,
)
from servicepunkt.core.catalogue.model import Area, Catalogue, Partner, Responsibility, Service

# Official keys; the town of the first is a district of its own, the second lies in a district.
FREE_TOWN, SMALL_TOWN, NEIGHBOUR = "066110000000", "120650144144", "120650036036"
DAY = date(2026, 11, 22)
KNOWN = (
    Responsibility(service="car", authority="free-town", area=FREE_TOWN),
    Responsibility(service="car", authority="district", area="12065"),
    Responsibility(service="licence", authority="district", area="12065"),
    Responsibility(service="licence", authority="small-town", area=SMALL_TOWN, role="accepts"),
    Responsibility(service="passport", authority="small-town", area=SMALL_TOWN),
    Responsibility(service="passport", authority="small-town", area=NEIGHBOUR, caveat={"de": "Nur mit Termin."}),
    Responsibility(service="record", authority="federal-office"),
    Responsibility(service="record", authority="free-town", area=FREE_TOWN, role="accepts"),
    Responsibility(service="name", authority="registry", area="12"),
    Responsibility(service="name", authority="office", area="12"),
)


def test_a_key_says_in_what_an_area_lies() -> None:
    assert surroundings(SMALL_TOWN) == (
        ("municipality", "120650144144"),
        ("association", "120650144"),
        ("district", "12065"),
        ("land", "12"),
        ("federation", ""),
    )
    assert surroundings("12065") == (("district", "12065"), ("land", "12"), ("federation", ""))


@pytest.mark.parametrize(("ars", "ags"), [(FREE_TOWN, "06611000"), (SMALL_TOWN, "12065144"), (NEIGHBOUR, "12065036")])
def test_the_short_key_follows_from_the_long_one(ars: str, ags: str) -> None:
    assert ags_of(ars) == ags


@pytest.mark.parametrize("key", ["1206", "12065144", "0661100000000", "06611000000x", "٠٦", "06 11"])
def test_what_is_no_key_is_refused(key: str) -> None:
    assert level_of(key) is None
    with pytest.raises(ValueError, match="digits"):
        surroundings(key)
    with pytest.raises(ValueError, match="12 digits"):
        ags_of(key)


@pytest.mark.parametrize(
    ("service", "ars", "level", "authorities"),
    [
        ("car", FREE_TOWN, "municipality", {"free-town"}),
        ("car", SMALL_TOWN, "district", {"district"}),
        ("car", NEIGHBOUR, "district", {"district"}),
        ("licence", SMALL_TOWN, "district", {"district"}),
        ("record", NEIGHBOUR, "federation", {"federal-office"}),
        ("name", SMALL_TOWN, "land", {"registry", "office"}),
    ],
)
def test_the_nearest_level_that_is_known_decides(service: str, ars: str, level: str, authorities: set[str]) -> None:
    found = resolve(KNOWN, service, ars)
    assert (found.level, {one.authority for one in found.decides}) == (level, authorities)


def test_who_accepts_for_another_authority_is_named_beside_it() -> None:
    found = resolve(KNOWN, "licence", SMALL_TOWN)
    assert [one.authority for one in found.accepts] == ["small-town"]
    assert resolve(KNOWN, "licence", NEIGHBOUR).accepts == ()


def test_what_is_not_known_is_not_guessed() -> None:
    found = resolve(KNOWN, "passport", FREE_TOWN)
    assert (found.is_known, found.level, found.decides) == (False, None, ())
    assert not resolve(KNOWN, "nothing", SMALL_TOWN).is_known


def test_it_is_certain_only_where_nothing_has_to_be_asked() -> None:
    assert resolve(KNOWN, "car", SMALL_TOWN).is_certain
    assert not resolve(KNOWN, "passport", NEIGHBOUR).is_certain, "there is a caveat"
    assert not resolve(KNOWN, "name", SMALL_TOWN).is_certain, "there are two"


AREAS = (
    Area(
        ars="060000000001",
        name="Altdorf",
        postcodes=("11111",),
        valid_until=date(2020, 12, 31),
        successor="060000000002",
    ),
    Area(ars="060000000002", name="Neudorf", postcodes=("11111", "22222")),
    Area(ars="060000000003", name="Nebendorf", postcodes=("22222",)),
)


def test_a_postcode_of_several_municipalities_gives_all_of_them() -> None:
    areas = Areas(AREAS)
    assert [area.name for area in areas.at("22222", day=DAY)] == ["Nebendorf", "Neudorf"]
    assert [area.name for area in areas.at(" 11111 ", day=DAY)] == ["Neudorf"]
    assert areas.at("33333", day=DAY) == []


def test_a_municipality_that_has_ended_is_what_it_has_become() -> None:
    areas = Areas(AREAS)
    assert areas.find("060000000001", day=DAY) == AREAS[1]
    assert areas.find("060000000001", day=date(2020, 12, 31)) == AREAS[0]
    assert areas.find("069999999999", day=DAY) is None


def test_successors_in_a_circle_end_the_search_and_are_a_mistake() -> None:
    ended = {"valid_until": date(2020, 1, 1)}
    circle = [
        Area(ars="060000000001", name="A", successor="060000000002", **ended),
        Area(ars="060000000002", name="B", successor="060000000001", **ended),
    ]
    assert Areas(circle).find("060000000001", day=DAY) is None
    found = area_mistakes(circle, (), services=set(), authorities=set())
    assert [place for place, _ in found] == ["areas.060000000001.successor", "areas.060000000002.successor"]


def test_every_mistake_is_named() -> None:
    areas = [
        Area(ars="1206", name="short"),
        Area(ars="12065", name="district", postcodes=("16540",)),
        Area(ars=SMALL_TOWN, name="town", postcodes=("1654",)),
        Area(ars=SMALL_TOWN, name="again", successor="129999999999"),
    ]
    wrong = [Responsibility(service="none", authority="nobody", area="123")]
    places = {place for place, _ in area_mistakes(areas, wrong, services={"car"}, authorities={"town"})}
    assert places == {
        "areas.1206",
        "areas.12065.postcodes",
        f"areas.{SMALL_TOWN}",
        f"areas.{SMALL_TOWN}.postcodes",
        f"areas.{SMALL_TOWN}.successor",
        f"areas.{SMALL_TOWN}.valid_until",
        "responsibilities[0] (none).service",
        "responsibilities[0] (none).authority",
        "responsibilities[0] (none).area",
    }
    assert (
        area_mistakes(
            AREAS, KNOWN, services={one.service for one in KNOWN}, authorities={one.authority for one in KNOWN}
        )
        == []
    )


DIGITS = st.text("0123456789", min_size=12, max_size=12)


@given(home=DIGITS, at=st.sampled_from([0, 2, 5, 9, 12]), other=DIGITS)
def test_nobody_gets_an_authority_of_an_area_in_which_he_does_not_live(home: str, at: int, other: str) -> None:
    found = resolve([Responsibility(service="x", authority="a", area=other[:at])], "x", home)
    assert found.is_known == home.startswith(other[:at])


@given(home=DIGITS, levels=st.sets(st.sampled_from([0, 2, 5, 9, 12]), min_size=1))
def test_of_all_levels_the_nearest_one_decides(home: str, levels: set[int]) -> None:
    known = [Responsibility(service="x", authority=str(at), area=home[:at]) for at in levels]
    assert [one.authority for one in resolve(known, "x", home).decides] == [str(max(levels))]


TOWNS = Catalogue(
    partners=(Partner(id="hall", name="Rathaus", kind="authority"),),
    services=(Service(id="pass", name={"de": "Pass"}, competence="hall"),),
    areas=(
        Area(ars="120650144144", name="Musterdorfen", postcodes=("01234",), home=True),
        Area(ars="120650036036", name="Beispielstadt", postcodes=("09876",), home=True),
    ),
)


@pytest.mark.parametrize(
    ("said", "area"),
    [
        ("Musterdorfen", "Musterdorfen"),
        (" musterdorfen ", "Musterdorfen"),
        ("09876", "Beispielstadt"),
        ("09876 Beispielstadt", "Beispielstadt"),
        ("09876  beispielstadt", "Beispielstadt"),
    ],
)
def test_who_says_where_he_lives_is_told_who_decides(said: str, area: str) -> None:
    found = answer(TOWNS, "pass", said, day=DAY)
    assert found.area is not None
    assert found.area.name == area
    assert found.competence is not None
    assert found.competence.is_known


@pytest.mark.parametrize("said", ["Musterdorf", "Beis", "Musterdorfe"])
def test_who_says_the_beginning_of_a_name_is_asked(said: str) -> None:
    """Musterdorf is a municipality of its own beside Musterdorfen, and not known here."""
    found = answer(TOWNS, "pass", said, day=DAY)
    assert (found.area, found.competence, found.is_meant, len(found.places)) == (None, None, False, 1)


@pytest.mark.parametrize("said", ["", "Ni", "Nirgendwo", "99999", "09876999"])
def test_of_a_place_that_is_not_known_nothing_is_said(said: str) -> None:
    found = answer(TOWNS, "pass", said, day=DAY)
    assert (found.places, found.area, found.competence) == ((), None, None)
