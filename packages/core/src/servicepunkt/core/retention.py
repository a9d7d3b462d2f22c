"""Retention: what is older than its rule allows is erased every night, and the erasure is audited as a count."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from servicepunkt.core.audit import service as audit
from servicepunkt.core.jobs import job
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
