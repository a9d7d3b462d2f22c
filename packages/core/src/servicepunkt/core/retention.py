"""Retention: what is older than its rule allows is erased every night, and the erasure is audited as a count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from servicepunkt.core.audit import service as audit
from servicepunkt.core.jobs import job
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.protocols import Retention
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.retention")


@job(plugin="core", name="core.retention.erase", every="17 2 * * *")
async def erase_expired(deployment: Deployment, ctx: TenantContext) -> None:
    """Apply every retention rule of the tenant's plugins, each in a transaction of its own.

    A rule that fails stops no other one; the first failure is raised at the end, so that the queue tries again.
    """
    failures = []
    for answer in deployment.plugins.collect(ctx, "retention_rules"):
        for field, rule in answer.value.items():
            try:
                await _apply(deployment, ctx, field, rule)
            except Exception as error:
                log.error("retention_failed", plugin=answer.plugin, exc_info=error)
                failures.append(error)
    if failures:
        raise failures[0]


async def _apply(deployment: Deployment, ctx: TenantContext, field: str, rule: Retention) -> None:
    async with deployment.database.tenant(ctx) as tx:
        now = deployment.clock.now()
        count = await rule.erase(tx, now - timedelta(days=rule.days))
        if count:
            await audit.record(
                tx, at=now, actor="job:retention", action="retention.erase", subject=f"field:{field}", count=count
            )


def unruled(plugins: PluginHost, ctx: TenantContext) -> Iterator[tuple[str, str]]:
    """(plugin, table) of every table of the tenant's plugins of which nothing says how long its rows stay.

    A rule names a table whole or by field: `locker`, `locker.phone`.
    """
    ruled = {
        (answer.plugin, field.partition(".")[0])
        for answer in plugins.collect(ctx, "retention_rules")
        for field in answer.value
    }
    for answer in plugins.startup("tables"):
        for table in answer.value if ctx.allows(answer.plugin) else ():
            keeps = not table.info.get("tenant") or table.info.get("kept")
            if not keeps and (answer.plugin, table.name) not in ruled:
                yield answer.plugin, table.name
