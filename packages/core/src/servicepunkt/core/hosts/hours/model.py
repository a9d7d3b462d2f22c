"""A host's own hours: the week as it is typed, exceptions, and what a change of them changes. Pure.

The week of a form is the usual week of `hours.week`: ranges for each weekday, and what holds on public holidays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

import msgspec

from servicepunkt.core.catalogue.layers import Record
from servicepunkt.core.catalogue.model import (
    NEVER,
    Catalogue,
    Host,
    Offer,
    OtherHours,
    Point,
    Service,
    host_hours,
    is_valid,
    offer_hours,
    point_hours,
    staff_hours,
)
from servicepunkt.core.catalogue.records import said
from servicepunkt.core.hours.model import ONE_DAY, WEEKDAYS, Calendar, Hours, Osm, Span, wall_times
from servicepunkt.core.hours.reasons import Day
from servicepunkt.core.hours.reasons import calendar as days_of
from servicepunkt.core.hours.week import MIDNIGHT, Times, usual_week

#: What of a house its host says itself.
FIELDS = ("hours", "exceptions")
AHEAD = 60  # days that a preview shows
MOST_EXCEPTIONS = 100
Holidays = Literal["closed", "as usual"] | Times
TIME = r"(\d{1,2})(?:[:.](\d{2}))?"
RANGE = re.compile(rf"\s*{TIME}\s*(?:-|–|bis|to)\s*{TIME}\s*(?:Uhr)?\s*", re.IGNORECASE)

NOT_READ = "Enter hours such as 9:30-20:00, several with a comma; leave it empty for closed."
OVERLAP = "These hours overlap, or end before they begin."


class NotHoursError(ValueError):
    """What was typed is no list of hours; the sentence is a message id."""


class OwnHours(msgspec.Struct, frozen=True, kw_only=True):
    """What a host says of its house itself, as fields of the record (`FIELDS`), and what stood below when it said so.

    `key`: of the form with which it was published.
    """

    host: str
    said: Mapping[str, Any]
    below: Mapping[str, Any]
    key: UUID
    changed_by: str
    changed_at: datetime


class Week(msgspec.Struct, frozen=True):
    """Monday to Sunday, and what holds on public holidays. `whole`: these are all the hours that the expression says.

    Hours with seasons or comments are more than a form shows; they stay as they are until somebody types others.
    """

    days: tuple[Times, ...]
    holidays: Holidays = "closed"
    whole: bool = True


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a host wants to change: another week, exceptions to take away by their number in the house, one more.

    `as_below`: everything shall be again as the town's file says it.
    """

    week: Week | None = None
    remove: frozenset[int] = frozenset()
    add: OtherHours | None = None
    as_below: bool = False


def read_times(text: str) -> Times:
    """`9:30-13, 14-20 Uhr` as minutes since midnight; nothing for an empty text. Raises NotHoursError."""
    if not text.strip():
        return ()
    found = []
    for part in text.split(","):
        match = RANGE.fullmatch(part)
        if match is None:
            raise NotHoursError(NOT_READ)
        hour, minute, last_hour, last_minute = (int(one or 0) for one in match.groups())
        start, end = hour * 60 + minute, last_hour * 60 + last_minute
        if max(minute, last_minute) > 59 or max(start, end) > MIDNIGHT:
            raise NotHoursError(NOT_READ)
        found.append((start, end))
    flat = [end for times in found for end in times]
    if flat != sorted(set(flat)):
        raise NotHoursError(OVERLAP)
    return tuple(found)


def written_times(times: Times) -> str:
    """The same as it stands in a form."""
    return ", ".join(f"{start // 60}:{start % 60:02}-{end // 60}:{end % 60:02}" for start, end in times)


def expression_of(times: Times) -> str:
    """Hours of one day as OSM writes them."""
    clock = (f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}" for start, end in times)
    return ",".join(clock) or NEVER


def expression_of_week(week: Week) -> str:
    """`Mo-Sa 09:30-20:00; PH off`."""
    rules = []
    for times in sorted({one for one in week.days if one}, key=week.days.index):
        runs = [
            [number for number, _ in group]
            for same, group in groupby(enumerate(week.days), key=lambda one: one[1] == times)
            if same
        ]
        named = (WEEKDAYS[run[0]] if len(run) == 1 else f"{WEEKDAYS[run[0]]}-{WEEKDAYS[run[-1]]}" for run in runs)
        rules.append(f"{','.join(named)} {expression_of(times)}")
    if week.holidays != "as usual":
        rules.append(f"PH {expression_of(() if week.holidays == 'closed' else week.holidays)}")
    return "; ".join(rules) if any(week.days) else NEVER


def week_of(expression: str, day: date) -> Week:
    """The usual week of `day` as a form has it."""
    usual = usual_week(Osm(expression), day)
    holidays: Holidays = "closed"
    if usual.holidays == usual.days:
        holidays = "as usual"
    elif any(usual.holidays):
        holidays = usual.holidays[0]
    week = Week(usual.days, holidays)
    return msgspec.structs.replace(week, whole=_says_the_same(expression, expression_of_week(week), day))


def _says_the_same(one: str, other: str, first: date) -> bool:
    """Whether two expressions mean the same on each day of a year, holiday or not."""
    for day in (first + number * ONE_DAY for number in range(370)):
        for near in ((), (WEEKDAYS[day.weekday()],)):
            if _clock(one, day, near) != _clock(other, day, near):
                return False
    return True


