"""Virtual time: it jumps, it does not pass, and it never goes on for ever."""

from __future__ import annotations

import asyncio
import time

import pytest

from simulation import clockwork
from simulation.clockwork import DAY, WORK_SECONDS, StalledError, VirtualLoop, is_open, next_open


def test_a_week_takes_no_time() -> None:
    async def main(loop: VirtualLoop) -> float:
        await asyncio.sleep(7 * DAY)
        return loop.time()

    began = time.monotonic()
    assert clockwork.run(main) == pytest.approx(7 * DAY)
    assert time.monotonic() - began < 5


def test_timers_come_in_their_order() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        said: list[str] = []

        async def say(word: str, after: float) -> None:
            await asyncio.sleep(after)
            said.append(f"{word} {loop.time():.1f}")

        await asyncio.gather(say("late", 3 * DAY), say("soon", 0.5), say("then", 60))
        return said

    assert clockwork.run(main) == ["soon 0.5", "then 60.0", f"late {3 * DAY:.1f}"]


def test_an_instant_far_away_is_reached_in_spite_of_rounding() -> None:
    async def main(loop: VirtualLoop) -> float:
        await asyncio.sleep(100 * 365 * DAY)
        for _ in range(100):
            await asyncio.sleep(0.1)
        return loop.time()

    assert clockwork.run(main) == pytest.approx(100 * 365 * DAY + 10, abs=1e-3)


def test_work_for_a_thread_is_done_here_and_takes_its_time() -> None:
    async def main(loop: VirtualLoop) -> tuple[int, float, list[bool]]:
        heard: list[bool] = []
        loop.watch_work = heard.append
        return await asyncio.to_thread(lambda: 6 * 7), loop.time(), heard

    assert clockwork.run(main) == (42, pytest.approx(WORK_SECONDS), [True, False])


def test_waiting_for_nothing_is_noticed() -> None:
    async def main(loop: VirtualLoop) -> None:
        await loop.create_future()

    with pytest.raises(StalledError):
        clockwork.run(main)


def test_the_shop_opens_on_weekdays_and_saturdays() -> None:
    half_past_nine, eight = 9.5 * 3600, 20 * 3600.0
    assert [is_open(second) for second in (half_past_nine - 1, half_past_nine, eight - 1, eight)] == [
        False,
        True,
        True,
        False,
    ]
    assert is_open(5 * DAY + 12 * 3600)
    assert not is_open(6 * DAY + 12 * 3600)
    assert next_open(12 * 3600) == 12 * 3600
    assert next_open(3 * 3600) == half_past_nine
    assert next_open(5 * DAY + 21 * 3600) == 7 * DAY + half_past_nine
    assert next_open(6 * DAY) == 7 * DAY + half_past_nine
