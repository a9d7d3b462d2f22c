"""Numbers by week and point in which nobody can be found: small ones are hidden, and what would tell them. Pure.

A cell below `ENOUGH`, nothing included, is shown as "under 5". A sum over such a cell would give it away, so it is
hidden, too: a total is shown only where every cell in it is shown. Then what is shown says nothing of a hidden cell but
that it is small: with any other small number in it, the table would be the same one. Weeks that are not over are no
rows, because a table that grows from day to day tells on which day somebody came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import msgspec

ENOUGH = 5
WEEK = timedelta(days=7)
Shown = int | None
"""A number, or None for one that is not shown."""


class Row(msgspec.Struct, frozen=True):
    """A week by its Monday, a cell for each point, and their sum."""

    monday: date
    cells: tuple[Shown, ...]
    total: Shown


class Table(msgspec.Struct, frozen=True):
    """What may be shown of numbers: the newest week first, sums of the columns, the sum of all."""

    points: tuple[str, ...]
    rows: tuple[Row, ...]
    totals: tuple[Shown, ...]
    total: Shown


def mondays(today: date, weeks: int) -> list[date]:
    """The Mondays of the last weeks that are over, the newest first."""
    this = today - timedelta(days=today.weekday())
    return [this - number * WEEK for number in range(1, weeks + 1)]


def table(counts: Mapping[tuple[str, date], int], points: Sequence[str], weeks: Sequence[date]) -> Table:
    """`counts` by (point, day); days outside the weeks, and other points, are left out."""
    cells = {(point, monday): 0 for point in points for monday in weeks}
    for (point, day), count in counts.items():
        key = (point, day - timedelta(days=day.weekday()))
        if key in cells:
            cells[key] += count
    rows = tuple(_row(monday, [cells[point, monday] for point in points]) for monday in weeks)
    columns = [[row.cells[number] for row in rows] for number in range(len(points))]
    totals = tuple(_sum(column) for column in columns)
    return Table(tuple(points), rows, totals, _sum(totals))


def _row(monday: date, counts: Sequence[int]) -> Row:
    cells = tuple(shown(count) for count in counts)
    return Row(monday, cells, _sum(cells))


def shown(count: int) -> Shown:
    return count if count >= ENOUGH else None


def _sum(cells: Sequence[Shown]) -> Shown:
    """The sum of what is shown; none where a part of it is hidden."""
    found = [cell for cell in cells if cell is not None]
    return sum(found) if len(found) == len(cells) else None
