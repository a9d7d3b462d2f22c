"""Passkeys on one's own account page, and on the page for signing in. Scripts are needed for these alone."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.people import service as people
from servicepunkt.core.people.model import SignInError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.handshakes import model as handshakes
from servicepunkt.web.handshakes import service as handshake_service
from servicepunkt.web.navigation import cookie, origin_of, see_other
from servicepunkt.web.passkeys import model, service, store
from servicepunkt.web.passkeys.model import Assertion, PasskeyRefusedError, Registration
from servicepunkt.web.sessions import demand
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.account import GUARDS, NOT_RIGHT, SENTENCES, Password, signed_in_again
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.pages import PUBLIC, START, require_local_accounts, sign_in_page

HREF = demand.PASSKEYS
SIGN_IN = "/staff/sign-in/passkey"
# What an authenticator answers, as JSON; ours are below 2 KiB, with an attestation that nobody asked for 10 KiB.
Answer = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]


class BeginForm(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    password: Password
    code: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{6})?\Z")] = ""


class AnswerForm(msgspec.Struct, frozen=True, kw_only=True):
    credential: Answer


class SignInForm(msgspec.Struct, frozen=True, kw_only=True):
    credential: Answer
    next: Annotated[str, msgspec.Meta(max_length=512)] = START


def place_of(request: Request[Any, Any, Any]) -> model.Place:
    origin = origin_of(request)
    return model.Place(urlsplit(origin).hostname or "", origin)


async def passkeys_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    *,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    """Raises NotFoundError for an account that the city's provider keeps."""
    if visitor.account.external is not None:
        raise NotFoundError
    async with access.deployment_of(request).database.tenant(access.tenant_of(request)) as tx:
        found = await store.of_account(tx, visitor.account.id)
    return await staff_page(
        request, visitor, "web/passkeys.html", status=status, passkeys=found, mistakes=mistakes or []
    )


@get(HREF, guards=GUARDS)
async def passkeys(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """One's own passkeys, and the form for another one."""
    return await passkeys_page(request, visitor)


@post(f"{HREF}/begin", guards=GUARDS, status_code=200)
async def begin(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """With the password, so that a stolen session makes no passkey: the page that asks the browser for one."""
    sentences = {**SENTENCES, "name": "Give it a name of at most 60 characters."}
    try:
        form = convert(await typed(request), BeginForm, sentences)
        account = await people.sign_in(
            deployment, ctx, login=visitor.account.login, password=form.password, code=form.code
        )
        begun, options = await service.begin_registration(
            deployment, ctx, account, name=form.name.strip() or "Passkey", place=place_of(request)
        )
    except InvalidInputError as error:
        return await passkeys_page(request, visitor, mistakes=error.mistakes, status=422)
    except SignInError as error:
        return await passkeys_page(request, visitor, mistakes=[("", NOT_RIGHT)], status=error.status)
    answer = await staff_page(request, visitor, "web/passkey_new.html", options=options)
    return await remembered(request, answer, begun)


async def remembered(request: Request[Any, Any, Any], answer: Response[Any], begun: msgspec.Struct) -> Response[Any]:
    """The answer, with the cookie by which this browser alone goes on."""
    kept = await handshake_service.begin(access.deployment_of(request), access.tenant_of(request), begun)
    seconds = int(handshakes.LONGEST.total_seconds())
    answer.set_cookie(cookie(request, handshakes.COOKIE, kept, max_age=seconds))
    return answer


@post(HREF, guards=GUARDS)
async def register(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Keep what the browser made; the session goes on as one in which a passkey was shown."""
    form = convert(await typed(request), AnswerForm, {})
    begun = await handshake_service.take(deployment, ctx, request.cookies.get(handshakes.COOKIE, ""), Registration)
    try:
        if begun.account != visitor.account.id:
            raise PasskeyRefusedError
        await service.register(deployment, ctx, begun, answer=form.credential, place=place_of(request))
    except PasskeyRefusedError as error:
        said = [("", error.citizen), ("", error.next_step)]
        return await passkeys_page(request, visitor, mistakes=said, status=error.status)
    return await signed_in_again(request, visitor.account, "passkey", HREF)


@post(f"{HREF}/{{passkey_id:uuid}}/remove", guards=GUARDS)
async def remove(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    passkey_id: FromPath[UUID],
) -> Response[Any]:
    """It lets nobody in from now on."""
    await service.remove(deployment, ctx, visitor.account, passkey_id)
    return see_other(request, HREF)


@post(f"{SIGN_IN}/begin", opt=PUBLIC, status_code=200)
async def begin_sign_in(
    request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext], deployment: NamedDependency[Deployment]
) -> Response[Any]:
    """A fresh challenge for this browser, as JSON for our script."""
    require_local_accounts(ctx)
    begun, options = service.begin_sign_in(deployment, place_of(request))
    return await remembered(request, Response(options, media_type=MediaType.JSON), begun)


@post(SIGN_IN, opt=PUBLIC)
async def sign_in(
    request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext], deployment: NamedDependency[Deployment]
) -> Response[Any]:
    """Start a session for whose passkey was shown."""
    form = convert(await typed(request), SignInForm, {})
    require_local_accounts(ctx)
    begun = await handshake_service.take(deployment, ctx, request.cookies.get(handshakes.COOKIE, ""), Assertion)
    try:
        account = await service.sign_in(deployment, ctx, begun, answer=form.credential, place=place_of(request))
    except PasskeyRefusedError as error:
        said = [("", error.citizen), ("", error.next_step)]
        return sign_in_page(request, target=form.next, mistakes=said, status=error.status)
    return await signed_in_again(request, account, "passkey", form.next)


HANDLERS = (passkeys, begin, register, remove, begin_sign_in, sign_in)
