"""Bulky waste: a day on which Die Stadtreiniger fetch it. Days and numbers are examples; staff ask for the address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from functools import partial

from servicepunkt.core import hookimpl
from servicepunkt.core.orders.listed import Listed, instants, item_of
from servicepunkt.core.orders.model import Booking, Choice
from servicepunkt.core.tenancy.model import TenantContext

servicepunkt_api = "1"
WORDS = {"de": "Abholung am Haus, ab 6 Uhr bereitstellen", "en": "Collection at the house, put out by 6 am"}
MONDAY, THURSDAY = 0, 3
COLLECTIONS = 12


def days(ctx: TenantContext, at: datetime) -> Sequence[Choice]:
    begins = instants(ctx, at, weekdays={MONDAY, THURSDAY}, times=(time(6),), days=42)
    return [Choice(item=item_of(one), words=WORDS, most=1, limit=COLLECTIONS, at=one) for one in begins]


@hookimpl
def bookings(ctx: TenantContext) -> Sequence[Booking]:
    return (Listed("sperrmuell", "stadtreiniger", partial(days, ctx)),)
