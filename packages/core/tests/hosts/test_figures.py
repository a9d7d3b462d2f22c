"""Small numbers are hidden, and nothing that is shown tells one of them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.hosts.figures import model, service
from servicepunkt.core.hosts.figures.model import ENOUGH, Table
from servicepunkt.core.orders import store as orders
from servicepunkt.core.orders.model import Order
from servicepunkt.core.tenancy.model import TenantContext

TODAY = date(2026, 11, 21)
POINTS = ("first", "ground", "lobby")
WEEKS = model.mondays(TODAY, 3)
COUNTS = st.dictionaries(
    st.tuples(st.sampled_from(POINTS), st.sampled_from(WEEKS)), st.one_of(st.integers(0, 9), st.integers(0, 500))
)


def made(counts: dict[tuple[str, date], int]) -> Table:
    return model.table(counts, POINTS, WEEKS)


def test_weeks_that_are_not_over_are_no_rows() -> None:
    assert [date(2026, 11, 9), date(2026, 11, 2), date(2026, 10, 26)] == WEEKS
    assert model.mondays(date(2026, 11, 16), 1) == [date(2026, 11, 9)]
    assert model.mondays(date(2026, 11, 15), 1) == [date(2026, 11, 2)]


def test_days_become_weeks() -> None:
    days = {("first", WEEKS[0] + timedelta(days=number)): 2 for number in range(-1, 8)}
    cells = {row.monday: row.cells[0] for row in made(days).rows}
    assert cells == {WEEKS[0]: 14, WEEKS[1]: None, WEEKS[2]: None}


@given(COUNTS, st.data())
def test_with_any_other_small_number_in_a_hidden_cell_the_table_is_the_same(
    counts: dict[tuple[str, date], int], data: st.DataObject
) -> None:
    full = {(point, week): counts.get((point, week), 0) for point in POINTS for week in WEEKS}
    small = st.integers(0, ENOUGH - 1)
    others = {cell: data.draw(small) if count < ENOUGH else count for cell, count in full.items()}
    assert made(others) == made(counts)


@given(COUNTS)
def test_what_is_shown_is_right_and_nothing_more_is_hidden_than_has_to_be(counts: dict[tuple[str, date], int]) -> None:
    table = made(counts)
    for row in table.rows:
        exact = [counts.get((point, row.monday), 0) for point in POINTS]
        assert list(row.cells) == [count if count >= ENOUGH else None for count in exact]
        assert row.total == (sum(exact) if min(exact) >= ENOUGH else None)
    for number, point in enumerate(POINTS):
        exact = [counts.get((point, week), 0) for week in WEEKS]
        assert table.totals[number] == (sum(exact) if min(exact) >= ENOUGH else None)
    everything = [counts.get((point, week), 0) for point in POINTS for week in WEEKS]
    assert table.total == (sum(everything) if min(everything) >= ENOUGH else None)


@pytest.mark.parametrize(("orders_of_week", "shown"), [(ENOUGH, ENOUGH), (ENOUGH - 1, None)])
async def test_orders_are_counted_at_their_point(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, orders_of_week: int, shown: int | None
) -> None:
    at = deployment.clock.now() - timedelta(days=7)
    order = {"plugin": "trams", "service": "ticket", "provider": "trams", "chosen": (), "total": Decimal(0)}
    order |= {"currency": "EUR", "created_at": at, "changed_at": at, "expires_at": at}
    wanted = [(tenant, "first", "placed")] * orders_of_week + [
        (tenant, "first", "cancelled"),
        (other, "first", "placed"),
    ]
    for number, (ctx, point, state) in enumerate(wanted):
        async with deployment.database.tenant(ctx) as tx:
            new = Order(id=uuid4(), key=uuid4(), point=point, state=state, reference=str(number), **order)  # type: ignore[arg-type]
            assert await orders.add(tx, new)
    (figure,) = await service.figures(deployment, tenant, POINTS)
    assert figure.table is not None
    assert figure.table.rows[0].cells == (shown, None, None)
