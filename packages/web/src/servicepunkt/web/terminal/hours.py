"""The opening hours of a point: now, the usual week, what is different soon, and the coming days with their reasons."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue.model import Point, point_hours, staff_hours
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.hours import words
from servicepunkt.core.hours.model import Hours
from servicepunkt.core.hours.week import usual_week
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device
from servicepunkt.web.terminal import content
from servicepunkt.web.terminal.content import Sight
from servicepunkt.web.terminal.days import DAYS_AHEAD, days_seen
from servicepunkt.web.terminal.pages import PUBLIC, page, sight_of

DAYS_SHOWN = 28


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
