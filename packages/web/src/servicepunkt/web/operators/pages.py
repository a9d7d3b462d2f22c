"""The operators' console: all tenants, who uses the most, how the platform is."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.operators import health, service, tenants
from servicepunkt.core.operators.tenants import State, Wanted
from servicepunkt.web import access
from servicepunkt.web.frame import language
from servicepunkt.web.gate import CONSOLE
from servicepunkt.web.operators import seen
from servicepunkt.web.operators.service import HREF
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import checks_seen, spoken_moment

GUARDS = [access.console]
HOME = {CONSOLE: "home"}
Text = Annotated[str, QueryParameter(max_length=200)]
USE = f"{HREF}/use"


async def console_page(
    request: Request[Any, Any, Any], visitor: Visitor, template: str, *, status: int = 200, **values: Any
) -> Response[str]:
    """A page of the console, with what its templates speak with."""
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    now, locale = deployment.clock.now(), language(request)
    return await staff_page(
        request,
        visitor,
        template,
        status=status,
        seen=seen,
        now=now,
        moment=lambda instant: spoken_moment(instant, now, locale, ctx),
        **values,
    )


async def _list(
    request: Request[Any, Any, Any], visitor: Visitor, template: str, wanted: Wanted, kinds: tuple[tuple[str, str], ...]
) -> Response[str]:
    found = await service.page(access.deployment_of(request), wanted)
    return await console_page(
        request, visitor, template, wanted=wanted, page=found, columns=seen.columns(wanted, kinds)
    )


@get(HREF, guards=GUARDS)
async def all_tenants(
    request: Request[Any, Any, Any],
    visitor: NamedDependency[Visitor],
    q: Text = "",
    in_state: Annotated[State, QueryParameter(name="state")] = "",
    plugin: Text = "",
    sort: Text = "slug",
    down: FromQuery[bool] = False,
    minutes: FromQuery[int] = tenants.SPANS[0],
    after: Text = "",
) -> Response[str]:
    """Every tenant with its state, what it has and what it uses; sorted by any column, fifty at a time."""
    wanted = Wanted(q=q, state=in_state, plugin=plugin, sort=sort, down=down, minutes=_span(minutes), after=after)
    return await _list(request, visitor, "web/operator_tenants.html", wanted, seen.COLUMNS)


@get(USE, guards=GUARDS)
async def use(
    request: Request[Any, Any, Any],
    visitor: NamedDependency[Visitor],
    sort: Text = "seconds",
    down: FromQuery[bool] = True,
    minutes: FromQuery[int] = tenants.SPANS[0],
    after: Text = "",
) -> Response[str]:
    """Who uses the most of all processes together."""
    wanted = Wanted(sort=sort, down=down, minutes=_span(minutes), after=after)
    return await _list(request, visitor, "web/operator_use.html", wanted, seen.USE_COLUMNS)


def _span(minutes: int) -> int:
    return minutes if minutes in tenants.SPANS else tenants.SPANS[0]


@get(f"{HREF}/health", guards=GUARDS)
async def platform_health(
    request: Request[Any, Any, Any], deployment: NamedDependency[Deployment], visitor: NamedDependency[Visitor]
) -> Response[str]:
    """Database, replica, copies, jobs, processes, and what health checks say in the operators' own tenant."""
    found = await health.look(deployment)
    checks = await checks_seen(deployment, access.tenant_of(request))
    return await console_page(
        request, visitor, "web/operator_health.html", health=msgspec.structs.asdict(found), checks=checks
    )


# In a router, because the answer to OPTIONS is the framework's own and knows no handler.
HANDLERS = (Router(path="", route_handlers=[all_tenants, use, platform_health], opt=HOME),)
