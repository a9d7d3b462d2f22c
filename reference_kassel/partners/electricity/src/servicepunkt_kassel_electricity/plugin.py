"""Electricity contracts of Städtische Werke: what is wanted is chosen here, the contract is made at the counter."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core import hookimpl
from servicepunkt.core.orders.listed import Listed
from servicepunkt.core.orders.model import Choice, Sale

servicepunkt_api = "1"
TARIFFS = (
    Choice(item="basic", words={"de": "Strom ohne Laufzeit", "en": "Electricity, no minimum term"}, most=1),
    Choice(
        item="year",
        words={"de": "Strom mit Preisgarantie für ein Jahr", "en": "Electricity, fixed price for a year"},
        most=1,
    ),
    Choice(item="car", words={"de": "Ladestrom für zu Hause", "en": "Electricity for charging a car at home"}, most=1),
)


@hookimpl
def sales() -> Sequence[Sale]:
    return (Listed("stromvertrag", "staedtische-werke", TARIFFS),)
