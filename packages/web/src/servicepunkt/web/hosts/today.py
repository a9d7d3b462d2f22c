"""One page for a retailer: are the hours right, what is on today, are there any problems?"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue.model import Contract, host_hours, point_hours
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.hosts.incidents import store as incidents
from servicepunkt.core.hosts.space import store as slots
from servicepunkt.core.hours import words as hours_words
from servicepunkt.core.hours.model import Hours
from servicepunkt.core.hours.reasons import Day
from servicepunkt.core.hours.reasons import calendar as days_of
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import spoken_date, written_date
from servicepunkt.web import access
from servicepunkt.web.frame import language
from servicepunkt.web.hosts.house import HREF, READING, House, calendar_of, host_page, house_of, houses_of
from servicepunkt.web.hosts.incidents import incidents_seen
from servicepunkt.web.hosts.space import slots_seen
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import catalogue_of

DAYS = 8


class Cell(msgspec.Struct, frozen=True):
    """The hours of a day; `reasons` are what is unusual about it."""

    hours: str
    reasons: tuple[str, ...]


class DayRow(msgspec.Struct, frozen=True):
    """A day: the house, then each of its points; None for one that is open whenever the house is."""

    said: str
    house: Cell
    points: tuple[Cell | None, ...]


class ContractSeen(msgspec.Struct, frozen=True):
    """The dates of a contract in words. `left`: days until it ends, None while nobody has given notice."""

    since: str
    until: str
    left: int | None


@get(HREF, guards=READING)
async def houses(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[Any]:
    """The houses of this person; who has one sees it at once."""
    found = houses_of(visitor, await catalogue_of(request))
    if len(found) == 1:
        return see_other(request, f"{HREF}/{found[0].id}")
    return await staff_page(request, visitor, "web/host_houses.html", houses=found)


@get(f"{HREF}/{{host_id:str}}", guards=READING)
async def today(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    host_id: FromPath[str],
) -> Response[str]:
    """Hours of today and the next days, what is on in the spaces, what is wrong, and the contract."""
    house = await house_of(request, visitor, host_id)
    now = deployment.clock.now()
    tomorrow = datetime.combine(ctx.local_date(now) + timedelta(days=1), time(), tzinfo=ctx.zone_info)
    async with deployment.database.tenant(ctx) as tx:
        programme = await slots.listed(tx, hosts={host_id}, ending_after=now, until=tomorrow + timedelta(days=DAYS - 1))
        open_incidents = [one for one in await incidents.listed(tx, host=host_id) if one.is_open]
    approved = [slot for slot in programme if slot.state == "approved"]
    return await host_page(
        request,
        visitor,
        house,
        "web/host_today.html",
        days=days_seen(request, house, ctx.local_date(now)),
        on_today=slots_seen(request, [slot for slot in approved if slot.begins_at < tomorrow]),
        coming=slots_seen(request, [slot for slot in approved if slot.begins_at >= tomorrow]),
        waiting=sum(slot.state == "asked" for slot in programme),
        incidents=incidents_seen(request, house.catalogue, open_incidents),
        contract=contract_seen(request, house.host.contract, ctx.local_date(now)),
    )


def days_seen(request: Request[Any, Any, Any], house: House, first: date) -> list[DayRow]:
    calendar = calendar_of(request)

    def days(hours: Hours) -> tuple[Day, ...]:
        return days_of(hours, calendar, first, DAYS)

    of_points = [days(point_hours(house.catalogue, point)) for point in house.points]
    return [
        DayRow(
            said=spoken_date(day.date, language(request)),
            house=cell(request, day),
            points=tuple(None if one[number].spans == day.spans else cell(request, one[number]) for one in of_points),
        )
        for number, day in enumerate(days(host_hours(house.host)))
    ]


def cell(request: Request[Any, Any, Any], day: Day) -> Cell:
    """A day in words."""
    texts, locale = access.deployment_of(request).texts, language(request)
    times = hours_words.times_of(day, calendar_of(request))
    reasons = (
        hours_words.bare_reason(cause, texts=texts, locale=locale) for cause in day.causes if cause.kind != "rest"
    )
    return Cell(hours_words.spoken_times(times, texts=texts, locale=locale), tuple(filter(None, reasons)))


def contract_seen(request: Request[Any, Any, Any], contract: Contract, today: date) -> ContractSeen:
    locale = language(request)
    return ContractSeen(
        written_date(contract.since, locale) if contract.since else "",
        written_date(contract.until, locale) if contract.until else "",
        (contract.until - today).days if contract.until else None,
    )


HANDLERS = (houses, today)
