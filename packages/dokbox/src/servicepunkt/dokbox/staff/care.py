"""Forms about a deposit that lies in a box: another number or address, and a caller whose deposit is locked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import care, store
from servicepunkt.dokbox.messages import policy_of
from servicepunkt.dokbox.service import Correction
from servicepunkt.dokbox.staff.seen import deposit_seen
from servicepunkt.web import access
from servicepunkt.web.forms import PersonalForm, convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page

CORRECT, LIFT = [access.permission("deposits.create")], [access.permission("deposits.unlock")]
Mistakes = list[tuple[str, str]]


class CallerForm(PersonalForm, frozen=True, kw_only=True):
    """What the caller says. Nothing that is stored is shown."""

    phone: str = ""
    birth_date: str = ""


async def _page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    deployment: Deployment,
    template: str,
    deposit_id: UUID,
    *,
    values: dict[str, str] | None = None,
    mistakes: Mistakes | None = None,
) -> Response[str]:
    ctx = access.tenant_of(request)
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_deposit(tx, deposit_id)
    if row is None:
        raise NotFoundError
    return await staff_page(
        request,
        visitor,
        template,
        status=422 if mistakes else 200,
        deposit=deposit_seen(ctx, row, language(request)),
        policy=policy_of(ctx, row),
        values={name: (values or {}).get(name, "") for name in Correction.__struct_fields__},
        mistakes=mistakes or [],
    )


@get("/staff/deposits/{deposit_id:uuid}/correct", guards=CORRECT)
async def ask_correction(
    request: Request[Any, Any, Any],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    deposit_id: FromPath[UUID],
) -> Response[str]:
    """Ask for the right number or address."""
    return await _page(request, visitor, deployment, "dokbox/deposit_correct.html", deposit_id)


@post("/staff/deposits/{deposit_id:uuid}/correct", guards=CORRECT, status_code=303)
async def take_correction(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    deposit_id: FromPath[UUID],
) -> Response[Any]:
    """What was sent to the wrong one opens nothing any more."""
    values = await typed(request)
    try:
        correction = convert(values, Correction, {})
        await care.correct(deployment, ctx, actor=visitor.actor, deposit_id=deposit_id, correction=correction)
    except InvalidInputError as error:
        template = "dokbox/deposit_correct.html"
        return await _page(request, visitor, deployment, template, deposit_id, values=values, mistakes=error.mistakes)
    return see_other(request, f"/staff/deposits/{deposit_id}")


@get("/staff/deposits/{deposit_id:uuid}/lift", guards=LIFT)
async def ask_caller(
    request: Request[Any, Any, Any],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    deposit_id: FromPath[UUID],
) -> Response[str]:
    """Ask what the caller says."""
    return await _page(request, visitor, deployment, "dokbox/deposit_lift.html", deposit_id)


@post("/staff/deposits/{deposit_id:uuid}/lift", guards=LIFT, status_code=303)
async def take_caller(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    deposit_id: FromPath[UUID],
) -> Response[Any]:
    """If it fits, a new code goes to where the first one went."""
    form = convert(await typed(request), CallerForm, {})
    said = {"phone": form.phone, "birth_date": form.birth_date}
    try:
        await care.lift(deployment, ctx, actor=visitor.actor, deposit_id=deposit_id, **said)
    except InvalidInputError as error:
        template = "dokbox/deposit_lift.html"
        return await _page(request, visitor, deployment, template, deposit_id, mistakes=error.mistakes)
    return see_other(request, f"/staff/deposits/{deposit_id}")


HANDLERS = (ask_correction, take_correction, ask_caller, take_caller)
