"""One tenant in the operators' console: what it has, what is settled for it, and looking at it with its consent."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.operators import model, service
from servicepunkt.core.operators.consents import model as consents
from servicepunkt.core.operators.consents import service as consent_service
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.navigation import see_other
from servicepunkt.web.operators.pages import GUARDS, HOME, console_page
from servicepunkt.web.operators.service import COOKIE, HREF
from servicepunkt.web.sessions.model import Visitor

TENANT = f"{HREF}/tenants/{{slug:str}}"
Reason = Annotated[str, msgspec.Meta(max_length=1000)]
Rate = Annotated[str, msgspec.Meta(pattern=r"^\s*(\d{1,6}([.,]\d{1,3})?)?\s*\Z")]
SENTENCES = dict.fromkeys((*model.QUOTAS, "slow_requests"), "Enter a number.")


class ReasonForm(msgspec.Struct, frozen=True, kw_only=True):
    reason: Reason = ""


class SlowForm(msgspec.Struct, frozen=True, kw_only=True):
    """An empty number ends it."""

    slow_requests: Rate = ""
    reason: Reason = ""


class LimitsForm(msgspec.Struct, frozen=True, kw_only=True):
    requests: Rate = ""
    requests_of_address: Rate = ""
    accounts: Rate = ""
    devices: Rate = ""
    points: Rate = ""
    offers: Rate = ""
    records: Rate = ""
    reason: Reason = ""


class ActForm(msgspec.Struct, frozen=True, kw_only=True):
    consent: UUID


def number(text: str) -> float | int | None:
    """A number as people write it; None for nothing."""
    plain = text.strip().replace(",", ".")
    if not plain:
        return None
    return float(plain) if "." in plain else int(plain)


async def tenant_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    slug: str,
    *,
    action: str = "",
    values: dict[str, str] | None = None,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    deployment = access.deployment_of(request)
    tenant, ctx = await service.one(deployment, slug), await deployment.directory.by_slug(slug)
    given = await consent_service.listed(deployment, ctx) if ctx else []
    now = deployment.clock.now()
    open_to_me = [one for one in given if consents.opens(one, visitor.account.id, now)]
    limits = {name: (tenant.settled.get(name), getattr(tenant.limits, name)) for name in model.QUOTAS}
    return await console_page(
        request,
        visitor,
        "web/operator_tenant.html",
        status=status,
        tenant=tenant,
        served=ctx is not None,
        limits=limits,
        consents=open_to_me,
        action=action,
        values=values or {},
        mistakes=mistakes or [],
    )


@get(TENANT, guards=GUARDS)
async def one_tenant(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], slug: FromPath[str]
) -> Response[str]:
    """What it has and uses, its terms, and the consents that hold now."""
    return await tenant_page(request, visitor, slug)


@post(f"{TENANT}/{{action:str}}", guards=GUARDS, status_code=303)
async def settle(
    request: Request[Any, Any, Any],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    slug: FromPath[str],
    action: FromPath[str],
) -> Response[Any]:
    """Other limits, fewer requests for an hour, a pause, its end, or a count anew; each with a reason."""
    if action not in ACTIONS:
        raise NotFoundError
    values = await typed(request)
    try:
        await ACTIONS[action](deployment, slug, values, visitor.actor)
    except InvalidInputError as error:
        return await tenant_page(
            request, visitor, slug, action=action, values=values, mistakes=error.mistakes, status=422
        )
    return see_other(request, f"{HREF}/tenants/{slug}")


async def _limits(deployment: Deployment, slug: str, values: dict[str, str], actor: str) -> None:
    form = convert(values, LimitsForm, SENTENCES)
    wanted = {name: number(getattr(form, name)) for name in model.QUOTAS}
    said = {name: value for name, value in wanted.items() if value is not None}
    await service.set_limits(deployment, slug, dict(said), actor=actor, reason=form.reason)


async def _slow(deployment: Deployment, slug: str, values: dict[str, str], actor: str) -> None:
    form = convert(values, SlowForm, SENTENCES)
    requests = number(form.slow_requests)
    if requests is not None and not 0 < requests <= 100_000:
        raise InvalidInputError([("slow_requests", "This number does not fit.")])
    await service.slow_down(deployment, slug, requests, actor=actor, reason=form.reason)


async def _pause(deployment: Deployment, slug: str, values: dict[str, str], actor: str) -> None:
    reason = convert(values, ReasonForm, {}).reason
    await service.set_pause(deployment, slug, pause=True, actor=actor, reason=reason)


async def _resume(deployment: Deployment, slug: str, values: dict[str, str], actor: str) -> None:
    reason = convert(values, ReasonForm, {}).reason
    await service.set_pause(deployment, slug, pause=False, actor=actor, reason=reason)


async def _count(deployment: Deployment, slug: str, values: dict[str, str], actor: str) -> None:  # noqa: ARG001
    await service.count.function(deployment, await _served(deployment, slug))


ACTIONS = {"limits": _limits, "slow": _slow, "pause": _pause, "resume": _resume, "count": _count}


async def _served(deployment: Deployment, slug: str) -> TenantContext:
    found = await deployment.directory.by_slug(slug)
    if found is None:
        raise NotFoundError
    return found


@post(f"{HREF}/act/{{slug:str}}", guards=GUARDS, status_code=303)
async def act(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    slug: FromPath[str],
) -> Response[Any]:
    """Begin to look at a tenant's pages with its consent: at its address by path, which every host name has."""
    form, there = convert(await typed(request), ActForm, {}), await _served(deployment, slug)
    if there.id == ctx.id:
        raise consents.ConsentError
    value = await consent_service.begin(deployment, there, form.consent, visitor.account)
    answer = Redirect(f"/t/{there.slug}/staff", status_code=303)
    answer.set_cookie(
        Cookie(
            key=COOKIE,
            value=value,
            path=f"/t/{there.slug}",
            httponly=True,
            samesite="strict",
            secure=deployment.settings.secure_cookies,
        )
    )
    return answer


# In a router, because the answer to OPTIONS is the framework's own and knows no handler.
HANDLERS = (Router(path="", route_handlers=[one_tenant, settle, act], opt=HOME),)
