"""The command `servicepunkt hours`: whether a point is open, why not, and its coming days."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue.model import pick, point_hours
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.commands import tenant_or_refuse, write_json
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.hours import words
from servicepunkt.core.hours.model import Calendar, Hours, local_date, state
from servicepunkt.core.hours.reasons import Cause, Day, calendar, why
from servicepunkt.core.hours.week import usual_week
from servicepunkt.core.settings import Settings
from servicepunkt.core.texts import spoken_date

YEARS = range(2000, 2100)
out, notes = Console(), Console(stderr=True)


class Question(msgspec.Struct, frozen=True):
    """What was typed: the place, the local time (now if empty), how many days of a table, and the language."""

    place: str
    at: str
    days: int
    language: str


class Asked(msgspec.Struct, frozen=True):
    """A point's hours as they were asked for."""

    name: str
    hours: Hours
    calendar: Calendar
    at: datetime


@click.command("hours")
@click.argument("place", metavar="TENANT/POINT")
@click.option("--at", "at_text", default="", help='Local time, "2026-06-04 12:00"; now if left out.')
@click.option("--days", default=0, type=click.IntRange(0, 366), help="Also a table of so many days from then on.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--language", default="de", show_default=True)
def hours_command(place: str, at_text: str, days: int, as_json: bool, language: str) -> None:
    """Say whether a point is open, until when, why not, and when it opens next."""
    question = Question(place, at_text, days, language)
    with deployments.configured() as settings:
        asyncio.run(_answer(settings, question, as_json=as_json))


async def _answer(settings: Settings, question: Question, *, as_json: bool) -> None:
    async with deployments.running(settings) as deployment:
        asked = await _ask(deployment, question)
    if as_json:
        write_json(_for_programs(asked, question))
    else:
        _say(asked, question, deployment)


async def _ask(deployment: Deployment, question: Question) -> Asked:
    slug, _, point_id = question.place.partition("/")
    ctx = await tenant_or_refuse(deployment, slug)
    found = (await CatalogueReader(deployment.database).current(ctx)).catalogue
    point = found.point(point_id)
    if point is None:
        known = ", ".join(entry.id for entry in found.points)
        raise NotFoundError(f"there is no point {point_id!r}; known are: {known}")
    at, note = instant(question.at, ctx.zone_info) if question.at else (deployment.clock.now(), "")
    if note:
        notes.print(escape(note), style="yellow")
    name = pick(point.name, question.language)
    return Asked(name, point_hours(found, point), Calendar(ctx.zone, ctx.subdivision), at.astimezone(UTC))


def instant(text: str, zone: ZoneInfo) -> tuple[datetime, str]:
    """What somebody means by a time on the clocks of a place, and a note when that is not the only thing to mean.

    A time with an offset of its own ("+01:00") is taken as it is. Raises BadParameter.
    """
    try:
        typed = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None
    if typed.year not in YEARS:
        raise click.BadParameter(f"years go from {YEARS[0]} to {YEARS[-1]}", param_hint="--at")
    if typed.tzinfo is not None:
        return typed.astimezone(UTC), ""
    meant, other = (typed.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    shown = meant.astimezone(zone)
    if shown.replace(tzinfo=None) != typed:
        return meant, f"{typed:%H:%M} does not exist on this day: clocks go forward. {shown:%H:%M} was taken."
    if meant != other:
        later = f"{other.astimezone(zone):%z}"
        return meant, (
            f"{typed:%H:%M} happens twice on this day: clocks go back. The first one was taken; "
            f"for the second write {typed:%Y-%m-%dT%H:%M}{later[:3]}:{later[3:]}."
        )
    return meant, ""


def _say(asked: Asked, question: Question, deployment: Deployment) -> None:
    texts, locale = deployment.texts, question.language
    now, because = state(asked.hours, asked.calendar, asked.at), why(asked.hours, asked.calendar, asked.at)
    said = words.describe(now, asked.calendar, asked.at, texts=texts, locale=locale, because=because)
    out.print(escape(said), soft_wrap=True)
    for cause in because:
        out.print(escape(words.reason(cause, texts=texts, locale=locale)), style="dim", soft_wrap=True)
    if not question.days:
        return
    first = local_date(asked.at, asked.calendar)
    week = words.week_summary(usual_week(asked.hours, first), texts=texts, locale=locale)
    out.print(f"{escape(asked.name)}: {escape(week)}", style="italic", soft_wrap=True)
    table = Table("day", "hours", "why")
    for day in calendar(asked.hours, asked.calendar, first, question.days):
        times = words.spoken_times(words.times_of(day, asked.calendar), texts=texts, locale=locale)
        reasons = "; ".join(words.reason(cause, texts=texts, locale=locale) for cause in day.causes)
        table.add_row(spoken_date(day.date, locale), times, escape(reasons))
    out.print(table)


def _for_programs(asked: Asked, question: Question) -> dict[str, Any]:
    """All instants in UTC; texts in every language that they have."""
    answer = msgspec.structs.asdict(state(asked.hours, asked.calendar, asked.at))
    because = why(asked.hours, asked.calendar, asked.at)
    answer |= {"at": asked.at, "because": [_cause(cause) for cause in because]}
    if question.days:
        days = calendar(asked.hours, asked.calendar, local_date(asked.at, asked.calendar), question.days)
        answer["days"] = [_day(day) for day in days]
    return answer


def _day(day: Day) -> dict[str, Any]:
    return {
        "date": day.date,
        "open": day.spans,
        "holiday": dict(day.holiday),
        "causes": [_cause(cause) for cause in day.causes],
    }


def _cause(cause: Cause) -> dict[str, Any]:
    whose = {"role": cause.whose.role, "name": dict(cause.whose.name)} if cause.whose else None
    return {"kind": cause.kind, "closes": cause.closes, "whose": whose, "reason": dict(cause.reason)}