def _clock(expression: str, day: date, near: tuple[str, ...]) -> list[tuple[datetime, datetime]]:
    """The open times of a day, those that touch as one."""
    joined: list[tuple[datetime, datetime]] = []
    for start, end in wall_times(expression, day, near):
        if joined and joined[-1][1] >= start:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def changed(host: Host, below: Host, draft: Draft, today: date) -> Host:
    """The house as the draft wants it. Exceptions that are over go with any change of them."""
    if draft.as_below:
        return msgspec.structs.replace(host, hours=below.hours, exceptions=below.exceptions)
    exceptions = host.exceptions
    if draft.remove or draft.add:
        kept = [
            other for number, other in enumerate(exceptions) if number not in draft.remove and not is_over(other, today)
        ]
        exceptions = (*kept, *([draft.add] if draft.add else []))
    hours = host.hours
    # A week that is what the form had shown changes nothing, even where the expression says more than a form can.
    if draft.week is not None and not _is_same_week(draft.week, week_of(hours, today)):
        hours = expression_of_week(draft.week)
    return msgspec.structs.replace(host, hours=hours, exceptions=exceptions)


def _is_same_week(one: Week, other: Week) -> bool:
    return (one.days, one.holidays) == (other.days, other.holidays)


def is_over(other: OtherHours, today: date) -> bool:
    return (other.last or other.first) < today


def own_fields(host: Host) -> dict[str, Any]:
    """What a house says in the fields that its host may change, as a record has it."""
    return {field: value for field, value in said(host).items() if field in FIELDS}


def difference(wanted: Host, below: Host) -> dict[str, Any]:
    """The fields in which a host says something else than what stands below; no exceptions at all are said, too."""
    fields: dict[str, Any] = msgspec.to_builtins(wanted)
    return {name: fields[name] for name in FIELDS if getattr(wanted, name) != getattr(below, name)}


def record_of(own: OwnHours) -> Record:
    """The layer above what the town's own files say of the house."""
    return {"id": own.host, **own.said}


def with_host(catalogue: Catalogue, host: Host) -> Catalogue:
    """The catalogue with this house in place of the one of its id."""
    return msgspec.structs.replace(
        catalogue, hosts=tuple(host if one.id == host.id else one for one in catalogue.hosts)
    )


# --- what a change changes ------------------------------------------------------------------------------------


class Subject(msgspec.Struct, frozen=True):
    """Whose hours: the house (`host`), a `point`, the `staff` of a point, or the `offer` of a service there."""

    kind: Literal["host", "point", "staff", "offer"]
    id: str
    service: str = ""


class ChangedDay(msgspec.Struct, frozen=True):
    """A day that is another one after the change."""

    before: Day
    after: Day

    @property
    def date(self) -> date:
        return self.after.date


class Changed(msgspec.Struct, frozen=True):
    """Everything whose days change in the same way."""

    subjects: tuple[Subject, ...]
    days: tuple[ChangedDay, ...]


class Stretch(msgspec.Struct, frozen=True):
    """What is looked at: the days from `first` on, at a place."""

    calendar: Calendar
    first: date
    days: int = AHEAD


def changes(before: Catalogue, after: Catalogue, host_id: str, stretch: Stretch) -> list[Changed]:
    """What changes for the house, its points and their offers; those that change alike together.

    `after` has the same entries as `before`.
    """
    found: dict[tuple[tuple[date, tuple[Span, ...], tuple[Span, ...]], ...], tuple[list[Subject], Any]] = {}
    for subject, old, new in zip(
        (one for one, _ in _subjects(before, host_id, stretch)),
        (hours for _, hours in _subjects(before, host_id, stretch)),
        (hours for _, hours in _subjects(after, host_id, stretch)),
        strict=True,
    ):
        days = tuple(_changed_days(old, new, stretch))
        alike = tuple((day.date, day.before.spans, day.after.spans) for day in days)
        if alike:
            found.setdefault(alike, ([], days))[0].append(subject)
    return [Changed(tuple(subjects), days) for subjects, days in found.values()]


def _changed_days(old: Hours, new: Hours, stretch: Stretch) -> Iterator[ChangedDay]:
    pairs = zip(*(days_of(one, stretch.calendar, stretch.first, stretch.days) for one in (old, new)), strict=True)
    return (ChangedDay(before, after) for before, after in pairs if before.spans != after.spans)


def _subjects(catalogue: Catalogue, host_id: str, stretch: Stretch) -> Iterator[tuple[Subject, Hours]]:
    host = catalogue.host(host_id)
    if host is not None:
        yield Subject("host", host_id), host_hours(host)
    for point in points_of(catalogue, host_id):
        yield Subject("point", point.id), point_hours(catalogue, point)
        if point.staffed or point.staffed_exceptions:
            yield Subject("staff", point.id), staff_hours(catalogue, point)
        for offer in offers_at(catalogue, point, stretch.first):
            yield Subject("offer", point.id, offer.service), offer_hours(catalogue, offer)


def points_of(catalogue: Catalogue, host_id: str) -> list[Point]:
    """The points that stand in a house."""
    return [point for point in catalogue.points if point.host == host_id]


def offers_at(catalogue: Catalogue, point: Point, day: date) -> list[Offer]:
    """What is offered at a point on a day, or begins soon after."""
    soon = day + timedelta(days=AHEAD)

    def holds(one: Offer | Service | None) -> bool:
        return one is not None and is_valid(None, one.valid_until, day) and is_valid(one.valid_from, None, soon)

    return [
        one
        for one in catalogue.offers
        if one.point == point.id and holds(one) and holds(catalogue.service(one.service))
    ]
