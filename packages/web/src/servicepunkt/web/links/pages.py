"""One's accounts at other tenants: link, unlink, and switch there without signing in again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.people import service as people
from servicepunkt.core.people.links import service
from servicepunkt.core.people.links.model import FreshSignInError, LinkCodeError
from servicepunkt.core.people.model import SignInError
from servicepunkt.core.tenancy import store as tenants
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import Frame
from servicepunkt.web.navigation import cookie, origin_at, origin_of, prefix_of, see_other
from servicepunkt.web.security import allow_form
from servicepunkt.web.sessions import model as sessions
from servicepunkt.web.sessions import service as session_service
from servicepunkt.web.sessions.model import Session, Visitor
from servicepunkt.web.staff.account import GUARDS, NOT_RIGHT, SENTENCES
from servicepunkt.web.staff.frame import LINKS, SWITCH, staff_page

#: Of a session in which a passkey was shown, or for which a provider vouches: so long it stands for a password.
FRESH = timedelta(minutes=5)
COOKIE = "sp_switch"
COOKIE_BYTES = 32
Proven = Annotated[str, msgspec.Meta(max_length=256)]
Factor = Annotated[str, msgspec.Meta(pattern=r"^([0-9]{6})?\Z")]


class ProofForm(msgspec.Struct, frozen=True, kw_only=True):
    password: Proven = ""
    code: Factor = ""


class LinkForm(ProofForm, frozen=True, kw_only=True):
    link_code: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]


class ArrivalForm(msgspec.Struct, frozen=True, kw_only=True):
    ticket: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


def is_fresh(visitor: Visitor, deployment: Deployment) -> bool:
    """Whether what was shown at sign-in stands for a password; never after a switch."""
    recent = deployment.clock.now() - visitor.session.started_at <= FRESH
    return recent and visitor.session.link is None and visitor.proof in ("passkey", "openid")


async def prove(deployment: Deployment, ctx: TenantContext, visitor: Visitor, form: ProofForm) -> None:
    """So that a stolen session links nothing. Raises SignInError, FreshSignInError."""
    if is_fresh(visitor, deployment):
        return
    if visitor.account.external is not None or not form.password:
        raise FreshSignInError
    await people.sign_in(deployment, ctx, login=visitor.account.login, password=form.password, code=form.code)


async def links_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    *,
    code: str = "",
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    fresh = is_fresh(visitor, access.deployment_of(request))
    return await staff_page(
        request, visitor, "web/links.html", status=status, code=code, fresh=fresh, mistakes=mistakes or []
    )


@get(LINKS, guards=GUARDS)
async def links(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """With which tenants this account is linked, a code for another one, and the field for one."""
    return await links_page(request, visitor)


@post(f"{LINKS}/code", guards=GUARDS, status_code=200)
async def make_code(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """A code, shown once."""
    try:
        await prove(deployment, ctx, visitor, convert(await typed(request), ProofForm, SENTENCES))
    except InvalidInputError as error:
        return await links_page(request, visitor, mistakes=error.mistakes, status=422)
    except SignInError as error:
        return await links_page(request, visitor, mistakes=[("", NOT_RIGHT)], status=error.status)
    return await links_page(request, visitor, code=await service.make_code(deployment, ctx, visitor.account))


@post(LINKS, guards=GUARDS, status_code=303)
async def link(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Enter the code that was made at the other tenant."""
    sentences = {**SENTENCES, "link_code": "Enter the code."}
    try:
        form = convert(await typed(request), LinkForm, sentences)
        await prove(deployment, ctx, visitor, form)
        await service.take_code(deployment, ctx, visitor.account, form.link_code)
    except InvalidInputError as error:
        return await links_page(request, visitor, mistakes=error.mistakes, status=422)
    except SignInError as error:
        return await links_page(request, visitor, mistakes=[("", NOT_RIGHT)], status=error.status)
    except LinkCodeError as error:
        said = [("link_code", error.citizen), ("", error.next_step)]
        return await links_page(request, visitor, mistakes=said, status=error.status)
    return see_other(request, LINKS)


