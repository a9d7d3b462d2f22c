"""Form by which staff end what an old computer of a box told of, before another one begins."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import renewal, store
from servicepunkt.dokbox.renewal import Found
from servicepunkt.dokbox.settings import settings_of
from servicepunkt.dokbox.staff.seen import deposit_seen
from servicepunkt.web import access
from servicepunkt.web.forms import FOREIGN_FIELD, NO_CHOICE, typed
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page

GUARDS = [access.permission("deposits.recall")]
Mistakes = list[tuple[str, str]]
FIELD = "found-"


def said(values: dict[str, str]) -> tuple[dict[UUID, Found], bool]:
    """What the form says was found of each deposit, and whether the box is empty. Raises InvalidInputError."""
    found: dict[UUID, Found] = {}
    mistakes = []
    for name, value in values.items():
        if name == "empty":
            continue
        try:
            deposit_id = UUID(name.removeprefix(FIELD))
        except ValueError:
            mistakes.append(("", FOREIGN_FIELD))
            continue
        try:
            found[deposit_id] = msgspec.convert(value, Found)
        except msgspec.ValidationError:
            mistakes.append((name, NO_CHOICE))
    if mistakes:
        raise InvalidInputError(mistakes)
    return found, values.get("empty") == "yes"


async def _page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    deployment: Deployment,
    box_id: str,
    *,
    values: dict[str, str] | None = None,
    mistakes: Mistakes | None = None,
) -> Response[str]:
    ctx, locale = access.tenant_of(request), language(request)
    async with deployment.database.tenant(ctx) as tx:
        row = await store.find_box(tx, box_id)
        if row is None:
            raise NotFoundError
        rows = await store.unfinished(tx, box_id)
    wanted = settings_of(ctx).box(box_id)
    return await staff_page(
        request,
        visitor,
        "dokbox/box_renewal.html",
        status=422 if mistakes else 200,
        box=row,
        name=pick(wanted.name, locale) if wanted else box_id,
        laid_in=[deposit_seen(ctx, found, locale) for found in rows if renewal.had_compartment(found)],
        others=[deposit_seen(ctx, found, locale) for found in rows if not renewal.had_compartment(found)],
        values=values or {},
        mistakes=mistakes or [],
    )


@get("/staff/boxes/{box_id:str}/renewal", guards=GUARDS)
async def ask_renewal(
    request: Request[Any, Any, Any],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    box_id: FromPath[str],
) -> Response[str]:
    """Ask what was found of each deposit."""
    return await _page(request, visitor, deployment, box_id)


@post("/staff/boxes/{box_id:str}/renewal", guards=GUARDS, status_code=303)
async def take_renewal(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    box_id: FromPath[str],
) -> Response[Any]:
    """End them all, and switch the old computer off."""
    values = await typed(request)
    try:
        found, empty = said(values)
        await renewal.renew(deployment, ctx, actor=visitor.actor, box_id=box_id, found=found, empty=empty)
    except InvalidInputError as error:
        return await _page(request, visitor, deployment, box_id, values=values, mistakes=error.mistakes)
    return see_other(request, "/staff/boxes")


HANDLERS = (ask_renewal, take_renewal)
