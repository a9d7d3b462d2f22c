"""Opening hours in plain words, German and English."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from servicepunkt.core.hours.model import Calendar, State
from servicepunkt.core.texts import Texts, spoken_date, spoken_time


def describe(state: State, calendar: Calendar, at: datetime, *, texts: Texts, locale: str) -> str:
    """'Geöffnet bis 20:00 Uhr.' or 'Geschlossen (Fronleichnam). Öffnet am Freitag, 5. Juni um 09:30 Uhr.'"""
    zone = ZoneInfo(calendar.zone)
    if state.open:
        if state.until is None:
            return texts.translate(locale, "Always open.")
        return texts.translate(locale, "Open until {time}.", time=spoken_time(state.until, locale, zone))
    closed = texts.translate(locale, "Closed")
    if state.holiday:
        closed += f" ({state.holiday})"
    if state.opens is None:
        return closed + "."
    moment = spoken_time(state.opens, locale, zone)
    if state.opens.astimezone(zone).date() == at.astimezone(zone).date():
        opens = texts.translate(locale, "Opens today at {time}.", time=moment)
    else:
        day = spoken_date(state.opens.astimezone(zone).date(), locale)
        opens = texts.translate(locale, "Opens on {day} at {time}.", day=day, time=moment)
    return f"{closed}. {opens}"
