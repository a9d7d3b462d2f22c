"""Tram tickets of KVG, sold at the counter. Prices are examples."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from servicepunkt.core import hookimpl
from servicepunkt.core.orders.listed import Listed
from servicepunkt.core.orders.model import Choice, Sale

servicepunkt_api = "1"
TICKETS = (
    Choice(item="single", words={"de": "Einzelticket Kassel", "en": "Single ticket Kassel"}, price=Decimal("3.00")),
    Choice(item="child", words={"de": "Einzelticket Kind", "en": "Single ticket, child"}, price=Decimal("1.80")),
    Choice(
        item="day",
        words={"de": "Tagesticket, bis zu 2 Personen", "en": "Day ticket, up to 2 people"},
        price=Decimal("8.00"),
    ),
)


@hookimpl
def sales() -> Sequence[Sale]:
    return (Listed("strassenbahnticket", "kvg", TICKETS),)
