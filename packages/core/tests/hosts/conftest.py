"""A town with two houses: a store with two points and offers, and a bank."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Offer, OtherHours, Partner, Point, Service
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant

ADDRESS = Address(street="Markt 1", postcode="12345", town="Seeburg")
SAINT_NICHOLAS = OtherHours(first=date(2026, 12, 6), hours="13:00-18:00", reason={"de": "Nikolaus"})


def offer(service: str, point: str, **more: object) -> Offer:
    made = Offer(service=service, point=point, provider="town", can=("inform",), non_digital={"de": "Am Schalter"})
    return msgspec.structs.replace(made, **more)


TOWN = Catalogue(
    hosts=(
        Host(id="store", name="Kaufhaus", kind="department_store", hours="Mo-Sa 09:30-20:00; PH off",
             exceptions=(SAINT_NICHOLAS,)),
        Host(id="bank", name="Bank", kind="bank_lobby", hours="24/7"),
    ),
    points=(
        Point(id="first", name={"de": "Erster Stock"}, host="store", address=ADDRESS, staffed="Mo-Fr 10:00-18:00"),
        Point(id="ground", name={"de": "Erdgeschoss"}, host="store", address=ADDRESS),
        Point(id="lobby", name={"de": "Vorraum"}, host="bank", address=ADDRESS),
    ),
    partners=(Partner(id="town", name="Stadt", kind="authority"),),
    services=(Service(id="card", name={"de": "Ausweis"}), Service(id="stamp", name={"de": "Stempel"})),
    offers=(
        offer("card", "first", hours="Mo-Fr 10:00-12:00"),
        offer("stamp", "first", staffed=True),
        offer("card", "lobby"),
        offer("stamp", "ground", valid_until=date(2026, 1, 1)),
    ),
)  # fmt: skip

SPACES = [
    {"id": "lounge", "host": "store", "name": {"de": "Lounge"}},
    {"id": "hall", "host": "store", "name": {"de": "Halle"}},
    {"id": "lounge", "host": "bank", "name": {"de": "Ecke"}},
]


@pytest.fixture
async def town(deployment: Deployment, urls: Urls) -> TenantContext:
    ctx = await make_tenant(deployment, urls.owner, "alpha", settings={"house": {"spaces": SPACES}})
    await take_over(deployment, ctx, TOWN)
    return ctx


async def take_over(deployment: Deployment, ctx: TenantContext, catalogue: Catalogue) -> Catalogue:
    """Take the town's own files over, as applying its file does; returns what is in force then."""
    async with deployment.database.tenant(ctx) as tx:
        await importing.put_files(tx, catalogue, at=tx.now())
        _, composed = await catalogues.publish_sources(tx, at=tx.now(), actor="test")
        return composed.catalogue


@pytest.fixture(scope="session")
def houses() -> Catalogue:
    return TOWN


@pytest.fixture(scope="session")
def publish_files() -> Callable[..., Any]:
    return take_over
