"""The public holidays of two Länder over fourteen years, against the library and against the law, computed by hand."""

from __future__ import annotations

from datetime import date, timedelta

import holidays
import pytest

from servicepunkt.core.hours.model import Calendar

YEARS = range(2020, 2034)
# § 1 HFeiertagG names no Easter Sunday among the days with a name (every Sunday is a day of rest there); § 2 FTG of
# Brandenburg names Easter Sunday, Whit Sunday and Reformation Day.
FIXED = {
    "HE": ["01-01", "05-01", "10-03", "12-25", "12-26"],
    "BB": ["01-01", "05-01", "10-03", "10-31", "12-25", "12-26"],
}
AFTER_EASTER = {"HE": [-2, 1, 39, 50, 60], "BB": [-2, 0, 1, 39, 49, 50]}


def easter(year: int) -> date:
    """Easter Sunday by Gauss's rule in the form that Meeus gives (Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (a + 11 * h) // 319
    r = (2 * e + 2 * i - k - h + m + 32) % 7
    month = (h - m + r + 90) // 25
    return date(year, month, (h - m + r + month + 19) % 32)


def by_law(land: str, year: int) -> set[date]:
    fixed = {date.fromisoformat(f"{year}-{day}") for day in FIXED[land]}
    return fixed | {easter(year) + timedelta(days=offset) for offset in AFTER_EASTER[land]}


def by_calendar(land: str, year: int) -> dict[date, str]:
    calendar = Calendar(subdivision=land)
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(366))
    return {day: name for day in days if day.year == year and (name := calendar.holiday(day))}


def test_easter_falls_on_the_known_sundays() -> None:
    known = {2020: "04-12", 2021: "04-04", 2022: "04-17", 2024: "03-31", 2025: "04-20", 2026: "04-05", 2030: "04-21"}
    assert {year: f"{easter(year):%m-%d}" for year in known} == known
    assert (easter(1818), easter(2038)) == (date(1818, 3, 22), date(2038, 4, 25))


@pytest.mark.parametrize("land", ["HE", "BB"])
@pytest.mark.parametrize("year", YEARS)
def test_the_calendar_agrees_with_the_law_and_with_the_library(land: str, year: int) -> None:
    found = by_calendar(land, year)
    assert set(found) == by_law(land, year)
    assert set(found) == set(holidays.country_holidays("DE", subdiv=land, years=year))


def test_holidays_have_their_german_names() -> None:
    assert by_calendar("HE", 2026)[date(2026, 6, 4)] == "Fronleichnam"
    assert by_calendar("BB", 2026)[date(2026, 10, 31)] == "Reformationstag"
    assert by_calendar("HE", 2026)[date(2026, 10, 3)] == "Tag der Deutschen Einheit"


def test_holidays_have_names_in_german_and_english() -> None:
    for land in ("HE", "BB"):
        for year in YEARS:
            for day, german in by_calendar(land, year).items():
                words = dict(Calendar(subdivision=land).holiday_words(day))
                assert words["de"] == german
                assert words["en"]
                assert words["en"] != german
    assert dict(Calendar(subdivision="HE").holiday_words(date(2026, 6, 4)))["en"] == "Corpus Christi"
    assert Calendar(subdivision="HE").holiday_words(date(2026, 6, 5)) == ()


def test_every_land_has_a_calendar() -> None:
    for land in ["BB", "BE", "BW", "BY", "HB", "HE", "HH", "MV", "NI", "NW", "RP", "SH", "SL", "SN", "ST", "TH"]:
        assert 9 <= len(by_calendar(land, 2026)) <= 14, land
