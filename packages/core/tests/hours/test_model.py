"""The algebra of opening hours: its laws, the days on which clocks and holidays play tricks, and what it refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.hours.model import (
    LOOK_AHEAD,
    Both,
    Calendar,
    Closure,
    Either,
    Hours,
    HoursError,
    Osm,
    Span,
    Special,
    State,
    intersect,
    parse,
    spans,
    state,
    subtract,
    unite,
)

BERLIN = ZoneInfo("Europe/Berlin")
HE, BB = Calendar(subdivision="HE"), Calendar(subdivision="BB")
ZERO = datetime(2026, 1, 1, tzinfo=UTC)
SHOP = "Mo-Sa 09:30-20:00; PH off"


def local(text: str) -> datetime:
    """An instant, said as a clock in Berlin says it."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def on(day: str, hours: Hours | str, calendar: Calendar = HE) -> list[str]:
    """The open times of a day as its clocks show them: ['09:30-20:00']."""
    start, end = local(day), local((date.fromisoformat(day) + timedelta(days=1)).isoformat())
    found = spans(Osm(hours) if isinstance(hours, str) else hours, calendar, start, end)
    clock = [(span.start.astimezone(BERLIN), span.end.astimezone(BERLIN)) for span in found]
    return [f"{a:%H:%M}-{'24:00' if b == end else f'{b:%H:%M}'}" for a, b in clock]


def open_hours(day: str, hours: str, calendar: Calendar = HE) -> float:
    start, end = local(day), local((date.fromisoformat(day) + timedelta(days=1)).isoformat())
    return sum((s.end - s.start) / timedelta(hours=1) for s in spans(Osm(hours), calendar, start, end))


# --- the laws -------------------------------------------------------------------------------------------------


def at(minute: int) -> datetime:
    return ZERO + timedelta(minutes=minute)


RAW = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8).map(
    lambda pairs: [Span(at(start), at(start + length)) for start, length in pairs]
)
NORMAL = RAW.map(unite)


def minutes(found: list[Span]) -> set[int]:
    """The model to compare with: the set of minutes that are open."""
    return {minute for minute in range(100) for span in found if span.start <= at(minute) < span.end}


@given(RAW)
def test_united_intervals_are_sorted_and_do_not_touch(found: list[Span]) -> None:
    united = unite(found)
    assert minutes(united) == minutes(found)
    assert all(one.end < other.start for one, other in pairwise(united))
    assert unite(united) == united


@given(RAW, RAW, RAW)
def test_union_is_idempotent_commutative_and_associative(a: list[Span], b: list[Span], c: list[Span]) -> None:
    assert unite(a + a) == unite(a)
    assert unite(a + b) == unite(b + a)
    assert unite(unite(a + b) + c) == unite(a + unite(b + c))


@given(NORMAL, NORMAL, NORMAL)
def test_intersection_is_idempotent_commutative_and_associative(a: list[Span], b: list[Span], c: list[Span]) -> None:
    assert intersect(a, a) == a
    assert intersect(a, b) == intersect(b, a)
    assert intersect(intersect(a, b), c) == intersect(a, intersect(b, c))


@given(NORMAL, NORMAL)
def test_an_intersection_is_what_lies_in_both(a: list[Span], b: list[Span]) -> None:
    assert minutes(intersect(a, b)) == minutes(a) & minutes(b)
    assert unite(intersect(a, b)) == intersect(a, b)


@given(NORMAL, NORMAL, NORMAL)
def test_intersection_distributes_over_union(a: list[Span], b: list[Span], c: list[Span]) -> None:
    assert intersect(a, unite(b + c)) == unite(intersect(a, b) + intersect(a, c))
    assert intersect(a, unite(a + b)) == a


@given(NORMAL, st.integers(0, 70), st.integers(1, 30))
def test_what_was_subtracted_is_closed_and_nothing_else(found: list[Span], start: int, length: int) -> None:
    closed = Span(at(start), at(start + length))
    rest = subtract(found, closed)
    assert intersect(rest, [closed]) == []
    assert minutes(rest) == minutes(found) - minutes([closed])
    assert unite(rest + intersect(found, [closed])) == found


DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 1))
EXPRESSIONS = st.sampled_from([SHOP, "24/7", "off", "Mo-Fr,PH 10:00-12:00", "Fr 20:00-02:00", "Mo[1] 08:00-12:00"])
TREES: st.SearchStrategy[Hours] = st.recursive(
    EXPRESSIONS.map(Osm),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: Both(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Either(tuple(parts))),
        st.builds(
            lambda base, day, length: Closure(base, day, day + timedelta(days=length)), inner, DAYS, st.integers(0, 9)
        ),
        st.builds(Special, inner, DAYS, EXPRESSIONS),
    ),
    max_leaves=5,
)


@given(TREES, DAYS, st.integers(0, 72))
def test_open_times_lie_in_the_window_in_order_and_do_not_depend_on_where_it_is_cut(
    hours: Hours, day: date, cut: int
) -> None:
    start = datetime(day.year, day.month, day.day, 11, 13, tzinfo=UTC)
    middle, end = start + timedelta(hours=cut), start + timedelta(hours=72)
    whole = spans(hours, HE, start, end)
    assert all(start <= span.start < span.end <= end for span in whole)
    assert list(whole) == unite(list(whole))
    assert list(whole) == unite([*spans(hours, HE, start, middle), *spans(hours, HE, middle, end)])


@given(TREES, TREES, DAYS)
def test_both_is_within_each_and_each_within_either(one: Hours, other: Hours, day: date) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start + timedelta(days=3)
    a, b = list(spans(one, HE, start, end)), list(spans(other, HE, start, end))
    assert list(spans(Both((one, other)), HE, start, end)) == intersect(a, b)
    assert list(spans(Either((one, other)), HE, start, end)) == unite(a + b)


def over(hours: Hours, day: date) -> list[Span]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return list(spans(hours, HE, start, start + timedelta(days=4)))


@given(TREES, TREES, TREES, DAYS)
def test_the_laws_of_a_lattice_hold_for_whole_expressions(a: Hours, b: Hours, c: Hours, day: date) -> None:
    def same(one: Hours, other: Hours) -> bool:
        return over(one, day) == over(other, day)

    for join, meet in ((Either, Both), (Both, Either)):
        assert same(join((a, a)), a)
        assert same(join((a, b)), join((b, a)))
        assert same(join((join((a, b)), c)), join((a, join((b, c)))))
        assert same(join((a, b, c)), join((a, join((b, c)))))
        assert same(join((a, meet((a, b)))), a)
        assert same(meet((a, join((b, c)))), join((meet((a, b)), meet((a, c)))))
    assert same(Both((a, Osm("24/7"))), a)
    assert same(Either((a, Osm("off"))), a)
    assert over(Both((a, Osm("off"))), day) == []


@given(TREES, DAYS, DAYS, st.integers(0, 3), EXPRESSIONS)
def test_an_exception_decides_on_its_days_and_nowhere_else(
    base: Hours, day: date, elsewhere: date, length: int, expression: str
) -> None:
    last = day + timedelta(days=length)
    whole = [Span(local(day.isoformat()), local((last + timedelta(days=1)).isoformat()))]
    usual, closed = over(base, day), over(Closure(base, day, last), day)
    assert intersect(closed, whole) == []
    assert closed == subtract(usual, whole[0])
    special = over(Special(base, day, expression, last), day)
    other = over(Special(Osm("off"), day, expression, last), day)
    assert intersect(special, whole) == intersect(other, whole)
    assert special == unite([*closed, *other])
    assert over(Closure(Special(base, day, expression), day, last), day) == over(Closure(base, day, last), day) or (
        length == 0 and "20:00-02:00" in expression  # the night after the special day is the next day's
    )
    assert over(Special(Closure(base, day, last), day, expression, last), day) == special
    if abs(elsewhere - day) > timedelta(days=9):
        assert over(Closure(base, day, last), elsewhere) == over(base, elsewhere)
        assert over(Special(base, day, expression, last), elsewhere) == over(base, elsewhere)


@given(TREES, TREES, DAYS, st.integers(0, 3))
def test_a_closure_of_the_whole_is_a_closure_of_each_part(a: Hours, b: Hours, day: date, length: int) -> None:
    last = day + timedelta(days=length)
    for join in (Both, Either):
        apart = join((Closure(a, day, last), Closure(b, day, last)))
        assert over(Closure(join((a, b)), day, last), day) == over(apart, day)
    assert over(Closure(Closure(a, day, last), day, last), day) == over(Closure(a, day, last), day)


