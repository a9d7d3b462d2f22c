"""The usual week, as it stands on a sign: without holidays, closures and special days. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import reduce

import msgspec

from servicepunkt.core.hours.model import (
    ONE_DAY,
    WEEKDAYS,
    Both,
    Closure,
    Either,
    Hours,
    Osm,
    Span,
    Special,
    intersect,
    unite,
    wall_times,
)

Times = tuple[tuple[int, int], ...]
"""Open times of a day as minutes since midnight by the clock on the wall; 1440 is the next midnight."""
MIDNIGHT = 24 * 60


class Week(msgspec.Struct, frozen=True):
    """Monday to Sunday; `holidays` says what each weekday would be if it were a public holiday."""

    days: tuple[Times, ...]
    holidays: tuple[Times, ...]


def usual_week(hours: Hours, day: date) -> Week:
    """The week of `day`: some hours have seasons."""
    monday = day - timedelta(days=day.weekday())
    week = [monday + number * ONE_DAY for number in range(7)]
    return Week(
        days=tuple(_times(hours, each, ()) for each in week),
        holidays=tuple(_times(hours, each, (WEEKDAYS[each.weekday()],)) for each in week),
    )


def _times(hours: Hours, day: date, holidays_near: tuple[str, ...]) -> Times:
    midnight = _as_instant(datetime.combine(day, time()))
    found = _on(hours, day, holidays_near)
    minute = timedelta(minutes=1)
    return tuple(((span.start - midnight) // minute, (span.end - midnight) // minute) for span in found)


def _on(hours: Hours, day: date, holidays_near: tuple[str, ...]) -> list[Span]:
    """A day of the usual week. The clock on the wall is taken for UTC here: a sign knows no summer time."""
    match hours:
        case Osm(expression):
            times = wall_times(expression, day, holidays_near)
            return unite([Span(_as_instant(start), _as_instant(end)) for start, end in times])
        case Both(parts):
            midnight = _as_instant(datetime.combine(day, time()))
            return reduce(
                intersect, (_on(part, day, holidays_near) for part in parts), [Span(midnight, midnight + ONE_DAY)]
            )
        case Either(parts):
            return unite([span for part in parts for span in _on(part, day, holidays_near)])
        case Closure(base) | Special(base):
            return _on(base, day, holidays_near)


def _as_instant(wall: datetime) -> datetime:
    return wall.replace(tzinfo=UTC)
