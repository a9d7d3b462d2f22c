"""Transactions: one for a tenant, or one for the platform with a reason; nothing else reaches the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Executable, Row, Table, text
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from servicepunkt.core.clock import Clock, SystemClock
from servicepunkt.core.db import guard, schema
from servicepunkt.core.tenancy.model import TenantContext, use

S = TypeVar("S", bound=Struct)


class Transaction:
    """An open transaction of one tenant. `ctx.id` is what its statements must be bound to."""

    def __init__(self, ctx: TenantContext, connection: AsyncConnection, clock: Clock) -> None:
        self.ctx = ctx
        self.connection = connection
        self._clock = clock

    def now(self) -> datetime:
        """The present instant by the deployment's clock, for objects that plugins return and that know no other."""
        return self._clock.now()

    @property
    def tenant_id(self) -> int:
        return self.ctx.id

    async def execute(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        return await self.connection.execute(statement, rows)

    async def scalar(self, statement: Executable) -> Any:
        return await self.connection.scalar(statement)

    async def insert(self, table: Table, new: Struct) -> None:
        """Store a struct whose fields are the columns of a tenant table, but for the tenant's id."""
        await self.execute(table.insert().values(**{schema.TENANT: self.tenant_id}, **msgspec.structs.asdict(new)))

    async def first(self, kind: type[S], query: Executable) -> S | None:
        """The first row of a tenant table as a struct; None when there is none."""
        row = (await self.execute(query)).first()
        return _as_struct(kind, row) if row else None

    async def all(self, kind: type[S], query: Executable) -> list[S]:
        """All rows of a query on a tenant table as structs."""
        return [_as_struct(kind, row) for row in await self.execute(query)]

    async def driver_connection(self) -> Any:
        """The psycopg connection below, for work that must commit together with this transaction (jobs)."""
        return (await self.connection.get_raw_connection()).driver_connection

    async def lock(self, name: str) -> None:
        """Wait for the tenant's lock of this name; it is released at the end of the transaction."""
        statement = text("SELECT pg_advisory_xact_lock(:tenant, hashtext(:name))")
        await self.connection.execute(
            statement.bindparams(tenant=self.tenant_id, name=name),
            execution_options={guard.PLATFORM_OPTION: True},
        )


def _as_struct(kind: type[S], row: Row[Any]) -> S:
    values = dict(row._mapping)
    del values[schema.TENANT]
    return kind(**values)


class Database:
    """The application's engine. Statements outside `tenant()` and `platform()` are refused.

    `pooled`: the URL leads to a pooler that gives each transaction another session of the server (pgbouncer). Then no
    statement is prepared, because the next one may be sent to a session that does not know it.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        pool_size: int = 10,
        pooled: bool = False,
        connect_seconds: int | None = None,
    ) -> None:
        arguments: dict[str, Any] = {"connect_timeout": connect_seconds} if connect_seconds else {}
        self.url = url
        self._clock = clock or SystemClock()
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=False,
            hide_parameters=True,
            connect_args=arguments | ({"prepare_threshold": None} if pooled else {}),
            json_serializer=lambda value: msgspec.json.encode(value).decode(),
            json_deserializer=msgspec.json.decode,
        )
        guard.install(self.engine.sync_engine)

    @asynccontextmanager
    async def tenant(self, ctx: TenantContext) -> AsyncIterator[Transaction]:
        """A transaction for `ctx`; commits at the end of the block, rolls back when it raises."""
        with use(ctx):
            async with self.engine.connect() as plain:
                connection = await plain.execution_options(**{guard.TENANT_OPTION: ctx.id})
                async with connection.begin():
                    await set_tenant(connection, ctx.id)
                    yield Transaction(ctx, connection, self._clock)

    @asynccontextmanager
    async def platform(self, reason: str) -> AsyncIterator[AsyncConnection]:
        """A transaction without a tenant, for the directory and health; row-level security still holds."""
        if not reason:
            raise ValueError("a platform transaction needs a reason")
        async with self.engine.connect() as plain:
            connection = await plain.execution_options(**{guard.PLATFORM_OPTION: True})
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def within(self, connection: AsyncConnection, ctx: TenantContext) -> AsyncIterator[Transaction]:
        """Go on as `ctx` inside a platform transaction, so that both commit together (applying a tenant file)."""
        with use(ctx):
            await set_tenant(connection, ctx.id)
            bound = await connection.execution_options(**{guard.PLATFORM_OPTION: False, guard.TENANT_OPTION: ctx.id})
            yield Transaction(ctx, bound, self._clock)

    async def close(self) -> None:
        await self.engine.dispose()


async def set_tenant(connection: AsyncConnection, tenant_id: int) -> None:
    """Name the tenant to row-level security for this transaction only.

    SET LOCAL with a literal, not `set_config()`: only the former is carried to the workers of a Citus cluster, and
    it ends with the transaction, so that a pooled connection never keeps a tenant.
    """
    await connection.execute(
        text(f"SET LOCAL app.tenant = {int(tenant_id)}"), execution_options={guard.PLATFORM_OPTION: True}
    )
