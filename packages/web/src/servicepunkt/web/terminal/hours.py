"""The opening hours of a point: now, the usual week, what is different soon, and the coming days with their reasons."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue.model import Point, point_hours, staff_hours
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.hours import words
from servicepunkt.core.hours.model import Hours
from servicepunkt.core.hours.reasons import Cause, Day, calendar
from servicepunkt.core.hours.week import usual_week
from servicepunkt.core.texts import Texts, spoken_date
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device
from servicepunkt.web.terminal import content
from servicepunkt.web.terminal.content import Sight
from servicepunkt.web.terminal.pages import PUBLIC, page, sight_of

DAYS_AHEAD, DAYS_SHOWN = 60, 28


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


def hours_page(request: Request[Any, Any, Any], sight: Sight, point: Point) -> Response[str]:
    texts, locale, catalogue = access.deployment_of(request).texts, sight.locale, sight.catalogue

    def week(hours: Hours) -> str:
        return words.week_summary(usual_week(hours, sight.day), texts=texts, locale=locale)

    hours = point_hours(catalogue, point)
    days = days_seen(sight, hours, texts)
    return page(
        request,
        "web/opening.html",
        sight,
        seen=content.point_seen(sight, point),
        host=catalogue.host(point.host),
        week=week(hours),
        staffed=week(staff_hours(catalogue, point)) if point.staffed else "",
        unusual=[day for day in days if day.unusual],
        days=days[:DAYS_SHOWN],
        ahead=DAYS_AHEAD,
    )


@get("/hours/{point_id:str}", opt=PUBLIC)
async def public_hours(request: Request[Any, Any, Any], point_id: FromPath[str]) -> Response[str]:
    """When a point is open in the coming weeks. Raises NotFoundError."""
    sight = await sight_of(request)
    point = sight.catalogue.point(point_id)
    if point is None:
        raise NotFoundError
    return hours_page(request, sight, point)


@get("/k/hours", guards=[access.terminal])
async def terminal_hours(request: Request[Any, Any, Any], device: NamedDependency[Device]) -> Response[str]:
    """When this point is open in the coming weeks."""
    sight = await sight_of(request, device)
    if sight.point is None:
        raise NotFoundError
    return hours_page(request, sight, sight.point)


HANDLERS = (public_hours, terminal_hours)
