"""Sign-in, sign-out and the overview of staff."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, ServicepunktError
from servicepunkt.core.openid import service as openid_service
from servicepunkt.core.openid.settings import openid_of
from servicepunkt.core.people import service as people
from servicepunkt.core.people.model import SignInError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import Frame, language, local_path
from servicepunkt.web.help import service as help_service
from servicepunkt.web.navigation import cookie, public_address, see_other
from servicepunkt.web.operators import service as operators
from servicepunkt.web.sessions import model as sessions
from servicepunkt.web.sessions import service as session_service
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff import account, overview
from servicepunkt.web.staff.frame import staff_page

PUBLIC = {"public": True, "closed_too": True}
START = "/staff"
SENTENCES = {
    "login": "Enter your login.",
    "password": "Enter your password.",
    "code": "The code has six digits.",
}


class SignInForm(msgspec.Struct, frozen=True, kw_only=True):
    login: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    code: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{6})?\Z")] = ""
    next: Annotated[str, msgspec.Meta(max_length=512)] = START


class LocalAccountsOffError(ServicepunktError):
    """The tenant lets people in by its OpenID provider alone."""

    code = "SP7023"
    status = 403
    citizen = "At this service point you sign in with your account at the city."
    staff = "Local accounts are off: [oidc] of the tenant file says so."
    next_step = "Choose the sign-in with your account at the city."


def require_local_accounts(ctx: TenantContext) -> None:
    """Raises LocalAccountsOffError."""
    openid = openid_of(ctx)
    if openid is not None and not openid.local_accounts:
        raise LocalAccountsOffError


def sign_in_page(
    request: Request[Any, Any, Any],
    *,
    login: str = "",
    target: str = START,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    frame: Frame = request.app.state["frame"]
    openid = openid_of(access.tenant_of(request))
    return frame.page(
        request,
        "web/sign_in.html",
        status=status,
        login=login,
        target=target,
        mistakes=mistakes or [],
        openid=openid is not None,
        local=openid is None or openid.local_accounts,
    )


@get("/staff/sign-in", opt=PUBLIC)
async def sign_in_form(
    request: Request[Any, Any, Any],
    target: Annotated[str, QueryParameter(name="next", max_length=512)] = START,
) -> Response[str]:
    """Login, password and, for those who have one, the second factor."""
    return sign_in_page(request, target=local_path(target, fallback=START))


@post("/staff/sign-in", opt=PUBLIC)
async def sign_in(
    request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext], deployment: NamedDependency[Deployment]
) -> Response[Any]:
    """Start a session; what was wrong is not told."""
    values = await typed(request)
    again = {"login": values.get("login", "")[:200], "target": local_path(values.get("next", ""), fallback=START)}
    try:
        form = convert(values, SignInForm, SENTENCES)
        require_local_accounts(ctx)
        found = await people.sign_in(deployment, ctx, login=form.login, password=form.password, code=form.code)
    except InvalidInputError as error:
        return sign_in_page(request, **again, mistakes=error.mistakes, status=422)
    except (SignInError, LocalAccountsOffError) as error:
        sentences = [("", error.citizen), ("", error.next_step)]
        return sign_in_page(request, **again, mistakes=sentences, status=error.status)
    answer = see_other(request, form.next, fallback=START)
    answer.set_cookie(cookie(request, sessions.COOKIE, await session_service.start(deployment, ctx, found)))
    return answer


@post("/staff/sign-out", opt=PUBLIC)
async def sign_out(
    request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext], deployment: NamedDependency[Deployment]
) -> Response[Any]:
    """End the session, if there is one, and lead on to the city's provider for whom that has let in."""
    held = request.cookies.get(sessions.COOKIE, "")
    visitor = await session_service.visitor(deployment, ctx, held)
    await session_service.end(deployment, ctx, held)
    provider = ""
    if visitor is not None and visitor.account.external is not None:
        back = public_address(request, "/staff/sign-in")
        provider = await openid_service.sign_out_address(deployment, ctx, redirect=back)
    frame: Frame = request.app.state["frame"]
    answer: Response[Any] = see_other(request, "/staff/sign-in")
    if provider:
        answer = frame.page(request, "web/signed_out.html", provider=provider)
    if await operators.leave(deployment, ctx, request.cookies.get(operators.COOKIE, "")):
        answer.set_cookie(cookie(request, operators.COOKIE, "", max_age=0))
    answer.set_cookie(cookie(request, sessions.COOKIE, "", max_age=0))
    return answer


@get("/staff", guards=[access.permission("staff.enter")])
async def start(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """The day at one glance; each part only for those whom it concerns."""
    points = visitor.units("help.answer")
    calls = None if points == frozenset() else await help_service.waiting(deployment, ctx, points=points)
    return await staff_page(
        request,
        visitor,
        "web/staff_start.html",
        tasks=await overview.tasks_seen(deployment, ctx, visitor.permissions),
        calls=None if calls is None else await overview.calls_seen(request, calls),
        devices=await overview.devices_seen(request) if visitor.may("devices.manage") else None,
        checks=await overview.checks_seen(deployment, ctx) if visitor.may("health.read") else None,
        plugins=await overview.plugins_seen(deployment, ctx, language(request)) if visitor.may("health.read") else [],
        points=await overview.points_today(request),
    )


HANDLERS = (sign_in_form, sign_in, sign_out, start, *account.HANDLERS)
