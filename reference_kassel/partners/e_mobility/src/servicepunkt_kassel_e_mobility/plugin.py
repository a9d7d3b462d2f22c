"""Advice on e-mobility by Städtische Werke: one person at a time, free of charge. Days and times are examples."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from functools import partial

from servicepunkt.core import hookimpl
from servicepunkt.core.orders.listed import Listed, instants, item_of
from servicepunkt.core.orders.model import Booking, Choice
from servicepunkt.core.tenancy.model import TenantContext

servicepunkt_api = "1"
WORDS = {"de": "Beratung, 30 Minuten", "en": "Advice, 30 minutes"}
WEDNESDAY = 2
TIMES = (time(15), time(15, 30), time(16), time(16, 30))


def hours(ctx: TenantContext, at: datetime) -> Sequence[Choice]:
    begins = instants(ctx, at, weekdays={WEDNESDAY}, times=TIMES, days=21)
    return [Choice(item=item_of(one), words=WORDS, most=1, limit=1, at=one) for one in begins]


@hookimpl
def bookings(ctx: TenantContext) -> Sequence[Booking]:
    return (Listed("e-mobilitaet-beratung", "staedtische-werke", partial(hours, ctx)),)
