"""The public holidays of two Länder against workalendar, a library that nobody here wrote, over ten years.

Its one known error is written down here, so that the test fails when it is corrected, too: Whit Sunday, which § 2 FTG
of Brandenburg names, is missing there.
"""

from __future__ import annotations

import os
from datetime import date, timedelta

import pytest

from servicepunkt.core.hours.model import Calendar

try:
    from workalendar.europe import Brandenburg, Hesse
except ImportError:
    if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
        raise
    pytest.skip("workalendar is not installed (dependency group test)", allow_module_level=True)

YEARS = range(2024, 2034)
EASTER_SUNDAYS = {
    2024: "03-31",
    2025: "04-20",
    2026: "04-05",
    2027: "03-28",
    2028: "04-16",
    2029: "04-01",
    2030: "04-21",
    2031: "04-13",
    2032: "03-28",
    2033: "04-17",
}
WHIT_SUNDAY = timedelta(days=49)


def by_calendar(land: str, year: int) -> set[date]:
    calendar = Calendar(subdivision=land)
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(366))
    return {day for day in days if day.year == year and calendar.holiday(day)}


@pytest.mark.parametrize("year", YEARS)
def test_the_holidays_of_hesse_agree(year: int) -> None:
    assert by_calendar("HE", year) == {day for day, _ in Hesse().holidays(year)}


@pytest.mark.parametrize("year", YEARS)
def test_the_holidays_of_brandenburg_agree_but_for_the_known_error(year: int) -> None:
    whit_sunday = date.fromisoformat(f"{year}-{EASTER_SUNDAYS[year]}") + WHIT_SUNDAY
    theirs = {day for day, _ in Brandenburg().holidays(year)}
    assert whit_sunday not in theirs
    assert by_calendar("BB", year) == theirs | {whit_sunday}
