"""The coming days of somebody's hours, as they are read, with the reason where one is unusual. Pure."""

from __future__ import annotations

from datetime import date

import msgspec

from servicepunkt.core.hours import words
from servicepunkt.core.hours.model import Hours
from servicepunkt.core.hours.reasons import Cause, Day, calendar
from servicepunkt.core.texts import Texts, spoken_date
from servicepunkt.web.terminal.content import Sight

DAYS_AHEAD = 60


class DaySeen(msgspec.Struct, frozen=True, kw_only=True):
    """A day as it is read. It is unusual when there is more to say than the weekly rest."""

    date: date
    said: str
    hours: str
    open: bool
    reasons: list[str]
    unusual: bool


def days_seen(sight: Sight, hours: Hours, texts: Texts, ahead: int = DAYS_AHEAD) -> list[DaySeen]:
    """The coming days from today on."""
    return [_day_seen(sight, day, texts) for day in calendar(hours, sight.calendar, sight.day, ahead)]


def _day_seen(sight: Sight, day: Day, texts: Texts) -> DaySeen:
    reasons = [_reason(cause, texts, sight.locale) for cause in day.causes]
    kept = bool(day.spans and day.holiday) and not any(cause.kind == "holiday" for cause in day.causes)
    if kept:
        # Who comes on a holiday wants to read that it is one, and that it is open all the same.
        name = words.spoken(day.holiday, sight.locale)
        reasons.append(texts.translate(sight.locale, "Public holiday {name}: open as usual", name=name))
    return DaySeen(
        date=day.date,
        said=spoken_date(day.date, sight.locale),
        hours=words.spoken_times(words.times_of(day, sight.calendar), texts=texts, locale=sight.locale),
        open=bool(day.spans),
        reasons=reasons,
        unusual=kept or any(cause.kind != "rest" for cause in day.causes),
    )


def _reason(cause: Cause, texts: Texts, locale: str) -> str:
    """The weekly rest needs no name; everything else says whose it is."""
    say = words.bare_reason if cause.kind == "rest" else words.reason
    return say(cause, texts=texts, locale=locale)
