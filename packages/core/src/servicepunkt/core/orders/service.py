"""Order something of a partner, once; pay it at the counter, cancel it, or let its time run out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.ids import new_id
from servicepunkt.core.jobs import job
from servicepunkt.core.orders import model, store
from servicepunkt.core.orders.asking import Partner, partner_of_order
from servicepunkt.core.orders.model import Choice, Chosen, Order, OrderRefusedError, Quote, SoldOutError
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody orders at a point: pieces by item. `key` was made for this one order; `actor` is a device or the
    web, never a person."""

    key: UUID
    items: Mapping[str, int]
    point: str
    actor: str


async def choices(partner: Partner) -> Sequence[Choice]:
    """What may be chosen, with what is left of it as limit. Raises PartnerUnavailableError."""
    offered = await partner.choices()
    async with partner.deployment.database.tenant(partner.ctx) as tx:
        taken = await store.taken(tx, partner.plugin, partner.offering.service)
    return model.left(offered, taken)


async def quote(partner: Partner, items: Mapping[str, int]) -> tuple[tuple[Chosen, ...], Quote]:
    """What was chosen and what it costs. Raises InvalidInputError, PartnerUnavailableError and OrderRefusedError."""
    chosen = model.choose(await choices(partner), items)
    return chosen, await partner.quote(chosen)


async def place(partner: Partner, wish: Wish) -> Order:
    """The order for a wish; for a key that was sent before the order of that time, whatever its state.

    Nothing is held open while the partner is asked: a draft holds what was chosen, and stays a draft where the partner
    does not answer. Sent again, it is asked again. Raises InvalidInputError, SoldOutError, OrderRefusedError,
    PartnerUnavailableError, and ConflictError for a key that was used for something else.
    """
    order = await _known(partner, wish) or await _drafted(partner, wish)
    if order.state != "draft":
        return order
    try:
        await partner.place(order)
    except OrderRefusedError:
        await cancel(partner.deployment, partner.ctx, order.id, actor=wish.actor)
        raise
    return await _placed(partner, order.id, actor=wish.actor)


async def find(deployment: Deployment, ctx: TenantContext, order_id: UUID) -> Order:
    """Raises NotFoundError."""
    async with deployment.database.tenant(ctx) as tx:
        return _there(await store.by_id(tx, order_id))


async def by_reference(deployment: Deployment, ctx: TenantContext, typed: str) -> Order | None:
    """The order that somebody names at the counter, but for drafts; None for what is no reference of one."""
    reference = model.read_reference(typed)
    if reference is None:
        return None
    async with deployment.database.tenant(ctx) as tx:
        found = await store.by_reference(tx, reference)
    return found if found and found.state != "draft" else None


async def of_today(deployment: Deployment, ctx: TenantContext) -> list[Order]:
    """The orders of the day that the tenant's place has now, the newest first."""
    now = deployment.clock.now().astimezone(ctx.zone_info)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    async with deployment.database.tenant(ctx) as tx:
        return await store.since(tx, midnight)


async def mark_paid(
    deployment: Deployment, ctx: TenantContext, order_id: UUID, *, actor: str, points: frozenset[str] | None = None
) -> Order:
    """Somebody has paid at the counter of one of these points (None: of any).

    Raises NotFoundError, and ConflictError where nothing is to be paid.
    """
    at = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        order = _there(await store.by_id(tx, order_id, lock=True), points)
        return await _moved(tx, order, to=model.pay(order), at=at, actor=actor)


async def cancel(
    deployment: Deployment, ctx: TenantContext, order_id: UUID, *, actor: str, points: frozenset[str] | None = None
) -> Order:
    """Give up an order of one of these points (None: of any); a job tells the partner.

    Raises NotFoundError, and ConflictError for one that has ended.
    """
    async with deployment.database.tenant(ctx) as tx:
        order = _there(await store.by_id(tx, order_id, lock=True), points)
        return await _ended(tx, order, to="cancelled", at=deployment.clock.now(), actor=actor)


@job(plugin="core", name="core.orders.expire")
async def expire(deployment: Deployment, ctx: TenantContext, *, order_id: str) -> None:
    """End an order that nobody came for; one whose time is not over yet is looked at again then."""
    at = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        order = await store.by_id(tx, UUID(order_id), lock=True)
        if order is None or not order.is_open:
            return
        if at < order.ends_at:
            await _watch(tx, order, at=at)
        else:
            await _ended(tx, order, to="expired", at=at, actor="job:orders")


