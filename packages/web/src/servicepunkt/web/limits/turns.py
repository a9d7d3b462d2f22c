"""Who is served at the same time: a few requests of each tenant's visitors are under way, the next ones wait in line.

A rate alone keeps nobody apart where a process answers less than it allows; a line for each tenant does, because the
process works on every tenant's requests in turn.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 4
MOST_WAITING = 100


class LineFullError(Exception):
    """So many wait already that another one would wait for too long."""


class Turns:
    """Lines by tenant; one that nobody stands in takes no memory."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._most = at_once + most_waiting
        self._standing: defaultdict[int, int] = defaultdict(int)
        self._turns: defaultdict[int, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(at_once))

    def __len__(self) -> int:
        return len(self._turns)

    @asynccontextmanager
    async def turn(self, tenant_id: int) -> AsyncIterator[None]:
        """Wait for a turn, which lasts for the block. Raises LineFullError."""
        if self._standing[tenant_id] >= self._most:
            raise LineFullError
        self._standing[tenant_id] += 1
        try:
            async with self._turns[tenant_id]:
                yield
        finally:
            self._standing[tenant_id] -= 1
            if not self._standing[tenant_id]:
                del self._standing[tenant_id], self._turns[tenant_id]
