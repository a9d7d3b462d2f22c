"""Orders against a database: once for each key, never more than there is, and partners that go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

from servicepunkt.core.audit.store import audit_entry
from servicepunkt.core.catalogue.model import Offer
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.orders import model, service, store
from servicepunkt.core.orders.asking import Partner, partner_of, partner_of_order
from servicepunkt.core.orders.listed import Listed
from servicepunkt.core.orders.model import (
    DRAFT,
    Choice,
    Order,
    OrderRefusedError,
    PartnerUnavailableError,
    Quote,
    SoldOutError,
)
from servicepunkt.core.orders.service import Wish
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, empty_database, make_tenant, open_deployment

OFFER = Offer(
    service="ticket", point="point", provider="trams", can=("inform", "sell"), non_digital={"de": "Am Schalter"}
)
CHOICES = (
    Choice(item="single", words={"de": "Einzelfahrt", "en": "Single"}, price=Decimal("3.40")),
    Choice(item="last", words={"de": "Letzte", "en": "Last"}, price=Decimal(20), limit=1),
)


class Trams(Listed):
    """A partner that can go wrong at each of its methods, and counts what it has heard."""

    def __init__(self) -> None:
        super().__init__("ticket", "trams", CHOICES)
        self.failing: dict[str, Callable[[], Any]] = {}
        self.placed: list[UUID] = []
        self.cancelled: list[UUID] = []

    async def choices(self, at: datetime) -> Sequence[Choice]:
        return await self._failed("choices") or await super().choices(at)

    async def quote(self, chosen: Any, at: datetime) -> Quote:
        return await self._failed("quote") or await super().quote(chosen, at)

    async def place(self, order: Order) -> None:
        self.placed.append(order.id)
        await self._failed("place")

    async def cancel(self, order: Order) -> None:
        await self._failed("cancel")
        self.cancelled.append(order.id)

    async def _failed(self, verb: str) -> Any:
        if act := self.failing.get(verb):
            answer = act()
            return await answer if asyncio.iscoroutine(answer) else answer
        return None


def raises(error: BaseException) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act


@pytest.fixture
def trams() -> Trams:
    return Trams()


@pytest.fixture
async def running(
    urls: Urls, make_host: Any, clock: FixedClock, trams: Trams, tmp_path: Path
) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    host = make_host(trams={"sales": lambda ctx: (trams,)})
    async with open_deployment(urls, tmp_path, host, clock=clock) as made:
        yield made


@pytest.fixture
async def ctx(running: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(running, urls.owner, "alpha", plugins=["trams"])


@pytest.fixture
async def off(running: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(running, urls.owner, "beta", plugins=[])


@pytest.fixture
def partner(running: Deployment, ctx: TenantContext) -> Partner:
    found = partner_of(running, ctx, OFFER)
    assert found is not None
    return found


def wish(key: UUID | None = None, **items: int) -> Wish:
    return Wish(key=key or uuid4(), items=items or {"single": 1}, point="point", actor="terminal:1")


async def taken(partner: Partner) -> dict[str, int]:
    async with partner.deployment.database.tenant(partner.ctx) as tx:
        return await store.taken(tx, "trams", "ticket")


async def actions(partner: Partner) -> list[str]:
    async with partner.deployment.database.tenant(partner.ctx) as tx:
        query = sa.select(audit_entry.c.action).where(audit_entry.c.tenant_id == tx.tenant_id)
        return list((await tx.execute(query.order_by(audit_entry.c.seq))).scalars())


async def jobs(partner: Partner) -> list[str]:
    async with partner.deployment.database.platform("what is queued") as connection:
        found = await connection.execute(sa.text("SELECT task_name FROM procrastinate_jobs ORDER BY id"))
        return [name for (name,) in found]


# --- once, whatever happens -----------------------------------------------------------------------------------


async def test_an_order_is_placed_with_what_was_chosen(partner: Partner, trams: Trams) -> None:
    order = await service.place(partner, wish(single=2, last=1))
    assert (order.state, order.total, order.currency) == ("placed", Decimal("26.80"), "EUR")
    assert [(one.item, one.count) for one in order.chosen] == [("single", 2), ("last", 1)]
    assert order == await service.find(partner.deployment, partner.ctx, order.id)
    assert order == await service.by_reference(partner.deployment, partner.ctx, order.reference.lower())
    assert model.read_reference(order.reference) == order.reference
    assert trams.placed == [order.id]
    assert await actions(partner) == ["order.placed"]
    assert await jobs(partner) == ["core.orders.expire", "core.orders.expire"]


async def test_the_same_key_is_the_same_order(partner: Partner, trams: Trams) -> None:
    key = uuid4()
    first = await service.place(partner, wish(key, last=1))
    again = await service.place(partner, wish(key, last=1, single=0))
    assert again == first
    assert await taken(partner) == {"last": 1}
    assert len(trams.placed) == 1
    with pytest.raises(ConflictError):
        await service.place(partner, wish(key, last=1, single=1))


async def test_the_same_key_sent_twice_at_once_is_one_order(partner: Partner) -> None:
    key = uuid4()
    found = await asyncio.gather(*(service.place(partner, wish(key, last=1)) for _ in range(8)))
    assert len({order.id for order in found}) == 1
    assert {order.state for order in found} == {"placed"}
    assert await actions(partner) == ["order.placed"]


async def test_the_same_key_finds_its_order_though_that_has_taken_the_last_one(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, quote = uuid4(), service.quote

    async def meanwhile(*asked: Any) -> Any:
        monkeypatch.undo()
        await service.place(partner, wish(key, last=1))
        return await quote(*asked)

    monkeypatch.setattr(service, "quote", meanwhile)
    assert (await service.place(partner, wish(key, last=1))).state == "placed"
    assert await actions(partner) == ["order.placed"]


async def test_of_many_who_want_the_last_one_exactly_one_gets_it(partner: Partner) -> None:
    for _ in range(5):
        found = await asyncio.gather(
            *(service.place(partner, wish(single=1, last=1)) for _ in range(8)), return_exceptions=True
        )
        got = [order for order in found if isinstance(order, Order)]
        assert len(got) == 1
        assert {type(one) for one in found} <= {Order, SoldOutError, InvalidInputError}
        assert await taken(partner) == {"last": 1}
        await service.cancel(partner.deployment, partner.ctx, got[0].id, actor="test")
        assert await taken(partner) == {"last": 0}


async def test_one_statement_decides_even_for_those_who_have_seen_the_same(partner: Partner) -> None:
    """Both have seen the last one and go on at once: nothing but the row itself stands between them."""
    chosen = model.choose(CHOICES, {"last": 1})[0]

    async def one() -> bool:
        async with partner.deployment.database.tenant(partner.ctx) as tx:
            return await store.take(tx, "trams", "ticket", chosen)

    assert sorted(await asyncio.gather(one(), one(), one())) == [False, False, True]


async def test_nothing_is_left_of_an_order_for_what_is_gone(partner: Partner, trams: Trams) -> None:
    await service.place(partner, wish(last=1))
    with pytest.raises(InvalidInputError):
        await service.place(partner, wish(last=1))
    assert await service.choices(partner) == model.left(CHOICES, {"last": 1})
    assert len(await service.of_today(partner.deployment, partner.ctx)) == 1


async def test_a_reference_that_is_taken_is_drawn_again(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([b"\1" * 8, b"\1" * 8, b"\2" * 8])
    monkeypatch.setattr(partner.deployment, "randomness", lambda _: next(drawn))
    first, second = await service.place(partner, wish()), await service.place(partner, wish())
    assert first.reference != second.reference


# --- partners that go wrong -----------------------------------------------------------------------------------

WORDS = "canary 0151 23456789"
WRONG: dict[str, Callable[[], Any]] = {
    "raises": raises(RuntimeError(WORDS)),
    "exits": raises(SystemExit(WORDS)),
    "hangs": lambda: asyncio.sleep(60),
    "says nonsense": lambda: [WORDS],
    "says a number": lambda: 7,
    "never ends": lambda: iter(lambda: CHOICES[0], None),
    "says one thing twice": lambda: CHOICES * 2,
}


def soon(partner: Partner) -> Partner:
    """The same partner, given up sooner than a test wants to wait."""
    return msgspec.structs.replace(partner, seconds=0.05)


@pytest.mark.parametrize("way", WRONG)
async def test_a_partner_that_goes_wrong_is_not_available_and_counted(
    way: str, partner: Partner, trams: Trams, logged: Any
) -> None:
    trams.failing["choices"] = WRONG[way]
    with pytest.raises(PartnerUnavailableError) as caught:
        await service.choices(soon(partner))
    assert caught.value.__cause__ is None
    (failure,) = partner.deployment.plugins.failures.lately(partner.ctx.id)
    assert (failure.plugin, failure.hook, failure.fault) == ("trams", "sales", "failed")
    assert "partner_failed" in str(logged())
    assert "0151" not in str(logged())


async def test_while_one_partner_hangs_another_one_sells(partner: Partner, trams: Trams) -> None:
    hanging, well = Trams(), partner
    hanging.failing["place"] = lambda: asyncio.sleep(60)
    stuck = msgspec.structs.replace(partner, plugin="stuck", offering=hanging, seconds=0.3)
    waiting = asyncio.create_task(service.place(stuck, wish(last=1)))
    order = await asyncio.wait_for(service.place(well, wish(last=1)), timeout=5)
    assert order.state == "placed"
    with pytest.raises(PartnerUnavailableError):
        await waiting


async def test_a_draft_whose_partner_did_not_answer_is_placed_when_it_is_sent_again(
    partner: Partner, trams: Trams
) -> None:
    key = uuid4()
    trams.failing["place"] = raises(RuntimeError())
    with pytest.raises(PartnerUnavailableError):
        await service.place(partner, wish(key, last=1))
    assert await taken(partner) == {"last": 1}
    assert await service.of_today(partner.deployment, partner.ctx) == []
    trams.failing.clear()
    order = await service.place(partner, wish(key, last=1))
    assert order.state == "placed"
    assert trams.placed == [order.id, order.id]


async def test_a_draft_that_nobody_sends_again_ends_and_its_partner_is_told(
    partner: Partner, trams: Trams, clock: FixedClock
) -> None:
    trams.failing["place"] = raises(RuntimeError())
    with pytest.raises(PartnerUnavailableError):
        await service.place(partner, wish(last=1))
    order_id = str(trams.placed[0])
    await service.expire.function(partner.deployment, partner.ctx, order_id=order_id)
    assert await taken(partner) == {"last": 1}
    clock.forward(seconds=DRAFT.total_seconds())
    await service.expire.function(partner.deployment, partner.ctx, order_id=order_id)
    assert await taken(partner) == {"last": 0}
    assert await jobs(partner) == ["core.orders.expire", "core.orders.expire", "core.orders.tell"]
    trams.failing["cancel"] = raises(RuntimeError())
    with pytest.raises(PartnerUnavailableError):
        await service.tell.function(partner.deployment, partner.ctx, order_id=order_id)
    trams.failing.clear()
    await service.tell.function(partner.deployment, partner.ctx, order_id=order_id)
    assert [str(one) for one in trams.cancelled] == [order_id]


async def test_what_a_partner_refuses_is_cancelled(partner: Partner, trams: Trams) -> None:
    trams.failing["place"] = raises(OrderRefusedError())
    with pytest.raises(OrderRefusedError):
        await service.place(partner, wish(last=1))
    assert (await service.find(partner.deployment, partner.ctx, trams.placed[0])).state == "cancelled"
    assert await taken(partner) == {"last": 0}
    assert partner.deployment.plugins.failures.lately(partner.ctx.id) == []


# --- at the counter, and when its time is over ----------------------------------------------------------------


async def test_an_order_is_paid_once_and_then_stays(partner: Partner, clock: FixedClock) -> None:
    deployment, ctx = partner.deployment, partner.ctx
    order = await service.place(partner, wish(last=1))
    paid = await service.mark_paid(deployment, ctx, order.id, actor="account:1")
    assert paid.state == "paid_at_counter"
    for act in (service.mark_paid, service.cancel):
        with pytest.raises(ConflictError):
            await act(deployment, ctx, order.id, actor="account:1")
    clock.forward(days=1)
    await service.expire.function(deployment, ctx, order_id=str(order.id))
    assert (await service.find(deployment, ctx, order.id)).state == "paid_at_counter"
    assert await taken(partner) == {"last": 1}
    assert await actions(partner) == ["order.placed", "order.paid_at_counter"]


async def test_what_nobody_pays_ends_and_others_may_have_it(partner: Partner, clock: FixedClock) -> None:
    order = await service.place(partner, wish(last=1))
    clock.forward(hours=2)
    await service.expire.function(partner.deployment, partner.ctx, order_id=str(order.id))
    assert (await service.find(partner.deployment, partner.ctx, order.id)).state == "expired"
    assert (await service.place(partner, wish(last=1))).state == "placed"


async def test_orders_of_today_are_those_of_the_day_at_the_tenants_place(partner: Partner, clock: FixedClock) -> None:
    deployment, ctx = partner.deployment, partner.ctx
    clock.instant = datetime.fromisoformat("2026-11-21T22:59:00+00:00")  # 23:59 there
    order = await service.place(partner, wish())
    assert await service.of_today(deployment, ctx) == [order]
    clock.forward(minutes=2)
    assert await service.of_today(deployment, ctx) == []


async def test_orders_and_counts_are_deleted_when_their_time_is_over(partner: Partner, clock: FixedClock) -> None:
    deployment, ctx = partner.deployment, partner.ctx
    paid, waiting = [await service.place(partner, wish()) for _ in range(2)]
    await service.mark_paid(deployment, ctx, paid.id, actor="account:1")
    begins = clock.now() + timedelta(hours=1)
    dated = model.Chosen(item="tour", words={}, count=1, price=Decimal(0), at=begins, limit=5)
    stock = model.Chosen(item="cards", words={}, count=1, price=Decimal(0), limit=5)
    async with deployment.database.tenant(ctx) as tx:
        assert await store.take(tx, "trams", "ticket", dated)
        assert await store.take(tx, "trams", "ticket", stock)
    clock.forward(days=91)
    await erase_expired.function(deployment, ctx)
    assert await taken(partner) == {"cards": 1}
    assert (await service.find(deployment, ctx, waiting.id)).state == "placed"
    with pytest.raises(NotFoundError):
        await service.find(deployment, ctx, paid.id)


# --- who sells what, and for whom -----------------------------------------------------------------------------


async def test_hook_sales(running: Deployment, ctx: TenantContext, off: TenantContext) -> None:
    found = partner_of(running, ctx, OFFER)
    assert found is not None
    assert (found.plugin, found.hook) == ("trams", "sales")
    assert partner_of(running, off, OFFER) is None
    others: tuple[dict[str, Any], ...] = ({"can": ("book", "inform")}, {"provider": "town"}, {"service": "tour"})
    for other in others:
        assert partner_of(running, ctx, msgspec.structs.replace(OFFER, **other)) is None


async def test_hook_bookings(urls: Urls, make_host: Any, clock: FixedClock, tmp_path: Path) -> None:
    begins = clock.now() + timedelta(days=2)
    tours = Listed("tour", "guides", (Choice(item="sat", words={}, at=begins, limit=12),))
    undated = Listed("walk", "guides", (Choice(item="sat", words={}),))
    host = make_host(guides={"bookings": lambda ctx: (tours, undated)})
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, host, clock=clock) as deployment:
        ctx = await make_tenant(deployment, urls.owner, "alpha", plugins=["guides"])
        off = await make_tenant(deployment, urls.owner, "beta", plugins=[])
        offer = Offer(service="tour", point="point", provider="guides", can=("book",), non_digital={})
        assert partner_of(deployment, off, offer) is None
        partner = partner_of(deployment, ctx, offer)
        assert partner is not None
        order = await service.place(partner, wish(sat=2))
        # What is free is kept until it begins.
        assert (order.total, order.expires_at, order.chosen[0].at) == (0, begins, begins)
        assert partner_of_order(deployment, ctx, order) is not None
        assert partner_of_order(deployment, off, order) is None
        walk = partner_of(
            deployment, ctx, Offer(service="walk", point="p", provider="guides", can=("book",), non_digital={})
        )
        assert walk is not None
        with pytest.raises(PartnerUnavailableError):
            await service.choices(walk)


async def test_another_tenant_does_not_find_an_order(partner: Partner, off: TenantContext) -> None:
    order = await service.place(partner, wish())
    with pytest.raises(NotFoundError):
        await service.find(partner.deployment, off, order.id)
    for act in (service.mark_paid, service.cancel):
        with pytest.raises(NotFoundError):
            await act(partner.deployment, off, order.id, actor="account:1")
    assert await service.by_reference(partner.deployment, off, order.reference) is None
    assert await service.of_today(partner.deployment, off) == []
