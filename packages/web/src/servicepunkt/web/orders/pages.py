"""The way of an order: choose, look at it once more, order it, take its reference along."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue.model import Service
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.orders import service
from servicepunkt.core.orders.asking import Partner
from servicepunkt.core.orders.model import Order
from servicepunkt.core.orders.service import Wish
from servicepunkt.web import access
from servicepunkt.web.devices.attempts import Attempts
from servicepunkt.web.devices.model import Device
from servicepunkt.web.forms import typed
from servicepunkt.web.frame import place_of, terminal_bar
from servicepunkt.web.navigation import public_address, see_other
from servicepunkt.web.orders.links import can_be_ordered, order_path
from servicepunkt.web.orders.seen import PREFIX, Words, verb, wish_of
from servicepunkt.web.qr import qr_image
from servicepunkt.web.settings import TerminalSettings
from servicepunkt.web.terminal import content
from servicepunkt.web.terminal.content import OfferSeen, Sight
from servicepunkt.web.terminal.pages import PUBLIC, page, public_service_of, sight_of

# Who has just ordered reads, and looks for paper to write on.
READING_SECONDS = 180


class Counter(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is ordered: a service as it is offered at a point, and who is asked for it."""

    sight: Sight
    service: Service
    seen: OfferSeen
    partner: Partner

    @property
    def words(self) -> Words:
        return Words(locale=self.sight.locale, zone=self.sight.zone)


def _counter(request: Request[Any, Any, Any], sight: Sight, service_id: str, point_id: str) -> Counter:
    """Raises NotFoundError."""
    wanted = public_service_of(sight, service_id)
    for seen in content.offers_of_service(sight, wanted):
        if seen.point.id == point_id and (partner := can_be_ordered(request, seen)):
            return Counter(sight=sight, service=wanted, seen=seen, partner=partner)
    raise NotFoundError


async def _choose(request: Request[Any, Any, Any], at: Counter, mistakes: Any = ()) -> Response[str]:
    wish = wish_of(dict(request.query_params) or await _sent(request))
    choices = await service.choices(at.partner)
    answer = page(
        request,
        "web/order.html",
        at.sight,
        service=at.service,
        seen=at.seen,
        verb=verb(at.seen.offer.can),
        choices=at.words.choices(choices, wish),
        is_booking=at.partner.is_booking,
        here=order_path(request, at.sight, at.service.id, at.seen.point.id),
        path=order_path(request, at.sight, at.service.id, at.seen.point.id),
        mistakes=[(PREFIX + place if place else "", sentence) for place, sentence in mistakes],
    )
    answer.status_code = 422 if mistakes else 200
    return answer


async def _sent(request: Request[Any, Any, Any]) -> dict[str, str]:
    return await typed(request) if request.method == "POST" else {}


async def _check(request: Request[Any, Any, Any], at: Counter) -> Response[str]:
    """What was chosen and what it costs, with the key of this one order in its form."""
    wish = wish_of(request.query_params)
    try:
        chosen, price = await service.quote(at.partner, wish)
    except InvalidInputError as error:
        return await _choose(request, at, error.mistakes)
    here = order_path(request, at.sight, at.service.id, at.seen.point.id)
    again = urlencode({PREFIX + one.item: one.count for one in chosen})
    return page(
        request,
        "web/order_check.html",
        at.sight,
        service=at.service,
        seen=at.seen,
        chosen=at.words.chosen(chosen, price.currency),
        total=at.words.amount(price.total, price.currency),
        until=at.words.instant(price.expires_at),
        key=str(uuid4()),
        here=here,
        path=f"{here}/check?{again}",
    )


async def _place(request: Request[Any, Any, Any], at: Counter, actor: str) -> Response[Any]:
    values = await typed(request)
    key = _uuid(values.get("key", ""))
    wish = Wish(key=key, items=wish_of(values), point=at.seen.point.id, actor=actor)
    try:
        order = await service.place(at.partner, wish)
    except InvalidInputError as error:
        return await _choose(request, at, error.mistakes)
    return see_other(request, f"{place_of(request)}/order/{order.id}")


