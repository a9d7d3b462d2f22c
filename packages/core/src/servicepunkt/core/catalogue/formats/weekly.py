"""Opening hours as a plain week with its public holidays, as other formats have them; None for all that is more. Pure.

What is given is exact for every week: an expression that knows more than weekdays, times and public holidays (months,
single days, sunrise) has no plain week, and nothing is said of it. It is not the expression that is translated: a week
without holidays and one of holidays are asked of the hours themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import msgspec

from servicepunkt.core.hours.model import Both, Calendar, Either, Hours, HoursError, Osm, parse, spans

MONDAY = date(2024, 1, 1)
_PLAIN = re.compile(
    r"(?:24/7|Mo|Tu|We|Th|Fr|Sa|Su|PH|off|closed|open|[0-9]{1,2}:[0-9]{2}\s*-\s*[0-9]{1,2}:[0-9]{2}|[-,;]|\s)+"
)
_DAY = timedelta(days=1)
Times = tuple[tuple[str, str], ...]


class WorkingDays(Calendar, frozen=True):
    """No day is a public holiday."""

    def holiday(self, day: date) -> str | None:  # noqa: ARG002 - it is the same for all
        return None


class Holidays(Calendar, frozen=True):
    """Each day is a public holiday."""

    def holiday(self, day: date) -> str | None:  # noqa: ARG002 - it is the same for all
        return "PH"


class Opening(msgspec.Struct, frozen=True):
    """Open on these weekdays (0 for Monday) between these times (HH:MM); `closes` is 24:00 at the end of the day."""

    days: tuple[int, ...]
    opens: str
    closes: str


class Week(msgspec.Struct, frozen=True):
    """`holidays`: the times on a public holiday, none for closed; None where it is like any other day."""

    openings: tuple[Opening, ...]
    holidays: Times | None


@lru_cache(maxsize=1024)
def week_of(hours: Hours) -> Week | None:
    """The plain week of these hours, or None where there is none that is exact."""
    found = list(_expressions(hours))
    if not found or any(one is None or not _PLAIN.fullmatch(one) for one in found):
        return None
    try:
        for one in found:
            parse(one or "")
    except HoursError:
        return None
    usual = _times(hours, WorkingDays(zone="UTC"))
    holidays = _times(hours, Holidays(zone="UTC"))
    openings: dict[tuple[str, str], list[int]] = {}
    for day, times in enumerate(usual):
        for between in times:
            openings.setdefault(between, []).append(day)
    made = tuple(Opening(tuple(days), *between) for between, days in openings.items())
    if holidays == usual:
        return Week(made, None)
    if len(set(holidays)) > 1 or _over_midnight(usual) or _over_midnight(holidays):
        return None  # it depends on the weekday of the holiday, or on the evening before
    return Week(made, holidays[0])


def expressions(hours: Hours) -> str:
    """The hours as they are written, for people: all parts have to be open."""
    return " & ".join(dict.fromkeys(one for one in _expressions(hours) if one))


def _expressions(hours: Hours) -> Iterator[str | None]:
    match hours:
        case Osm(expression):
            yield expression
        case Both(parts) | Either(parts):
            for part in parts:
                yield from _expressions(part)
        case _:
            yield None


def _times(hours: Hours, calendar: Calendar) -> list[Times]:
    """For each day of the week from Monday on."""
    first = datetime(MONDAY.year, MONDAY.month, MONDAY.day, tzinfo=UTC)
    return [
        tuple(
            (f"{span.start:%H:%M}", "24:00" if span.end == start + _DAY else f"{span.end:%H:%M}")
            for span in spans(hours, calendar, start, start + _DAY)
        )
        for start in (first + number * _DAY for number in range(7))
    ]


def _over_midnight(week: list[Times]) -> bool:
    return any(
        times and after and times[-1][1] == "24:00" and after[0][0] == "00:00"
        for times, after in zip(week, [*week[1:], week[0]], strict=True)
    )
