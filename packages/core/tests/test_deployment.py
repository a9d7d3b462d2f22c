"""A deployment: its database is the named one or the embedded one, and what it opens it closes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from servicepunkt.core.clock import RehearsalClock, SystemClock
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment, configured, load_plugins, running
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings


def test_a_named_database_is_taken_as_it_is(urls: Urls, tmp_path: Path) -> None:
    named = Settings(home=tmp_path, database_url=urls.application)
    with configured(named) as settings:
        assert settings == named
    assert list(tmp_path.iterdir()) == []


VISITOR = """
import sys
from pathlib import Path
from servicepunkt.core.deployment import configured
from servicepunkt.core.settings import Settings
with configured(Settings(home=Path(sys.argv[1]))) as settings:
    sys.stdout.write(settings.database_url)
"""


def test_without_a_name_the_embedded_database_starts_and_stays_for_whoever_joined_until_the_last_leaves() -> None:
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as folder:
        with configured(Settings(home=Path(folder))) as settings:
            visitor = subprocess.run(
                [sys.executable, "-c", VISITOR, folder], check=True, capture_output=True, text=True
            )
            assert visitor.stdout == settings.database_url
            assert rights(settings.database_url) == ("servicepunkt_app", False)
            assert rights(settings.owner_database_url) == ("servicepunkt_owner", False)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(conninfo(settings.database_url))


def rights(url: str) -> tuple[object, ...] | None:
    """(role, whether it may do more than its tables allow)."""
    with psycopg.connect(conninfo(url)) as connection:
        return connection.execute(
            "SELECT current_user, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb "
            "FROM pg_roles WHERE rolname = current_user"
        ).fetchone()


async def test_settings_come_from_the_environment_when_none_are_given(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SERVICEPUNKT_PUBLIC_URL", "https://service.example.org")
    with configured() as settings:
        assert settings.public_url == "https://service.example.org"


async def test_a_deployment_closes_its_connections(urls: Urls, tmp_path: Path, plugins: PluginHost) -> None:
    async with running(Settings(home=tmp_path, database_url=urls.application), plugins) as deployment:
        assert isinstance(deployment, Deployment)
        assert await deployment.directory.all() is not None
        assert deployment.database.engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    assert deployment.database.engine.pool.checkedin() == 0  # type: ignore[attr-defined]


async def test_a_deployment_has_the_clock_of_its_settings_unless_it_is_given_one(
    urls: Urls, tmp_path: Path, plugins: PluginHost
) -> None:
    plain = Settings(home=tmp_path, database_url=urls.application)
    rehearsal = Settings(home=tmp_path, database_url=urls.application, rehearsal_clock=str(tmp_path / "shift"))
    for settings, kind in ((plain, SystemClock), (rehearsal, RehearsalClock)):
        async with running(settings, plugins) as deployment:
            assert isinstance(deployment.clock, kind)


@pytest.mark.parametrize("named", ["core", " core ", "core,", ",core,,"])
def test_only_the_named_plugins_are_loaded(named: str) -> None:
    assert load_plugins(Settings(plugins=named)).names == ("core",)
