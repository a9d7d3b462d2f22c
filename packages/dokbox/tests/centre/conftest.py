"""The centre with the shell and the box, on one embedded PostgreSQL; two tenants with boxes of the same name."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Point
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, database_server, empty_database, make_tenant, open_deployment
from servicepunkt.dokbox import plugin as dokbox_plugin
from servicepunkt.dokbox.configuration import SyncBoxes
from servicepunkt.dokbox.model import DocumentPolicy
from servicepunkt.dokbox.settings import BoxSettings, DokboxSettings
from servicepunkt.dokbox.testing import Bench
from servicepunkt.web import plugin as web_plugin
from servicepunkt.web.devices import service as devices

SETTINGS = DokboxSettings(
    boxes=(
        BoxSettings(
            id="box-1", point="point-1", name={"de": "DokBox", "en": "DokBox"}, compartments=16, rows_by_reach=(7, 6)
        ),
    ),
    documents=(
        DocumentPolicy(
            type="passport",
            name={"de": "Reisepass", "en": "Passport"},
            steps=("phone", "code", "open", "removal", "close"),
        ),
    ),
)
CATALOGUE = Catalogue(
    hosts=(Host(id="host", name="Shop", kind="shop", hours="24/7"),),
    points=(
        Point(
            id="point-1",
            name={"de": "Punkt", "en": "Point"},
            host="host",
            address=Address(street="Weg 1", postcode="00000", town="Ort"),
        ),
    ),
)


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    for plugin, name in ((core_plugin, "core"), (web_plugin, "web"), (dokbox_plugin, "dokbox")):
        host.register(plugin, name)
    host.freeze()
    return host


@pytest.fixture(scope="session")
def urls(plugins: PluginHost) -> Iterator[Urls]:
    # Not below pytest's folder: PostgreSQL runs as a user of its own, who may not enter there.
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home, database_server(Path(home), plugins) as found:
        yield found


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def deployment(urls: Urls, plugins: PluginHost, clock: FixedClock, tmp_path: Path) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, plugins, clock=clock) as made:
        yield made


async def with_boxes(deployment: Deployment, urls: Urls, slug: str) -> TenantContext:
    ctx = await make_tenant(
        deployment, urls.owner, slug, settings={"dokbox": msgspec.to_builtins(SETTINGS)}, plugins=["web", "dokbox"]
    )
    async with deployment.database.tenant(ctx) as tx:
        await catalogue.publish(tx, CATALOGUE, at=deployment.clock.now(), actor="test")
        await SyncBoxes().applied(tx)
    return ctx


@pytest.fixture
async def tenant(deployment: Deployment, urls: Urls) -> TenantContext:
    return await with_boxes(deployment, urls, "alpha")


@pytest.fixture
async def other(deployment: Deployment, urls: Urls, tenant: TenantContext) -> TenantContext:
    return await with_boxes(deployment, urls, "beta")


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "box")
    await made.look()
    return made


@pytest.fixture
async def token(deployment: Deployment, tenant: TenantContext, bench: Bench) -> str:
    return await enrol(deployment, tenant, bench)


async def enrol(deployment: Deployment, ctx: TenantContext, bench: Any) -> str:
    """Enrol the bench's box; returns its token."""
    _, code = await devices.announce(deployment, ctx, actor="test", kind="box", target="box-1", label="Box")
    _, made = await devices.enrol(deployment, ctx, code=code, kind="box", public_key=bench.vault.public_key)
    return made
