"""Staff: they load documents, look after what needs somebody, and open compartments with a key to look into them."""

from __future__ import annotations

import asyncio
from uuid import UUID

from . import care
from .cabinet import Document
from .centre import VALID_SECONDS, Mirror
from .clockwork import DAY
from .slot import OldDocument
from .steps import birthday
from .truth import Told
from .world import World

STANDS_THERE = VALID_SECONDS + 110.0  # a clerk waits in front of a door until his order has surely lost its validity
PATIENCE = 120.0
TRIES = 4
CLERKS = ("first clerk", "second clerk", "third clerk")
MOST_CODES = 6  # after so many nobody asks for another one: it is collected, or its time is over
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
        kind=world.chance.choice([policy.type for policy in world.centre.config.policies]),
        phone=phone,
        thin=world.chance.random() < world.profile.thin or not world.profile.sensors,
        born=birthday(world) or "1964-08-12",
        clerk=world.chance.choice(CLERKS),
        old=OldDocument(f"C{world.chance.randrange(10**8):08d}"),
    )
    world.documents[document.id] = document
    return document


def told(document: Document) -> Told:
    """What the clerk says of the person who collects."""
    old = document.old.number if document.old else ""
    return Told(document.phone, document.born, old)


def needed(world: World, kind: str, told: Told) -> Told:
    """All of it, or as much as the tenant file asks for of this kind today."""
    if world.profile.tells_all:
        return told
    policy = world.centre.policy(kind)
    born = policy is not None and ("birth_date" in policy.steps or policy.without_old_document == "birth_date")
    chip = policy is not None and "old_document_chip" in policy.steps
    return Told(told.phone, told.birth_date if born else "", told.old_document if chip else "")


async def load(world: World, document: Document) -> None:
    """From the announcement to the code; given up after some tries, today or for good."""
    from . import corrections, people

    whom = needed(world, document.kind, told(document))
    world.centre.announce(document.id, document.kind, whom, actor=document.clerk)
    world.spawn(people.collect(world, document))
    world.spawn(corrections.correct(world, document))
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
            confirm(world, document)
            await asyncio.sleep(30)
        opened = await _open_and_put(world, document, mirror.compartment)
        if world.chance.random() < world.profile.give_up_loading:
            await _give_up(world, document)
            return
        state = await seen(world, document, "stored", "notified", "reserved", after=5.0)
        if opened and state == "reserved" and document.place == "box" and mirror.alert == "closed_empty":
            confirm(world, document)
            await seen(world, document, "stored", "notified")


def somebody(world: World, document: Document) -> str:
    """Who does it: often whoever announced it, also where that is not allowed."""
    same = world.chance.random() < world.profile.same_clerk
    return document.clerk if same else str(world.chance.choice([name for name in CLERKS if name != document.clerk]))


def confirm(world: World, document: Document) -> None:
    world.centre.order("confirm_loaded", document.id, actor=somebody(world, document))


async def _open_and_put(world: World, document: Document, number: int) -> bool:
    """Order the door and stand in front of it; whether it opened."""
    world.centre.order("open_for_load", document.id, actor=somebody(world, document))
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
        look_into_slot(world)
        for deposit, mirror in world.centre.mirror.items():
            if mirror.state in ("stored", "notified", "locked_out") and world.chance.random() < world.profile.extends:
                await care.extend(world, deposit)
        for number, compartment in world.cabinet.compartments.items():
            if world.clocks.seconds - compartment.moved_at > UNATTENDED:
                world.cabinet.close(number)


def needs_somebody(world: World, mirror: Mirror) -> bool:
    """Whether staff find it in one of their lists."""
    state = mirror.state
    forgotten = state == "reserved" and world.clocks.seconds - mirror.changed_at > DAY / 2
    asked = state == "notified" and mirror.version < MOST_CODES and world.chance.random() < world.profile.new_code
    return state in NEEDS_RECALL or state == "locked_out" or mirror.alert == "notice_failed" or forgotten or asked


async def look_after(world: World, deposit: str) -> None:
    """Take back, send a new code, or give a reservation up."""
    mirror, document = world.centre.mirror[deposit], world.documents[deposit]
    match mirror.state:
        case state if state in NEEDS_RECALL or (state == "locked_out" and world.chance.random() < 0.3):
            await take_back(world, document)
        case "locked_out" | "stored" | "notified":
            world.centre.order("new_code", deposit)
            if world.chance.random() < world.profile.longer_with_code:
                await care.extend(world, deposit)
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
            stays = document.place == "box" and world.chance.random() < world.profile.put_back
            for taken in [] if stays else world.cabinet.take(number, "staff"):
                world.judge.note("taken_back", taken.id)
            await asyncio.sleep(world.chance.uniform(2, 6))
            world.cabinet.close(number)
        ended = await seen(world, document, "returned", "missing", "blocked", after=5.0)
        if opened and ended == "blocked" and document.place == "box":
            # He has looked, it is the right one, and it may stay where it is.
            confirm(world, document)
            await seen(world, document, "stored", "notified")
        elif opened and ended == "blocked":
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


def look_into_slot(world: World) -> None:
    """Whatever became of an old document of which the box did not hear the end: if it is cut up, it is void."""
    for deposit, mirror in world.centre.mirror.items():
        old = world.documents[deposit].old
        if mirror.unclear and mirror.state in ("stored", "notified") and old is not None and old.place == "kept":
            world.centre.order("old_document_void", deposit)


async def attend(world: World, deposit: str, call: int) -> None:
    """Somebody is called to the box: he comes, looks who stands there, and says what he saw; some say it late."""
    chance = world.chance
    await asyncio.sleep(chance.uniform(3, 30))
    fits = chance.random() >= world.profile.answer_no
    if chance.random() < world.profile.late_attest:
        await asyncio.sleep(chance.uniform(5, 150))
    world.centre.order("attest", deposit, call=call, answer=fits)


PARTS = (arrivals, rounds)
