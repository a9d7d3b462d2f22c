"""The orders of today for those at the counter: found by reference, paid, cancelled."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.catalogue.model import Catalogue, pick
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.orders import service
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.orders.seen import Words
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page

HREF = "/staff/orders"
PERMISSION = "orders.settle"
GUARDS = [access.permission(PERMISSION, per_unit=True)]
Reference = Annotated[str, QueryParameter(max_length=40)]


class SettleForm(msgspec.Struct, frozen=True, kw_only=True):
    to: Literal["paid_at_counter", "cancelled"]


@get(HREF, guards=GUARDS)
async def orders(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    reference: Reference = "",
) -> Response[str]:
    """What was ordered today, or the one order that somebody names, of whichever day."""
    found = await service.by_reference(deployment, ctx, reference) if reference else None
    listed = [found] if found else [] if reference else await service.of_today(deployment, ctx)
    listed = [one for one in listed if visitor.may(PERMISSION, one.point)]
    words = Words(locale=language(request), zone=ctx.zone_info)
    catalogue = await _catalogue(request, ctx)
    return await staff_page(
        request,
        visitor,
        "web/staff_orders.html",
        orders=[(words.order(one), _name(catalogue, one.service, words.locale)) for one in listed],
        reference=reference,
    )


@post(f"{HREF}/{{order_id:uuid}}", guards=GUARDS)
async def settle(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    order_id: FromPath[UUID],
) -> Response[Any]:
    """Say that an order was paid, or is not wanted any more."""
    form = convert(await typed(request), SettleForm, {})
    act = service.mark_paid if form.to == "paid_at_counter" else service.cancel
    await act(deployment, ctx, order_id, actor=visitor.actor, points=visitor.units(PERMISSION))
    return see_other(request, HREF)


async def _catalogue(request: Request[Any, Any, Any], ctx: TenantContext) -> Catalogue:
    reader: CatalogueReader = request.app.state["catalogue"]
    try:
        return (await reader.current(ctx)).catalogue
    except NotFoundError:
        return Catalogue()


def _name(catalogue: Catalogue, service_id: str, locale: str) -> str:
    """What was ordered may have left the catalogue since."""
    found = catalogue.service(service_id)
    return pick(found.name, locale) if found else service_id


HANDLERS = (orders, settle)
