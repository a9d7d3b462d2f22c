"""What is known of plugins that go wrong: written down by every process, asked for by staff and by `plugin list`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from servicepunkt.core.loops import repeating
from servicepunkt.core.plugins import store
from servicepunkt.core.plugins.failures import LATELY, Failure
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.plugins")
PAUSE_SECONDS = 15.0


def failures_written(deployment: Deployment) -> AbstractAsyncContextManager[None]:
    """Write down for the length of the block what goes wrong in this process."""
    return repeating(partial(write_failures, deployment), pause=PAUSE_SECONDS)


async def write_failures(deployment: Deployment) -> None:
    """Write what is new; without a database it waits for the next time."""
    taken = deployment.plugins.failures.take()
    for tenant, found in groupby(sorted(taken, key=lambda one: one.tenant), key=lambda one: one.tenant):
        of_tenant = list(found)
        try:
            await _write(deployment, tenant, of_tenant)
            deployment.meters.of(tenant).failures += sum(one.count for one in of_tenant if one.fault == "failed")
        except SQLAlchemyError as error:
            log.warning("plugin_failures_not_written", exc_info=error)
            deployment.plugins.failures.give_back(of_tenant)


async def _write(deployment: Deployment, tenant: int, found: list[Failure]) -> None:
    ctx = await deployment.directory.by_id(tenant)
    if ctx is None:
        return
    async with deployment.database.tenant(ctx) as tx:
        for one in found:
            await store.add(tx, one)


async def lately(deployment: Deployment, ctx: TenantContext) -> list[Failure]:
    """What went wrong for this tenant in the last day, in any process, a moment ago at the latest."""
    async with deployment.database.tenant(ctx) as tx:
        return await store.failures_since(tx, deployment.clock.now() - LATELY)
