"""Write down what tenants use and have, and settle what holds for one of them, each with a line in its own chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from servicepunkt.core.audit import service as audit
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.ids import new_id
from servicepunkt.core.jobs import job
from servicepunkt.core.loops import repeating
from servicepunkt.core.operators import model, store, tenants
from servicepunkt.core.operators.store import Process
from servicepunkt.core.operators.tenants import Page, TenantSeen, Wanted
from servicepunkt.core.tenancy import terms
from servicepunkt.core.tenancy.model import TenantContext, Terms

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.operators")
WRITE_SECONDS = 60.0
KEEP_USAGE = timedelta(hours=2)
KEEP_PROCESSES = timedelta(days=1)
MOST_REASON = 300


@asynccontextmanager
async def metered(deployment: Deployment, kind: str) -> AsyncIterator[None]:
    """Write down for the length of the block that this process is there, and what tenants use in it."""
    started = deployment.clock.now()
    me = Process(id=new_id(), kind=kind, version=version("servicepunkt-core"), started_at=started, seen_at=started)
    async with repeating(partial(write_usage, deployment, me), pause=WRITE_SECONDS):
        yield


async def write_usage(deployment: Deployment, me: Process) -> None:
    """What was used since the last time; without a database it waits for the next one."""
    now, used = deployment.clock.now(), deployment.meters.take()
    try:
        async with deployment.database.platform("write down what tenants use") as connection:
            seen = Process(id=me.id, kind=me.kind, version=me.version, started_at=me.started_at, seen_at=now)
            await store.seen(connection, seen)
            await store.add_usage(connection, now.replace(second=0, microsecond=0), me.id, used)
            await store.thin_out(connection, usage_before=now - KEEP_USAGE, processes_before=now - KEEP_PROCESSES)
    except SQLAlchemyError as error:
        log.warning("usage_not_written", exc_info=error)
        deployment.meters.give_back(used)


@job(plugin="core", name="core.operators.count", every="23 */3 * * *")
async def count(deployment: Deployment, ctx: TenantContext) -> None:
    """Count the tenant's rows for the operator, who may not look at them."""
    answers = deployment.plugins.startup("tables")
    tables = [table for answer in answers for table in answer.value if table.info.get("tenant")]
    async with deployment.database.tenant(ctx) as tx:
        await store.save_counts(tx.connection, ctx.id, await store.count_rows(tx, tables), deployment.clock.now())


async def page(deployment: Deployment, wanted: Wanted) -> Page:
    """Raises InvalidInputError."""
    async with deployment.database.platform("list tenants for an operator") as connection:
        return await tenants.page(connection, wanted, now=deployment.clock.now())


async def one(deployment: Deployment, slug: str, *, minutes: int = 60) -> TenantSeen:
    """Raises NotFoundError."""
    async with deployment.database.platform("show a tenant to an operator") as connection:
        found = await tenants.one(connection, slug, now=deployment.clock.now(), minutes=minutes)
    if found is None:
        raise NotFoundError
    return found


async def set_limits(
    deployment: Deployment, slug: str, wanted: dict[str, float | int | None], *, actor: str, reason: str
) -> None:
    """Other limits than the file's, for fields of `LimitSettings`. Raises InvalidInputError, NotFoundError."""

    def change(_: TenantContext, old: Terms, __: datetime) -> Terms:
        return model.with_limits(old, wanted)

    await _settle(deployment, slug, change, actor=actor, action="operator.limits", reason=reason, **wanted)


async def set_pause(deployment: Deployment, slug: str, *, pause: bool, actor: str, reason: str) -> None:
    """Close a live tenant to everybody but its own people, or open it again. Raises TermsError, NotFoundError."""

    def change(ctx: TenantContext, old: Terms, _: datetime) -> Terms:
        return model.paused(ctx, old, pause=pause)

    action = "operator.pause" if pause else "operator.resume"
    await _settle(deployment, slug, change, actor=actor, action=action, reason=reason)


async def slow_down(deployment: Deployment, slug: str, requests: float | None, *, actor: str, reason: str) -> None:
    """No more than so many requests a second for an hour; None ends that now. Raises NotFoundError."""

    def change(_: TenantContext, old: Terms, now: datetime) -> Terms:
        return model.slowed(old, requests, now=now)

    await _settle(deployment, slug, change, actor=actor, action="operator.slow", reason=reason, requests=requests)


Change = Callable[[TenantContext, Terms, datetime], Terms]


async def _settle(
    deployment: Deployment,
    slug: str,
    change: Change,
    *,
    actor: str,
    action: str,
    reason: str,
    **details: float | int | None,
) -> None:
    """New terms and a line in the tenant's chain and in the operators' own, all or nothing."""
    if not (said := reason.strip()) or len(said) > MOST_REASON:
        raise InvalidInputError([("reason", "Give a reason of at most 300 characters.")])
    ctx, now = await deployment.directory.by_slug(slug), deployment.clock.now()
    if ctx is None:
        raise NotFoundError
    # The chain's numbers are whole: a rate goes there as it was typed.
    plain = {name: f"{value:g}" if isinstance(value, float) else value for name, value in details.items()}
    own = deployment.settings.operator_tenant
    home = await deployment.directory.by_slug(own) if own and own != slug else None
    async with deployment.database.platform("settle what holds for a tenant") as connection:
        new = change(ctx, await terms.of_one(connection, ctx.id), now)
        await terms.save(connection, ctx.id, new, at=now)
        for chain in (ctx, home):
            if chain is not None:
                async with deployment.database.within(connection, chain) as tx:
                    subject = f"tenant:{ctx.id}"
                    await audit.record(tx, at=now, actor=actor, action=action, subject=subject, reason=said, **plain)
    deployment.directory.forget()
