"""Wake a box that waits for commands: PostgreSQL's LISTEN and NOTIFY, so that any server process may be asked.

A missed wake-up costs nothing but time: the waiting call ends by itself and the box asks again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import sqlalchemy as sa
import structlog

from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.guard import PLATFORM_OPTION
from servicepunkt.core.db.session import Transaction

CHANNEL = "servicepunkt_box"
RETRY_SECONDS = 1.0
log = structlog.get_logger("servicepunkt.dokbox")


async def announce(tx: Transaction, box_id: str) -> None:
    """Sent by PostgreSQL when, and only when, the transaction commits."""
    statement = sa.text("SELECT pg_notify(:channel, :payload)").bindparams(
        channel=CHANNEL, payload=f"{tx.tenant_id}/{box_id}"
    )
    await tx.connection.execute(statement, execution_options={PLATFORM_OPTION: True})


class Wakeups:
    """One listening connection for a process; made when the first box waits."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._closing = False

    @contextmanager
    def waiting(self, tenant_id: int, box_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when something is announced for the box; look for commands inside the block."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        key, event = f"{tenant_id}/{box_id}", asyncio.Event()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(conninfo(self._url), autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._wake_all()  # what was announced while nobody listened
                    async for notice in connection.notifies():
                        for event in self._waiting.get(notice.payload, set()):
                            event.set()
            except psycopg.OperationalError:
                if self._closing:  # what a driver may make of a cancellation
                    return
                log.warning("wakeups_lost")
                await asyncio.sleep(RETRY_SECONDS)

    def _wake_all(self) -> None:
        for events in self._waiting.values():
            for event in events:
                event.set()

    async def close(self) -> None:
        if self._listener is not None:
            self._closing = True
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
