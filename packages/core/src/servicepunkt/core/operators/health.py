"""How the platform is: database, replica, copies of the log, jobs, processes. Numbers and names of nobody."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from psycopg import Error
from sqlalchemy.exc import SQLAlchemyError

from servicepunkt.core.db.migrate import at_head
from servicepunkt.core.operators import store
from servicepunkt.core.operators.service import WRITE_SECONDS
from servicepunkt.core.operators.store import Process
from servicepunkt.core.operators.tenants import waiting_jobs

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from servicepunkt.core.deployment import Deployment

#: A process that did not write for so long is gone.
GONE_AFTER = timedelta(seconds=3 * WRITE_SECONDS)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`replica_seconds`: how far the replica is behind, None where it does not answer; `has_replica` says whether there
    is one. `archived_at`: when the server last gave a piece of its log away, where it archives at all."""

    server: str
    revisions: tuple[str, ...]
    current: bool
    has_replica: bool
    replica_seconds: float | None
    archives: bool
    archived_at: datetime | None
    archive_failed_at: datetime | None
    waiting: int
    oldest: datetime | None
    failed_jobs: int
    processes: tuple[Process, ...]
    versions: tuple[str, ...]


async def look(deployment: Deployment) -> Health:
    """Ask the database and its replica."""
    now = deployment.clock.now()
    async with deployment.database.platform("show operators how the platform is") as connection:
        server = str(await connection.scalar(sa.text("SHOW server_version")))
        revisions = await connection.scalars(sa.text("SELECT version_num FROM alembic_version ORDER BY 1"))
        archived = (
            await connection.execute(
                sa.text(
                    "SELECT current_setting('archive_mode') <> 'off', last_archived_time, last_failed_time"
                    " FROM pg_stat_archiver"
                )
            )
        ).one()
        waiting, oldest, failed = await _jobs(connection, now)
        processes = tuple(await store.processes(connection, now - GONE_AFTER))
        named = tuple(revisions)
    return Health(
        server=server,
        revisions=named,
        current=await asyncio.to_thread(at_head, deployment.settings.listening_url, deployment.plugins),
        has_replica=deployment.replica is not None,
        replica_seconds=await _replica_lag(deployment),
        archives=bool(archived[0]),
        archived_at=archived[1],
        archive_failed_at=archived[2],
        waiting=waiting,
        oldest=oldest,
        failed_jobs=failed,
        processes=processes,
        versions=tuple(sorted({one.version for one in processes})),
    )


async def _jobs(connection: AsyncConnection, now: datetime) -> tuple[int, datetime | None, int]:
    """(waiting, since when the oldest waits, failed for good)."""
    rows = waiting_jobs(now).subquery()
    row = (await connection.execute(sa.select(sa.func.sum(rows.c.waiting), sa.func.min(rows.c.oldest)))).one()
    failed = await connection.scalar(sa.text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'"))
    return int(row[0] or 0), row[1], int(failed or 0)


async def _replica_lag(deployment: Deployment) -> float | None:
    if deployment.replica is None:
        return None
    try:
        return await deployment.replica.lag()
    except (SQLAlchemyError, Error, OSError, TimeoutError):
        return None
