"""One embedded PostgreSQL for tests of tenants, with everything that is installed."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment, load_plugins
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock, database_server, empty_database, open_deployment


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    return load_plugins(Settings())


@pytest.fixture(scope="session")
def urls(plugins: PluginHost) -> Iterator[Urls]:
    # Not below pytest's folder: PostgreSQL runs as a user of its own, who may not enter there.
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home, database_server(Path(home), plugins) as found:
        yield found


@pytest.fixture
async def running(urls: Urls, plugins: PluginHost, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment with an empty database on a Saturday, 21 November 2026."""
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path / "home", plugins, clock=FixedClock()) as made:
        yield made
