"""What is done again and again beside a block, and ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def repeating(step: Callable[[], Awaitable[None]], *, pause: float) -> AsyncIterator[None]:
    """Call `step` now and then again, `pause` seconds after it was done, for the length of the block.

    Beside the cancellation there is a sign: a database driver may turn the former into an error of its own, and a step
    that goes on after such errors would then go on for ever.
    """
    ending = asyncio.Event()

    async def repeat() -> None:
        while not ending.is_set():
            await step()
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), pause)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        ending.set()
        task.cancel()
        await asyncio.wait([task])
