"""A file with how many came in each hour: read whole, or refused with every mistake and its line. Pure.

The file is CSV in UTF-8 with the columns date, hour, count, parted by commas or semicolons:

    date,hour,count
    2026-11-20,9,112
    2026-11-20,10,148
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from servicepunkt.core.errors import InvalidInputError, TooLargeError
from servicepunkt.core.rules import Broken, rule

COLUMNS = ("date", "hour", "count")
MOST_BYTES = 200_000  # more than a year of hours
MOST_COUNT = 100_000
MOST_SAID = 100
Counts = Mapping[date, Mapping[int, int]]
"""How many came, by day and by the hour that begins then (0 to 23)."""
DIGITS = re.compile(r"[0-9]{1,6}\Z")

NO_TEXT = rule("SP8131", "the file is no text in UTF-8", "Export it as CSV in UTF-8.")
NO_HEADER = rule(
    "SP8132", "the first line has to be {columns}", "Commas or semicolons part the columns; there are no others."
)
WRONG_COLUMNS = rule("SP8133", "a line has three columns, here are {count}")
NO_DATE = rule("SP8134", "{value!r} is no day", "A day is written as 2026-11-20.")
NO_HOUR = rule("SP8135", "{value!r} is no hour from 0 to 23", "The hour that begins then: 9 is from 9 to 10.")
NO_COUNT = rule("SP8136", "{value!r} is no number of people from 0 to {most}")
DAY_AHEAD = rule("SP8137", "{value} has not been yet")
DAY_TOO_OLD = rule("SP8138", "{value} is longer ago than such numbers are kept")
HOUR_TWICE = rule("SP8139", "this hour stands in line {line} already")
NOTHING = rule("SP8140", "the file holds no numbers")


def read(content: bytes, *, today: date, kept: timedelta) -> Counts:
    """The counts of a file. Raises TooLargeError, and InvalidInputError with each mistake by its line."""
    if len(content) > MOST_BYTES:
        raise TooLargeError(f"the file has more than {MOST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidInputError([(_place(line), NO_TEXT())]) from None
    counts, mistakes = _read(text, today=today, first=today - kept)
    if not mistakes and not counts:
        mistakes = [(_place(1), NOTHING())]
    if mistakes:
        raise InvalidInputError(list(mistakes[:MOST_SAID]))
    return counts


def _read(text: str, *, today: date, first: date) -> tuple[dict[date, dict[int, int]], list[tuple[str, str]]]:
    lines = text.splitlines()
    head = lines[0] if lines else ""
    # Numbers and days are never quoted; the library for CSV has limits of its own, below ours.
    delimiter = ";" if ";" in head else ","
    rows = (line.split(delimiter) for line in lines[1:])
    if tuple(cell.strip().lower() for cell in head.split(delimiter)) != COLUMNS:
        return {}, [(_place(1), NO_HEADER(columns=",".join(COLUMNS)))]
    found: dict[date, dict[int, int]] = {}
    seen: dict[tuple[date, int], int] = {}
    mistakes: list[tuple[str, str]] = []
    for line, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        wrong = _mistakes(row, today=today, first=first)
        if not wrong:
            day, hour, count = date.fromisoformat(row[0].strip()), int(row[1]), int(row[2])
            if (day, hour) in seen:
                wrong = [HOUR_TWICE(line=seen[day, hour])]
            seen.setdefault((day, hour), line)
            found.setdefault(day, {})[hour] = count
        mistakes += [(_place(line), one) for one in wrong]
    return found, mistakes


def _mistakes(row: Sequence[str], *, today: date, first: date) -> list[Broken]:
    if len(row) != len(COLUMNS):
        return [WRONG_COLUMNS(count=len(row))]
    day, hour, count = (cell.strip() for cell in row)
    found = []
    parsed = _day(day)
    if parsed is None:
        found.append(NO_DATE(value=day[:40]))
    elif parsed > today:
        found.append(DAY_AHEAD(value=day))
    elif parsed < first:
        found.append(DAY_TOO_OLD(value=day))
    if not DIGITS.match(hour) or int(hour) > 23:
        found.append(NO_HOUR(value=hour[:40]))
    if not DIGITS.match(count) or int(count) > MOST_COUNT:
        found.append(NO_COUNT(value=count[:40], most=MOST_COUNT))
    return found


def _day(text: str) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _place(line: int) -> str:
    return f"line {line}"


def totals(counts: Counts) -> dict[date, int]:
    """How many came on each day, the newest first."""
    return {day: sum(counts[day].values()) for day in sorted(counts, reverse=True)}


def differing(before: Counts, after: Counts) -> list[date]:
    """The days of a file that say something else than what is known."""
    return sorted(day for day in after if dict(after[day]) != dict(before.get(day, {})))


def rows_of(days: Iterable[date], counts: Counts) -> list[tuple[date, int, int]]:
    """(day, hour, count) of these days."""
    return [(day, hour, count) for day in days for hour, count in sorted(counts[day].items())]