@given(TREES, DAYS)
def test_the_next_change_is_one(hours: Hours, day: date) -> None:
    now = datetime(day.year, day.month, day.day, 9, 47, tzinfo=UTC)
    found = state(hours, HE, now)
    if found.until is not None:
        assert state(hours, HE, found.until).open != found.open
        assert state(hours, HE, found.until - timedelta(minutes=1)).open == found.open
        between = now + (found.until - now) / 2
        assert state(hours, HE, between).open == found.open


@given(TREES, DAYS)
def test_the_state_agrees_with_the_open_times(hours: Hours, day: date) -> None:
    now = datetime(day.year, day.month, day.day, 9, 47, tzinfo=UTC)
    found = state(hours, HE, now)
    upcoming = spans(hours, HE, now, now + LOOK_AHEAD)
    assert found.open == bool(upcoming and upcoming[0].start == now)
    assert (found.opens is None) == (found.open or not upcoming)
    assert found.until is None or found.until > now


# --- clocks ---------------------------------------------------------------------------------------------------


def test_the_day_of_the_missing_hour_has_twenty_three() -> None:
    assert open_hours("2026-03-29", "24/7") == 23
    assert open_hours("2026-03-28", "24/7") == 24
    assert open_hours("2026-03-29", "Mo-Su 09:00-17:00") == 8
    assert open_hours("2026-03-29", "Mo-Su 01:00-04:00") == 2


def test_the_day_of_the_doubled_hour_has_twenty_five() -> None:
    assert open_hours("2026-10-25", "24/7") == 25
    assert open_hours("2026-10-25", "Mo-Su 09:00-17:00") == 8
    assert open_hours("2026-10-25", "Mo-Su 01:00-04:00") == 4


def test_within_the_doubled_hour_the_first_one_is_meant() -> None:
    (span,) = spans(Osm("Mo-Su 00:00-02:30"), HE, local("2026-10-25"), local("2026-10-26"))
    assert span.end == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_within_the_missing_hour_the_next_one_is_meant() -> None:
    (span,) = spans(Osm("Mo-Su 02:30-05:00"), HE, local("2026-03-29"), local("2026-03-30"))
    assert span.start == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert f"{span.start.astimezone(BERLIN):%H:%M}" == "03:30"


def test_opening_times_keep_to_the_clocks_of_the_place() -> None:
    assert on("2026-01-05", SHOP) == on("2026-07-06", SHOP) == ["09:30-20:00"]
    (span,) = spans(Osm("Mo 09:00-10:00"), Calendar("Europe/Lisbon"), local("2026-07-06"), local("2026-07-07"))
    assert span.start == datetime(2026, 7, 6, 8, 0, tzinfo=UTC)


# --- holidays -------------------------------------------------------------------------------------------------


def test_corpus_christi_closes_in_hesse_and_not_in_brandenburg() -> None:
    assert on("2026-06-04", SHOP, HE) == []
    assert on("2026-06-04", SHOP, BB) == ["09:30-20:00"]
    assert on("2026-06-05", SHOP, HE) == ["09:30-20:00"]


def test_reformation_day_closes_in_brandenburg_and_not_in_hesse() -> None:
    assert on("2026-10-31", SHOP, BB) == []
    assert on("2026-10-31", SHOP, HE) == ["09:30-20:00"]


def test_a_place_without_a_land_keeps_the_holidays_of_the_whole_country() -> None:
    assert on("2026-06-04", SHOP, Calendar()) == ["09:30-20:00"]
    assert on("2026-12-25", SHOP, Calendar()) == []


def test_holidays_can_stand_in_a_list_of_days() -> None:
    for expression in ("Mo-Fr,PH 10:00-12:00", "PH,Mo-Fr 10:00-12:00", "Mo-Fr 10:00-12:00; PH 10:00-12:00"):
        assert on("2026-12-26", expression) == ["10:00-12:00"], expression  # a Saturday
        assert on("2026-12-19", expression) == [], expression
        assert on("2026-06-04", expression) == ["10:00-12:00"], expression


def test_a_holiday_may_have_hours_of_its_own() -> None:
    expression = "Mo-Sa 09:00-20:00; PH 13:00-18:00"
    assert on("2026-06-04", expression) == ["13:00-18:00"]
    assert on("2026-06-05", expression) == ["09:00-20:00"]
    assert on("2026-05-31", expression) == []


