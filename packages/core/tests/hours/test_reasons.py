"""Why a day or an instant is closed, and by whose hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.hours.model import (
    Both,
    Calendar,
    Closure,
    Either,
    Hours,
    Osm,
    Special,
    Whose,
    midnight,
    opens_on,
    spans,
    state,
)
from servicepunkt.core.hours.reasons import Cause, calendar, causes, why

BERLIN = ZoneInfo("Europe/Berlin")
HE, BB = Calendar(subdivision="HE"), Calendar(subdivision="BB")
HOST, STAFF = Whose("host", (("de", "Kaufhaus"),)), Whose("staff")
SHOP = Osm("Mo-Sa 09:30-20:00; PH off", HOST)
WORKS: tuple[tuple[str, str], ...] = (("de", "Umbau"), ("en", "Building works"))
CORPUS_CHRISTI = (("de", "Fronleichnam"), ("en", "Corpus Christi"))


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def on(day: str, hours: Hours, where: Calendar = HE) -> list[tuple[str, bool, str]]:
    """(kind, closes, whose role) of each cause of a day."""
    found = causes(hours, where, date.fromisoformat(day))
    return [(cause.kind, cause.closes, cause.whose.role if cause.whose else "") for cause in found]


def test_an_ordinary_open_day_has_no_cause() -> None:
    assert on("2026-06-05", SHOP) == []


def test_a_holiday_closes_in_its_own_land_and_is_named_in_both_languages() -> None:
    assert causes(SHOP, HE, date(2026, 6, 4)) == (Cause("holiday", True, HOST, CORPUS_CHRISTI),)
    assert on("2026-06-04", SHOP, BB) == []


def test_a_holiday_with_hours_of_its_own_is_other_than_usual() -> None:
    assert on("2026-06-04", Osm("Mo-Sa 09:00-20:00; PH 13:00-18:00")) == [("holiday", False, "")]


def test_a_holiday_that_changes_nothing_is_no_cause() -> None:
    assert on("2026-06-04", Osm("Mo-Su 05:00-22:00")) == []
    assert on("2026-05-24", SHOP, BB) == [("rest", True, "host")]  # Whit Sunday


def test_the_weekly_rest_is_told_from_a_single_date() -> None:
    assert on("2026-06-07", SHOP) == [("rest", True, "host")]
    assert on("2026-06-05", Osm("Mo-Sa 09:30-20:00; Jun 05 off")) == [("date", True, "")]
    assert on("2026-06-05", Osm("off")) == [("date", True, "")]


def test_a_date_in_the_expression_says_its_own_words() -> None:
    short = "; ".join(f'Dec {day} 09:30-14:00 "Vor dem Fest"' for day in (24, 31))
    hours = Osm(f'Mo-Sa 09:30-20:00; {short}; Dec 23 off "Inventur"')
    for day in (24, 31):
        assert causes(hours, HE, date(2026, 12, day)) == (Cause("date", False, None, (("", "Vor dem Fest"),)),)
    assert causes(hours, HE, date(2026, 12, 23)) == (Cause("date", True, None, (("", "Inventur"),)),)
    assert on("2026-12-17", hours) == []


def test_a_season_begins_without_a_reason() -> None:
    hours = Osm("Apr-Sep Mo-Sa 09:00-20:00; Oct-Mar Mo-Sa 09:00-18:00")
    assert [on(day, hours) for day in ("2026-09-25", "2026-09-30", "2026-10-01", "2026-10-09")] == [[]] * 4


def test_a_closure_says_why_and_leaves_the_weekly_rest_what_it_is() -> None:
    hours = Closure(SHOP, date(2026, 6, 5), date(2026, 6, 8), WORKS)
    assert causes(hours, HE, date(2026, 6, 5)) == (Cause("closure", True, HOST, WORKS),)
    assert [on(day, hours) for day in ("2026-06-04", "2026-06-07", "2026-06-09")] == [
        [("holiday", True, "host")],
        [("rest", True, "host")],
        [],
    ]


def test_special_hours_say_why_where_they_differ() -> None:
    sunday = Special(SHOP, date(2026, 6, 7), "13:00-18:00", reason=WORKS)
    assert causes(sunday, HE, date(2026, 6, 7)) == (Cause("special", False, HOST, WORKS),)
    summer = Special(SHOP, date(2026, 6, 5), "Mo-Fr 09:30-20:00", date(2026, 6, 8), WORKS)
    assert [on(f"2026-06-{day:02}", summer) for day in (5, 6, 7, 8)] == [
        [],
        [("closure", True, "host")],
        [("rest", True, "host")],
        [],
    ]


def test_what_closes_is_told_the_outermost_first() -> None:
    both = Both((SHOP, Osm("Mo-Fr 10:00-18:00; PH off", STAFF)))
    assert on("2026-06-04", both) == [("holiday", True, "host"), ("holiday", True, "staff")]
    assert on("2026-06-06", both) == [("rest", True, "staff")]
    longer = Special(Osm("Mo-Fr 10:00-18:00", STAFF), date(2026, 6, 4), "08:00-20:00", reason=WORKS)
    assert on("2026-06-04", Both((longer, SHOP))) == [("holiday", True, "host")]
    assert on("2026-06-05", both) == []


def test_parts_that_never_meet_are_a_reason() -> None:
    apart = Both((Osm("Mo-Fr 08:00-12:00"), Osm("Mo-Fr 13:00-17:00")))
    assert on("2026-06-05", apart) == [("apart", True, "")]


def test_one_open_part_is_enough_for_either() -> None:
    either = Either((SHOP, Osm("Su 10:00-12:00")))
    assert on("2026-06-07", either) == []
    assert on("2026-06-04", either) == [("holiday", True, "host"), ("rest", True, "")]
    assert on("2026-06-04", Either(())) == [("date", True, "")]


def test_why_it_is_closed_now() -> None:
    both = Both((SHOP, Osm("Mo-Sa 10:00-19:00", STAFF)))
    assert why(both, HE, local("2026-06-05T12:00:59")) == ()
    assert [(c.kind, c.whose) for c in why(both, HE, local("2026-06-05T19:30"))] == [("time", STAFF)]
    assert [(c.kind, c.whose) for c in why(both, HE, local("2026-06-05T21:00"))] == [("time", HOST), ("time", STAFF)]
    assert [(c.kind, c.whose) for c in why(both, HE, local("2026-06-04T12:00"))] == [("holiday", HOST)]
    closure = Closure(SHOP, date(2026, 6, 5), date(2026, 6, 5), WORKS)
    assert why(closure, HE, local("2026-06-05T22:00")) == (Cause("closure", True, HOST, WORKS),)
    assert why(closure, HE, local("2026-06-08T22:00")) == (Cause("time", True, HOST),)


def test_why_it_is_closed_on_the_evening_of_special_hours() -> None:
    sunday = Special(SHOP, date(2026, 6, 7), "13:00-18:00", reason=WORKS)
    assert why(sunday, HE, local("2026-06-07T12:00")) == (Cause("time", True, HOST),)
    assert why(sunday, HE, local("2026-06-06T21:00")) == (Cause("time", True, HOST),)


def test_the_calendar_has_every_day_once_with_its_hours() -> None:
    days = calendar(SHOP, HE, date(2026, 6, 1))
    assert [day.date for day in days] == [date(2026, 6, 1) + timedelta(days=n) for n in range(60)]
    assert days[3].holiday == CORPUS_CHRISTI
    assert not days[3].spans
    assert sum(bool(day.spans) for day in days) == 60 - 8 - 1
    assert calendar(SHOP, HE, date(2026, 6, 1), days=0) == ()


@pytest.mark.parametrize(("day", "length"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-03-30", 24)])
def test_a_day_is_as_long_as_it_is(day: str, length: int) -> None:
    (found,) = calendar(Osm("24/7"), HE, date.fromisoformat(day), days=1)
    assert sum((span.end - span.start for span in found.spans), timedelta()) == timedelta(hours=length)


# --- laws -----------------------------------------------------------------------------------------------------

DAYS = st.dates(date(2026, 3, 20), date(2027, 1, 10))
EXPRESSIONS = st.sampled_from(
    [SHOP.expression, "24/7", "off", "Mo-Fr,PH 10:00-12:00", "Fr 20:00-02:00", "Mo[1] 08:00-12:00", "13:00-18:00"]
)
TREES: st.SearchStrategy[Hours] = st.recursive(
    EXPRESSIONS.map(Osm),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: Both(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Either(tuple(parts))),
        st.builds(lambda base, day, n: Closure(base, day, day + timedelta(days=n)), inner, DAYS, st.integers(0, 9)),
        st.builds(
            lambda base, day, text, n: Special(base, day, text, day + timedelta(days=n)),
            inner,
            DAYS,
            EXPRESSIONS,
            st.integers(0, 9),
        ),
    ),
    max_leaves=5,
)


@given(TREES, DAYS)
def test_a_day_is_closed_exactly_when_a_cause_closes_it(hours: Hours, day: date) -> None:
    assert opens_on(hours, HE, day) != any(cause.closes for cause in causes(hours, HE, day))


@given(TREES, DAYS, st.integers(0, 24 * 60 - 1))
def test_there_is_a_reason_exactly_while_it_is_closed(hours: Hours, day: date, minute: int) -> None:
    at = midnight(day, HE) + timedelta(minutes=minute)
    found = why(hours, HE, at)
    assert state(hours, HE, at).open == (not found)
    assert all(cause.closes for cause in found)


@given(TREES, DAYS)
def test_the_days_of_a_calendar_are_its_open_times(hours: Hours, first: date) -> None:
    days = calendar(hours, HE, first, days=9)
    whole = spans(hours, HE, midnight(first, HE), midnight(first + timedelta(days=9), HE))
    assert sum((s.end - s.start for day in days for s in day.spans), timedelta()) == sum(
        (s.end - s.start for s in whole), timedelta()
    )
    for day in days:
        window = midnight(day.date, HE), midnight(day.date + timedelta(days=1), HE)
        assert day.spans == spans(hours, HE, *window)
        assert bool(day.spans) == opens_on(hours, HE, day.date)
