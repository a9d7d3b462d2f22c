"""Upgrades beside a working version: one that is behind stays ready, and nobody waits for long."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from servicepunkt.core.db import migrate
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.migrate import at_head, upgrade
from servicepunkt.core.errors import BusyTablesError
from servicepunkt.core.plugins import PluginHost


@pytest.fixture
def owner(urls: Urls) -> Iterator[psycopg.Connection]:
    """The owner's connection; the list of revisions is as before afterwards."""
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as connection:
        before = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        yield connection
        connection.execute("DELETE FROM alembic_version")
        for row in before:
            connection.execute("INSERT INTO alembic_version VALUES (%s)", row)


@pytest.mark.parametrize(
    ("there", "ready"),
    [("core_9999", True), ("core_0001", False), ("web_9999", False), ("unknown", False), ("core_x", False)],
)
def test_a_version_is_ready_on_the_tables_of_the_next_one_and_on_no_earlier(
    urls: Urls, plugins: PluginHost, owner: psycopg.Connection, there: str, ready: bool
) -> None:
    assert at_head(urls.application, plugins)
    owner.execute("UPDATE alembic_version SET version_num = %s", (there,))
    assert at_head(urls.application, plugins) is ready


def test_a_plugin_that_is_not_installed_any_more_is_no_reason(
    urls: Urls, plugins: PluginHost, owner: psycopg.Connection
) -> None:
    owner.execute("INSERT INTO alembic_version VALUES ('gone_0003')")
    assert at_head(urls.application, plugins)


def test_an_upgrade_gives_up_rather_than_let_everybody_wait(
    urls: Urls, plugins: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds a table that every upgrade reads; when he is gone it is done."""
    monkeypatch.setattr(migrate, "TRIES", 1)
    with psycopg.connect(conninfo(urls.owner)) as holder:
        holder.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(BusyTablesError):
            upgrade(urls.owner, plugins)
    upgrade(urls.owner, plugins)
    assert at_head(urls.application, plugins)
