"""Flats of GWG: who is interested in one goes to the counter with a reference. The flats are invented."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core import hookimpl
from servicepunkt.core.orders.listed import Listed
from servicepunkt.core.orders.model import Choice, Sale

servicepunkt_api = "1"
FLATS = (
    Choice(item="flat-1", words={"de": "2 Zimmer, 54 m², mit Balkon", "en": "2 rooms, 54 m², with balcony"}, most=1),
    Choice(
        item="flat-2",
        words={"de": "3 Zimmer, 71 m², Aufzug im Haus", "en": "3 rooms, 71 m², lift in the house"},
        most=1,
    ),
    Choice(
        item="flat-3",
        words={
            "de": "4 Zimmer, 88 m², mit Wohnberechtigungsschein",
            "en": "4 rooms, 88 m², needs a housing certificate",
        },
        most=1,
    ),
)


@hookimpl
def sales() -> Sequence[Sale]:
    return (Listed("wohnungsangebote", "gwg", FLATS),)
