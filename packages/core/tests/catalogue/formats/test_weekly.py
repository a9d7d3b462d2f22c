"""Hours as a plain week: exact, or nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicepunkt.core.catalogue.formats.weekly import Opening, Week, expressions, week_of
from servicepunkt.core.hours.model import Both, Calendar, Closure, Either, Hours, Osm, midnight, spans

HESSE = Calendar(subdivision="HE")
PARTS = [
    "Mo-Fr 08:00-12:00",
    "Mo-Sa 09:30-20:00; PH off",
    "PH 10:00-12:00",
    "Tu,Th 13:30-18:00",
    "24/7",
    "Fr 20:00-02:00",
]
PARTS += ["off", "Mo-Fr,PH 09:00-17:00", "We off; Mo-Su 06:00-24:00", "24/7; PH off", "Su-Tu 23:00-01:00; PH off"]


@pytest.mark.parametrize(
    ("hours", "week"),
    [
        (Osm("Mo-Fr 08:00-12:00"), Week((Opening((0, 1, 2, 3, 4), "08:00", "12:00"),), None)),
        (Osm("Mo 08:00-12:00; PH off"), Week((Opening((0,), "08:00", "12:00"),), ())),
        (Osm("Mo 08:00-12:00; PH 09:00-10:00"), Week((Opening((0,), "08:00", "12:00"),), (("09:00", "10:00"),))),
        (Osm("24/7"), Week((Opening(tuple(range(7)), "00:00", "24:00"),), None)),
        (Both((Osm("Mo 08:00-12:00"), Osm("Mo-Su 10:00-14:00"))), Week((Opening((0,), "10:00", "12:00"),), None)),
        (Osm("off"), Week((), None)),
        (Osm("Jan-Mar Mo-Fr 08:00-12:00"), None),
        (Osm("Mo[1] 08:00-12:00"), None),
        (Osm("2026 Dec 24 off"), None),
        (Osm("sunrise-sunset"), None),
        (Osm('Mo 08:00-12:00 "nach Absprache"'), None),
        (Osm("this is none"), None),
        (Osm("Mo-Mo-Mo"), None),
        (Closure(Osm("24/7"), date(2026, 1, 1), date(2026, 1, 2)), None),
        (Both(()), None),
        (Osm("Fr 20:00-02:00; PH off"), None),
    ],
)
def test_weeks(hours: Hours, week: Week | None) -> None:
    assert week_of(hours) == week


@settings(deadline=None)
@given(parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=3), both=st.booleans(), day=st.integers(0, 1500))
def test_what_is_given_is_so_on_each_day(parts: list[str], both: bool, day: int) -> None:
    """Against the hours themselves, with the holidays of a Land."""
    hours: Hours = (Both if both else Either)(tuple(map(Osm, parts)))
    week = week_of(hours)
    if week is None:
        return
    today = date(2024, 1, 1) + timedelta(days=day)
    zone = ZoneInfo(HESSE.zone)
    if any(datetime.combine(today + timedelta(days=n), datetime.min.time(), zone).dst() for n in (0, 1)) != bool(
        datetime.combine(today, datetime.min.time(), zone).dst()
    ):
        return  # the clock changes
    start, end = midnight(today, HESSE), midnight(today + timedelta(days=1), HESSE)
    found = [
        (f"{span.start.astimezone(zone):%H:%M}", "24:00" if span.end == end else f"{span.end.astimezone(zone):%H:%M}")
        for span in spans(hours, HESSE, start, end)
    ]
    expected = [(one.opens, one.closes) for one in week.openings if today.weekday() in one.days]
    if week.holidays is not None and HESSE.holiday(today):
        expected = list(week.holidays)
    assert found == sorted(expected)


def test_expressions() -> None:
    assert expressions(Both((Osm("Mo 08:00-12:00"), Osm("24/7"), Osm("24/7")))) == "Mo 08:00-12:00 & 24/7"
