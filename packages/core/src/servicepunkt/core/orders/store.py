"""Orders, and of what there is an end of how much is taken."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from servicepunkt.core.db.schema import TENANT, Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.hosts.figures.counting import per_day
from servicepunkt.core.orders.model import STATES, Chosen, Order

partner_order = tenant_table(
    "partner_order",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("key", sa.Uuid, nullable=False),
    sa.Column("plugin", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("point", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("chosen", JSONB, nullable=False),
    sa.Column("total", sa.Numeric(12, 2), nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.UniqueConstraint(TENANT, "key"),
    sa.UniqueConstraint(TENANT, "reference"),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.Index("ix_partner_order_created_at", TENANT, "created_at"),
    key=("id",),
)

# `until`: when the last moment of what is counted is over; without one the count stays with the stock that it counts.
partner_stock = tenant_table(
    "partner_stock",
    sa.Column("plugin", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("taken", sa.Integer, nullable=False),
    sa.Column("until", Instant, nullable=True),
    sa.CheckConstraint("taken >= 0", name="taken"),
    key=("plugin", "service", "item"),
)
TABLES = (partner_order, partner_stock)


async def add(tx: Transaction, new: Order) -> bool:
    """Whether the order is new: neither its key nor its reference was there."""
    values = {TENANT: tx.tenant_id, **msgspec.structs.asdict(new)}
    made = insert(partner_order).values(values).on_conflict_do_nothing()
    return (await tx.execute(made.returning(partner_order.c.id))).first() is not None


async def by_id(tx: Transaction, order_id: UUID, *, lock: bool = False) -> Order | None:
    query = _of_tenant(tx).where(partner_order.c.id == order_id)
    return await _first(tx, query.with_for_update() if lock else query)


async def by_key(tx: Transaction, key: UUID) -> Order | None:
    return await _first(tx, _of_tenant(tx).where(partner_order.c.key == key))


async def by_reference(tx: Transaction, reference: str) -> Order | None:
    return await _first(tx, _of_tenant(tx).where(partner_order.c.reference == reference))


async def since(tx: Transaction, at: datetime, *, limit: int = 500) -> list[Order]:
    """Orders that were created since an instant, but for drafts, the newest first."""
    query = _of_tenant(tx).where(partner_order.c.created_at >= at, partner_order.c.state != "draft")
    rows = await tx.execute(query.order_by(partner_order.c.created_at.desc(), partner_order.c.id).limit(limit))
    return [_order(row) for row in rows]


async def update(tx: Transaction, order_id: UUID, *, state: str, at: datetime) -> None:
    statement = sa.update(partner_order).where(
        partner_order.c.tenant_id == tx.tenant_id, partner_order.c.id == order_id
    )
    await tx.execute(statement.values(state=state, changed_at=at))


async def take(tx: Transaction, plugin: str, service: str, one: Chosen) -> bool:
    """Take what was chosen from its limit; False where there is no longer enough.

    One statement decides: two that want the last piece wait for each other at its row, and the second one sees what
    the first has left.
    """
    assert one.limit is not None
    assert one.count <= one.limit
    row = {TENANT: tx.tenant_id, "plugin": plugin, "service": service, "item": one.item}
    made = insert(partner_stock).values(**row, taken=one.count, until=one.at)
    together = partner_stock.c.taken + made.excluded.taken
    changed = {"taken": together, "until": made.excluded.until}
    made = made.on_conflict_do_update(index_elements=list(row), set_=changed, where=together <= one.limit)
    return (await tx.execute(made.returning(partner_stock.c.item))).first() is not None


async def give_back(tx: Transaction, order: Order) -> None:
    """What an order held may be taken by others."""
    for one in in_order(order.chosen):
        statement = sa.update(partner_stock).where(
            partner_stock.c.tenant_id == tx.tenant_id,
            partner_stock.c.plugin == order.plugin,
            partner_stock.c.service == order.service,
            partner_stock.c.item == one.item,
        )
        await tx.execute(statement.values(taken=partner_stock.c.taken - one.count))


class OrdersPlaced:
    """What was ordered at each point, for the figures of its host."""

    title = "Orders"

    async def per_day(self, tx: Transaction, since: datetime, until: datetime) -> dict[tuple[str, date], int]:
        table = partner_order
        return await per_day(
            tx,
            table.c.point,
            table.c.created_at,
            table.c.tenant_id == tx.tenant_id,
            table.c.state.in_(("placed", "paid_at_counter")),
            table.c.created_at >= since,
            table.c.created_at < until,
        )


def in_order(chosen: Iterable[Chosen]) -> list[Chosen]:
    """What is counted, always in the same order: two transactions that want the same never wait for each other."""
    return sorted((one for one in chosen if one.limit is not None), key=lambda one: one.item)


async def taken(tx: Transaction, plugin: str, service: str) -> dict[str, int]:
    """How many of each item are taken."""
    query = sa.select(partner_stock.c.item, partner_stock.c.taken).where(
        partner_stock.c.tenant_id == tx.tenant_id,
        partner_stock.c.plugin == plugin,
        partner_stock.c.service == service,
    )
    return {str(row.item): int(row.taken) for row in await tx.execute(query)}


async def delete_ended(tx: Transaction, before: datetime) -> int:
    """Delete orders that nobody waits for since before an instant."""
    gone = sa.delete(partner_order).where(
        partner_order.c.tenant_id == tx.tenant_id,
        partner_order.c.state.not_in(("draft", "placed")),
        partner_order.c.changed_at < before,
    )
    return int((await tx.execute(gone)).rowcount)


async def delete_past(tx: Transaction, before: datetime) -> int:
    """Delete counts of what took place before an instant."""
    gone = sa.delete(partner_stock).where(partner_stock.c.tenant_id == tx.tenant_id, partner_stock.c.until < before)
    return int((await tx.execute(gone)).rowcount)


def _of_tenant(tx: Transaction) -> sa.Select[Any]:
    return sa.select(partner_order).where(partner_order.c.tenant_id == tx.tenant_id)


async def _first(tx: Transaction, query: sa.Select[Any]) -> Order | None:
    row = (await tx.execute(query)).first()
    return _order(row) if row else None


def _order(row: sa.Row[Any]) -> Order:
    return msgspec.convert({str(name): value for name, value in row._mapping.items() if name != TENANT}, Order)
