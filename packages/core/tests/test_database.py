"""The two locks of tenancy: the guard of every statement, and row-level security behind it."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import NullPool

from servicepunkt.core.db import check, guard, metadata
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.migrate import at_head
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NoTenantError, TenantMismatchError
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.notices.store import notice
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.tenancy.store import tenant as tenant_rows


class Base(DeclarativeBase):
    metadata = metadata


class Key(Base):
    __table__ = data_key


def row(tenant_id: int, subject: UUID) -> dict[str, object]:
    return {"tenant_id": tenant_id, "subject": subject, "purpose": "test", "wrapped": b"x", "public": None}


async def keep(deployment: Deployment, ctx: TenantContext, subject: UUID) -> None:
    async with deployment.database.tenant(ctx) as tx:
        await tx.execute(sa.insert(data_key).values(**row(ctx.id, subject)))


MINE = data_key.c.tenant_id == 1
other_key = data_key.alias()

REFUSED = {
    "no predicate": sa.select(data_key.c.purpose),
    "another tenant": sa.select(data_key).where(data_key.c.tenant_id == 2),
    "under OR": sa.select(data_key).where(sa.or_(MINE, data_key.c.purpose == "a")),
    "negated": sa.select(data_key).where(sa.not_(MINE)),
    "other operator": sa.select(data_key).where(data_key.c.tenant_id >= 1),
    "alias": sa.select(other_key),
    "count": sa.select(sa.func.count()).select_from(data_key),
    "exists": sa.select(sa.exists(sa.select(data_key.c.purpose))),
    "subquery": sa.select(sa.select(data_key.c.purpose).subquery()),
    "cte": sa.select(sa.select(data_key.c.purpose).cte()),
    "union": sa.union(sa.select(data_key.c.purpose).where(MINE), sa.select(data_key.c.purpose)),
    "join without link": sa.select(data_key, notice).join(notice, notice.c.case == data_key.c.subject).where(MINE),
    "update": sa.update(data_key).values(purpose="z"),
    "delete": sa.delete(data_key),
    "delete of another": sa.delete(data_key).where(data_key.c.tenant_id == 2),
    "text": sa.text("SELECT * FROM data_key"),
    "insert for another": sa.insert(data_key).values(**row(2, uuid4())),
    "insert without tenant": sa.insert(data_key).values(subject=uuid4(), purpose="x", wrapped=b""),
    "insert many": sa.insert(data_key).values([row(1, uuid4()), row(2, uuid4())]),
    "insert from select": sa.insert(data_key).from_select(["tenant_id"], sa.select(data_key.c.tenant_id).where(MINE)),
    "orm": sa.select(Key),
    "orm column": sa.select(Key.purpose),
    "orm delete": sa.delete(Key),
}

ALLOWED = {
    "predicate": sa.select(data_key).where(MINE, data_key.c.purpose == "a"),
    "and": sa.select(data_key).where(sa.and_(MINE, data_key.c.purpose == "a")),
    "alias": sa.select(other_key).where(other_key.c.tenant_id == 1),
    "join with link": sa.select(data_key)
    .join(notice, sa.and_(notice.c.tenant_id == data_key.c.tenant_id, notice.c.case == data_key.c.subject))
    .where(MINE),
    "subquery": sa.select(sa.select(data_key.c.purpose).where(MINE).subquery()),
    "platform table": sa.select(tenant_rows),
    "update": sa.update(data_key).where(MINE).values(purpose="z"),
    "insert": sa.insert(data_key).values(**row(1, uuid4())),
    "orm": sa.select(Key).where(Key.tenant_id == 1),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_guard_refuses(deployment: Deployment, tenant: TenantContext, name: str) -> None:
    assert tenant.id == 1
    with pytest.raises(TenantMismatchError):
        async with deployment.database.tenant(tenant) as tx:
            await tx.execute(REFUSED[name])


@pytest.mark.parametrize("name", ALLOWED)
async def test_guard_allows(deployment: Deployment, tenant: TenantContext, name: str) -> None:
    async with deployment.database.tenant(tenant) as tx:
        await tx.execute(ALLOWED[name])


async def test_guard_looks_at_parameters_of_bulk_inserts(deployment: Deployment, tenant: TenantContext) -> None:
    with pytest.raises(TenantMismatchError):
        async with deployment.database.tenant(tenant) as tx:
            await tx.execute(sa.insert(data_key), [row(1, uuid4()), row(2, uuid4())])


async def test_orm_session_over_the_connection_is_guarded(deployment: Deployment, tenant: TenantContext) -> None:
    async with deployment.database.tenant(tenant) as tx:
        with pytest.raises(TenantMismatchError):
            await tx.connection.run_sync(lambda connection: Session(connection).scalars(sa.select(Key)).all())


async def test_no_tenant_no_query(deployment: Deployment, tenant: TenantContext) -> None:
    async with deployment.database.engine.connect() as connection:
        with pytest.raises(NoTenantError):
            await connection.execute(sa.select(tenant_rows))


async def test_row_level_security_stands_without_the_guard(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    await keep(deployment, tenant, uuid4())
    await keep(deployment, other, uuid4())
    unguarded = {guard.PLATFORM_OPTION: True}
    async with deployment.database.tenant(tenant) as tx:
        found = (await tx.connection.execute(sa.select(data_key.c.tenant_id), execution_options=unguarded)).scalars()
        assert set(found) == {tenant.id}
        changed = await tx.connection.execute(sa.update(data_key).values(purpose="z"), execution_options=unguarded)
        assert changed.rowcount == 1
        with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
            async with tx.connection.begin_nested():
                await tx.connection.execute(
                    sa.insert(data_key).values(**row(other.id, uuid4())), execution_options=unguarded
                )


async def test_without_a_tenant_row_level_security_is_an_error_not_an_empty_page(
    deployment: Deployment, tenant: TenantContext
) -> None:
    async with deployment.database.platform("a test") as connection:
        with pytest.raises(sa.exc.ProgrammingError, match=r"app\.tenant"):
            await connection.execute(sa.select(data_key))


async def test_a_pooled_connection_keeps_no_tenant(urls: Urls, deployment: Deployment, tenant: TenantContext) -> None:
    await keep(deployment, tenant, uuid4())
    engine = deployment.database.engine
    assert engine.pool.checkedin() >= 1  # type: ignore[attr-defined]
    async with deployment.database.platform("a test") as connection:
        # After SET LOCAL has ended the setting is an empty string, not unset: still an error.
        with pytest.raises(sa.exc.DBAPIError):
            await connection.execute(sa.select(sa.func.count()).select_from(data_key))


async def test_the_transaction_keeps_its_tenant_after_a_savepoint(
    deployment: Deployment, tenant: TenantContext
) -> None:
    async with deployment.database.tenant(tenant) as tx:
        async with tx.connection.begin_nested():
            await tx.execute(sa.insert(data_key).values(**row(tenant.id, uuid4())))
        assert await tx.scalar(sa.select(sa.func.count()).select_from(data_key).where(MINE)) == 1


async def test_a_failed_transaction_leaves_nothing(deployment: Deployment, tenant: TenantContext) -> None:
    async def interrupted() -> None:
        async with deployment.database.tenant(tenant) as tx:
            await tx.execute(sa.insert(data_key).values(**row(tenant.id, uuid4())))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await interrupted()
    async with deployment.database.tenant(tenant) as tx:
        assert await tx.scalar(sa.select(sa.func.count()).select_from(data_key).where(MINE)) == 0


def test_catalogue_of_the_database_is_sound(urls: Urls) -> None:
    assert check.violations(urls.application) == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("CREATE TABLE loose (tenant_id integer, id integer, PRIMARY KEY (tenant_id, id))", "forced row-level"),
        ("ALTER TABLE notice NO FORCE ROW LEVEL SECURITY", "forced row-level"),
        ("DROP POLICY tenant_isolation ON notice", "exactly the policy"),
        ("CREATE INDEX odd ON notice (state)", "does not lead with tenant_id"),
        ("CREATE VIEW leak AS SELECT * FROM notice", "security_invoker"),
        ("ALTER TABLE notice ADD COLUMN at timestamp", "without zone"),
        ("CREATE TABLE odd (id serial)", "identity or serial"),
        ("GRANT DELETE ON audit_entry TO servicepunkt_app", "can be changed"),
        ("GRANT UPDATE ON catalogue_revision TO servicepunkt_app", "can be changed"),
        ("REVOKE SELECT ON notice FROM servicepunkt_app", "may not read"),
        ("GRANT TRUNCATE ON notice TO servicepunkt_app", "may empty"),
        ("GRANT SELECT ON tenant TO PUBLIC", "every role"),
        ("CREATE FUNCTION odd() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'", "its owner's rights"),
        ("ALTER TABLE notice ADD CONSTRAINT odd CHECK (attempts < 9) NOT VALID", "not checked"),
        ("CREATE TABLE odd (state text); ALTER TABLE odd OWNER TO servicepunkt_app", "owned by"),
        ("ALTER ROLE servicepunkt_app BYPASSRLS", "bypass row-level security"),
        ("ALTER ROLE servicepunkt_app SUPERUSER", "bypass row-level security"),
        ("ALTER ROLE servicepunkt_app CREATEROLE", "may make roles"),
        ("ALTER ROLE servicepunkt_app REPLICATION", "copy the server"),
        ("GRANT servicepunkt_owner TO servicepunkt_app", "member of another"),
        ("GRANT CREATE ON SCHEMA public TO servicepunkt_app", "may make tables"),
        ("GRANT CREATE ON DATABASE servicepunkt TO servicepunkt_app", "may make schemas"),
        ("SET LOCAL timezone TO 'Europe/Berlin'", "other than UTC"),
    ],
)
def test_the_catalogue_test_can_fail(urls: Urls, statement: str, rule: str) -> None:
    connection = psycopg.connect(conninfo(urls.owner).replace("servicepunkt_owner", "postgres"))
    try:
        connection.execute(statement)  # type: ignore[arg-type]
        connection.execute("SET LOCAL ROLE servicepunkt_owner")
        found = []
        for name, query in {**check.QUERIES, **check.ROLE_QUERIES, **check.SERVER_QUERIES}.items():
            rows = connection.execute(query, {"role": "servicepunkt_app", "jobs": "procrastinate_%"}).fetchall()
            found += [name for _ in rows]
        assert any(rule in name for name in found)
    finally:
        connection.rollback()
        connection.close()


def test_models_and_migrations_agree(urls: Urls, plugins: PluginHost) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    known = {table.name for answer in plugins.startup("tables") for table in answer.value}
    engine = sa.create_engine(urls.owner, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "include_object": lambda o, name, kind, *_: kind != "table" or name in known},
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    assert at_head(urls.application, plugins)


async def test_a_shape_that_was_judged_once_is_still_bound_by_its_values(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    def of(tenant_id: int) -> sa.Select[tuple[str]]:
        return sa.select(data_key.c.purpose).where(data_key.c.tenant_id == tenant_id, data_key.c.purpose == "x")

    for _ in range(3):
        async with deployment.database.tenant(tenant) as tx:
            await tx.execute(of(tenant.id))
        with pytest.raises(TenantMismatchError):
            async with deployment.database.tenant(tenant) as tx:
                await tx.execute(of(other.id))
        async with deployment.database.tenant(other) as tx:
            await tx.execute(of(other.id))


async def test_an_insert_inside_another_statement_is_judged_each_time(
    deployment: Deployment, tenant: TenantContext
) -> None:
    def inside(tenant_id: int) -> sa.Select[tuple[str]]:
        made = sa.insert(data_key).values(**row(tenant_id, uuid4())).returning(data_key.c.purpose).cte("made")
        return sa.select(made.c.purpose)

    async with deployment.database.tenant(tenant) as tx:
        await tx.execute(inside(tenant.id))
    with pytest.raises(TenantMismatchError):
        async with deployment.database.tenant(tenant) as tx:
            await tx.execute(inside(tenant.id + 1))
