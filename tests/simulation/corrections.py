"""A clerk corrects the person who collects, at any moment; the earlier one may have a code, and come with it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from . import people
from .cabinet import Document
from .staff import needed
from .steps import birthday
from .truth import ENDS, Actor, Told
from .world import World

MOMENTS = ("reserved", "loading", "stored", "notified", "presented")
GONE = (*sorted(ENDS), "refused")
REACTION = 20.0


async def correct(world: World, document: Document) -> None:
    """Notice at some moment that the number is wrong, once or twice."""
    chance, centre = world.chance, world.centre
    while chance.random() < world.profile.wrong_number:
        moment = chance.choice(MOMENTS)
        if await centre.until(document.id, moment, *GONE) != moment:
            return
        await asyncio.sleep(chance.choice([0.0, 2.0, REACTION]) * chance.random())
        told = centre.told[document.id]
        right = Told(another_number(world, told), another_birthday(world, told), told.old_document)
        right = needed(world, document.kind, right)
        if not centre.correct(document.id, right):
            return
        world.spawn(come_all_the_same(world, document, told))


def another_number(world: World, told: Told) -> str:
    """Somebody's whose documents lie here, too, or anybody's."""
    phones = sorted({known.told.phone for known in world.judge.known.values()} - {told.phone})
    if phones and world.chance.random() < world.profile.family:
        return str(world.chance.choice(phones))
    return f"+491512{world.chance.randrange(10**7):07d}"


def another_birthday(world: World, told: Told) -> str:
    return (birthday(world) if world.chance.random() < 0.5 else "") or told.birth_date


async def come_all_the_same(world: World, document: Document, told: Told) -> None:
    """The earlier person has a message, and types what it says, with his own date of birth."""
    for _ in range(world.chance.randint(1, 3)):
        await asyncio.sleep(world.chance.choice([10.0, 300.0, 7200.0]) * world.chance.random())
        ticket = world.phones.get(told.phone, {}).get(document.id)
        if ticket is None or world.over:
            continue
        number, code = ticket
        actor = Actor(name="earlier person", number=number, code=code, deposit=document.id, born=told.birth_date)
        with world.somebody(actor), suppress(*people.ANSWERS):
            if await people.visit(world, actor, document):
                return
