"""A point's 60 days: CPU of the product's calendar with reasons, against opening-hours-py alone on the same expression.

Both in one process and in turns. The peer reads the host's expression and gives the open intervals of the 60 days; it
knows neither the holidays of a Land nor exceptions nor why something is closed. The product's calendar is taken as a
process meets it first (nothing remembered, holidays of the year included or not) and as every later request meets it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial

import _report as report
import msgspec
import opening_hours

from servicepunkt.core.catalogue.model import Address, Catalogue, Host, OtherHours, Point, point_hours, staff_hours
from servicepunkt.core.hours import model, reasons
from servicepunkt.core.hours.model import Calendar, Hours

DAYS, ROUNDS = 60, 20
FIRST = date(2026, 5, 1)
EXPRESSION = "Mo-Sa 09:30-20:00; PH off"
LAND = Calendar(subdivision="HE")
HOST = Host(
    id="store",
    name="Store",
    kind="department_store",
    hours=EXPRESSION,
    exceptions=(
        OtherHours(first=date(2026, 6, 14), hours="13:00-18:00", reason={"de": "Sonntag"}),
        OtherHours(first=date(2026, 6, 22), last=date(2026, 6, 24), reason={"de": "Inventur"}),
    ),
)
POINT = Point(
    id="point",
    name={"de": "Punkt"},
    host="store",
    address=Address(street="Weg 1", postcode="00000", town="Ort"),
    staffed="Mo-Fr 10:00-18:00; PH off",
)


def alone() -> object:
    """What opening-hours-py needs for the open intervals, its parser included."""
    begin = datetime(FIRST.year, FIRST.month, FIRST.day)  # noqa: DTZ001 - the library speaks wall-clock time
    return list(opening_hours.OpeningHours(EXPRESSION).intervals(begin, begin + timedelta(days=DAYS)))


def days(hours: Hours, forget: Callable[[], None]) -> object:
    forget()
    return reasons.calendar(hours, LAND, FIRST, DAYS)


def now(hours: Hours, forget: Callable[[], None]) -> object:
    forget()
    at = datetime(2026, 6, 4, 10, tzinfo=UTC)
    return model.state(hours, LAND, at), reasons.why(hours, LAND, at)


def nothing() -> None:
    """Everything stays remembered."""


def forget_days(*, holidays: bool = False) -> None:
    """Forget what was worked out; the holidays of a year, which the library computes, only on request."""
    for module in (model, reasons):
        for name, value in vars(module).items():
            if hasattr(value, "cache_clear") and name != "_holidays":
                value.cache_clear()
    if holidays:
        model._holidays.cache_clear()


def subjects() -> dict[str, Callable[[], object]]:
    found = Catalogue(hosts=(HOST,), points=(POINT,))
    point, staff = point_hours(found, POINT), staff_hours(found, POINT)
    return {
        "opening-hours-py alone: the host's open intervals": alone,
        "60 days with reasons, nothing remembered": partial(days, point, partial(forget_days, holidays=True)),
        "60 days with reasons, holidays remembered": partial(days, point, forget_days),
        "... of host and staff together": partial(days, staff, forget_days),
        "60 days with reasons, as a later request": partial(days, point, nothing),
        "open now, why not, when next: nothing remembered": partial(now, point, partial(forget_days, holidays=True)),
        "open now, why not, when next: as a later request": partial(now, point, nothing),
    }


def cpu(subject: Callable[[], object]) -> float:
    """Microseconds of CPU a call."""
    started = time.process_time()
    for _ in range(ROUNDS):
        subject()
    return (time.process_time() - started) / ROUNDS * 1e6


class Timed(msgspec.Struct):
    """Microseconds of CPU in each round, and the ratio to the peer in the same round."""

    microseconds: list[float] = []
    ratios: list[float] = []


def measure(options: report.Options) -> report.Result:
    wanted = subjects()
    timed = {name: Timed([], []) for name in wanted}
    for subject in wanted.values():
        subject()
    for _ in range(options.runs):
        peer = None
        for name, subject in wanted.items():
            spent = cpu(subject)
            peer = peer or spent
            timed[name].microseconds.append(spent)
            timed[name].ratios.append(spent / peer)
    report.say(f"{options.runs} rounds of {ROUNDS} calls each")
    rows, figures = [], {}
    for name, found in timed.items():
        per_second = 1e6 / report.median(found.microseconds)
        rows.append(
            [
                name,
                report.spread(found.microseconds),
                f"{per_second:,.0f}",
                report.spread(found.ratios, ",.2f"),
            ]
        )
        figures[f"{name}, times the peer"] = report.median(found.ratios)
    return report.Result(
        [
            report.Table(
                "A point's 60 days",
                ["what", "CPU µs, median (min to max)", "in a CPU-second", "times opening-hours-py alone"],
                rows,
                f"{options.runs} rounds of {ROUNDS} calls each, in turns; one special Sunday and one closure in it.",
            )
        ],
        figures,
    )


if __name__ == "__main__":
    report.main("hours", measure, runs=15)
