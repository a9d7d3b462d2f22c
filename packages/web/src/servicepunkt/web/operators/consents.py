"""Consents as a city gives them and takes them back; and the end of an operator's session, by the operator."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.operators.consents import model, service
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.gate import CONSOLE
from servicepunkt.web.navigation import cookie, see_other
from servicepunkt.web.operators import service as operators
from servicepunkt.web.operators.service import CONSENTS
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.account import ROLES
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import spoken_moment

GUARDS = [access.permission("consents.manage")]
ANY = {CONSOLE: "any"}
FORMAT = "%Y-%m-%dT%H:%M"
Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d\Z")]
SENTENCES = {
    "role": "Choose a role.",
    "starts": "Enter a day and a time.",
    "ends": "Enter a day and a time.",
    "reason": "Give a reason of at most 300 characters.",
}
STATES = {"planned": "Not yet", "open": "In force", "ended": "Ended", "withdrawn": "Withdrawn"}


class ConsentForm(msgspec.Struct, frozen=True, kw_only=True):
    role: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    starts: Moment
    ends: Moment


def moment_of(text: str, place: str, ctx: TenantContext) -> datetime:
    """A wall-clock time at the tenant's place. Raises InvalidInputError for one that is none."""
    try:
        return datetime.strptime(text, FORMAT).replace(tzinfo=ctx.zone_info)
    except ValueError:
        raise InvalidInputError([(place, SENTENCES[place])]) from None


async def consents_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    *,
    values: dict[str, str] | None = None,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    now, locale = deployment.clock.now(), language(request)
    local = now.astimezone(ctx.zone_info)
    usual = {"starts": local.strftime(FORMAT), "ends": (local + timedelta(hours=1)).strftime(FORMAT)}
    given = [(one, model.state(one, now)) for one in await service.listed(deployment, ctx)]
    return await staff_page(
        request,
        visitor,
        "web/consents.html",
        status=status,
        consents=given,
        states=STATES,
        roles=ROLES,
        lent=model.ROLES,
        moment=lambda instant: spoken_moment(instant, now, locale, ctx),
        values=usual | (values or {}),
        mistakes=mistakes or [],
    )


@get(CONSENTS, guards=GUARDS)
async def consents(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """Who was let in, for how long, and a new consent."""
    return await consents_page(request, visitor)


@post(CONSENTS, guards=GUARDS, status_code=303)
async def give(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Let an operator in for some hours."""
    values = await typed(request)
    try:
        form = convert(values, ConsentForm, SENTENCES)
        await service.give(
            deployment,
            ctx,
            by=visitor.account,
            role=form.role,
            reason=form.reason,
            starts_at=moment_of(form.starts, "starts", ctx),
            ends_at=moment_of(form.ends, "ends", ctx),
        )
    except InvalidInputError as error:
        return await consents_page(request, visitor, values=values, mistakes=error.mistakes, status=422)
    return see_other(request, CONSENTS)


@post(f"{CONSENTS}/{{consent_id:uuid}}/withdraw", guards=GUARDS, status_code=303)
async def withdraw(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    consent_id: FromPath[UUID],
) -> Response[Any]:
    """Take it back: whoever looks by it sees nothing from the next click on."""
    await service.withdraw(deployment, ctx, consent_id, by=visitor.account)
    return see_other(request, CONSENTS)


@post(operators.END, guards=[access.permission("staff.enter")], status_code=303)
async def end(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """The operator leaves."""
    if visitor.acting is not None:
        await service.end(deployment, ctx, visitor.acting)
    answer = see_other(request, "/staff/sign-in")
    answer.set_cookie(cookie(request, operators.COOKIE, "", max_age=0))
    return answer


# In a router, because the answer to OPTIONS is the framework's own and knows no handler.
HANDLERS = (Router(path="", route_handlers=[consents, give, withdraw, end], opt=ANY),)
