"""One embedded PostgreSQL for all tests of the kernel; each test starts with empty tables."""

from __future__ import annotations

import io
import json
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog

from servicepunkt.core import hookimpl, logs
from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, database_server, empty_database, make_tenant, open_deployment

MakeHost = Callable[..., PluginHost]
LogLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    host.register(core_plugin, "core")
    host.freeze()
    return host


@pytest.fixture(scope="session")
def urls(plugins: PluginHost) -> Iterator[Urls]:
    """Not below pytest's own folder: as root the server runs as another user, to whom every start of pytest (in
    another terminal, say) closes that folder again."""
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
async def tenant(deployment: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(deployment, urls.owner, "alpha")


@pytest.fixture
async def other(deployment: Deployment, urls: Urls, tenant: TenantContext) -> TenantContext:
    return await make_tenant(deployment, urls.owner, "beta", subdivision="BB")


@pytest.fixture
def make_host() -> MakeHost:
    """A frozen host with the kernel and the given plugins: `make_host(demo={"terminal_tiles": function})`.

    Functions become hook implementations; every other value becomes an attribute of the plugin.
    """

    def make(**wanted: dict[str, Any]) -> PluginHost:
        host = PluginHost()
        host.register(core_plugin, "core")
        for name, hooks in wanted.items():
            host.register(plugin_module(name, **hooks), name)
        host.freeze()
        return host

    return make


def plugin_module(name: str, **hooks: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update({"servicepunkt_api": "1"})
    for hook, value in hooks.items():
        setattr(module, hook, hookimpl(value) if callable(value) else value)
    return module


@pytest.fixture
def logged() -> Iterator[LogLines]:
    """Logging as in production; gives every line that was written since the beginning of the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    with redirect_stderr(written):
        logs.configure()
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, urls: Urls, tmp_path: Path) -> pytest.MonkeyPatch:
    """The process's settings name the test's database and the kernel alone, whatever else is installed."""
    for name in [name for name in os.environ if name.startswith("SERVICEPUNKT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SERVICEPUNKT_HOME", str(tmp_path))
    monkeypatch.setenv("SERVICEPUNKT_DATABASE_URL", urls.application)
    monkeypatch.setenv("SERVICEPUNKT_OWNER_DATABASE_URL", urls.owner)
    monkeypatch.setenv("SERVICEPUNKT_PLUGINS", "core")
    return monkeypatch
