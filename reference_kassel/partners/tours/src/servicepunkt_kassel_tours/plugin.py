"""Guided tours of Kassel Marketing: a date, seats, paid at the counter. Days, seats and prices are examples."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial

from servicepunkt.core import hookimpl
from servicepunkt.core.orders.listed import Listed, instants, item_of
from servicepunkt.core.orders.model import Booking, Choice
from servicepunkt.core.tenancy.model import TenantContext

servicepunkt_api = "1"
WORDS = {"de": "Stadtführung zu Fuß, 90 Minuten", "en": "Guided walk, 90 minutes"}
FRIDAY, SATURDAY = 4, 5
SEATS, PRICE = 20, Decimal("10.00")


def tours(ctx: TenantContext, at: datetime) -> Sequence[Choice]:
    begins = instants(ctx, at, weekdays={FRIDAY, SATURDAY}, times=(time(14, 30),), days=28)
    return [Choice(item=item_of(one), words=WORDS, price=PRICE, limit=SEATS, at=one) for one in begins]


@hookimpl
def bookings(ctx: TenantContext) -> Sequence[Booking]:
    return (Listed("stadtfuehrung", "kassel-marketing", partial(tours, ctx), kept=timedelta(days=1)),)
