"""`story.toml` beside a tenant file: the example persons and moments with which the story is played."""

from __future__ import annotations

import tomllib
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.hours.model import WEEKDAYS, Calendar


class StoryFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Moments are a weekday and a local time ("Sa 19:40"); `compartment` is the door that has to open."""

    citizen: str
    phone: str
    document_kind: str
    document_number: str
    box: str
    loading: str
    open: str
    closed: str
    compartment: int
    theme: str
    service: str
    ended_service: str = ""

    def moments(self, after: datetime, calendar: Calendar) -> Moments:
        """The coming days on which the story can happen: never a public holiday, and always forward in time."""
        loading = coming(self.loading, after, calendar)
        opened = coming(self.open, loading, calendar)
        return Moments(loading, opened, coming(self.closed, opened, calendar))


class Moments(msgspec.Struct, frozen=True):
    """Instants in the tenant's zone."""

    loading: datetime
    open: datetime
    closed: datetime


def coming(moment: str, after: datetime, calendar: Calendar) -> datetime:
    """The first "Sa 19:40" after an instant that is no holiday. Raises InvalidInputError."""
    weekday, _, clock = moment.partition(" ")
    try:
        wanted, at = WEEKDAYS.index(weekday), time.fromisoformat(clock)
    except ValueError:
        raise InvalidInputError([("story.toml", f"{moment!r} is not a weekday and a time like 'Sa 19:40'")]) from None
    zone = ZoneInfo(calendar.zone)
    day = after.astimezone(zone).date()
    while True:
        instant = datetime.combine(day, at, zone)
        if day.weekday() == wanted and calendar.holiday(day) is None and instant > after:
            return instant
        day += timedelta(days=1)


def read_story(folder: Path) -> StoryFile | None:
    """The story of a tenant pack, or None when it has none. Raises InvalidInputError."""
    path = folder / "story.toml"
    if not path.exists():
        return None
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), StoryFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidInputError([("story.toml", str(error))]) from None