def test_hours_on_a_holiday_evening_reach_into_the_next_day() -> None:
    assert on("2026-06-04", "PH 20:00-02:00") == ["20:00-24:00"]
    assert on("2026-06-05", "PH 20:00-02:00") == ["00:00-02:00"]
    assert on("2026-06-06", "PH 20:00-02:00") == []
    assert on("2026-12-26", "PH 20:00-02:00") == ["00:00-02:00", "20:00-24:00"]
    assert on("2026-12-27", "PH 20:00-02:00") == ["00:00-02:00"]


@pytest.mark.xfail(strict=True, reason="opening-hours-py keeps what reaches past midnight from a day that is off")
def test_a_closed_holiday_has_no_hours_after_midnight_either() -> None:
    assert on("2026-06-05", "Mo-Th 20:00-02:00; PH off") == []


# --- nights, closures, specials -------------------------------------------------------------------------------


def test_hours_past_midnight_belong_to_both_days_and_are_one_interval() -> None:
    night = "Fr 20:00-02:00"
    assert on("2026-11-20", night) == ["20:00-24:00"]
    assert on("2026-11-21", night) == ["00:00-02:00"]
    (span,) = spans(Osm(night), HE, local("2026-11-20"), local("2026-11-22"))
    assert (span.start, span.end) == (local("2026-11-20T20:00"), local("2026-11-21T02:00"))
    assert state(Osm(night), HE, local("2026-11-21T01:00")).until == local("2026-11-21T02:00")


def test_a_closure_closes_its_first_and_its_last_day_and_none_besides() -> None:
    closed = Closure(Osm(SHOP), date(2026, 11, 17), date(2026, 11, 18), reason=(("de", "Umbau"),))
    assert [bool(on(f"2026-11-{day}", closed)) for day in (16, 17, 18, 19)] == [True, False, False, True]


def test_a_special_day_has_its_hours_instead() -> None:
    sunday = Special(Osm(SHOP), date(2026, 11, 22), "13:00-18:00")
    assert on("2026-11-22", sunday) == ["13:00-18:00"]
    assert on("2026-11-21", sunday) == ["09:30-20:00"]
    shorter = Special(Osm(SHOP), date(2026, 12, 24), "09:30-14:00")
    assert on("2026-12-24", shorter) == ["09:30-14:00"]
    assert on("2026-12-24", Special(Osm("24/7"), date(2026, 12, 24), "off")) == []


def test_special_hours_may_last_for_days_with_hours_for_each_weekday() -> None:
    summer = Special(Osm(SHOP), date(2026, 11, 20), "Mo-Fr 10:00-16:00; Su 12:00-13:00", last=date(2026, 11, 23))
    assert [on(f"2026-11-{day}", summer) for day in (19, 20, 21, 22, 23, 24)] == [
        ["09:30-20:00"],
        ["10:00-16:00"],
        [],
        ["12:00-13:00"],
        ["10:00-16:00"],
        ["09:30-20:00"],
    ]


def test_a_special_night_begins_on_its_evening_and_ends_on_the_next_day() -> None:
    night = Special(Osm(SHOP), date(2026, 12, 31), "20:00-02:00")
    assert [on(day, night) for day in ("2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02")] == [
        ["09:30-20:00"],
        ["20:00-24:00"],
        ["00:00-02:00"],
        ["09:30-20:00"],
    ]
    always = Special(Osm("off"), date(2026, 12, 31), "24/7")
    assert [on(day, always) for day in ("2026-12-30", "2026-12-31", "2027-01-01")] == [[], ["00:00-24:00"], []]


def test_the_later_exception_wins() -> None:
    day = date(2026, 11, 17)
    assert on("2026-11-17", Closure(Special(Osm(SHOP), day, "10:00-12:00"), day, day)) == []
    assert on("2026-11-17", Special(Closure(Osm(SHOP), day, day), day, "10:00-12:00")) == ["10:00-12:00"]


