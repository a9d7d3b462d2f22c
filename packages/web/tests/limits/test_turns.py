"""The lines: how many are served at once, who waits, and that one tenant's line is not another's."""

from __future__ import annotations

import asyncio

import pytest

from servicepunkt.web.limits.turns import LineFullError, Turns


class Shop:
    """Serves whoever has a turn until it is told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.ending = turns, asyncio.Event()
        self.served: list[int] = []

    async def visit(self, tenant_id: int) -> None:
        async with self.turns.turn(tenant_id):
            self.served.append(tenant_id)
            await self.ending.wait()


async def test_some_are_served_the_next_wait_and_others_are_not_kept() -> None:
    shop = Shop(Turns(at_once=2, most_waiting=3))
    visits = [asyncio.create_task(shop.visit(1)) for _ in range(5)]
    await asyncio.sleep(0)
    assert shop.served == [1, 1]
    visits.append(asyncio.create_task(shop.visit(2)))
    await asyncio.sleep(0)
    assert shop.served == [1, 1, 2]
    with pytest.raises(LineFullError):
        await shop.visit(1)
    shop.ending.set()
    await asyncio.gather(*visits)
    assert shop.served.count(1) == 5
    assert len(shop.turns) == 0


async def test_who_goes_away_leaves_the_place_to_the_next() -> None:
    shop = Shop(Turns(at_once=1, most_waiting=5))
    first, second, third = [asyncio.create_task(shop.visit(1)) for _ in range(3)]
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await asyncio.wait([first, second])
    await asyncio.sleep(0)
    assert shop.served == [1, 1]
    shop.ending.set()
    await third
    assert len(shop.turns) == 0