@job(plugin="core", name="core.orders.tell")
async def tell(deployment: Deployment, ctx: TenantContext, *, order_id: str) -> None:
    """Tell the partner that an order is no more. Raises PartnerUnavailableError, so that it is told again."""
    async with deployment.database.tenant(ctx) as tx:
        order = await store.by_id(tx, UUID(order_id))
    partner = partner_of_order(deployment, ctx, order) if order else None
    if order and partner:
        await partner.cancel(order)


async def _known(partner: Partner, wish: Wish) -> Order | None:
    async with partner.deployment.database.tenant(partner.ctx) as tx:
        order = await store.by_key(tx, wish.key)
    if order and not _is_the_same(order, partner, wish):
        raise ConflictError("the key was used for another order")
    return order


def _is_the_same(order: Order, partner: Partner, wish: Wish) -> bool:
    pieces = {item: count for item, count in wish.items.items() if count}
    ordered = {one.item: one.count for one in order.chosen}
    return (order.plugin, order.service, ordered) == (partner.plugin, partner.offering.service, pieces)


async def _drafted(partner: Partner, wish: Wish) -> Order:
    """A new draft that holds what was chosen, or the order that another request with the key has made meanwhile."""
    try:
        chosen, price = await quote(partner, wish.items)
    except InvalidInputError:
        if order := await _known(partner, wish):  # which has taken the last ones
            return order
        raise
    while True:
        draft = _draft(partner, wish, chosen, price)
        async with partner.deployment.database.tenant(partner.ctx) as tx:
            if await store.add(tx, draft):
                await _take(tx, draft)
                await _watch(tx, draft, at=draft.created_at)
                return draft
        if order := await _known(partner, wish):
            return order
        # The reference was taken; the next one is another one.


def _draft(partner: Partner, wish: Wish, chosen: tuple[Chosen, ...], price: Quote) -> Order:
    at = partner.deployment.clock.now()
    return Order(
        id=new_id(),
        key=wish.key,
        plugin=partner.plugin,
        service=partner.offering.service,
        provider=partner.offering.provider,
        point=wish.point,
        reference=model.new_reference(partner.deployment.randomness),
        chosen=chosen,
        total=price.total,
        currency=price.currency,
        created_at=at,
        changed_at=at,
        expires_at=price.expires_at,
    )


async def _take(tx: Transaction, order: Order) -> None:
    """Raises SoldOutError; nothing is left of the order then."""
    for one in store.in_order(order.chosen):
        if not await store.take(tx, order.plugin, order.service, one):
            raise SoldOutError


async def _placed(partner: Partner, order_id: UUID, *, actor: str) -> Order:
    at = partner.deployment.clock.now()
    async with partner.deployment.database.tenant(partner.ctx) as tx:
        order = _there(await store.by_id(tx, order_id, lock=True))
        if order.state == "placed":  # another request with the same key was faster
            return order
        placed = await _moved(tx, order, to=model.move(order.state, "placed"), at=at, actor=actor)
        await _watch(tx, placed, at=at)
        return placed


async def _ended(tx: Transaction, order: Order, *, to: str, at: datetime, actor: str) -> Order:
    ended = await _moved(tx, order, to=model.move(order.state, to), at=at, actor=actor)
    await store.give_back(tx, order)
    await tell.defer(tx, order_id=order.id)
    return ended


async def _moved(tx: Transaction, order: Order, *, to: str, at: datetime, actor: str) -> Order:
    await store.update(tx, order.id, state=to, at=at)
    await audit.record(tx, at=at, actor=actor, action=f"order.{to}", subject=f"order:{order.id}", plugin=order.plugin)
    return msgspec.structs.replace(order, state=to, changed_at=at)


async def _watch(tx: Transaction, order: Order, *, at: datetime) -> None:
    """Look at the order again when its time is over."""
    seconds = math.ceil((order.ends_at - at).total_seconds())
    await expire.defer(tx, in_seconds=max(1, seconds), order_id=order.id)


def _there(order: Order | None, points: frozenset[str] | None = None) -> Order:
    """Raises NotFoundError for what is not there, or at another point."""
    if order is None or (points is not None and order.point not in points):
        raise NotFoundError
    return order
