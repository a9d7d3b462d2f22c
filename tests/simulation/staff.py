"""Staff: they load documents, look after what needs somebody, and open compartments with a key to look into them."""

from __future__ import annotations

import asyncio
from uuid import UUID

from .cabinet import Document
from .centre import VALID_SECONDS, Mirror
from .clockwork import DAY
from .world import World

STANDS_THERE = VALID_SECONDS + 110.0  # a clerk waits in front of a door until his order has surely lost its validity
PATIENCE = 120.0
TRIES = 4
UNATTENDED = 900.0  # a door that has stood open so long belongs to nobody who is still there
NEEDS_RECALL = frozenset({"expired", "blocked"})
OPEN_SECONDS_A_YEAR = 313 * 10.5 * 3600


async def arrivals(world: World) -> None:
    """Documents come from the printer at random while the office is open."""
    rate = world.profile.documents / OPEN_SECONDS_A_YEAR
    number = 0
    while True:
        await world.until_open()
        await asyncio.sleep(world.chance.expovariate(rate))
        await world.until_open()
        if world.over:
            return
        number += 1
        world.spawn(load(world, new_document(world)))


def new_document(world: World) -> Document:
    """Of somebody new, or of somebody who waits for another one already."""
    phones = sorted({world.documents[deposit].phone for deposit in world.judge.known})
    if phones and world.chance.random() < world.profile.family:
        phone = world.chance.choice(phones)
    else:
        phone = f"+491511{world.chance.randrange(10**7):07d}"
    document = Document(
        id=str(UUID(int=world.chance.getrandbits(128))),
        kind=world.chance.choice(["passport", "licence"]),
        phone=phone,
        thin=world.chance.random() < world.profile.thin or not world.profile.sensors,
    )
    world.documents[document.id] = document
    return document


async def load(world: World, document: Document) -> None:
    """From the announcement to the code; given up after some tries, today or for good."""
    from . import people

    world.centre.announce(document.id, document.kind, document.phone)
    world.spawn(people.collect(world, document))
    with world.somebody():
        if await seen(world, document, "reserved", "refused") == "reserved":
            await _lay_in(world, document, hasty=world.chance.random() < world.profile.hasty_clerk)


async def _lay_in(world: World, document: Document, *, hasty: bool = False) -> None:
    """Order the door, lay it in, look what the box says; some say "it is in" before the door was ever open."""
    mirror = world.centre.mirror[document.id]
    for attempt in range(TRIES):
        if mirror.state not in ("reserved", "loading") or mirror.compartment is None:
            return
        if hasty and not attempt:
            world.centre.order("confirm_loaded", document.id)
            await asyncio.sleep(30)
        opened = await _open_and_put(world, document, mirror.compartment)
        if world.chance.random() < world.profile.give_up_loading:
            await _give_up(world, document)
            return
        state = await seen(world, document, "stored", "notified", "reserved", after=5.0)
        if opened and state == "reserved" and document.place == "box" and mirror.alert == "closed_empty":
            world.centre.order("confirm_loaded", document.id)
            await seen(world, document, "stored", "notified")


async def _open_and_put(world: World, document: Document, number: int) -> bool:
    """Order the door and stand in front of it; whether it opened."""
    world.centre.order("open_for_load", document.id)
    opened = await world.cabinet.door(number, STANDS_THERE)
    if opened:
        await asyncio.sleep(world.chance.uniform(2, 10))
        found = world.cabinet.compartments[number]
        # Into a door that a colleague has opened with the key nobody lays anything.
        empty = not found.documents and not found.forced
        if document.place == "office" and empty and world.chance.random() > world.profile.leave_it:
            world.put(number, document)
        if world.chance.random() < world.profile.leave_open:
            await asyncio.sleep(world.chance.uniform(60, 240))
        await asyncio.sleep(world.chance.uniform(2, 8))
        world.cabinet.close(number)
    return opened


