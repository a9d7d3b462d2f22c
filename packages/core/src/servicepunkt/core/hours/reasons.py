"""Why something is closed or open at other hours than usual: day by day, and at an instant. Pure.

A cause names whose hours they are (host, point, staff, offer) and the part of the algebra that decided: a holiday, the
weekly rest, a date in the expression itself, a closure, special hours, parts that are never open together, or the time
of day. A day is closed exactly when one of its causes closes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal

import msgspec

from servicepunkt.core.hours.model import (
    ONE_DAY,
    Both,
    Calendar,
    Closure,
    Either,
    Hours,
    Osm,
    Span,
    Special,
    Whose,
    Words,
    holidays_near,
    local_date,
    on_day,
    opens_on,
    spans,
    wall_comment,
    wall_times,
)

Kind = Literal["holiday", "rest", "date", "closure", "special", "apart", "time"]
WEEK = 7 * ONE_DAY
# Of four weeks around a day so many have to agree before the day is other than usual: seasons begin and end.
MOST = 3


class Cause(msgspec.Struct, frozen=True):
    """One reason. `closes` is False where hours are only other than usual; `reason` are its own words, if any."""

    kind: Kind
    closes: bool
    whose: Whose | None = None
    reason: Words = ()


class Day(msgspec.Struct, frozen=True):
    """A day from midnight to midnight: when it is open, its holiday in German and English, what is unusual about it."""

    date: date
    spans: tuple[Span, ...]
    holiday: Words
    causes: tuple[Cause, ...]


def calendar(hours: Hours, calendar: Calendar, first: date, days: int = 60) -> tuple[Day, ...]:
    """The coming days with their hours and reasons."""
    return tuple(
        Day(
            date=day,
            spans=on_day(hours, calendar, day),
            holiday=calendar.holiday_words(day),
            causes=causes(hours, calendar, day),
        )
        for day in (first + number * ONE_DAY for number in range(days))
    )


def why(hours: Hours, calendar: Calendar, at: datetime) -> tuple[Cause, ...]:
    """Why it is closed at an instant, the most outer part first; empty while it is open."""
    return _why_in(hours, calendar, at.replace(second=0, microsecond=0))


@lru_cache(maxsize=8192)
def _why_in(hours: Hours, calendar: Calendar, minute: datetime) -> tuple[Cause, ...]:
    """The causes within a minute: a page asks for many offers at once, and so do all who look at it meanwhile."""
    if spans(hours, calendar, minute, minute + timedelta(minutes=1)):
        return ()
    return tuple(dict.fromkeys(_why(hours, calendar, minute)))


def _why(hours: Hours, calendar: Calendar, minute: datetime) -> Iterable[Cause]:
    day = local_date(minute, calendar)
    if not opens_on(hours, calendar, day):
        return [cause for cause in causes(hours, calendar, day) if cause.closes]
    match hours:
        case Both(parts) | Either(parts):
            return [cause for part in parts for cause in why(part, calendar, minute)]
        case Closure(base):
            return _why(base, calendar, minute)
        case Special(base, first, _, last) if not first <= day <= (last or first):
            return _why(base, calendar, minute)
        case _:
            return [Cause("time", True, whose_of(hours))]


@lru_cache(maxsize=8192)
def causes(hours: Hours, calendar: Calendar, day: date) -> tuple[Cause, ...]:
    """What makes a day other than usual, the most outer part first; empty on an ordinary open day."""
    found = tuple(dict.fromkeys(_causes(hours, calendar, day)))
    if opens_on(hours, calendar, day):
        return tuple(msgspec.structs.replace(cause, closes=False) for cause in found if cause.kind != "rest")
    return found if any(cause.closes for cause in found) else (*found, Cause("date", True, whose_of(hours)))


def _causes(hours: Hours, calendar: Calendar, day: date) -> Iterable[Cause]:
    match hours:
        case Osm(expression, whose):
            return _of_expression(expression, whose, calendar, day)
        case Both(parts):
            shut = [part for part in parts if not opens_on(part, calendar, day)]
            found = [cause for part in shut or parts for cause in causes(part, calendar, day)]
            return found if shut or opens_on(hours, calendar, day) else [Cause("apart", True), *found]
        case Either(parts):
            return [cause for part in parts for cause in causes(part, calendar, day)]
        case Closure(base, first, last, reason):
            usual = causes(base, calendar, day)
            if first <= day <= last and opens_on(base, calendar, day):
                return [Cause("closure", True, whose_of(base), reason)]
            return usual
        case Special(base, first, _, last, reason):
            usual = causes(base, calendar, day)
            if not first <= day <= (last or first) or on_day(hours, calendar, day) == on_day(base, calendar, day):
                return usual
            if opens_on(hours, calendar, day):
                return [Cause("special", False, whose_of(base), reason)]
            return [Cause("closure", True, whose_of(base), reason)]


def _of_expression(expression: str, whose: Whose | None, calendar: Calendar, day: date) -> list[Cause]:
    """Compares the day with itself as if it were no holiday, then with the same weekday of the weeks around it."""
    near = holidays_near(calendar, day)
    found = _clock(expression, day, near)
    if calendar.holiday(day) and found != _clock(expression, day, _near_without(calendar, day)):
        return [Cause("holiday", not found, whose, calendar.holiday_words(day))]
    comment = _words(wall_comment(expression, day, near))
    usual = Counter(_clock(expression, day + weeks * WEEK) for weeks in (-2, -1, 1, 2)).most_common(1)[0]
    if found:
        return [Cause("date", False, whose, comment)] if usual[1] >= MOST and usual[0] != found else []
    open_nearby = any(_clock(expression, day + number * ONE_DAY) for number in range(-3, 4))
    return [Cause("rest" if open_nearby and not usual[0] else "date", True, whose, comment)]


def _near_without(calendar: Calendar, day: date) -> tuple[str, ...]:
    """What `holidays_near` would say if `day` itself were none."""
    return holidays_near(calendar, day)[:-1] if calendar.holiday(day) else holidays_near(calendar, day)


@lru_cache(maxsize=65536)
def _clock(expression: str, day: date, near: tuple[str, ...] = ()) -> tuple[tuple[float, float], ...]:
    """Open times as minutes since midnight, so that days can be compared."""
    midnight = datetime.combine(day, time())
    minute = timedelta(minutes=1)
    return tuple(
        ((start - midnight) / minute, (end - midnight) / minute) for start, end in wall_times(expression, day, near)
    )


def _words(comment: str) -> Words:
    """A comment in an expression says nothing of its language."""
    return (("", comment),) if comment else ()


def whose_of(hours: Hours) -> Whose | None:
    """Whose hours a part says; None where it says those of several."""
    match hours:
        case Osm(_, whose):
            return whose
        case Closure(base) | Special(base):
            return whose_of(base)
        case _:
            return None
