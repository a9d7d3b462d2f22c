"""The catalogue: what is refused, which text is picked, what is current, and when an offer can be used."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.checks import mistakes
from servicepunkt.core.catalogue.model import (
    CAPABILITIES,
    Address,
    Catalogue,
    Host,
    Offer,
    Partner,
    Point,
    Service,
    Theme,
    is_current,
    is_valid,
    offer_hours,
    pick,
    point_hours,
    staff_hours,
)
from servicepunkt.core.hours.model import Calendar, Hours, Osm, Whose, spans
from servicepunkt.core.hours.reasons import Cause, causes

DAY = date(2026, 11, 21)
TEXT = {"de": "Text"}
ENTRIES: dict[str, dict[str, Any]] = {
    "hosts": {"id": "shop", "name": "Shop", "kind": "shop", "hours": "Mo-Sa 09:30-20:00; PH off"},
    "points": {
        "id": "point",
        "name": TEXT,
        "host": "shop",
        "address": {"street": "Weg 1", "postcode": "00000", "town": "Ort"},
        "staffed": "Mo-Fr 10:00-18:00",
    },
    "partners": {"id": "office", "name": "Office", "kind": "authority"},
    "themes": {"id": "living", "name": TEXT},
    "services": {
        "id": "passport",
        "name": TEXT,
        "themes": ["living"],
        "competence": "office",
        "leika": ["99" + "0" * 12],
    },
    "offers": {
        "service": "passport",
        "point": "point",
        "provider": "office",
        "can": ["inform", "collect"],
        "non_digital": TEXT,
    },
}


def catalogue(**changes: dict[str, Any] | list[dict[str, Any]]) -> Catalogue:
    """A catalogue with one entry of each kind; a dictionary changes that entry, a list replaces them all."""
    lists = {
        kind: changes[kind] if isinstance(changes.get(kind), list) else [{**entry, **changes.get(kind, {})}]
        for kind, entry in ENTRIES.items()
    }
    return msgspec.convert(lists, Catalogue)


def twice(kind: str, **changes: Any) -> list[dict[str, Any]]:
    return [ENTRIES[kind], {**ENTRIES[kind], **changes}]


def test_a_whole_catalogue_has_no_mistake() -> None:
    assert mistakes(catalogue()) == []
    assert mistakes(Catalogue()) == []


@pytest.mark.parametrize(
    ("changes", "place", "sentence"),
    [
        ({"hosts": twice("hosts", id="Shop 1")}, "hosts.Shop 1", "an id has small letters"),
        ({"themes": twice("themes", id="-x")}, "themes.-x", "an id has small letters"),
        ({"themes": twice("themes", id="x\n")}, "themes.x\n", "an id has small letters"),
        ({"themes": twice("themes", id="x" * 64)}, "themes." + "x" * 64, "an id has small letters"),
        ({"hosts": twice("hosts")}, "hosts.shop", "this id is used twice"),
        ({"points": twice("points")}, "points.point", "this id is used twice"),
        ({"partners": twice("partners", name="Other")}, "partners.office", "this id is used twice"),
        ({"themes": twice("themes")}, "themes.living", "this id is used twice"),
        ({"services": twice("services")}, "services.passport", "this id is used twice"),
        ({"points": {"host": "mall"}}, "points.point.host", "there is no host 'mall'"),
        ({"services": {"competence": "x"}}, "services.passport.competence", "there is no partner 'x'"),
        ({"services": {"themes": ["x"]}}, "services.passport.themes", "there is no theme 'x'"),
        ({"services": {"leika": ["98" + "0" * 12]}}, "services.passport.leika", "a LeiKa key is 99 and 12 more digits"),
        ({"services": {"leika": ["99" + "0" * 12 + "\n"]}}, "services.passport.leika", "a LeiKa key is 99 and 12"),
        ({"services": {"leika": ["99" + "0" * 11]}}, "services.passport.leika", "a LeiKa key is 99 and 12 more digits"),
        ({"services": {"valid_until": "2026-12-31"}}, "services.passport.ended", "a service that ends says so"),
        ({"offers": {"service": "x"}}, "offers[0] (x).service", "there is no service 'x'"),
        ({"offers": {"point": "x"}}, "offers[0] (passport).point", "there is no point 'x'"),
        ({"offers": {"provider": "x"}}, "offers[0] (passport).provider", "there is no partner 'x'"),
        ({"offers": {"accepted_for": "x"}}, "offers[0] (passport).accepted_for", "there is no partner 'x'"),
        ({"offers": {"can": []}}, "offers[0] (passport).can", "an offer says what can be done"),
        ({"hosts": {"hours": "daily"}}, "hosts.shop.hours", "opening hours 'daily'"),
        ({"hosts": {"hours": ""}}, "hosts.shop.hours", "opening hours ''"),
        ({"points": {"staffed": "SH off"}}, "points.point.staffed", "school holidays"),
        ({"offers": {"hours": "Mo 25:00"}}, "offers[0] (passport).hours", "opening hours 'Mo 25:00'"),
        ({"themes": {"parent": "x"}}, "themes.living.parent", "there is no theme 'x'"),
        ({"themes": {"leika_groups": ["99"]}}, "themes.living.leika_groups", "a group has three digits"),
        ({"services": {"name": {}, "leika": []}}, "services.passport.name", "a service has a name"),
        ({"services": {"name": {"de": "<p>x <em>y</em></p>"}}}, "services.passport.name", "a name is plain text"),
        ({"services": {"name": {"German": "x"}}}, "services.passport.name", "'German' is no language"),
        (
            {"services": {"description": {"de": "<p onclick='x'>a</p>"}}},
            "services.passport.description.de",
            "this HTML holds something",
        ),
        (
            {"services": {"documents": [{"text": {"de": "<script>x</script>"}}]}},
            "services.passport.documents[0].text.de",
            "this HTML holds something",
        ),
        ({"services": {"summary": {"de": "a\0b"}}}, "services.passport.summary.de", "a text holds no control"),
        ({"services": {"summary": {"de": "a" * 100_001}}}, "services.passport.summary.de", "a text has at most"),
        (
            {"services": {"modules": [{"code": "99", "text": TEXT}]}},
            "services.passport.modules.99",
            "a module is one of",
        ),
        ({"services": {"modules": [{"code": "11", "text": TEXT}] * 2}}, "services.passport.modules.11", "this module"),
        ({"services": {"fees": [{"amount": "-1"}]}}, "services.passport.fees[0]", "an amount is not negative"),
        ({"services": {"fees": [{"amount": "NaN"}]}}, "services.passport.fees[0]", "an amount is not negative"),
        (
            {"services": {"fees": [{"amount": "2", "amount_to": "1"}]}},
            "services.passport.fees[0]",
            "an amount is not negative, and",
        ),
        (
            {"services": {"links": [{"kind": "page", "url": "javascript:alert(1)"}]}},
            "services.passport.links[0].url",
            "an address begins with",
        ),
        (
            {"services": {"links": [{"kind": "page", "url": "https://example.org", "areas": ["123"]}]}},
            "services.passport.links[0].areas",
            "an area is the first",
        ),
        ({"partners": {"hours": "always"}}, "partners.office.hours", "opening hours 'always'"),
        *(
            (
                {kind: {key: [{"first": "2026-12-24"}, {"first": "2026-12-24", **wrong}]}},
                f"{place}.{key}[1].{field}",
                said,
            )
            for kind, place, key in [
                ("hosts", "hosts.shop", "exceptions"),
                ("points", "points.point", "exceptions"),
                ("points", "points.point", "staffed_exceptions"),
                ("partners", "partners.office", "exceptions"),
                ("offers", "offers[0] (passport)", "exceptions"),
            ]
            for wrong, field, said in [
                ({"hours": "closed on Mondays"}, "hours", "opening hours 'closed on"),
                ({"last": "2026-12-23"}, "last", "the last day comes before the first"),
                ({"last": "2027-12-26"}, "last", "an exception lasts for a year at most"),
            ]
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(changes: dict[str, Any], place: str, sentence: str) -> None:
    ((found, said),) = mistakes(catalogue(**changes))
    assert found == place
    assert said.startswith(sentence)


def test_all_mistakes_are_named_at_once() -> None:
    found = mistakes(catalogue(hosts={"hours": "x"}, points={"host": "x"}, offers={"can": [], "provider": "x"}))
    assert [place for place, _ in found] == [
        "hosts.shop.hours",
        "points.point.host",
        "offers[0] (passport).provider",
        "offers[0] (passport).can",
    ]


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_key_that_does_not_exist_is_refused(kind: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="colour"):
        catalogue(**{kind: {"colour": "red"}})


def test_every_offer_has_a_way_for_people_who_are_not_online() -> None:
    without = {key: value for key, value in ENTRIES["offers"].items() if key != "non_digital"}
    with pytest.raises(msgspec.ValidationError, match="non_digital"):
        catalogue(offers=[without])


def test_only_known_capabilities_can_be_offered() -> None:
    assert mistakes(catalogue(offers={"can": list(CAPABILITIES)})) == []
    with pytest.raises(msgspec.ValidationError):
        catalogue(offers={"can": ["dance"]})


# --- texts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "locale", "expected"),
    [
        ({"de": "D", "en": "E", "de-x-leicht": "L"}, "de-x-leicht", "L"),
        ({"de": "D", "en": "E"}, "de-x-leicht", "D"),
        ({"de": "D", "en": "E"}, "en-GB", "E"),
        ({"de": "D", "en": "E"}, "tr", "D"),
        ({"en": "E", "fr": "F"}, "tr", "E"),
        ({}, "de", ""),
        ({"de": ""}, "en", ""),
    ],
)
def test_a_text_is_picked_in_the_nearest_language(text: dict[str, str], locale: str, expected: str) -> None:
    assert pick(text, locale) == expected


@given(st.dictionaries(st.sampled_from(["de", "en", "tr", "de-x-leicht"]), st.text(max_size=4)), st.text(max_size=6))
def test_whatever_is_asked_for_the_text_is_one_of_those_that_exist(text: dict[str, str], locale: str) -> None:
    assert pick(text, locale) in [*text.values(), *([] if text else [""])]


# --- validity -------------------------------------------------------------------------------------------------


def test_both_ends_belong_to_a_period_and_either_may_be_open() -> None:
    eve, morrow = DAY - timedelta(days=1), DAY + timedelta(days=1)
    for first, last, expected in [
        (None, None, True),
        (DAY, DAY, True),
        (eve, None, True),
        (None, morrow, True),
        (morrow, None, False),
        (None, eve, False),
        (morrow, eve, False),
    ]:
        assert is_valid(first, last, DAY) is expected


@pytest.mark.parametrize("kind", ["services", "offers", "partners"])
@pytest.mark.parametrize(
    ("period", "current"),
    [
        ({}, True),
        ({"valid_from": "2026-11-21"}, True),
        ({"valid_until": "2026-11-21"}, True),
        ({"valid_from": "2026-11-22"}, False),
        ({"valid_until": "2026-11-20"}, False),
    ],
)
def test_service_offer_and_provider_all_have_to_be_valid(kind: str, period: dict[str, str], current: bool) -> None:
    found = catalogue(**{kind: period})
    assert is_current(found, found.services[0], found.offers[0], DAY) is current


def test_entries_are_found_by_id_and_nothing_is_none() -> None:
    found = catalogue()
    assert isinstance(found.host("shop"), Host)
    assert isinstance(found.point("point"), Point)
    assert isinstance(found.partner("office"), Partner)
    assert isinstance(found.theme("living"), Theme)
    assert isinstance(found.service("passport"), Service)
    assert [found.host("x"), found.point("x"), found.partner("x"), found.theme("x"), found.service("x")] == [None] * 5
    assert found.services_of("living") == list(found.services)
    assert found.services_of("x") == []
    assert found.offers_of("passport") == found.offers_of("passport", "point") == list(found.offers)
    assert found.offers_of("passport", "elsewhere") == []


# --- hours ----------------------------------------------------------------------------------------------------


def hours_on(day: date, found: Catalogue, offer: Offer | None = None) -> list[str]:
    hours = offer_hours(found, offer) if offer else point_hours(found, found.points[0])
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return [
        f"{s.start:%H:%M}-{s.end:%H:%M}" for s in spans(hours, Calendar("UTC", "HE"), start, start + timedelta(days=1))
    ]


def test_a_point_is_open_while_its_host_is() -> None:
    assert hours_on(DAY, catalogue()) == ["09:30-20:00"]
    orphan = msgspec.structs.replace(catalogue(), hosts=())
    assert hours_on(DAY, orphan) == []


@pytest.mark.parametrize(
    ("offer", "weekday", "saturday"),
    [
        ({}, ["09:30-20:00"], ["09:30-20:00"]),
        ({"staffed": True}, ["10:00-18:00"], []),
        ({"hours": "08:00-12:00"}, ["09:30-12:00"], ["09:30-12:00"]),
        ({"hours": "08:00-12:00", "staffed": True}, ["10:00-12:00"], []),
        ({"hours": "21:00-22:00"}, [], []),
    ],
)
def test_an_offer_can_be_used_while_host_staff_and_offer_are_there(
    offer: dict[str, Any], weekday: list[str], saturday: list[str]
) -> None:
    found = catalogue(offers=offer)
    assert hours_on(date(2026, 11, 20), found, found.offers[0]) == weekday
    assert hours_on(DAY, found, found.offers[0]) == saturday


def test_an_offer_at_a_point_without_staff_times_needs_only_the_point() -> None:
    found = catalogue(points={"staffed": ""}, offers={"staffed": True})
    assert hours_on(DAY, found, found.offers[0]) == ["09:30-20:00"]


def test_an_offer_at_a_point_that_does_not_exist_is_never_open() -> None:
    found = catalogue()
    stray = msgspec.structs.replace(found.offers[0], point="x")
    assert offer_hours(found, stray) == Osm("off")


EVE = {"first": "2026-11-21", "hours": "09:30-14:00", "reason": {"en": "Short day", "de": "Kurzer Tag"}}


def test_the_hosts_exceptions_hold_at_its_points_and_the_last_one_wins() -> None:
    assert hours_on(DAY, catalogue(hosts={"exceptions": [EVE]})) == ["09:30-14:00"]
    assert hours_on(DAY, catalogue(hosts={"exceptions": [EVE, {"first": "2026-11-20", "last": "2026-11-22"}]})) == []
    sunday = {"first": "2026-11-22", "hours": "13:00-18:00"}
    assert hours_on(DAY + timedelta(days=1), catalogue(hosts={"exceptions": [sunday]})) == ["13:00-18:00"]
    assert hours_on(DAY + timedelta(days=1), catalogue(points={"exceptions": [sunday]})) == []  # the host is closed


def test_a_point_may_be_closed_while_its_host_is_open_and_open_no_longer_than_it() -> None:
    assert hours_on(DAY, catalogue(points={"exceptions": [{"first": "2026-11-21"}]})) == []
    longer = {"first": "2026-11-21", "hours": "08:00-12:00"}
    assert hours_on(DAY, catalogue(points={"exceptions": [longer]})) == ["09:30-12:00"]


def test_exceptions_of_staff_provider_and_offer_narrow_the_offer_and_not_the_point() -> None:
    closed = [{"first": "2026-11-21"}]
    for changes in (
        {"points": {"staffed_exceptions": closed}, "offers": {"staffed": True}},
        {"partners": {"exceptions": closed}},
        {"partners": {"hours": "Mo-Fr 10:00-12:00"}},
        {"offers": {"exceptions": closed}},
    ):
        found = catalogue(**changes)
        assert hours_on(DAY, found, found.offers[0]) == [], changes
        assert hours_on(DAY, found) == ["09:30-20:00"]
    alone = catalogue(points={"staffed": "", "staffed_exceptions": closed}, offers={"staffed": True, "hours": ""})
    assert hours_on(DAY, alone, alone.offers[0]) == []
    assert hours_on(DAY + timedelta(days=2), alone, alone.offers[0]) == ["09:30-20:00"]
    away = catalogue(points={"staffed_exceptions": [{"first": "2026-11-23"}]})
    assert causes(staff_hours(away, away.points[0]), Calendar("UTC", "HE"), date(2026, 11, 23)) == (
        Cause("closure", True, Whose("staff")),
    )


def test_an_exception_may_last_for_a_day_or_for_a_year() -> None:
    for last in ("2026-12-24", "2027-12-25"):
        assert mistakes(catalogue(hosts={"exceptions": [{"first": "2026-12-24", "last": last}]})) == []


def test_whoever_closes_is_named() -> None:
    found = catalogue(hosts={"exceptions": [EVE]}, points={"exceptions": [{"first": "2026-11-23"}]})
    hours, land = point_hours(found, found.points[0]), Calendar("UTC", "HE")
    host = Whose("host", (("", "Shop"),))
    reason = (("de", "Kurzer Tag"), ("en", "Short day"))
    assert causes(hours, land, DAY) == (Cause("special", False, host, reason),)
    assert causes(hours, land, date(2026, 11, 23)) == (Cause("closure", True, Whose("point", (("de", "Text"),))),)
    assert causes(hours, land, date(2026, 6, 4))[0].whose == host


def test_hours_with_exceptions_are_the_same_after_their_way_to_a_box() -> None:
    hours = point_hours(catalogue(hosts={"exceptions": [EVE, {"first": "2026-11-23"}]}), catalogue().points[0])
    assert msgspec.json.decode(msgspec.json.encode(hours), type=Hours) == hours


def test_an_address_may_say_where_in_the_house() -> None:
    assert Address(street="Weg 1", postcode="00000", town="Ort", floor={"de": "EG"}).floor == {"de": "EG"}


def test_themes_that_lie_in_each_other_are_found() -> None:
    circle = [{**ENTRIES["themes"], "id": one, "parent": above} for one, above in (("a", "b"), ("b", "c"), ("c", "a"))]
    found = mistakes(catalogue(themes=[*circle, {**ENTRIES["themes"], "parent": "a"}]))
    assert found == [(f"themes.{one}.parent", "the themes above this one lead back to it") for one in "abc"]
