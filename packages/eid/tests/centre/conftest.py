"""The centre with the online ID, on one embedded PostgreSQL; two tenants."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost, hookimpl
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, database_server, empty_database, make_tenant, open_deployment
from servicepunkt.eid import plugin as eid_plugin
from servicepunkt.web import plugin as web_plugin


class Listener:
    """The plugin that is told of every end."""

    servicepunkt_api = "1"

    def __init__(self) -> None:
        self.told: list[tuple[UUID, str]] = []

    async def closed(self, tx: Transaction, key: UUID, outcome: str) -> None:
        self.told.append((key, outcome))

    @hookimpl
    def identification_listeners(self, ctx: TenantContext) -> tuple[Listener]:
        return (self,)


LISTENER = Listener()


@pytest.fixture
def listener() -> Listener:
    LISTENER.told.clear()
    return LISTENER


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    host.register(core_plugin, "core")
    host.register(web_plugin, "web")
    host.register(eid_plugin, "eid")
    host.register(LISTENER, "listener")
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


@pytest.fixture
async def town(deployment: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(deployment, urls.owner, "alpha", plugins=["web", "eid", "listener"])


@pytest.fixture
async def other(deployment: Deployment, urls: Urls, town: TenantContext) -> TenantContext:
    return await make_tenant(deployment, urls.owner, "beta", plugins=["web", "eid", "listener"])
