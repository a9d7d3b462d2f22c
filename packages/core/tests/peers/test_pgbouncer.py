"""Behind pgbouncer in transaction mode: two tenants on one session of the server, statements, locks and jobs."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
import sqlalchemy as sa

from servicepunkt.core.db.cluster import account
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.migrate import at_head
from servicepunkt.core.deployment import Deployment, running
from servicepunkt.core.jobs import build_app, job
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.settings import Settings
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import empty_database, make_tenant

PATIENCE = 30.0
PORT = 6432
CONFIGURATION = """
[databases]
servicepunkt = host={server}
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 1
"""


@pytest.fixture(scope="module")
def pooler(absent: Any, debian: Path, folder: Path, primary: Urls) -> Iterator[str]:
    """A pgbouncer with one session of the server for each role; the application's URL through it."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if not program:
        absent("pgbouncer is not installed")
    place = folder / "pooler"
    place.mkdir()
    (place / "users").write_text('"servicepunkt_app" ""\n')
    (place / "ini").write_text(CONFIGURATION.format(server=folder / "cluster", folder=place, port=PORT))
    if account(debian):
        shutil.chown(place, account(debian))
    process = subprocess.Popen(
        [str(program), "-q", str(place / "ini")], user=account(debian), extra_groups=[] if os.geteuid() == 0 else None
    )
    url = primary.application.partition("?")[0] + f"?host={place}&port={PORT}"
    try:
        deadline = time.monotonic() + PATIENCE
        while not (place / f".s.PGSQL.{PORT}").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE)


class Work:
    """A plugin with a job; lets a test wait for it."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.single = job(plugin="demo", name="demo.single")(self.run)

    async def run(self, deployment: Deployment, ctx: TenantContext, **ids: Any) -> None:
        self.done.set()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def deployment(
    primary: Urls, pooler: str, make_host: Any, work: Work, tmp_path: Path
) -> AsyncIterator[Deployment]:
    empty_database(primary.owner)
    settings = Settings(home=tmp_path, database_url=pooler, direct_database_url=primary.application)
    async with running(settings, make_host(demo={"jobs": lambda: (work.single,)})) as made:
        yield made


@pytest.fixture
async def tenants(deployment: Deployment, primary: Urls) -> list[TenantContext]:
    return [await make_tenant(deployment, primary.owner, slug) for slug in ("alpha", "beta")]


def subjects(ctx: TenantContext) -> sa.Select[Any]:
    query = sa.select(data_key.c.subject, sa.func.pg_backend_pid()).where(data_key.c.tenant_id == ctx.id)
    return query.order_by(data_key.c.subject)


async def test_two_tenants_take_turns_on_one_session_and_see_their_own(
    deployment: Deployment, tenants: list[TenantContext]
) -> None:
    """As many times as a driver takes to prepare a statement, on several connections at once."""
    own = {ctx.id: uuid4() for ctx in tenants}
    for ctx in tenants:
        async with deployment.database.tenant(ctx) as tx:
            row = {"subject": own[ctx.id], "purpose": "test", "wrapped": b"x", "public": None}
            await tx.execute(sa.insert(data_key).values(tenant_id=ctx.id, **row))

    async def look(ctx: TenantContext) -> set[int]:
        async with deployment.database.tenant(ctx) as tx:
            rows = (await tx.execute(subjects(ctx))).all()
            assert [row[0] for row in rows] == [own[ctx.id]]
            return {row[1] for row in rows}

    sessions: set[int] = set()
    for _ in range(12):
        for found in await asyncio.gather(*(look(ctx) for ctx in tenants * 4)):
            sessions |= found
    assert len(sessions) == 1


async def test_a_failed_transaction_leaves_the_session_without_a_tenant(
    deployment: Deployment, tenants: list[TenantContext]
) -> None:
    async def broken() -> None:
        async with deployment.database.tenant(tenants[0]) as tx:
            await tx.execute(sa.select(sa.literal(1) / sa.bindparam("zero", 0)))

    with pytest.raises(sa.exc.DBAPIError):
        await broken()
    async with deployment.database.platform("a test") as connection:
        with pytest.raises(sa.exc.DBAPIError, match=r"invalid input syntax for type integer|app\.tenant"):
            await connection.execute(sa.select(sa.func.count()).select_from(data_key))


async def test_locks_hold_for_their_transaction(deployment: Deployment, tenants: list[TenantContext]) -> None:
    """Behind the pooler and past it: the lock is one."""
    direct = msgspec.structs.replace(
        deployment.settings, database_url=deployment.settings.direct_database_url, direct_database_url=""
    )
    async with running(direct, deployment.plugins) as past:
        async with deployment.database.tenant(tenants[0]) as tx:
            await tx.lock("catalogue")
            waiting = asyncio.create_task(_locked(past, tenants[0]))
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
        assert await asyncio.wait_for(waiting, PATIENCE)


async def _locked(deployment: Deployment, ctx: TenantContext) -> bool:
    async with deployment.database.tenant(ctx) as tx:
        await tx.lock("catalogue")
        return True


async def test_a_job_is_deferred_through_the_pooler_and_heard_of_past_it(
    deployment: Deployment, tenants: list[TenantContext], work: Work
) -> None:
    """As often as a driver takes to prepare a statement; the last one by a worker that has nothing to do."""

    async def defer(number: int) -> None:
        async with deployment.database.tenant(tenants[number % 2]) as tx:
            await work.single.defer(tx, case=uuid4())

    for number in range(8):
        await defer(number)
    app = build_app(deployment)
    async with app.open_async():
        await app.run_worker_async(wait=False, install_signal_handlers=False)
        assert work.done.is_set()
        work.done.clear()
        # Looks only when it is told: were the notice lost, nothing would happen for an hour.
        working = asyncio.create_task(
            app.run_worker_async(fetch_job_polling_interval=3600.0, install_signal_handlers=False)
        )
        try:
            await asyncio.to_thread(someone_listens, deployment.settings.direct_database_url)
            await asyncio.wait([working], timeout=0.5)
            assert not work.done.is_set()
            await defer(8)
            await asyncio.wait_for(work.done.wait(), PATIENCE)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def someone_listens(url: str) -> None:
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        deadline = time.monotonic() + PATIENCE
        while connection.execute("SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN%'").fetchone() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_revision_is_known_through_the_pooler(pooler: str, deployment: Deployment) -> None:
    for _ in range(8):
        assert at_head(pooler, deployment.plugins)


def test_a_session_that_listens_is_lost_behind_a_pooler(pooler: str, primary: Urls) -> None:
    """Why there is a direct URL: the notice goes to the server's session, which is nobody's by then."""
    with psycopg.connect(conninfo(pooler), autocommit=True) as behind:
        behind.execute("LISTEN servicepunkt_test")
        with psycopg.connect(conninfo(primary.application), autocommit=True) as past:
            past.execute("NOTIFY servicepunkt_test")
        assert list(behind.notifies(timeout=0.5)) == []
