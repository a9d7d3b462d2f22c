"""The algebra of opening hours: OSM expressions with a Land's holidays, intersected, united, with exceptions. Pure.

Expressions follow the OSM specification of `opening_hours`; the parser is opening-hours-py. That library knows no
holidays of a Land (it takes Corpus Christi in Hesse for a working day), therefore `PH` is resolved here: on a public
holiday `PH` stands for that day's weekday, on other days for nothing. Holidays come from the library `holidays`.
All instants are aware and in UTC; wall-clock times become UTC in the zone of the place, once.
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

WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
LOOK_AHEAD = timedelta(days=60)
MAX_EXPRESSION = 1000
_HOLIDAY = re.compile(r"(?<![A-Za-z])PH(?![A-Za-z])")
_SCHOOL_HOLIDAY = re.compile(r"(?<![A-Za-z])SH(?![A-Za-z])|PH\s*[+-]\s*\d")


class HoursError(ServicepunktError):
    """An expression that cannot be read; `staff_sentence` says where."""

    code = "SP2001"
    status = 422
    staff = "The opening hours cannot be read."


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
        return _holidays(self.subdivision, day.year).get(day)


class Osm(msgspec.Struct, frozen=True, tag="osm"):
    """One OSM expression."""

    expression: str


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
    reason: str = ""


class Special(msgspec.Struct, frozen=True, tag="special"):
    """`base`, but on one `day` these hours instead (a special Sunday, a shorter Christmas Eve)."""

    base: Hours
    day: date
    expression: str


Hours = Osm | Both | Either | Closure | Special


class State(msgspec.Struct, frozen=True):
    """Whether it is open at an instant, until when it stays so, when it opens next, and today's holiday if any."""

    open: bool
    until: datetime | None
    opens: datetime | None
    holiday: str | None


@lru_cache(maxsize=256)
def _holidays(subdivision: str, year: int) -> dict[date, str]:
    found = holidays.country_holidays("DE", subdiv=subdivision or None, years=year, language="de")
    return {day: str(name) for day, name in found.items()}


def parse(expression: str) -> Osm:
    """Check an expression. Raises HoursError with the parser's words."""
    if len(expression) > MAX_EXPRESSION:
        raise HoursError(f"opening hours are longer than {MAX_EXPRESSION} characters")
    if _SCHOOL_HOLIDAY.search(expression):
        raise HoursError("school holidays (SH) and days around a holiday (PH +1 day) are not supported")
    try:
        _read(expression)
    except ParserError as error:
        raise HoursError(f"opening hours {expression!r}: {str(error).splitlines()[-1].strip(' =')}") from None
    try:
        _read(_with_holidays(expression, WEEKDAYS[:2]))
    except ParserError:
        raise HoursError(f"opening hours {expression!r}: PH stands alone or in a list of days") from None
    return Osm(expression)


@lru_cache(maxsize=4096)
def _read(expression: str) -> opening_hours.OpeningHours:
    return opening_hours.OpeningHours(expression)


def _with_holidays(expression: str, weekdays: tuple[str, ...]) -> str:
    """The expression with PH standing for these weekdays; without any it stays, and then never matches."""
    return _HOLIDAY.sub(",".join(weekdays), expression) if weekdays else expression


@lru_cache(maxsize=65536)
def _day_spans(expression: str, calendar: Calendar, day: date) -> tuple[Span, ...]:
    """What is open on `day`, including what the evening before has left of hours that reach past midnight."""
    holidays_here = [near for near in (day - timedelta(days=1), day) if calendar.holiday(near)]
    hours = _read(_with_holidays(expression, tuple(WEEKDAYS[near.weekday()] for near in holidays_here)))
    midnight = datetime.combine(day, time())
    found = []
    for start, end, state, _ in hours.intervals(midnight, midnight + timedelta(days=1)):
        if state == opening_hours.State.OPEN:
            found.append(Span(_instant(start, calendar.zone), _instant(end, calendar.zone)))
    return tuple(span for span in found if span.start < span.end)


def _instant(wall: datetime, zone: str) -> datetime:
    """A wall-clock time in UTC. In the hour that happens twice the first is meant; in the missing hour, the next."""
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def spans(hours: Hours, calendar: Calendar, start: datetime, end: datetime) -> tuple[Span, ...]:
    """The open intervals within [start, end), sorted, without touching neighbours."""
    return tuple(_clip(_evaluate(hours, calendar, start, end), start, end))


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
            closed = Span(midnight(first, calendar), midnight(last + timedelta(days=1), calendar))
            return subtract(_evaluate(base, calendar, start, end), closed)
        case Special(base, day, expression):
            whole = Span(midnight(day, calendar), midnight(day + timedelta(days=1), calendar))
            rest = subtract(_evaluate(base, calendar, start, end), whole)
            return unite([*rest, *_day_spans(expression, calendar, day)])


def _days(calendar: Calendar, start: datetime, end: datetime) -> Iterable[date]:
    zone = ZoneInfo(calendar.zone)
    day = start.astimezone(zone).date()
    last = end.astimezone(zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def opens_on(hours: Hours, calendar: Calendar, day: date) -> bool:
    """Whether there is any open minute on a day."""
    return bool(spans(hours, calendar, midnight(day, calendar), midnight(day + timedelta(days=1), calendar)))


def midnight(day: date, calendar: Calendar) -> datetime:
    """The instant at which a day begins."""
    return _instant(datetime.combine(day, time()), calendar.zone)


def _clip(found: Iterable[Span], start: datetime, end: datetime) -> Iterable[Span]:
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
    holiday = calendar.holiday(minute.astimezone(ZoneInfo(calendar.zone)).date())
    if upcoming and upcoming[0].start == minute:
        until = upcoming[0].end
        return State(True, until if until < horizon else None, None, holiday)
    opens = upcoming[0].start if upcoming else None
    return State(False, opens, opens, holiday)
