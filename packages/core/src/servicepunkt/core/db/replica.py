"""A copy of the database that only answers: it may be away or behind, and whoever asks goes on without it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from psycopg import Error
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from servicepunkt.core.db.session import Database, Transaction
from servicepunkt.core.metrics import REPLICA_MISSES
from servicepunkt.core.tenancy.model import TenantContext

log = structlog.get_logger("servicepunkt.db")

ANSWER_SECONDS = 2
#: After a failure it is left alone for so long, so that no request waits for a computer that is gone.
REST_SECONDS = 15.0
T = TypeVar("T")
# On an idle server the last transaction grows old although nothing is missing.
_LAG = """
    SELECT CASE WHEN pg_last_wal_receive_lsn() IS NOT DISTINCT FROM pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END"""


class Replica:
    """A streaming replica under the application's role; row-level security and the guard hold there as well."""

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = Database(url, connect_seconds=ANSWER_SECONDS)
        self._monotonic = monotonic
        self._rests_until = float("-inf")

    async def ask(self, ctx: TenantContext, question: Callable[[Transaction], Awaitable[T | None]]) -> T | None:
        """What it knows. None while it does not answer, and where it does not know it (yet)."""
        if self._monotonic() < self._rests_until:
            REPLICA_MISSES.labels(reason="away").inc()
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._database.tenant(ctx) as tx:
                found = await question(tx)
        except (SQLAlchemyError, Error, OSError, TimeoutError) as error:
            self._rests_until = self._monotonic() + REST_SECONDS
            log.warning("replica_away", seconds=REST_SECONDS, fault=type(error).__name__)
            REPLICA_MISSES.labels(reason="away").inc()
            return None
        if found is None:
            REPLICA_MISSES.labels(reason="behind").inc()
        return found

    async def lag(self) -> float:
        """How many seconds it is behind; 0.0 where it has replayed all that it got, or is no copy at all.

        Raises SQLAlchemyError, psycopg.Error, OSError or TimeoutError where it does not answer.
        """
        async with asyncio.timeout(ANSWER_SECONDS), self._database.platform("how far is the replica") as connection:
            return float(await connection.scalar(text(_LAG)) or 0.0)

    async def close(self) -> None:
        await self._database.close()
