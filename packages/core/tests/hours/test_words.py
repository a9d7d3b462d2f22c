"""Opening hours as people say them, in German and in English."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.hours.model import Both, Calendar, Closure, Hours, Osm, Special, Whose, Words, state
from servicepunkt.core.hours.reasons import Cause, Kind, calendar, why
from servicepunkt.core.hours.week import usual_week
from servicepunkt.core.hours.words import day_line, describe, reason, spoken, week_summary
from servicepunkt.core.texts import Texts

TEXTS = Texts([core_plugin.texts()])
HE = Calendar(subdivision="HE")
SHOP = "Mo-Sa 09:30-20:00; PH off"


def said(hours: str, moment: str, locale: str) -> str:
    at = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    return describe(state(Osm(hours), HE, at), HE, at, texts=TEXTS, locale=locale)


@pytest.mark.parametrize(
    ("hours", "moment", "german", "english"),
    [
        (SHOP, "2026-11-21T19:40", "Geöffnet bis 20:00 Uhr.", "Open until 8:00 PM."),
        (SHOP, "2026-11-21T08:00", "Geschlossen. Öffnet heute um 09:30 Uhr.", "Closed. Opens today at 9:30 AM."),
        (
            SHOP,
            "2026-11-21T20:00",
            "Geschlossen. Öffnet am Montag, 23. November um 09:30 Uhr.",
            "Closed. Opens on Monday, November 23 at 9:30 AM.",
        ),
        (
            SHOP,
            "2026-06-04T12:00",
            "Geschlossen (Fronleichnam). Öffnet am Freitag, 5. Juni um 09:30 Uhr.",
            "Closed (Corpus Christi). Opens on Friday, June 5 at 9:30 AM.",
        ),
        ("24/7", "2026-11-21T20:00", "Immer geöffnet.", "Always open."),
        ("off", "2026-11-21T20:00", "Geschlossen.", "Closed."),
    ],
)
def test_the_state_is_said_in_plain_words(hours: str, moment: str, german: str, english: str) -> None:
    assert said(hours, moment, "de") == german
    assert said(hours, moment, "en") == english
    assert said(hours, moment, "de-x-leicht") == german


WORKS: Words = (("de", "Umbau"), ("en", "Building works"))
STORE = Whose("host", (("", "Kaufhaus"),))


def said_why(hours: Hours, moment: str, locale: str) -> str:
    at = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    return describe(state(hours, HE, at), HE, at, texts=TEXTS, locale=locale, because=why(hours, HE, at))


def test_with_its_causes_a_closure_is_named_and_a_holiday_only_if_it_closes() -> None:
    closed = Closure(Osm(SHOP), date(2026, 6, 5), date(2026, 6, 5), WORKS)
    assert said_why(closed, "2026-06-05T12:00", "de") == "Geschlossen (Umbau). Öffnet am Samstag, 6. Juni um 09:30 Uhr."
    assert said_why(closed, "2026-06-05T12:00", "en").startswith("Closed (Building works). ")
    assert said_why(closed, "2026-06-04T12:00", "en").startswith("Closed (Corpus Christi). ")
    lobby = Osm("Mo-Su 05:00-22:00")
    assert said_why(lobby, "2026-06-04T23:00", "de") == "Geschlossen. Öffnet am Freitag, 5. Juni um 05:00 Uhr."
    assert said_why(lobby, "2026-06-04T12:00", "de") == "Geöffnet bis 22:00 Uhr."


@pytest.mark.parametrize(
    ("kind", "closes", "whose", "words", "german", "english"),
    [
        ("holiday", True, STORE, (("de", "Fronleichnam"), ("en", "Corpus Christi")),
         "Kaufhaus geschlossen: Feiertag Fronleichnam", "Kaufhaus closed: public holiday Corpus Christi"),
        ("closure", True, None, WORKS, "Geschlossen: Umbau", "Closed: Building works"),
        ("closure", True, Whose("staff"), (), "Niemand persönlich da", "Nobody is here in person"),
        ("closure", True, Whose("unheard of"), (), "Geschlossen", "Closed"),
        ("rest", True, STORE, (), "Kaufhaus geschlossen: Ruhetag", "Kaufhaus closed: weekly closing day"),
        ("rest", True, None, (("", "Wäschetag"),), "Geschlossen: Wäschetag", "Closed: Wäschetag"),
        ("date", True, Whose("offer"), (), "Nicht angeboten", "Not offered"),
        ("special", False, STORE, WORKS, "Kaufhaus mit anderen Zeiten: Umbau",
         "Kaufhaus has other hours: Building works"),
        ("special", False, None, (), "Andere Zeiten", "Other hours"),
        ("apart", True, None, (), "Geschlossen: Zeiten, die zusammen nötig sind, überschneiden sich nicht",
         "Closed: hours that are needed together do not overlap"),
        ("time", True, STORE, (), "Kaufhaus geschlossen: außerhalb der Öffnungszeiten",
         "Kaufhaus closed: outside the opening hours"),
    ],
)  # fmt: skip
def test_a_cause_is_said_with_whose_and_why(
    kind: Kind, closes: bool, whose: Whose | None, words: Words, german: str, english: str
) -> None:
    cause = Cause(kind, closes, whose, words)
    assert reason(cause, texts=TEXTS, locale="de") == german
    assert reason(cause, texts=TEXTS, locale="en") == english


def test_words_are_picked_in_the_nearest_language() -> None:
    assert [spoken(WORKS, locale) for locale in ("de-x-leicht", "en-GB", "tr")] == ["Umbau", "Building works", "Umbau"]
    assert spoken((("", "Kaufhaus"),), "tr") == "Kaufhaus"
    assert spoken((), "de") == ""


def lines(hours: Hours, first: str, days: int, locale: str = "de") -> list[str]:
    found = calendar(hours, HE, date.fromisoformat(first), days)
    return [day_line(day, HE, texts=TEXTS, locale=locale) for day in found]


def test_a_day_is_one_line() -> None:
    hours = Special(Osm(SHOP), date(2026, 6, 7), "10:00-12:00,13:00-18:30", reason=WORKS)
    assert lines(hours, "2026-06-04", 4) == [
        "Donnerstag geschlossen (Feiertag Fronleichnam)",
        "Freitag 9.30 bis 20 Uhr",
        "Samstag 9.30 bis 20 Uhr",
        "Sonntag 10 bis 12 und 13 bis 18.30 Uhr (Umbau)",
    ]
    assert lines(hours, "2026-06-07", 1, "en") == ["Sunday 10 AM to 12 PM and 1 PM to 6:30 PM (Building works)"]
    assert lines(Osm("24/7"), "2026-10-25", 1) == ["Sonntag rund um die Uhr"]
    assert lines(Osm("Fr 20:00-02:00"), "2026-06-05", 2) == ["Freitag 20 bis 24 Uhr", "Samstag 0 bis 2 Uhr"]
    assert lines(Osm("Fr 20:00-02:00"), "2026-06-05", 2, "en") == ["Friday 8 PM to 12 AM", "Saturday 12 AM to 2 AM"]


@pytest.mark.parametrize(
    ("hours", "german", "english"),
    [
        (
            "Mo-Fr 09:30-19:00; Sa 09:30-20:00",
            "Montag bis Freitag 9.30 bis 19 Uhr, Samstag 9.30 bis 20 Uhr, Sonntag geschlossen",
            "Monday to Friday 9:30 AM to 7 PM, Saturday 9:30 AM to 8 PM, Sunday closed",
        ),
        (
            SHOP,
            "Montag bis Samstag 9.30 bis 20 Uhr, Sonntag geschlossen, an Feiertagen geschlossen",
            "Monday to Saturday 9:30 AM to 8 PM, Sunday closed, closed on public holidays",
        ),
        ("Mo-Su 05:00-22:00", "Täglich 5 bis 22 Uhr", "Every day 5 AM to 10 PM"),
        ("24/7", "Täglich rund um die Uhr", "Every day around the clock"),
        ("off", "Täglich geschlossen", "Every day closed"),
        (
            "Mo-Fr 09:00-18:00; PH 10:00-12:00",
            "Montag bis Freitag 9 bis 18 Uhr, Samstag und Sonntag geschlossen, an Feiertagen 10 bis 12 Uhr",
            "Monday to Friday 9 AM to 6 PM, Saturday and Sunday closed, 10 AM to 12 PM on public holidays",
        ),
    ],
)
def test_a_week_is_said_as_on_a_sign(hours: str, german: str, english: str) -> None:
    week = usual_week(Osm(hours), date(2026, 6, 4))  # a week with a holiday in it, which does not count
    assert week_summary(week, texts=TEXTS, locale="de") == german
    assert week_summary(week, texts=TEXTS, locale="en") == english


def test_a_sign_has_seasons_and_no_exceptions() -> None:
    seasons = Osm("Apr-Sep Mo-Fr 09:00-20:00; Oct-Mar Mo-Fr 09:00-18:00")
    closed = Special(Closure(seasons, date(2026, 6, 1), date(2026, 6, 30)), date(2026, 6, 7), "24/7")
    both = Both((closed, Osm("10:00-19:00")))
    summer, winter = (week_summary(usual_week(both, day), texts=TEXTS, locale="de") for day in (
        date(2026, 6, 4), date(2026, 12, 4)))  # fmt: skip
    assert summer == "Montag bis Freitag 10 bis 19 Uhr, Samstag und Sonntag geschlossen"
    assert winter == "Montag bis Freitag 10 bis 18 Uhr, Samstag und Sonntag geschlossen"
