"""A streaming replica, made with pg_basebackup: published revisions come from it while it is there and knows them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from servicepunkt.core.catalogue.model import Catalogue, Theme
from servicepunkt.core.catalogue.service import CatalogueReader, publish
from servicepunkt.core.db import check
from servicepunkt.core.db.cluster import Cluster
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls, urls_at
from servicepunkt.core.db.replica import REST_SECONDS, Replica
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import empty_database, make_tenant, open_deployment

PATIENCE = 30.0


@pytest.fixture(scope="module")
def standby(debian: Path, folder: Path, primary: Urls) -> Iterator[Cluster]:
    made = Cluster(folder / "standby", debian)
    source = f"host={folder / 'cluster'} user=postgres"
    made.run("pg_basebackup", "-d", source, "-D", str(made.data), "--write-recovery-conf", "--checkpoint", "fast")
    with made.running({"hot_standby": "on"}):
        yield made


@pytest.fixture
async def deployment(primary: Urls, standby: Cluster, plugins: PluginHost, tmp_path: Path) -> AsyncIterator[Deployment]:
    empty_database(primary.owner)
    copy = urls_at(standby.folder).application
    async with open_deployment(primary, tmp_path, plugins, replica_database_url=copy) as made:
        yield made


@pytest.fixture
async def tenant(deployment: Deployment, primary: Urls) -> TenantContext:
    return await make_tenant(deployment, primary.owner, "alpha")


def misses(reason: str) -> float:
    return REGISTRY.get_sample_value("servicepunkt_replica_misses_total", {"reason": reason}) or 0.0


async def put(deployment: Deployment, ctx: TenantContext, name: str) -> Catalogue:
    made = Catalogue(themes=(Theme(id=name, name={"de": name}),))
    async with deployment.database.tenant(ctx) as tx:
        await publish(tx, made, at=tx.now(), actor="test")
    return made


def caught_up(primary: Urls, standby: Cluster) -> None:
    """Wait until the replica has replayed all that the primary has written."""
    with psycopg.connect(conninfo(primary.owner)) as connection:
        wanted = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
    with psycopg.connect(standby.conninfo, autocommit=True) as connection:
        deadline = time.monotonic() + PATIENCE
        while connection.execute("SELECT pg_last_wal_replay_lsn() >= %s", wanted).fetchone() != (True,):
            assert time.monotonic() < deadline, "the replica does not follow"
            time.sleep(0.02)


@contextmanager
def asked(deployment: Deployment) -> Iterator[list[str]]:
    """The statements that are sent to the primary inside the block."""
    statements: list[str] = []

    def note(*event: object) -> None:
        statements.append(str(event[2]))

    engine = deployment.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def contents(statements: list[str]) -> list[str]:
    return [statement for statement in statements if "catalogue_revision.content" in statement]


async def test_what_the_replica_has_is_read_from_it(
    deployment: Deployment, tenant: TenantContext, primary: Urls, standby: Cluster
) -> None:
    published = await put(deployment, tenant, "a")
    caught_up(primary, standby)
    before = misses("behind"), misses("away")
    with asked(deployment) as statements:
        found = await CatalogueReader(deployment.database, replica=deployment.replica).current(tenant)
    assert found.catalogue == published
    assert (misses("behind"), misses("away")) == before
    assert statements
    assert contents(statements) == []


async def test_what_the_replica_lacks_is_read_from_the_primary(
    deployment: Deployment, tenant: TenantContext, primary: Urls, standby: Cluster
) -> None:
    caught_up(primary, standby)
    reader = CatalogueReader(deployment.database, replica=deployment.replica)
    with psycopg.connect(standby.conninfo, autocommit=True) as copy:
        copy.execute("SELECT pg_wal_replay_pause()")
        try:
            published = await put(deployment, tenant, "b")
            before = misses("behind")
            with asked(deployment) as statements:
                assert (await reader.current(tenant)).catalogue == published
            assert misses("behind") == before + 1
            assert len(contents(statements)) == 1
        finally:
            copy.execute("SELECT pg_wal_replay_resume()")


async def test_another_database_is_no_replica(
    deployment: Deployment, tenant: TenantContext, urls: Urls, plugins: PluginHost, tmp_path: Path
) -> None:
    """The same tenant and revision with other words: what was published here is what is shown."""
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, plugins) as foreign:
        await put(foreign, await make_tenant(foreign, urls.owner, "alpha"), "foreign")
    published, replica = await put(deployment, tenant, "ours"), Replica(urls.application)
    try:
        reader = CatalogueReader(deployment.database, replica=replica)
        assert (await reader.current(tenant)).catalogue == published
    finally:
        await replica.close()


async def test_a_replica_that_is_away_is_left_alone_for_a_while_and_found_again(
    deployment: Deployment, tenant: TenantContext, primary: Urls, standby: Cluster
) -> None:
    published = await put(deployment, tenant, "c")
    caught_up(primary, standby)
    now = [0.0]
    replica = Replica(urls_at(standby.folder).application, monotonic=lambda: now[0])
    standby.stop()
    try:
        before = misses("away")
        for _ in range(2):
            reader = CatalogueReader(deployment.database, replica=replica)
            assert (await reader.current(tenant)).catalogue == published
        assert misses("away") == before + 2
        standby.start({"hot_standby": "on"})
        with asked(deployment) as statements:
            await CatalogueReader(deployment.database, replica=replica).current(tenant)
            assert len(contents(statements)) == 1  # not asked yet
            now[0] = REST_SECONDS
            await CatalogueReader(deployment.database, replica=replica).current(tenant)
            assert len(contents(statements)) == 1
    finally:
        if not (standby.data / "postmaster.pid").exists():
            standby.start({"hot_standby": "on"})
        await replica.close()


def test_the_check_names_a_replica_that_is_none(primary: Urls, standby: Cluster) -> None:
    copy = urls_at(standby.folder).application
    assert check.replica_faults(primary.application, copy) == []
    ((rule, _),) = check.replica_faults(primary.application, primary.application)
    assert rule == "replica that is no replica"
