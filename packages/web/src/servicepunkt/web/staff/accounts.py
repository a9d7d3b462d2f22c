"""The accounts of a tenant, for its administration: who is there, who comes, with which roles, and who goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue.model import Catalogue, pick
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.people import administration, store
from servicepunkt.core.people import model as people
from servicepunkt.core.people.administration import LastAdminError
from servicepunkt.core.people.links import service as links
from servicepunkt.core.people.model import PLATFORM_ROLE, UNIT_ROLES, Account, SignInError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import Frame, language
from servicepunkt.web.navigation import public_address, see_other
from servicepunkt.web.passkeys import store as passkeys
from servicepunkt.web.sessions import store as sessions
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff import overview
from servicepunkt.web.staff.account import ROLES, SENTENCES, Password, roles_seen
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.pages import require_local_accounts

HREF = "/staff/accounts"
FIRST = "/staff/first"
PERMISSION = "accounts.manage"
GUARDS = [access.permission(PERMISSION)]
FIELD = "role-"
SENTENCES_FIRST = {**SENTENCES, "login": "Enter your login.", "code": "Enter the one-time code."}
Act = Literal["code", "off", "on", "second_factor", "unlock"]


class ActForm(msgspec.Struct, frozen=True, kw_only=True):
    act: Act


class FirstForm(msgspec.Struct, frozen=True, kw_only=True):
    login: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    password: Password
    again: Password


class AccountSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An account as its administration sees it. `states` are message ids, `fixed`: it is not this one's to change."""

    account: Account
    roles: list[tuple[str, str]]
    states: list[str]
    locked: bool
    fixed: bool


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A role that can be given: `title` is a message id, `unit` the name of what it is for."""

    field: str
    title: str
    unit: str
    held: bool


def account_seen(request: Request[Any, Any, Any], account: Account, catalogue: Catalogue) -> AccountSeen:
    locked = people.is_locked(account, access.deployment_of(request).clock.now())
    states = {
        "Switched off": not account.active,
        "Locked after wrong passwords": locked,
        "Waits for its first password": not (account.password_hash or account.external),
        "Account at the city": account.external is not None,
        "No second factor": bool(account.password_hash) and account.totp is None,
    }
    return AccountSeen(
        account=account,
        roles=roles_seen(account.roles, catalogue, language(request)),
        states=[state for state, holds in states.items() if holds],
        locked=locked,
        fixed=administration.is_platforms(account),
    )


async def options(request: Request[Any, Any, Any], held: tuple[str, ...]) -> list[Option]:
    """Every role for the whole tenant, then those for one unit."""
    catalogue, locale = await overview.catalogue_of(request), language(request)
    named = {
        "point": [(one.id, pick(one.name, locale)) for one in catalogue.points],
        "host": [(one.id, one.name) for one in catalogue.hosts],
        "organisation": [(one.id, one.name) for one in catalogue.partners],
    }
    grants = [(role, "") for role in ROLES if role != PLATFORM_ROLE]
    grants += [(f"{role}@{unit}", name) for role, kind in UNIT_ROLES.items() for unit, name in named[kind]]
    # A unit may have left the catalogue: what is held is shown all the same.
    grants += [(one, one.partition("@")[2]) for one in held if one not in dict(grants) and one != PLATFORM_ROLE]
    titled = [(grant, ROLES.get(grant.partition("@")[0], grant), name) for grant, name in grants]
    return [Option(field=FIELD + grant, title=title, unit=unit, held=grant in held) for grant, title, unit in titled]


def chosen_roles(values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name.removeprefix(FIELD) for name in values if name.startswith(FIELD))


@get(HREF, guards=GUARDS)
async def accounts(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """Everybody who can sign in here, or could."""
    async with deployment.database.tenant(ctx) as tx:
        found = await store.all_accounts(tx)
    catalogue = await overview.catalogue_of(request)
    seen = [account_seen(request, one, catalogue) for one in found]
    return await staff_page(request, visitor, "web/accounts.html", accounts=seen)


async def new_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    values: Mapping[str, str],
    mistakes: list[tuple[str, str]],
    *,
    status: int = 200,
) -> Response[str]:
    shown = await options(request, chosen_roles(values))
    return await staff_page(
        request, visitor, "web/account_new.html", status=status, options=shown, values=values, mistakes=mistakes
    )


@get(f"{HREF}/new", guards=GUARDS)
async def new_account(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """Login, name and roles of somebody new."""
    return await new_page(request, visitor, {}, [])


async def code_page(request: Request[Any, Any, Any], visitor: Visitor, account: Account, code: str) -> Response[str]:
    """The one-time code, shown this once: the answer to a form, not a page to come back to."""
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    until = overview.spoken_moment(account.code_until, deployment.clock.now(), language(request), ctx)
    where = public_address(request, FIRST)
    parts = [code[start : start + 4] for start in range(0, len(code), 4)]
    return await staff_page(
        request, visitor, "web/account_code.html", account=account, code=" ".join(parts), until=until, address=where
    )


@post(HREF, status_code=200, guards=GUARDS)
async def invite(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """Make an account, and show the code by which its person chooses the password."""
    values = await typed(request)
    try:
        async with deployment.database.tenant(ctx) as tx:
            account, code = await administration.invite(
                deployment,
                tx,
                actor=visitor.actor,
                login=values.get("login", ""),
                name=values.get("name", ""),
                roles=chosen_roles(values),
            )
    except InvalidInputError as error:
        return await new_page(request, visitor, values, error.mistakes, status=422)
    return await code_page(request, visitor, account, code)


async def one_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    account_id: UUID,
    *,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    """Raises NotFoundError."""
    async with access.deployment_of(request).database.tenant(access.tenant_of(request)) as tx:
        found = await store.by_id(tx, account_id)
    if found is None:
        raise NotFoundError
    return await staff_page(
        request,
        visitor,
        "web/account_one.html",
        status=status,
        seen=account_seen(request, found, await overview.catalogue_of(request)),
        options=await options(request, found.roles),
        mistakes=mistakes or [],
    )


@get(f"{HREF}/{{account_id:uuid}}", guards=GUARDS)
async def one_account(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], account_id: FromPath[UUID]
) -> Response[str]:
    """One account, and what can be done with it."""
    return await one_page(request, visitor, account_id)


@post(f"{HREF}/{{account_id:uuid}}/roles", guards=GUARDS)
async def set_roles(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    account_id: FromPath[UUID],
) -> Response[Any]:
    """Give and take roles; they hold from the next click."""
    values = await typed(request)
    try:
        async with deployment.database.tenant(ctx) as tx:
            await administration.set_roles(tx, account_id, chosen_roles(values), actor=visitor.actor)
    except InvalidInputError as error:
        return await one_page(request, visitor, account_id, mistakes=error.mistakes, status=422)
    except LastAdminError as error:
        said = [("", error.citizen), ("", error.next_step)]
        return await one_page(request, visitor, account_id, mistakes=said, status=error.status)
    return see_other(request, f"{HREF}/{account_id}")


@post(f"{HREF}/{{account_id:uuid}}", guards=GUARDS, status_code=200)
async def act(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    account_id: FromPath[UUID],
) -> Response[Any]:
    """A new code, off, on, without second factor, unlocked. What takes something away ends every session at once."""
    form, actor = convert(await typed(request), ActForm, {}), visitor.actor
    given: tuple[Account, str] | None = None
    try:
        async with (
            deployment.database.platform("change an account, and its links") as connection,
            deployment.database.within(connection, ctx) as tx,
        ):
            match form.act:
                case "code":
                    given = await administration.new_code(deployment, tx, account_id, actor=actor)
                case "second_factor":
                    await administration.reset_second_factor(tx, account_id, actor=actor)
                case "unlock":
                    await administration.unlock(tx, account_id, actor=actor)
                case "on" | "off":
                    await administration.switch(tx, account_id, active=form.act == "on", actor=actor)
            if form.act in ("code", "second_factor", "off"):
                await sessions.delete_of_account(tx, account_id)
            if form.act in ("code", "second_factor"):
                await passkeys.delete_of_account(tx, account_id)
                await links.end_all(deployment, connection, ctx, account_id, actor=actor)
    except LastAdminError as error:
        said = [("", error.citizen), ("", error.next_step)]
        return await one_page(request, visitor, account_id, mistakes=said, status=error.status)
    if given is not None:
        return await code_page(request, visitor, *given)
    return see_other(request, f"{HREF}/{account_id}")


def first_page(
    request: Request[Any, Any, Any],
    *,
    login: str = "",
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    frame: Frame = request.app.state["frame"]
    return frame.page(request, "web/first_password.html", status=status, login=login, mistakes=mistakes or [])


@get(FIRST, opt={"public": True, "closed_too": True})
async def first_form(request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext]) -> Response[str]:
    """Where somebody with a one-time code chooses a password."""
    require_local_accounts(ctx)
    return first_page(request)


@post(FIRST, opt={"public": True, "closed_too": True})
async def first_password(
    request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext], deployment: NamedDependency[Deployment]
) -> Response[Any]:
    """Choose the password; then sign in with it."""
    values = await typed(request)
    require_local_accounts(ctx)
    login = values.get("login", "")[:200]
    try:
        form = convert(values, FirstForm, SENTENCES_FIRST)
        if form.password != form.again:
            raise InvalidInputError([("again", "The two new passwords differ.")])
        await administration.take_code(deployment, ctx, login=form.login, code=form.code, password=form.password)
    except InvalidInputError as error:
        return first_page(request, login=login, mistakes=error.mistakes, status=422)
    except SignInError as error:
        said = [("", "The login or the one-time code is not right, or its time is over."), ("", error.next_step)]
        return first_page(request, login=login, mistakes=said, status=error.status)
    return see_other(request, "/staff/sign-in")


HANDLERS = (accounts, new_account, invite, one_account, set_roles, act, first_form, first_password)
