"""Ways by which rows of one tenant could reach another: the pool, an error, a view, COPY, a job. Each one is shut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa

from servicepunkt.core.db import Database, check, guard
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.jobs import build_app, job
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant, open_deployment

UNGUARDED = {guard.PLATFORM_OPTION: True}
ALL = sa.select(data_key.c.tenant_id)


async def keep(database: Database, ctx: TenantContext) -> UUID:
    subject = uuid4()
    async with database.tenant(ctx) as tx:
        row = {"subject": subject, "purpose": "test", "wrapped": b"x", "public": None}
        await tx.execute(sa.insert(data_key).values(tenant_id=ctx.id, **row))
    return subject


@pytest.fixture
async def single(deployment: Deployment, tenant: TenantContext, other: TenantContext) -> AsyncIterator[Database]:
    """A pool of one connection, and a row of each tenant."""
    database = Database(deployment.settings.database_url, pool_size=1)
    for ctx in (tenant, other):
        await keep(database, ctx)
    yield database
    await database.close()


async def seen(database: Database, ctx: TenantContext) -> tuple[set[int], int]:
    """Whose rows are there for a statement that forgets the tenant, and in which session of the server."""
    async with database.tenant(ctx) as tx:
        rows = (await tx.connection.execute(ALL, execution_options=UNGUARDED)).scalars().all()
        session = await tx.connection.scalar(sa.select(sa.func.pg_backend_pid()), execution_options=UNGUARDED)
        return set(rows), int(session or 0)


async def nobody_sees_anything(database: Database) -> None:
    async with database.platform("a test") as connection:
        with pytest.raises(sa.exc.DBAPIError):
            await connection.execute(ALL)


async def test_tenants_take_turns_on_one_connection(
    single: Database, tenant: TenantContext, other: TenantContext
) -> None:
    found = [await seen(single, ctx) for ctx in (tenant, other, tenant, other)]
    assert [rows for rows, _ in found] == [{tenant.id}, {other.id}] * 2
    assert len({session for _, session in found}) == 1
    await nobody_sees_anything(single)


@pytest.mark.parametrize("fault", ["the database's", "the program's", "cancelled"])
async def test_a_connection_is_nobodys_after_an_error(
    single: Database, tenant: TenantContext, other: TenantContext, fault: str
) -> None:
    async def fail() -> None:
        async with single.tenant(tenant) as tx:
            if fault == "the database's":
                await tx.connection.execute(sa.text("SELECT 1/0"), execution_options=UNGUARDED)
            elif fault == "cancelled":
                await tx.connection.execute(sa.text("SELECT pg_sleep(60)"), execution_options=UNGUARDED)
            raise ZeroDivisionError

    failing = asyncio.create_task(fail())
    if fault == "cancelled":
        done, _ = await asyncio.wait([failing], timeout=0.3)
        assert not done
        failing.cancel()
    with pytest.raises((sa.exc.DBAPIError, ZeroDivisionError, asyncio.CancelledError)):
        await failing
    await nobody_sees_anything(single)
    assert (await seen(single, other))[0] == {other.id}


@pytest.fixture
def superuser(urls: Urls) -> Iterator[psycopg.Connection]:
    with psycopg.connect(conninfo(urls.superuser), autocommit=True) as connection:
        yield connection
        connection.execute("DROP VIEW IF EXISTS overview")


@pytest.mark.parametrize(("option", "whose"), [("", {1, 2}), ("WITH (security_invoker = true)", {1})])
async def test_a_view_asks_as_the_one_who_looks(
    single: Database, tenant: TenantContext, urls: Urls, superuser: psycopg.Connection, option: str, whose: set[int]
) -> None:
    """Without the option it asks as the one who made it, who may see everything; the check names such a view."""
    superuser.execute(f"CREATE VIEW overview {option} AS SELECT tenant_id FROM data_key".encode())
    superuser.execute("GRANT SELECT ON overview TO servicepunkt_app")
    async with single.tenant(tenant) as tx:
        rows = await tx.connection.execute(sa.text("SELECT tenant_id FROM overview"), execution_options=UNGUARDED)
        assert set(rows.scalars()) == whose
    named = [name for rule, name in check.violations(urls.application) if rule == "view without security_invoker"]
    assert named == ([] if option else ["overview"])


@pytest.mark.usefixtures("single")
async def test_copy_takes_out_ones_own_rows_and_brings_none_in(urls: Urls, tenant: TenantContext) -> None:
    with psycopg.connect(conninfo(urls.application)) as connection:
        connection.execute(f"SET LOCAL app.tenant = {tenant.id}".encode())
        for what in ("data_key (tenant_id)", "(SELECT tenant_id FROM data_key)"):
            with connection.cursor().copy(f"COPY {what} TO STDOUT".encode()) as rows:
                assert {row[0] for row in rows.rows()} == {str(tenant.id)}
        with (
            pytest.raises(psycopg.errors.FeatureNotSupported, match="row-level security"),
            connection.transaction(),
            connection.cursor().copy("COPY data_key FROM STDIN") as rows,
        ):
            rows.write_row((2, uuid4(), "test", b"x", None))
        for what in ("TO PROGRAM 'cat'", "TO '/dev/null'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"COPY data_key {what}".encode())


@pytest.mark.usefixtures("single")
async def test_copy_without_a_tenant_is_an_error(urls: Urls) -> None:
    with (
        psycopg.connect(conninfo(urls.application)) as connection,
        pytest.raises(psycopg.errors.UndefinedObject),
        connection.cursor().copy("COPY data_key TO STDOUT") as rows,
    ):
        list(rows)


async def test_a_job_works_for_the_tenant_that_it_names_whatever_row_it_is_given(
    urls: Urls, make_host: Any, tmp_path: Path, deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    """The id of another tenant's row leads nowhere, and two jobs on one connection do not meet."""
    found: list[tuple[int, set[int], Any]] = []

    async def look(deployment: Deployment, ctx: TenantContext, row: str) -> None:
        mine = sa.select(data_key.c.subject).where(data_key.c.tenant_id == ctx.id, data_key.c.subject == UUID(row))
        async with deployment.database.tenant(ctx) as tx:
            rows = await tx.connection.execute(ALL, execution_options=UNGUARDED)
            found.append((ctx.id, set(rows.scalars()), await tx.scalar(mine)))

    looking = job(plugin="demo", name="demo.look")(look)
    rows = {ctx.id: await keep(deployment.database, ctx) for ctx in (tenant, other)}
    async with open_deployment(urls, tmp_path, make_host(demo={"jobs": lambda: (looking,)})) as running:
        for slug, plugins in (("alpha", ["demo"]), ("beta", ["demo"])):
            await make_tenant(running, urls.owner, slug, plugins=plugins)
        for ctx in (tenant, other):
            async with running.database.tenant(ctx) as tx:
                await looking.defer(tx, row=rows[tenant.id])
        app = build_app(running)
        async with app.open_async():
            await app.run_worker_async(wait=False, concurrency=1)
    assert found == [(tenant.id, {tenant.id}, rows[tenant.id]), (other.id, {other.id}, None)]
