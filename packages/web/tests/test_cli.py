"""`servicepunkt device` against a real database, the way an operator types it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from servicepunkt.core.cli import root
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.testing import empty_database, make_tenant, open_deployment

Run = Callable[..., Result]


@pytest.fixture
def run(urls: Urls, plugins: PluginHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    async def tenant() -> None:
        empty_database(urls.owner)
        async with open_deployment(urls, tmp_path, plugins) as deployment:
            await make_tenant(deployment, urls.owner, "alpha", plugins=["web"])

    asyncio.run(tenant())
    monkeypatch.setenv("SERVICEPUNKT_HOME", str(tmp_path))
    monkeypatch.setenv("SERVICEPUNKT_DATABASE_URL", urls.application)
    monkeypatch.setenv("SERVICEPUNKT_PLUGINS", "web")
    commands = root(plugins)
    return lambda *words: CliRunner().invoke(commands, ["device", *words])


def test_a_device_is_announced_listed_and_revoked(run: Run) -> None:
    made = run("new", "--tenant", "alpha", "--kind", "terminal", "--target", "harbour", "--label", "Door", "--json")
    assert len(json.loads(made.stdout)["code"]) == 8
    [row] = json.loads(run("list", "--tenant", "alpha", "--json").stdout)
    assert (row["kind"], row["target"], row["state"]) == ("terminal", "harbour", "pending")
    assert run("revoke", "--tenant", "alpha", row["id"]).exit_code == 0
    assert "revoked" in run("list", "--tenant", "alpha").stdout


def test_mistakes_are_refused(run: Run) -> None:
    unknown = run("new", "--tenant", "alpha", "--kind", "toaster", "--target", "x", "--label", "y")
    assert isinstance(unknown.exception, ServicepunktError)
    assert isinstance(run("list", "--tenant", "nowhere").exception, ServicepunktError)
    assert run("revoke", "--tenant", "alpha", "no-uuid").exit_code == 2
