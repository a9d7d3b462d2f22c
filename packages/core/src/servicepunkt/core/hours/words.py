"""Opening hours in plain words, German and English: now, a day, a week as on a sign, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from servicepunkt.core.hours.model import Calendar, Span, State, Words, local_date
from servicepunkt.core.hours.reasons import Cause, Day
from servicepunkt.core.hours.week import MIDNIGHT, Times, Week
from servicepunkt.core.texts import Texts, language_of, spoken_date, spoken_time

# What a cause begins with, by the role of those who close; `named` where they have a name.
CLOSED = {
    "": "Closed",
    "named": "{whose} closed",
    "staff": "Nobody is here in person",
    "offer": "Not offered",
}
OTHER_HOURS = {
    "": "Other hours",
    "named": "{whose} has other hours",
    "staff": "Other hours of personal help",
    "offer": "Other hours of this offer",
}
# Why, where a cause has no words of its own.
REASONS = {
    "holiday": "public holiday {reason}",
    "rest": "weekly closing day",
    "apart": "hours that are needed together do not overlap",
    "time": "outside the opening hours",
}
WEEK = {
    "range": "{first} to {last}",
    "pair": "{first} and {last}",
    "every": "Every day",
    "closed": "closed",
    "always": "around the clock",
    "holidays": "{times} on public holidays",
    "holidays differ": "other hours on public holidays",
}


def describe(
    state: State, calendar: Calendar, at: datetime, *, texts: Texts, locale: str, because: Sequence[Cause] = ()
) -> str:
    """'Geöffnet bis 20:00 Uhr.' or 'Geschlossen (Fronleichnam). Öffnet am Freitag, 5. Juni um 09:30 Uhr.'

    With the causes of `reasons.why` a closure is named in brackets, too, and a holiday only if it is what closes.
    """
    zone = ZoneInfo(calendar.zone)
    if state.open:
        if state.until is None:
            return texts.translate(locale, "Always open.")
        return texts.translate(locale, "Open until {time}.", time=spoken_time(state.until, locale, zone))
    closed = texts.translate(locale, "Closed")
    reason = because[0].reason if because else calendar.holiday_words(local_date(at, calendar))
    if reason:
        closed += f" ({spoken(reason, locale)})"
    if state.opens is None:
        return closed + "."
    moment = spoken_time(state.opens, locale, zone)
    if local_date(state.opens, calendar) == local_date(at, calendar):
        opens = texts.translate(locale, "Opens today at {time}.", time=moment)
    else:
        day = spoken_date(local_date(state.opens, calendar), locale)
        opens = texts.translate(locale, "Opens on {day} at {time}.", day=day, time=moment)
    return f"{closed}. {opens}"


def spoken(words: Words, locale: str) -> str:
    """The words in `locale`, else in its base language, else those of no language, in German, in any; else nothing."""
    found = dict(words)
    for language in (locale, locale.partition("-")[0], "", "de"):
        if language in found:
            return found[language]
    return next(iter(found.values()), "")


def reason(cause: Cause, *, texts: Texts, locale: str) -> str:
    """'Kaufhaus geschlossen: Feiertag Fronleichnam' or 'Andere Zeiten: Verkaufsoffener Sonntag'."""
    heads = CLOSED if cause.closes else OTHER_HOURS
    role = cause.whose.role if cause.whose else ""
    name = spoken(cause.whose.name, locale) if cause.whose else ""
    head = (
        texts.translate(locale, heads["named"], whose=name)
        if name
        else texts.translate(locale, heads.get(role, heads[""]))
    )
    tail = bare_reason(cause, texts=texts, locale=locale)
    return f"{head}: {tail}" if tail else head


def bare_reason(cause: Cause, *, texts: Texts, locale: str) -> str:
    """'Feiertag Fronleichnam', without whose; empty where there is nothing to say."""
    own = spoken(cause.reason, locale)
    if cause.kind == "holiday" or not own:
        return texts.translate(locale, REASONS[cause.kind], reason=own) if cause.kind in REASONS else ""
    return own


def day_line(day: Day, calendar: Calendar, *, texts: Texts, locale: str) -> str:
    """'Samstag 9.30 bis 20 Uhr' or 'Donnerstag geschlossen (Feiertag Fronleichnam)'."""
    said = f"{weekday(day.date, locale)} {spoken_times(times_of(day, calendar), texts=texts, locale=locale)}"
    why = bare_reason(day.causes[0], texts=texts, locale=locale) if day.causes else ""
    return f"{said} ({why})" if why else said


def times_of(day: Day, calendar: Calendar) -> Times:
    """The open times of a day by the clock on the wall."""
    zone = ZoneInfo(calendar.zone)

    def minute(instant: datetime) -> int:
        wall = instant.astimezone(zone)
        return wall.hour * 60 + wall.minute if wall.date() == day.date else MIDNIGHT

    def ends(span: Span) -> tuple[int, int]:
        return minute(span.start), minute(span.end)

    return tuple(map(ends, day.spans))


def week_summary(week: Week, *, texts: Texts, locale: str) -> str:
    """'Montag bis Samstag 9.30 bis 20 Uhr, Sonntag geschlossen, an Feiertagen geschlossen'."""
    names = _weekdays(locale)
    parts = []
    for times, group in groupby(range(7), key=lambda number: week.days[number]):
        numbers = list(group)
        first, last = names[numbers[0]], names[numbers[-1]]
        if len(numbers) == 7:
            days = texts.translate(locale, WEEK["every"])
        elif len(numbers) == 1:
            days = first
        else:
            form = WEEK["range"] if len(numbers) > 2 else WEEK["pair"]
            days = texts.translate(locale, form, first=first, last=last)
        parts.append(f"{days} {spoken_times(times, texts=texts, locale=locale)}")
    if week.holidays != week.days:
        same = len(set(week.holidays)) == 1
        said = spoken_times(week.holidays[0], texts=texts, locale=locale)
        form = WEEK["holidays"] if same else WEEK["holidays differ"]
        parts.append(texts.translate(locale, form, times=said))
    return ", ".join(parts)


def spoken_times(times: Times, *, texts: Texts, locale: str) -> str:
    """'9 bis 12.30 und 14 bis 18 Uhr', 'geschlossen' or 'rund um die Uhr'."""
    if not times:
        return texts.translate(locale, WEEK["closed"])
    if times == ((0, MIDNIGHT),):
        return texts.translate(locale, WEEK["always"])
    ranges = [
        texts.translate(locale, WEEK["range"], first=_clock(start, locale), last=_clock(end, locale))
        for start, end in times
    ]
    said = (
        ranges[0]
        if len(ranges) == 1
        else texts.translate(locale, WEEK["pair"], first=", ".join(ranges[:-1]), last=ranges[-1])
    )
    return f"{said} Uhr" if language_of(locale).language == "de" else said


def weekday(day: date, locale: str) -> str:
    return _weekdays(locale)[day.weekday()]


def _weekdays(locale: str) -> dict[int, str]:
    return dict(language_of(locale).days["format"]["wide"])


def _clock(minute: int, locale: str) -> str:
    """'9.30' or '9:30 AM'; whole hours without minutes."""
    hour, rest = divmod(minute, 60)
    if language_of(locale).language == "de":
        return f"{hour}.{rest:02}" if rest else f"{hour}"
    half = "AM" if hour % 24 < 12 else "PM"
    return f"{(hour - 1) % 12 + 1}:{rest:02} {half}" if rest else f"{(hour - 1) % 12 + 1} {half}"