@post(f"{LINKS}/{{link_id:uuid}}/remove", guards=GUARDS, status_code=303)
async def unlink(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    link_id: FromPath[UUID],
) -> Response[Any]:
    """It ends on both sides at once."""
    await service.end(deployment, ctx, visitor.account.id, link_id)
    return see_other(request, LINKS)


@post(f"{SWITCH}/{{link_id:uuid}}", guards=GUARDS, status_code=200)
async def leave(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    link_id: FromPath[UUID],
) -> Response[str]:
    """The page that leads to the other tenant: its form holds the ticket, no address does."""
    there = dict(await service.others(deployment, ctx, visitor.account.id)).get(link_id)
    origin = await host_of(request, there) if there else ""
    kept = deployment.randomness(COOKIE_BYTES).hex()
    # Hosts have no cookie in common: there the browser says from which of our pages it comes.
    browser = service.digest_of(f"origin {origin_of(request)}" if origin else f"cookie {kept}")
    ticket = await service.begin_switch(
        deployment,
        ctx,
        visitor.account,
        link_id,
        browser=browser,
        proof=visitor.proof,
        began_at=visitor.session.started_at,
    )
    action = f"{origin}{SWITCH}" if origin else f"/t/{there.slug}{SWITCH}" if there else ""
    answer = await staff_page(request, visitor, "web/switch.html", action=action, ticket=ticket, there=there)
    if origin:
        allow_form(request, origin)
        answer.headers["referrer-policy"] = "strict-origin"
    else:
        answer.set_cookie(_common(deployment, kept))
    return answer


async def host_of(request: Request[Any, Any, Any], there: TenantContext) -> str:
    """The origin at which the other tenant is reached by a host name; empty where both are reached by their paths."""
    deployment = access.deployment_of(request)
    if prefix_of(request):
        return ""
    async with deployment.database.platform("find the host name of a tenant") as connection:
        hosts = await tenants.hosts_of(connection, there.id)
    return origin_at(deployment.settings.public_url, hosts[0]) if hosts else ""


def _common(deployment: Deployment, value: str) -> Cookie:
    """A cookie for all tenants below this host."""
    secure = deployment.settings.secure_cookies
    return Cookie(key=COOKIE, value=value, max_age=30, path="/", httponly=True, samesite="strict", secure=secure)


# The ticket stands in place of the form's token, which the other tenant's page cannot know.
@post(SWITCH, opt={"public": True, "closed_too": True, "exclude_from_csrf": True}, status_code=200)
async def arrive(
    request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext], deployment: NamedDependency[Deployment]
) -> Response[str]:
    """Start a session for whom the ticket names, from the browser for which it was made."""
    form = convert(await typed(request), ArrivalForm, {})
    cookie_shown, origin = request.cookies.get(COOKIE, ""), request.headers.get("origin", "")
    shown = {service.digest_of(f"cookie {cookie_shown}"), service.digest_of(f"origin {origin}")}
    account, ticket = await service.finish_switch(deployment, ctx, form.ticket, shown)
    made = Session(
        key=b"",
        account=account.id,
        started_at=ticket.began_at,
        seen_at=deployment.clock.now(),
        proof=msgspec.convert(ticket.proof, sessions.Proof),
        link=ticket.link,
    )
    frame: Frame = request.app.state["frame"]
    # As after a provider's page: the session's cookie is not sent along on a way that began at another host.
    answer = frame.page(request, "web/signed_in.html", target="/staff")
    answer.set_cookie(_common(deployment, ""))
    answer.set_cookie(cookie(request, sessions.COOKIE, await session_service.keep(deployment, ctx, made)))
    return answer


HANDLERS = (links, make_code, link, unlink, leave, arrive)
