"""The directory of tenants: all contexts in memory, looked at again when the table has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog

from servicepunkt.core.db.session import Database
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy import store, terms
from servicepunkt.core.tenancy.model import TenantContext

FRESH_SECONDS = 1.0
log = structlog.get_logger("servicepunkt.tenancy")


class DatabaseDirectory:
    """Tenants from the database. A change is seen by every process within `FRESH_SECONDS`."""

    def __init__(
        self, database: Database, plugins: PluginHost, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._sections = {
            section.name: (answer.plugin, section.schema)
            for answer in plugins.startup("tenant_sections")
            for section in answer.value
        }
        self._monotonic = monotonic
        self._looked_at = float("-inf")
        self._revision: tuple[int, int, int] = (-1, -1, -1)
        self._by_id: dict[int, TenantContext] = {}
        self._by_slug: dict[str, TenantContext] = {}
        self._by_host: dict[str, TenantContext] = {}

    async def by_id(self, tenant_id: int) -> TenantContext | None:
        await self._refresh()
        return self._by_id.get(tenant_id)

    async def by_slug(self, slug: str) -> TenantContext | None:
        await self._refresh()
        return self._by_slug.get(slug)

    async def by_host(self, host: str) -> TenantContext | None:
        await self._refresh()
        return self._by_host.get(host.lower())

    async def all(self) -> list[TenantContext]:
        await self._refresh()
        return list(self._by_id.values())

    def forget(self) -> None:
        """Look at the table again before the next answer."""
        self._looked_at = float("-inf")

    async def _refresh(self) -> None:
        now = self._monotonic()
        if now - self._looked_at < FRESH_SECONDS:
            return
        async with self._database.platform("tenant directory") as connection:
            revision = await store.revision(connection)
            rows = await store.rows(connection) if revision != self._revision else None
            settled = await terms.of_all(connection) if rows is not None else {}
        if rows is not None:
            read = [(row, self._readable(row)) for row in rows]
            served = [(row, terms.in_force(ctx, settled.get(ctx.id))) for row, ctx in read if ctx is not None]
            self._by_id = {ctx.id: ctx for _, ctx in served}
            self._by_slug = {ctx.slug: ctx for _, ctx in served}
            self._by_host = {host.lower(): ctx for row, ctx in served for host in row["hosts"]}
            self._revision = revision
        self._looked_at = now

    def _readable(self, row: Mapping[str, Any]) -> TenantContext | None:
        """One tenant whose settings no longer fit an upgraded plugin must not take the others down."""
        if row["state"] == "retired":
            return None
        try:
            return self.context(row)
        except msgspec.ValidationError:
            log.error("tenant_unreadable", tenant=row["slug"])
            return None

    def context(self, row: Mapping[str, Any]) -> TenantContext:
        """The context of one row of the table; sections of plugins that are off are left out."""
        plugins = frozenset(row["plugins"])
        return TenantContext(
            id=row["id"],
            slug=row["slug"],
            name=row["name"],
            plugins=plugins,
            state=row["state"],
            locale=row["locale"],
            languages=tuple(row["languages"]),
            zone=row["zone"],
            subdivision=row["subdivision"],
            settings={
                name: msgspec.convert(row["settings"][name], schema)
                for name, (plugin, schema) in self._sections.items()
                if name in row["settings"] and (plugin == "core" or plugin in plugins)
            },
        )
