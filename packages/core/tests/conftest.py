"""One embedded PostgreSQL for all tests of the kernel; each test starts with empty tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, database_server, empty_database, make_tenant, open_deployment


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    host.register(core_plugin, "core")
    host.freeze()
    return host


@pytest.fixture(scope="session")
def urls(tmp_path_factory: pytest.TempPathFactory, plugins: PluginHost) -> Iterator[Urls]:
    with database_server(tmp_path_factory.mktemp("postgres"), plugins) as found:
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
async def tenant(deployment: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(deployment, urls.owner, "alpha")


@pytest.fixture
async def other(deployment: Deployment, urls: Urls, tenant: TenantContext) -> TenantContext:
    return await make_tenant(deployment, urls.owner, "beta", subdivision="BB")
