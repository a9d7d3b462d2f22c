"""What is repeated beside a block ends with it, whatever a library makes of the cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from servicepunkt.core.loops import repeating


async def test_a_step_is_done_again_and_again_until_the_block_ends() -> None:
    done = 0
    enough = asyncio.Event()

    async def step() -> None:
        nonlocal done
        done += 1
        if done == 3:
            enough.set()

    async with repeating(step, pause=0.001):
        await enough.wait()
    after = done
    await asyncio.sleep(0.02)
    assert done == after


@pytest.mark.parametrize("pause", [0.001, 1000.0])
async def test_a_cancellation_that_a_library_keeps_to_itself_ends_it_all_the_same(pause: float) -> None:
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1000)

    async with asyncio.timeout(5), repeating(step, pause=pause):
        await begun.wait()


async def test_the_block_s_own_fault_comes_out() -> None:
    async def step() -> None: ...

    with pytest.raises(RuntimeError, match="mine"):
        async with repeating(step, pause=0.001):
            raise RuntimeError("mine")
