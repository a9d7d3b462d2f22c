"""One's own account: a second factor, and another password."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency

from servicepunkt.core.catalogue.model import Catalogue, pick
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.people import service as people
from servicepunkt.core.people.model import UNIT_ROLES, Account, Grant, SignInError, password_mistakes
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import cookie, see_other
from servicepunkt.web.qr import qr_once
from servicepunkt.web.sessions import demand
from servicepunkt.web.sessions import model as sessions
from servicepunkt.web.sessions import service as session_service
from servicepunkt.web.sessions import store as session_store
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import catalogue_of

GUARDS = [access.permission("staff.enter")]
SECRET_BYTES = 20
# What roles are called, as message ids.
ROLES = {
    "operator": "Operator of the platform",
    "city_admin": "Administration of the city",
    "editor": "Editor",
    "clerk": "Clerk",
    "point_staff": "Staff of the point",
    "agent": "Agent of the 115",
    "partner": "Partner",
    "host": "Host",
    "auditor": "Auditor",
    "data_protection_officer": "Data protection officer",
}
SENTENCES = {
    "password": "Enter your password.",
    "current": "Enter your present password.",
    "again": "Enter the new password once more.",
    "code": "The code has six digits.",
}
NOT_RIGHT = "The password or the code is not right."
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}\Z")]


class SecondFactorForm(msgspec.Struct, frozen=True, kw_only=True):
    secret: Annotated[str, msgspec.Meta(pattern=r"^[A-Z2-7]{32}\Z")]
    password: Password
    code: Code


class PasswordForm(msgspec.Struct, frozen=True, kw_only=True):
    current: Password
    password: Password
    again: Password
    code: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{6})?\Z")] = ""


def check_new_password(form: PasswordForm, login: str) -> None:
    """Raises InvalidInputError with every mistake."""
    mistakes = [("password", sentence) for sentence in password_mistakes(form.password, login)]
    if form.password != form.again:
        mistakes.append(("again", "The two new passwords differ."))
    if mistakes:
        raise InvalidInputError(mistakes)


def otpauth(ctx: TenantContext, visitor: Visitor, secret: str) -> str:
    """The address that authenticator apps read from the QR code (Key URI format)."""
    label = quote(f"{ctx.name}:{visitor.account.login}")
    return f"otpauth://totp/{label}?secret={secret}&issuer={quote(ctx.name)}"


async def second_factor_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    secret: str,
    *,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    ctx = access.tenant_of(request)
    return await staff_page(
        request,
        visitor,
        "web/second_factor.html",
        status=status,
        secret=secret,
        code=qr_once(otpauth(ctx, visitor, secret)),
        demanded=not demand.is_met(ctx, visitor),
        mistakes=mistakes or [],
    )


def roles_seen(roles: Iterable[str], catalogue: Catalogue, locale: str) -> list[tuple[str, str]]:
    """(message id of a role, name of the unit for which it is held or nothing)."""
    grants = [Grant.parse(role) for role in roles]
    return [(ROLES.get(one.role, one.role), unit_name(one, catalogue, locale)) for one in grants]


def unit_name(grant: Grant, catalogue: Catalogue, locale: str) -> str:
    """What the unit of a role is called; its id where the catalogue does not know it (any more)."""
    match UNIT_ROLES.get(grant.role):
        case "point" if point := catalogue.point(grant.unit):
            return pick(point.name, locale)
        case "host":
            return next((one.name for one in catalogue.hosts if one.id == grant.unit), grant.unit)
        case "organisation":
            return next((one.name for one in catalogue.partners if one.id == grant.unit), grant.unit)
    return grant.unit


async def account_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    *,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    roles = roles_seen(visitor.roles, await catalogue_of(request), language(request))
    return await staff_page(request, visitor, "web/account.html", status=status, roles=roles, mistakes=mistakes or [])


@get("/staff/account", guards=GUARDS)
async def own_account(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """Name, roles, second factor, password."""
    return await account_page(request, visitor)


@get(demand.SET_UP, guards=GUARDS)
async def new_second_factor(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """A fresh secret to be scanned; it counts only after a code was shown."""
    if not demand.is_met(ctx, visitor):
        async with deployment.database.tenant(ctx) as tx:
            has_one = await demand.has_one(tx, visitor)
        if has_one:
            return await staff_page(request, visitor, "web/second_factor_again.html")
    if visitor.account.totp is not None:
        return see_other(request, "/staff/account")
    secret = base64.b32encode(deployment.randomness(SECRET_BYTES)).decode()
    return await second_factor_page(request, visitor, secret)


@post(demand.SET_UP, guards=GUARDS)
async def confirm_second_factor(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Switch the second factor on; all other sessions of the account end, because they began without it.

    A second one needs an administrator, so a stolen session cannot exchange it.
    """
    values = await typed(request)
    if visitor.account.totp is not None:
        return see_other(request, "/staff/account")
    try:
        form = convert(values, SecondFactorForm, SENTENCES)
    except InvalidInputError as error:
        if any(place == "secret" for place, _ in error.mistakes):
            raise
        return await second_factor_page(request, visitor, values["secret"], mistakes=error.mistakes, status=422)
    try:
        await people.sign_in(deployment, ctx, login=visitor.account.login, password=form.password)
        async with deployment.database.tenant(ctx) as tx:
            await people.enable_totp(deployment, tx, visitor.account, form.secret, form.code)
            await session_store.delete_of_account(tx, visitor.account.id)
    except SignInError:
        wrong = [("", NOT_RIGHT)]
        return await second_factor_page(request, visitor, form.secret, mistakes=wrong, status=403)
    return await signed_in_again(request, visitor.account, "totp", "/staff/account")


async def signed_in_again(
    request: Request[Any, Any, Any], account: Account, proof: sessions.Proof | None, path: str
) -> Response[Any]:
    """On to `path` with a session under a new name, for what was shown just now."""
    kept = await session_service.start(access.deployment_of(request), access.tenant_of(request), account, proof)
    answer = see_other(request, path, fallback="/staff")
    answer.set_cookie(cookie(request, sessions.COOKIE, kept))
    return answer


@post("/staff/account/password", guards=GUARDS)
async def change_password(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Another password; all other sessions of the account end."""
    try:
        form = convert(await typed(request), PasswordForm, SENTENCES)
        # Before the sign-in: a code of the second factor that is used up for nothing costs half a minute.
        check_new_password(form, visitor.account.login)
        account = await people.sign_in(
            deployment, ctx, login=visitor.account.login, password=form.current, code=form.code
        )
        async with deployment.database.tenant(ctx) as tx:
            await people.set_password(tx, account, form.password, at=deployment.clock.now(), actor=visitor.actor)
            await session_store.delete_of_account(tx, account.id)
    except InvalidInputError as error:
        return await account_page(request, visitor, mistakes=error.mistakes, status=422)
    except SignInError as error:
        return await account_page(request, visitor, mistakes=[("", NOT_RIGHT)], status=error.status)
    return await signed_in_again(request, account, None, "/staff/account")


HANDLERS = (own_account, new_second_factor, confirm_second_factor, change_password)
