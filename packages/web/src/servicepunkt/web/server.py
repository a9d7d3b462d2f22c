"""Serve an ASGI application until somebody says stop, and then end in order.

uvicorn's own `serve()` takes the signals and raises them again when it is done: the process would die before a
journal is closed or the embedded PostgreSQL is stopped. Here the signals belong to whoever runs the process.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from litestar.types import ASGIApp

GRACE_SECONDS = 3
START_SECONDS = 20.0


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, for the running loop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def serving(app: ASGIApp, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve `app` for the length of the block; yields the port (another one for 0). Raises OSError if it is taken."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    async with asyncio.timeout(START_SECONDS):
        while not server.started and not task.done():  # noqa: ASYNC110 - it offers no event
            await asyncio.sleep(0.01)
    if task.done():
        raise OSError(f"port {port} cannot be used")
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task
