"""Background jobs on PostgreSQL: deferred inside the transaction that causes them, run with their tenant's context.

A job's arguments are ids only; they stand in a table that many may read. A job of a plugin that its tenant has
switched off does nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import procrastinate
import structlog
from procrastinate import BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision, RetryStrategy
from procrastinate.exceptions import ConnectorException

from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.loops import repeating
from servicepunkt.core.metrics import JOB_FAILURES
from servicepunkt.core.plugins import PluginError
from servicepunkt.core.tenancy.model import TenantContext, use

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.jobs")

JobFunction = Callable[..., Awaitable[None]]
STALLED_SECONDS = 30.0
RETRY = RetryStrategy(max_attempts=12, exponential_wait=3)


class Waits(BaseRetryStrategy):
    """Try again after each of these seconds, from then on after the last ones, without end: for a job whose rows say
    when it is over."""

    def __init__(self, *seconds: int) -> None:
        self.seconds = seconds

    def get_retry_decision(self, *, exception: BaseException, job: procrastinate.jobs.Job) -> RetryDecision:  # noqa: ARG002 - the base class names them
        return RetryDecision(retry_in={"seconds": self.seconds[min(job.attempts, len(self.seconds) - 1)]})


class Job:
    """A function `(deployment, ctx, **ids)` under a stable name, belonging to a plugin."""

    def __init__(
        self, function: JobFunction, *, plugin: str, name: str, every: str | None, retry: BaseRetryStrategy
    ) -> None:
        self.function = function
        self.plugin = plugin
        self.name = name
        self.every = every
        self.retry = retry

    async def defer(
        self, tx: Transaction, *, lock: str | None = None, in_seconds: int = 0, **ids: UUID | int | str
    ) -> None:
        """Queue the job for the transaction's tenant; it exists if and only if the transaction commits."""
        arguments: dict[str, Any] = {
            name: str(value) if isinstance(value, UUID) else value for name, value in ids.items()
        }
        deferrer = _offline.configure_task(
            self.name,
            connection=await tx.driver_connection(),
            lock=f"{tx.tenant_id}/{lock}" if lock else None,
            schedule_in={"seconds": in_seconds} if in_seconds else None,
        )
        await deferrer.defer_async(tenant_id=tx.tenant_id, **arguments)


def job(
    *, plugin: str, name: str, every: str | None = None, retry: BaseRetryStrategy = RETRY
) -> Callable[[JobFunction], Job]:
    """Make a job of a function. `every` (cron) runs it for each tenant that has the plugin; `retry` says when it is
    tried again after it raised."""
    return lambda function: Job(function, plugin=plugin, name=name, every=every, retry=retry)


# Deferring needs no connection of its own: it uses the one of the transaction.
_offline = procrastinate.App(connector=PsycopgConnector())


def build_app(deployment: Deployment) -> procrastinate.App:
    """The worker's application with the jobs of every plugin. Raises PluginError for a job of another plugin."""
    app = procrastinate.App(connector=PsycopgConnector(conninfo=conninfo(deployment.settings.listening_url)))
    for answer in deployment.plugins.startup("jobs"):
        for entry in answer.value:
            if entry.plugin != answer.plugin:
                # Its tenants are asked by this name: with another one it would run where its plugin is off.
                raise PluginError(f"plugin {answer.plugin}: the job {entry.name} says it is of {entry.plugin!r}")
            _register(app, deployment, entry)
    return app


def _register(app: procrastinate.App, deployment: Deployment, entry: Job) -> None:
    async def run(_: JobContext, /, tenant_id: int, **ids: Any) -> None:
        ctx = await deployment.directory.by_id(tenant_id)
        if ctx is None or not ctx.allows(entry.plugin):
            log.info("job_skipped", job=entry.name, reason="tenant or plugin is off")
            return
        await _perform(deployment, ctx, entry, ids)

    app.task(name=entry.name, pass_context=True, retry=entry.retry)(run)
    if entry.every:

        async def for_each(timestamp: int) -> None:  # noqa: ARG001 - procrastinate passes it by name
            for ctx in await deployment.directory.all():
                if ctx.allows(entry.plugin):
                    async with deployment.database.tenant(ctx) as tx:
                        await entry.defer(tx)

        app.periodic(cron=entry.every)(app.task(name=f"{entry.name}:periodic", queueing_lock=entry.name)(for_each))


async def _perform(deployment: Deployment, ctx: TenantContext, entry: Job, ids: dict[str, Any]) -> None:
    with use(ctx):
        try:
            await entry.function(deployment, ctx, **ids)
        except Exception:
            JOB_FAILURES.labels(job=entry.name).inc()
            log.exception("job_failed", job=entry.name)
            raise
        finally:
            deployment.meters.of(ctx.id).jobs += 1


async def run_worker(app: procrastinate.App, *, concurrency: int, look_again: float = STALLED_SECONDS) -> None:
    """Work until SIGTERM or SIGINT, and take up again what killed workers have left half done."""
    # Not only at the start: a worker that was killed a moment ago still counts as alive then.
    async with repeating(partial(take_up_stalled, app), pause=look_again):
        await app.run_worker_async(
            concurrency=concurrency,
            fetch_job_polling_interval=2.0,
            install_signal_handlers=True,
            delete_jobs="successful",  # what is done needs no row; what failed stays to be looked at
        )


async def take_up_stalled(app: procrastinate.App) -> None:
    """Queue the jobs again that are being done by a worker of which nothing was heard for `STALLED_SECONDS`."""
    try:
        for stalled in await app.job_manager.get_stalled_jobs():
            await app.job_manager.retry_job(stalled)
    except ConnectorException as error:
        # The database is away for a moment, or another worker was faster: the next look tells.
        log.warning("stalled_jobs_not_taken_up", exc_info=error)