async def _give_up(world: World, document: Document) -> None:
    """He is called away; what he does about it depends on what he remembers."""
    if world.chance.random() < 0.7:
        world.centre.order("cancel", document.id)
        await asyncio.sleep(60)


async def seen(world: World, document: Document, *states: str, after: float = 0.0) -> str:
    """Look at the page of a deposit until it says one of these, at most for `PATIENCE`."""
    await asyncio.sleep(after)
    mirror, until = world.centre.mirror[document.id], world.clocks.seconds + PATIENCE
    while mirror.state not in states and world.clocks.seconds < until:
        await asyncio.sleep(2.0)
    return mirror.state


async def rounds(world: World) -> None:
    """Three times a day: everything that waits for somebody."""
    while True:
        await world.until_open()
        await asyncio.sleep(world.chance.uniform(1, 3) * 3600)
        await world.until_open()
        waiting = [deposit for deposit, mirror in world.centre.mirror.items() if needs_somebody(world, mirror)]
        for deposit in waiting:
            await look_after(world, deposit)
        for number in sorted(world.centre.out):
            await look_into(world, number)
        for number, compartment in world.cabinet.compartments.items():
            if world.clocks.seconds - compartment.moved_at > UNATTENDED:
                world.cabinet.close(number)


def needs_somebody(world: World, mirror: Mirror) -> bool:
    """Whether staff find it in one of their lists."""
    state = mirror.state
    forgotten = state == "reserved" and world.clocks.seconds - mirror.changed_at > DAY / 2
    asked = state == "notified" and world.chance.random() < world.profile.new_code
    return state in NEEDS_RECALL or state == "locked_out" or mirror.alert == "notice_failed" or forgotten or asked


async def look_after(world: World, deposit: str) -> None:
    """Take back, send a new code, or give a reservation up."""
    mirror, document = world.centre.mirror[deposit], world.documents[deposit]
    match mirror.state:
        case state if state in NEEDS_RECALL or (state == "locked_out" and world.chance.random() < 0.3):
            await take_back(world, document)
        case "locked_out" | "stored" | "notified":
            world.centre.order("new_code", deposit)
        case "reserved" if world.chance.random() < 0.5:
            world.centre.order("cancel", deposit)
        case "reserved":
            with world.somebody():
                await _lay_in(world, document)


async def take_back(world: World, document: Document) -> None:
    """Order the door, take out whatever lies there, close it; where the sensor cannot tell, say what was found."""
    number = world.centre.mirror[document.id].compartment
    if number is None:
        return
    with world.somebody():
        world.centre.order("recall", document.id)
        opened = await world.cabinet.door(number, STANDS_THERE)
        if opened:
            await asyncio.sleep(world.chance.uniform(2, 10))
            for taken in world.cabinet.take(number, "staff"):
                world.judge.note("taken_back", taken.id)
            await asyncio.sleep(world.chance.uniform(2, 6))
            world.cabinet.close(number)
        ended = await seen(world, document, "returned", "missing", "blocked", after=5.0)
        if opened and ended == "blocked":
            world.centre.order("taken_back" if document.place == "staff" else "not_there", document.id)
            await seen(world, document, "returned", "missing")


async def look_into(world: World, number: int) -> None:
    """A compartment that is out of service: opened with the key, emptied, and given back."""
    if number in world.judge.by_compartment or not world.cabinet.compartments[number].closed:
        return
    with world.somebody():
        world.judge.note("key", c=number)
        world.cabinet.open(number)
        await asyncio.sleep(world.chance.uniform(3, 10))
        for found in world.cabinet.take(number, "staff"):
            world.judge.note("found", found.id)
        await asyncio.sleep(3)
        world.cabinet.close(number)
        await asyncio.sleep(10)
        world.centre.order("compartment_in", compartment=number)
        await asyncio.sleep(30)


PARTS = (arrivals, rounds)
