"""The algebra of opening hours: OSM expressions with a Land's holidays, intersected, united, with exceptions. Pure.

Expressions follow the OSM specification of `opening_hours`; the parser is opening-hours-py. That library knows no
holidays of a Land (it takes Corpus Christi in Hesse for a working day), therefore `PH` is resolved here: on a public
holiday `PH` stands for that day's weekday, on other days for nothing. Holidays come from the library `holidays`.
All instants are aware and in UTC; wall-clock times become UTC in the zone of the place, once.
Exceptions are laid around a base; the outermost one decides. Their days go from midnight to midnight, whatever the base
has past midnight; special hours past midnight of their last day are kept. Why something is closed: reasons.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, reduce
from zoneinfo import ZoneInfo

import holidays
import msgspec
import opening_hours
from opening_hours import ParserError  # type: ignore[attr-defined]  # its stub forgets the exception

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.rules import Broken, rule

WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
LOOK_AHEAD = timedelta(days=60)
ONE_DAY = timedelta(days=1)
MAX_EXPRESSION = 1000
Words = tuple[tuple[str, str], ...]
"""A text in several languages: pairs of language and text, sorted. Unlike a mapping it can be remembered by."""
_HOLIDAY = re.compile(r"(?<![A-Za-z])PH(?![A-Za-z])")
_SCHOOL_HOLIDAY = re.compile(r"(?<![A-Za-z])SH(?![A-Za-z])|PH\s*[+-]\s*\d")

TOO_LONG = rule("SP2131", "opening hours are longer than {most} characters")
UNREADABLE = rule(
    "SP2132", "opening hours {expression!r}: {why}", "They are written as in OpenStreetMap: Mo-Fr 08:00-18:00; PH off"
)
NO_SCHOOL_HOLIDAYS = rule("SP2133", "school holidays (SH) and days around a holiday (PH +1 day) are not supported")
HOLIDAY_WITH_OTHERS = rule("SP2134", "opening hours {expression!r}: PH stands alone or in a list of days")


class HoursError(ServicepunktError):
    """An expression that cannot be read; `staff_sentence` says where."""

    code = "SP2001"
    status = 422
    staff = "The opening hours cannot be read."

    def __init__(self, said: Broken) -> None:
        super().__init__(said)
        self.said = said


class Span(msgspec.Struct, frozen=True, order=True):
    """An interval [start, end) in UTC during which something is open."""

    start: datetime
    end: datetime


class Calendar(msgspec.Struct, frozen=True):
    """Where the hours apply: time zone and Land (ISO 3166-2 without the country, such as HE or BB)."""

    zone: str = "Europe/Berlin"
    subdivision: str = ""

    def holiday(self, day: date) -> str | None:
        """The German name of the public holiday, or None."""
        return _holidays(self.subdivision, day.year, "de").get(day)

    def holiday_words(self, day: date) -> Words:
        """The name of the public holiday in German and English; empty on other days."""
        german = self.holiday(day)
        return (("de", german), ("en", _holidays(self.subdivision, day.year, "en_US")[day])) if german else ()


class Whose(msgspec.Struct, frozen=True):
    """Whose hours they are: a role (host, point, staff, offer, or an area's own word) and a name to say."""

    role: str
    name: Words = ()


class Osm(msgspec.Struct, frozen=True, omit_defaults=True, tag="osm"):
    """One OSM expression, and whose hours it says."""

    expression: str
    whose: Whose | None = None


class Both(msgspec.Struct, frozen=True, tag="both"):
    """Open while all parts are open; open always when there are no parts."""

    parts: tuple[Hours, ...]


class Either(msgspec.Struct, frozen=True, tag="either"):
    """Open while any part is open."""

    parts: tuple[Hours, ...]


class Closure(msgspec.Struct, frozen=True, tag="closure"):
    """`base`, but closed on the days from `first` to `last` (both included)."""

    base: Hours
    first: date
    last: date
    reason: Words = ()


class Special(msgspec.Struct, frozen=True, omit_defaults=True, tag="special"):
    """`base`, but on one `day`, or until `last`, these hours instead (a special Sunday, a shorter Christmas Eve)."""

    base: Hours
    day: date
    expression: str
    last: date | None = None
    reason: Words = ()


Hours = Osm | Both | Either | Closure | Special


class State(msgspec.Struct, frozen=True):
    """Whether it is open at an instant, until when it stays so, when it opens next, and today's holiday if any."""

    open: bool
    until: datetime | None
    opens: datetime | None
    holiday: str | None


@lru_cache(maxsize=256)
def _holidays(subdivision: str, year: int, language: str) -> dict[date, str]:
    found = holidays.country_holidays("DE", subdiv=subdivision or None, years=year, language=language)
    return {day: str(name) for day, name in found.items()}


def parse(expression: str) -> Osm:
    """Check an expression. Raises HoursError with the parser's words."""
    if len(expression) > MAX_EXPRESSION:
        raise HoursError(TOO_LONG(most=MAX_EXPRESSION))
    if _SCHOOL_HOLIDAY.search(expression):
        raise HoursError(NO_SCHOOL_HOLIDAYS())
    try:
        _read(expression)
    except ParserError as error:
        raise HoursError(UNREADABLE(expression=expression, why=str(error).splitlines()[-1].strip(" ="))) from None
    try:
        _read(_with_holidays(expression, WEEKDAYS[:2]))
    except ParserError:
        raise HoursError(HOLIDAY_WITH_OTHERS(expression=expression)) from None
    return Osm(expression)


@lru_cache(maxsize=4096)
def _read(expression: str) -> opening_hours.OpeningHours:
    return opening_hours.OpeningHours(expression)


def _with_holidays(expression: str, weekdays: tuple[str, ...]) -> str:
    """The expression with PH standing for these weekdays; without any it stays, and then never matches."""
    return _HOLIDAY.sub(",".join(weekdays), expression) if weekdays else expression


@lru_cache(maxsize=65536)
def wall_times(expression: str, day: date, holidays_near: tuple[str, ...]) -> tuple[tuple[datetime, datetime], ...]:
    """What is open on `day` by the clock on the wall, when these weekdays are holidays; the end may be midnight.

    Includes what the evening before has left of hours that reach past midnight.
    """
    found = _intervals(expression, day, holidays_near)
    return tuple((start, end) for start, end, state, _ in found if state == opening_hours.State.OPEN)


def wall_comment(expression: str, day: date, holidays_near: tuple[str, ...]) -> str:
    """What the expression itself says about its hours on `day`, in quotes: `Dec 24 off "Christmas Eve"`."""
    comments = [comment for _, _, _, comment in _intervals(expression, day, holidays_near) if comment]
    return comments[0] if comments else ""


def _intervals(
    expression: str, day: date, holidays_near: tuple[str, ...]
) -> Iterable[tuple[datetime, datetime, opening_hours.State, str]]:
    midnight = datetime.combine(day, time())
    hours = _read(_with_holidays(expression, holidays_near))
    return hours.intervals(midnight, midnight + ONE_DAY)


def holidays_near(calendar: Calendar, day: date) -> tuple[str, ...]:
    """Those of `day` and the day before that are holidays, as OSM names weekdays."""
    return tuple(WEEKDAYS[near.weekday()] for near in (day - ONE_DAY, day) if calendar.holiday(near))


@lru_cache(maxsize=65536)
def _day_spans(expression: str, calendar: Calendar, day: date) -> tuple[Span, ...]:
    """What is open on `day`, as instants."""
    times = wall_times(expression, day, holidays_near(calendar, day))
    found = (Span(_instant(start, calendar.zone), _instant(end, calendar.zone)) for start, end in times)
    return tuple(span for span in found if span.start < span.end)


@lru_cache(maxsize=4096)
def _special_spans(expression: str, calendar: Calendar, first: date, last: date) -> tuple[Span, ...]:
    """The hours of special days: without what the evening before would have left, with what the last evening leaves."""
    before, begin, end = (midnight(day, calendar) for day in (first - ONE_DAY, first, last + ONE_DAY))
    after = midnight(last + 2 * ONE_DAY, calendar)
    days = _days(calendar, before, after)
    found: list[Span] = []
    for span in unite([span for day in days for span in _day_spans(expression, calendar, day)]):
        from_eve = before < span.start < begin < span.end < end
        into_night = begin < span.start < end < span.end < after
        if not from_eve:
            found += clip([span], begin, span.end if into_night else end)
    return tuple(found)


def _instant(wall: datetime, zone: str) -> datetime:
    """A wall-clock time in UTC. In the hour that happens twice the first is meant; in the missing hour, the next."""
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def spans(hours: Hours, calendar: Calendar, start: datetime, end: datetime) -> tuple[Span, ...]:
    """The open intervals within [start, end), sorted, without touching neighbours."""
    return tuple(clip(_evaluate(hours, calendar, start, end), start, end))


def _evaluate(hours: Hours, calendar: Calendar, start: datetime, end: datetime) -> list[Span]:
    match hours:
        case Osm(expression):
            days = _days(calendar, start, end)
            return unite([span for day in days for span in _day_spans(expression, calendar, day)])
        case Both(parts):
            everything = [Span(start, end)]
            return reduce(intersect, (_evaluate(part, calendar, start, end) for part in parts), everything)
        case Either(parts):
            return unite([span for part in parts for span in _evaluate(part, calendar, start, end)])
        case Closure(base, first, last):
            closed = Span(midnight(first, calendar), midnight(last + ONE_DAY, calendar))
            return subtract(_evaluate(base, calendar, start, end), closed)
        case Special(base, day, expression, last):
            last = last or day
            whole = Span(midnight(day, calendar), midnight(last + ONE_DAY, calendar))
            rest = subtract(_evaluate(base, calendar, start, end), whole)
            return unite([*rest, *_special_spans(expression, calendar, day, last)])


def _days(calendar: Calendar, start: datetime, end: datetime) -> Iterable[date]:
    zone = ZoneInfo(calendar.zone)
    day = start.astimezone(zone).date()
    last = end.astimezone(zone).date()
    while day <= last:
        yield day
        day += ONE_DAY


@lru_cache(maxsize=8192)
def on_day(hours: Hours, calendar: Calendar, day: date) -> tuple[Span, ...]:
    """The open intervals of a day from midnight to midnight."""
    return spans(hours, calendar, midnight(day, calendar), midnight(day + ONE_DAY, calendar))


def opens_on(hours: Hours, calendar: Calendar, day: date) -> bool:
    """Whether there is any open minute on a day."""
    return bool(on_day(hours, calendar, day))


@lru_cache(maxsize=8192)
def midnight(day: date, calendar: Calendar) -> datetime:
    """The instant at which a day begins."""
    return _instant(datetime.combine(day, time()), calendar.zone)


def local_date(at: datetime, calendar: Calendar) -> date:
    """The day that an instant belongs to at the place."""
    return at.astimezone(ZoneInfo(calendar.zone)).date()


def clip(found: Iterable[Span], start: datetime, end: datetime) -> Iterable[Span]:
    """What of the intervals lies in [start, end)."""
    for span in found:
        if span.start < end and start < span.end:
            yield Span(max(span.start, start), min(span.end, end))


def unite(found: list[Span]) -> list[Span]:
    """Sorted, with overlapping and touching intervals joined."""
    joined: list[Span] = []
    for span in sorted(found):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def intersect(one: list[Span], other: list[Span]) -> list[Span]:
    """What two sorted lists have in common."""
    common, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        start, end = max(one[i].start, other[j].start), min(one[i].end, other[j].end)
        if start < end:
            common.append(Span(start, end))
        if one[i].end < other[j].end:
            i += 1
        else:
            j += 1
    return common


def subtract(found: list[Span], closed: Span) -> list[Span]:
    rest = []
    for span in found:
        if span.start < closed.start:
            rest.append(Span(span.start, min(span.end, closed.start)))
        if closed.end < span.end:
            rest.append(Span(max(span.start, closed.end), span.end))
    return [span for span in rest if span.start < span.end]


def state(hours: Hours, calendar: Calendar, at: datetime) -> State:
    """Open or closed at `at`; looks `LOOK_AHEAD` into the future, None where nothing changes within it."""
    return _state(hours, calendar, at.replace(second=0, microsecond=0))


@lru_cache(maxsize=8192)
def _state(hours: Hours, calendar: Calendar, minute: datetime) -> State:
    """The state within a minute: hours begin and end on whole ones, and a page asks for many offers at once."""
    horizon = minute + LOOK_AHEAD
    upcoming = spans(hours, calendar, minute, horizon)
    holiday = calendar.holiday(local_date(minute, calendar))
    if upcoming and upcoming[0].start == minute:
        until = upcoming[0].end
        return State(True, until if until < horizon else None, None, holiday)
    opens = upcoming[0].start if upcoming else None
    return State(False, opens, opens, holiday)
