"""The list of deposits, one deposit, and what can be asked of the box for it."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ForbiddenError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import care, service, store
from servicepunkt.dokbox.staff.seen import ACTION_PERMISSIONS, deposit_in_full, deposit_seen
from servicepunkt.dokbox.staff.words import FILTER_TITLES, FILTERS, WITH_FORM
from servicepunkt.dokbox.store import DepositRow
from servicepunkt.dokbox.wire import CommandKind
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page

GUARDS = [access.permission("deposits.read")]


class FindForm(msgspec.Struct, frozen=True, kw_only=True):
    document_number: str = ""


class ActForm(msgspec.Struct, frozen=True, kw_only=True):
    """`back` is where the person goes on: at the deposit, or with the next new one."""

    back: Literal["", "new"] = ""


async def list_page(
    request: Request[Any, Any, Any], visitor: Visitor, rows: list[DepositRow], *, show: str, searched: bool = False
) -> Response[str]:
    ctx, locale = access.tenant_of(request), language(request)
    return await staff_page(
        request,
        visitor,
        "dokbox/deposits.html",
        rows=[deposit_seen(ctx, row, locale) for row in rows],
        show=show,
        filters=FILTER_TITLES,
        searched=searched,
        most=store.MOST_DEPOSITS,
    )


@get("/staff/deposits", guards=GUARDS)
async def list_deposits(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    show: FromQuery[str] = "open",
) -> Response[str]:
    """Deposits by what is to be done with them."""
    show = show if show in FILTERS else "open"
    async with deployment.database.tenant(ctx) as tx:
        if show == "attention":
            rows = await store.deposits_needing_staff(tx)
        elif show == "overdue":
            rows = await store.overdue(tx, ctx.local_date(tx.now()))
        else:
            rows = await store.deposits(tx, states=[str(state) for state in FILTERS[show]])
    return await list_page(request, visitor, rows, show=show)


@post("/staff/deposits/find", guards=GUARDS, status_code=200)
async def find_deposit(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Find by the document's number: posted, because a number has no place in an address."""
    form = convert(await typed(request), FindForm, {})
    found = await service.find_by_document(deployment, ctx, form.document_number[:30])
    if len(found) == 1:
        return see_other(request, f"/staff/deposits/{found[0].id}")
    return await list_page(request, visitor, found, show="", searched=True)


@get("/staff/deposits/{deposit_id:uuid}", guards=GUARDS)
async def show_deposit(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    deposit_id: FromPath[UUID],
    seen: FromQuery[str] = "",
) -> Response[str]:
    """One deposit: where it stands, what can be done, and its history. A poll that would show the same gets 204."""
    found = await deposit_in_full(deployment, ctx, visitor, deposit_id, locale=language(request))
    if seen == found.digest:
        return Response("", status_code=204)
    return await staff_page(request, visitor, "dokbox/deposit.html", found=found)


@post("/staff/deposits/{deposit_id:uuid}/{action:str}", guards=GUARDS, status_code=303)
async def act(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    deposit_id: FromPath[UUID],
    action: FromPath[str],
) -> Redirect:
    """Ask the box for one of the actions."""
    if action not in ACTION_PERMISSIONS or action in WITH_FORM:
        raise NotFoundError
    if not visitor.may(ACTION_PERMISSIONS[action]):
        raise ForbiddenError
    form = convert(await typed(request), ActForm, {})
    if action == "extend":
        await care.extend(deployment, ctx, actor=visitor.actor, deposit_id=deposit_id)
    elif action == "old_document_void":
        await care.old_document_void(deployment, ctx, actor=visitor.actor, deposit_id=deposit_id)
    else:
        kind = msgspec.convert(action, CommandKind)
        await service.request(deployment, ctx, actor=visitor.actor, deposit_id=deposit_id, kind=kind)
    return see_other(request, f"/staff/deposits/new/{deposit_id}" if form.back else f"/staff/deposits/{deposit_id}")


HANDLERS = (list_deposits, find_deposit, show_deposit, act)
