"""What staff do for documents that lie in the box: keep them longer, and look behind doors that somebody opened."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from .faults import moments
from .world import World

LATEST_ANSWER = 120.0


async def extend(world: World, deposit: str) -> None:
    """Somebody telephones: his document is kept longer, or to a day that is no later at all."""
    until = world.centre.mirror[deposit].until
    if until is not None:
        world.centre.order("extend", deposit, until=until + timedelta(days=world.chance.randint(-2, 9)))


async def inventories(world: World) -> None:
    """A caretaker comes with the key. Staff tell the box first; he opens some doors, and takes documents along."""
    async for _ in moments(world, world.profile.inventories_a_year):
        await world.until_open()
        seq, until = world.centre.order("inventory"), world.clocks.seconds + LATEST_ANSWER
        while world.centre.answered < seq and world.clocks.seconds < until:
            await asyncio.sleep(5.0)
        looked_for = [known for known in world.judge.known.values() if known.unlooked]
        for known in looked_for:
            if world.chance.random() < 0.3 and world.cabinet.compartments[known.compartment].closed:
                await open_with_key(world, known.compartment)


async def open_with_key(world: World, number: int) -> None:
    with world.somebody():
        world.judge.note("key", c=number)
        world.cabinet.open(number)
        await asyncio.sleep(world.chance.uniform(3, 10))
        if world.chance.random() < 0.5:
            for taken in world.cabinet.take(number, "staff"):
                world.judge.note("taken_along", taken.id)
        await asyncio.sleep(3)
        world.cabinet.close(number)


PARTS = (inventories,)
