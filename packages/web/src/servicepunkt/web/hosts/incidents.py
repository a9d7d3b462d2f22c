"""Incidents on the floor: a host reports them, the staff of the point answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue.model import Catalogue, Text
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.hosts.incidents import service, store
from servicepunkt.core.hosts.incidents.model import KINDS, Incident, Report
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import spoken_date, spoken_time
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.hosts.house import (
    EDIT,
    EDITING,
    HREF,
    READING,
    host_page,
    house_of,
    key_in,
    points_for,
)
from servicepunkt.web.hosts.words import BADGES, INCIDENT_STATES
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import catalogue_of

STAFF = "/staff/incidents"
ANSWER = "incidents.answer"
FIELDS = ("point", "kind", "place", "words")


class AnswerForm(msgspec.Struct, frozen=True, kw_only=True):
    to: Literal["acknowledged", "closed"]


class IncidentSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it is read; `kind` and `state` are message ids."""

    incident: Incident
    kind: str
    state: str
    badge: str
    point: Text
    when: str


def incidents_seen(
    request: Request[Any, Any, Any], catalogue: Catalogue, found: Iterable[Incident]
) -> list[IncidentSeen]:
    zone, locale = access.tenant_of(request).zone_info, language(request)
    seen = []
    for one in found:
        point = catalogue.point(one.point)
        day = spoken_date(one.created_at.astimezone(zone).date(), locale)
        seen.append(
            IncidentSeen(
                incident=one,
                kind=KINDS.get(one.kind, one.kind),
                state=INCIDENT_STATES[one.state],
                badge=BADGES[one.state],
                point=point.name if point else {"": one.point},
                when=f"{day}, {spoken_time(one.created_at, locale, zone)}",
            )
        )
    return seen


@get(f"{HREF}/{{host_id:str}}/incidents", guards=READING)
async def incidents(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], host_id: FromPath[str]
) -> Response[str]:
    """What was reported in a house, and the form for something new."""
    return await _page(request, visitor, host_id)


@post(f"{HREF}/{{host_id:str}}/incidents", guards=EDITING)
async def report(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    host_id: FromPath[str],
) -> Response[Any]:
    """Report something."""
    house = await house_of(request, visitor, host_id, EDIT)
    values = await typed(request)
    said = {name: values.get(name, "").strip() for name in FIELDS}
    try:
        wanted = Report(key=key_in(values.get("key", "")), host=host_id, **said)
        async with deployment.database.tenant(ctx) as tx:
            await service.report(tx, house.catalogue, wanted, actor=visitor.actor)
    except InvalidInputError as error:
        return await _page(request, visitor, host_id, said, error.mistakes)
    return see_other(request, f"{house.href}/incidents")


async def _page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    host_id: str,
    values: Mapping[str, str] | None = None,
    mistakes: Sequence[tuple[str, str]] = (),
) -> Response[str]:
    house = await house_of(request, visitor, host_id)
    async with access.deployment_of(request).database.tenant(access.tenant_of(request)) as tx:
        found = await store.listed(tx, host=host_id)
    return await host_page(
        request,
        visitor,
        house,
        "web/host_incidents.html",
        mistakes=mistakes,
        incidents=incidents_seen(request, house.catalogue, found),
        kinds=KINDS,
        values=values or {},
        key=str(uuid4()),
    )


@get(STAFF, guards=[access.permission(ANSWER, per_unit=True)])
async def staff_incidents(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """What was reported at the points of this person."""
    catalogue = await catalogue_of(request)
    points = {point.id for point in points_for(visitor, catalogue, ANSWER)}
    async with deployment.database.tenant(ctx) as tx:
        found = await store.listed(tx, points=points)
    seen = incidents_seen(request, catalogue, found)
    return await staff_page(request, visitor, "web/staff_incidents.html", incidents=seen)


@post(f"{STAFF}/{{incident_id:uuid}}", guards=[access.permission(ANSWER, per_unit=True)])
async def answer(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    incident_id: FromPath[UUID],
) -> Response[Any]:
    """Say that somebody takes care, or that it is done."""
    form = convert(await typed(request), AnswerForm, {})
    async with deployment.database.tenant(ctx) as tx:
        if not visitor.may(ANSWER, (await service.find(tx, incident_id)).point):
            raise NotFoundError
        await service.answer(tx, incident_id, to=form.to, actor=visitor.actor)
    return see_other(request, STAFF)


HANDLERS = (incidents, report, staff_incidents, answer)