def test_what_needs_a_host_and_staff_is_open_while_both_are() -> None:
    assert on("2026-11-17", Both((Osm(SHOP), Osm("Tu 08:00-12:00,13:00-22:00")))) == ["09:30-12:00", "13:00-20:00"]
    assert on("2026-11-17", Either((Osm("08:00-10:00"), Osm("09:00-11:00"), Osm("11:00-12:00")))) == ["08:00-12:00"]
    assert on("2026-11-17", Both(())) == ["00:00-24:00"]
    assert on("2026-11-17", Either(())) == []


# --- the state ------------------------------------------------------------------------------------------------


def test_open_says_until_when() -> None:
    now = local("2026-11-21T19:40")
    assert state(Osm(SHOP), HE, now) == State(open=True, until=local("2026-11-21T20:00"), opens=None, holiday=None)


def test_the_minute_of_opening_is_open_and_the_minute_of_closing_is_not() -> None:
    assert state(Osm(SHOP), HE, local("2026-11-21T09:30")).open
    assert not state(Osm(SHOP), HE, local("2026-11-21T20:00")).open


def test_closed_says_when_it_opens_over_sunday_and_over_closed_weeks() -> None:
    monday = local("2026-11-23T09:30")
    assert state(Osm(SHOP), HE, local("2026-11-21T20:00")) == State(
        open=False, until=monday, opens=monday, holiday=None
    )
    weeks = Closure(Osm(SHOP), date(2026, 11, 22), date(2026, 12, 31))
    assert state(weeks, HE, local("2026-11-21T20:00")).opens == local("2027-01-02T09:30")  # after New Year's Day


def test_a_holiday_is_named() -> None:
    assert state(Osm(SHOP), HE, local("2026-06-04T12:00")).holiday == "Fronleichnam"
    assert state(Osm(SHOP), BB, local("2026-06-04T12:00")).holiday is None
    assert state(Osm(SHOP), HE, local("2026-06-03T23:59")).holiday is None
    assert state(Osm(SHOP), HE, local("2026-06-04T00:00")).holiday == "Fronleichnam"


def test_always_open_and_never_open_have_no_change_to_tell() -> None:
    now = local("2026-11-21T19:40")
    assert state(Osm("24/7"), HE, now) == State(open=True, until=None, opens=None, holiday=None)
    assert state(Osm("off"), HE, now) == State(open=False, until=None, opens=None, holiday=None)


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("Montags", "expected EOI"),
        ("Mo 25:00-12", "timespan"),
        ("", "unknown parsing error"),
        ("Mo-Fr 10:00-12:00 PH", "expected EOI"),
        ("Mo" + " " * 1000, "longer than 1000 characters"),
    ],
)
def test_a_bad_expression_is_refused_in_the_words_of_the_parser(expression: str, words: str) -> None:
    with pytest.raises(HoursError, match=words) as caught:
        parse(expression)
    assert "\n" not in caught.value.staff_sentence


@pytest.mark.parametrize("expression", ["SH off", "Mo-Fr,SH 10:00-12:00", "PH +1 day off", "PH -1 day 10:00-12:00"])
def test_school_holidays_and_days_around_a_holiday_are_refused(expression: str) -> None:
    with pytest.raises(HoursError, match="not supported"):
        parse(expression)


@pytest.mark.parametrize("expression", ["PH Mo-Fr 10:00-12:00", "Mo-Fr PH 10:00-12:00", "SHOP"])
def test_what_could_not_be_read_on_a_holiday_is_refused_on_every_day(expression: str) -> None:
    """Else the page would break on Corpus Christi, when nobody is there to see it."""
    with pytest.raises(HoursError):
        parse(expression)


WRITTEN = st.lists(
    st.tuples(
        st.sampled_from(["Mo", "PH", "Mo-Fr", "PH,Su", "Mo[1]", "Dec 24", "10:00-12:00", "20:00-02:00", "off", '"x"']),
        st.sampled_from([" ", ",", "; ", " || "]),
    ),
    max_size=5,
).map(lambda parts: "".join(text for part in parts for text in part).rstrip(" ,;|"))


@given(st.one_of(st.text(max_size=30), WRITTEN))
def test_whatever_parses_can_be_evaluated_on_every_kind_of_day(expression: str) -> None:
    try:
        hours = parse(expression)
    except HoursError:
        return
    for day in ("2026-06-03", "2026-06-04", "2026-06-05", "2026-12-25", "2026-12-26", "2026-03-29"):
        on(day, hours)