def _uuid(text: str) -> UUID:
    """Raises InvalidInputError."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInputError([("", "Please choose something.")]) from None


async def _placed(
    request: Request[Any, Any, Any], sight: Sight, order_id: UUID, template: str = "web/order_placed.html"
) -> Response[str]:
    """Raises NotFoundError, also for an order that was not finished."""
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    order = await service.find(deployment, ctx, order_id)
    if order.state == "draft":
        raise NotFoundError
    return page(request, template, sight, **_order_values(request, sight, order))


def _order_values(request: Request[Any, Any, Any], sight: Sight, order: Order) -> dict[str, Any]:
    settings = access.tenant_of(request).section("terminal", TerminalSettings)
    values = {
        "seen": Words(locale=sight.locale, zone=sight.zone).order(order),
        "service": sight.catalogue.service(order.service),
        "point": sight.catalogue.point(order.point),
        "code": qr_image(order.reference),
        "address": public_address(request, f"/order/{order.id}"),
        "address_code": qr_image(public_address(request, f"/order/{order.id}")) if sight.point else "",
        "has_printer": sight.point is not None and settings.receipt,
    }
    return values | ({"bar": terminal_bar(request, idle=READING_SECONDS)} if sight.point else {})


# --- on the web -----------------------------------------------------------------------------------------------


def _count(request: Request[Any, Any, Any]) -> None:
    """Nobody takes all seats by pressing again and again. Raises TooManyRequestsError."""
    attempts: Attempts = request.app.state.setdefault("order_attempts", Attempts())
    address = request.client.host if request.client else ""
    attempts.count(access.tenant_of(request).id, address, access.deployment_of(request).clock.now())


@get("/service/{service_id:str}/order/{point_id:str}", opt=PUBLIC)
async def public_choose(
    request: Request[Any, Any, Any], service_id: FromPath[str], point_id: FromPath[str]
) -> Response[str]:
    """What may be ordered of a service at a point."""
    return await _choose(request, _counter(request, await sight_of(request), service_id, point_id))


@get("/service/{service_id:str}/order/{point_id:str}/check", opt=PUBLIC)
async def public_check(
    request: Request[Any, Any, Any], service_id: FromPath[str], point_id: FromPath[str]
) -> Response[str]:
    """What was chosen, once more before it is ordered."""
    return await _check(request, _counter(request, await sight_of(request), service_id, point_id))


@post("/service/{service_id:str}/order/{point_id:str}", opt=PUBLIC)
async def public_place(
    request: Request[Any, Any, Any], service_id: FromPath[str], point_id: FromPath[str]
) -> Response[Any]:
    """Order it."""
    _count(request)
    return await _place(request, _counter(request, await sight_of(request), service_id, point_id), "web")


@get("/order/{order_id:uuid}", opt=PUBLIC)
async def public_order(request: Request[Any, Any, Any], order_id: FromPath[UUID]) -> Response[str]:
    """An order with its reference, and how it stands."""
    return await _placed(request, await sight_of(request), order_id)


# --- at a terminal --------------------------------------------------------------------------------------------


@get("/k/service/{service_id:str}/order", guards=[access.terminal])
async def terminal_choose(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str]
) -> Response[str]:
    """What may be ordered of a service here."""
    return await _choose(request, _counter(request, await sight_of(request, device), service_id, device.target))


@get("/k/service/{service_id:str}/order/check", guards=[access.terminal])
async def terminal_check(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str]
) -> Response[str]:
    """What was chosen, once more before it is ordered."""
    return await _check(request, _counter(request, await sight_of(request, device), service_id, device.target))


@post("/k/service/{service_id:str}/order", guards=[access.terminal])
async def terminal_place(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str]
) -> Response[Any]:
    """Order it."""
    at = _counter(request, await sight_of(request, device), service_id, device.target)
    return await _place(request, at, f"device:{device.id}")


@get("/k/order/{order_id:uuid}", guards=[access.terminal])
async def terminal_order(
    request: Request[Any, Any, Any], device: NamedDependency[Device], order_id: FromPath[UUID]
) -> Response[str]:
    """An order with its reference, and a code that takes it to one's own phone."""
    return await _placed(request, await sight_of(request, device), order_id)


@get("/k/order/{order_id:uuid}/receipt", guards=[access.terminal])
async def terminal_order_receipt(
    request: Request[Any, Any, Any], device: NamedDependency[Device], order_id: FromPath[UUID]
) -> Response[str]:
    """The order for a printer of receipts. Raises NotFoundError where the terminals have none."""
    if not access.tenant_of(request).section("terminal", TerminalSettings).receipt:
        raise NotFoundError
    return await _placed(request, await sight_of(request, device), order_id, "web/order_receipt.html")


HANDLERS = (
    public_choose,
    public_check,
    public_place,
    public_order,
    terminal_choose,
    terminal_check,
    terminal_place,
    terminal_order,
    terminal_order_receipt,
)
