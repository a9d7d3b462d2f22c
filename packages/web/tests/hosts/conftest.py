"""The small town with hosts: one for its store alone, one for every house, one of another house; and a bank."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.model import Catalogue, Contract, Host
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import service as people
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant

if TYPE_CHECKING:
    from conftest import Town, Visit

PEOPLE = {
    "store": ("host@store",),
    "banker": ("host@bank",),
    "houses": ("host",),
    "harbour": ("point_staff@harbour",),
    "vault": ("point_staff@vault",),
}
SPACES = [
    {"id": "lounge", "host": "store", "name": {"de": "Lounge", "en": "Lounge"}, "equipment": {"de": "20 Stühle"}},
    {"id": "hall", "host": "bank", "name": {"de": "Halle", "en": "Hall"}},
]


def with_bank(catalogue: Catalogue) -> Catalogue:
    """The town with a second house and a point in it; the store's contract ends."""
    contract = Contract(since=date(2024, 1, 1), until=date(2026, 12, 31))
    store = msgspec.structs.replace(catalogue.hosts[0], contract=contract)
    bank = Host(id="bank", name="Bank am Markt", kind="bank_lobby", hours="24/7")
    vault = msgspec.structs.replace(catalogue.points[0], id="vault", host="bank", name={"de": "Vorraum", "en": "Lobby"})
    return msgspec.structs.replace(catalogue, hosts=(store, bank), points=(*catalogue.points, vault))


async def furnish(deployment: Deployment, owner: str, catalogue: Catalogue, password: str) -> TenantContext:
    """Give the town a bank, spaces and its hosts."""
    ctx = await make_tenant(deployment, owner, "alpha", name="Seeburg", settings={"house": {"spaces": SPACES}})
    async with deployment.database.tenant(ctx) as tx:
        await importing.put_files(tx, catalogue, at=tx.now())
        await catalogues.publish_sources(tx, at=tx.now(), actor="test")
        for login, roles in PEOPLE.items():
            wanted = {"login": login, "name": login.title(), "password": password, "roles": roles}
            await people.create_account(tx, at=tx.now(), actor="test", **wanted)
    return ctx


@pytest.fixture(scope="session", name="furnish")
def furnish_fixture() -> Callable[..., Any]:
    async def furnished(deployment: Deployment, owner: str, catalogue: Catalogue, password: str) -> TenantContext:
        return await furnish(deployment, owner, with_bank(catalogue), password)

    return furnished


@pytest.fixture(autouse=True)
def nothing_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process looks for a new revision each second; here at once."""
    monkeypatch.setattr(catalogues, "FRESH_SECONDS", 0.0)


Opened = Callable[[str], AbstractAsyncContextManager[Any]]


@pytest.fixture
async def signed_in(
    here: Town, urls: Any, make_catalogue: Callable[[], Catalogue], furnish: Callable[..., Any], password: str
) -> Opened:
    """`async with signed_in("store") as visit`: a browser of one of the people."""
    here.alpha = await furnish(here.deployment, urls.owner, make_catalogue(), password)

    @asynccontextmanager
    async def open_browser(login: str) -> AsyncIterator[Visit]:
        async with here.client() as visit:
            assert (await visit.sign_in(login)).status_code == 303
            yield visit

    return open_browser
