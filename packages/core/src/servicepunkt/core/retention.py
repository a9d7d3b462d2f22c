"""Retention: what is older than its rule allows is erased every night, and the erasure is audited as a count."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from servicepunkt.core.audit import service as audit
from servicepunkt.core.jobs import job
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment


@job(plugin="core", name="core.retention.erase", every="17 2 * * *")
async def erase_expired(deployment: Deployment, ctx: TenantContext) -> None:
    """Apply every retention rule of the tenant's plugins, each in a transaction of its own."""
    for answer in deployment.plugins.collect(ctx, "retention_rules"):
        for field, rule in answer.value.items():
            async with deployment.database.tenant(ctx) as tx:
                now = deployment.clock.now()
                count = await rule.erase(tx, now - timedelta(days=rule.days))
                if count:
                    await audit.record(
                        tx,
                        at=now,
                        actor="job:retention",
                        action="retention.erase",
                        subject=f"field:{field}",
                        count=count,
                    )
