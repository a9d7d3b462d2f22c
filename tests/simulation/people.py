"""Citizens: they come after some days, mistype, walk away, forget, come twice; and strangers who try codes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from servicepunkt.dokbox.boards import CabinetError
from servicepunkt.dokbox.errors import DokboxError

from .cabinet import Document
from .clockwork import DAY
from .machine import PowerOutError
from .truth import Actor
from .world import World

ANSWERS = (DokboxError, CabinetError, PowerOutError)
VISITS = 4
DOOR_PATIENCE = 12.0
UNTOLD = 30 * DAY


async def collect(world: World, document: Document) -> None:
    """From the message to the document, or until it is not in the box any more."""
    news = world.arrived[document.id] = asyncio.Event()
    profile, chance = world.profile, world.chance
    try:
        for _ in range(VISITS):
            waiting = asyncio.ensure_future(news.wait())
            await asyncio.wait([waiting], timeout=UNTOLD)
            waiting.cancel()
            if not news.is_set() or chance.random() < profile.never_come:
                return
            await asyncio.sleep(chance.expovariate(1 / (profile.dwell_days * DAY)))
            if chance.random() >= profile.at_night:
                await world.until_open()
            if world.over or document.place not in ("box", "thief"):
                return
            await come(world, document)
            if document.place == "citizen":
                world.dwell.append(world.clocks.seconds - document.put_at)
                if chance.random() < profile.come_twice:
                    await come(world, document)
                return
    finally:
        del world.arrived[document.id]


async def come(world: World, document: Document) -> None:
    """One visit: some tries, with what is on the telephone."""
    for code in typed_codes(world, document):
        actor = Actor(name="citizen", number=document.phone, code=code, deposit=document.id)
        with world.somebody(actor):
            await asyncio.sleep(world.chance.uniform(5, 20))
            if world.chance.random() < world.profile.new_code:
                # He telephones while he stands there, and types his old code all the same.
                world.centre.order("new_code", document.id)
                await asyncio.sleep(world.chance.uniform(0, 2 * world.profile.slow_network))
            if world.chance.random() < world.profile.two_terminals:
                other = Actor(name="second terminal", number=document.phone, code=code, deposit=document.id)
                world.spawn(alone(world, other, document))
            if await visit(world, actor, document):
                return


async def alone(world: World, actor: Actor, document: Document) -> None:
    """Somebody with the same code at another terminal, at about the same moment."""
    with world.somebody(actor):
        await asyncio.sleep(world.chance.choice([0.0, 0.01, 0.1]))
        await visit(world, actor, document)


def typed_codes(world: World, document: Document) -> list[str]:
    """What somebody types one after the other: slips of the finger, an old message, the right code at last."""
    chance, right = world.chance, world.phones[document.phone][document.id]
    codes = [right]
    if chance.random() < world.profile.mistype:
        codes[:0] = [slip(world, right) for _ in range(chance.randint(1, 5))]
    old = world.old_codes.get(document.id, [])
    if old and chance.random() < world.profile.old_code:
        codes.insert(0, chance.choice(old))
    return codes


def slip(world: World, code: str) -> str:
    """A wrong digit, now and then a missing one."""
    place = world.chance.randrange(6)
    if world.chance.random() < 0.1:
        return code[:place]
    return code[:place] + str((int(code[place]) + world.chance.randint(1, 9)) % 10) + code[place + 1 :]


async def visit(world: World, actor: Actor, document: Document) -> bool:
    """Type, answer, open, take, close; whether this person is done with it."""
    try:
        found = await world.present(actor)
    except DokboxError:
        return False
    except PowerOutError:
        return True
    if found.deposit != document.id:
        document = world.documents[found.deposit]  # a code of another document of the same person
    with suppress(*ANSWERS):
        if not await answer_all(world, actor, found):
            return True
        await open_door(world, actor, found)
    await at_the_door(world, actor, found, document)
    return True


async def answer_all(world: World, actor: Actor, found: Any) -> bool:
    """Answer what is asked; whether this person wants to go on."""
    chance, profile = world.chance, world.profile
    if chance.random() < profile.walk_away:
        if chance.random() < 0.5:
            await leave(world, found.token)
        else:
            await asyncio.sleep(chance.choice([100.0, 185.0, 400.0]))
            return chance.random() < 0.5
        return False
    if chance.random() < profile.press_early:
        await press(world, found.token)
    while (question := found.next_question) is not None and question != "removal":
        await asyncio.sleep(chance.uniform(1, 6))
        yes = chance.random() >= profile.answer_no
        if yes:
            actor.yes.add(question)
        else:
            actor.said_no = True
        await answer(world, found.token, question, yes=yes)
        if not yes:
            if chance.random() < 0.5:
                await press(world, found.token)
            return False
    return True


async def answer(world: World, token: str, question: Any, *, yes: bool) -> None:
    await world.machine.ask(lambda box: box.confirm(token, question, answer=yes))


async def leave(world: World, token: str) -> None:
    await world.machine.ask(lambda box: box.leave(token))


async def press(world: World, token: str) -> None:
    """Press "open", whether or not it is time for it."""
    try:
        await world.machine.ask(lambda box: box.release(token))
    except DokboxError:
        await asyncio.sleep(0.5)


async def open_door(world: World, actor: Actor, found: Any) -> None:
    """Press "open", some people twice."""
    await asyncio.sleep(world.chance.uniform(0.5, 4))
    if world.chance.random() < 0.1:
        world.spawn(second_press(world, actor, found.token))
    await world.machine.ask(lambda box: box.release(found.token))


async def second_press(world: World, actor: Actor, token: str) -> None:
    with world.somebody(actor), suppress(PowerOutError):
        await press(world, token)


async def at_the_door(world: World, actor: Actor, found: Any, document: Document) -> None:
    """In front of a door that may have opened: take what lies there, close, say whether it was taken."""
    until = world.clocks.seconds + DOOR_PATIENCE
    while not actor.opened and world.clocks.seconds < until:
        await asyncio.sleep(0.5)
    for number in actor.opened:
        if world.cabinet.compartments[number].closed:
            continue
        await asyncio.sleep(world.chance.uniform(2, 10))
        if world.chance.random() >= world.profile.leave_it:
            world.judge.took(actor, world.cabinet.take(number, "citizen"))
        if world.chance.random() < world.profile.leave_open:
            await asyncio.sleep(world.chance.uniform(50, 400))
        await asyncio.sleep(world.chance.uniform(2, 8))
        world.cabinet.close(number)
    await asyncio.sleep(world.chance.uniform(1.5, 20))
    if found.next_question == "removal" and world.chance.random() >= world.profile.say_nothing:
        taken = document.place == "citizen"
        with suppress(*ANSWERS):
            await answer(world, found.token, "removal", yes=taken)


async def strangers(world: World) -> None:
    """People who try codes at numbers that may be somebody's."""
    from .faults import moments

    async for _ in moments(world, world.profile.strangers_a_year):
        await world.until_open()
        known = sorted({world.documents[deposit].phone for deposit in world.judge.known})
        number = world.chance.choice(known) if known and world.chance.random() < 0.7 else "+4915199999999"
        actor = Actor(name="stranger", number=number)
        with world.somebody(actor):
            pulls = world.chance.random() < world.profile.pull_plug
            for _ in range(world.chance.choice([1, 3, 5, 9, 25])):
                actor.code = world.chance.choice(
                    ["", f"{world.chance.randrange(10**6):06d}", "12345x"] + ["123456"] * 2
                )
                await asyncio.sleep(150.0 if pulls else world.chance.uniform(0.0, 10.0))
                if pulls:
                    actor.code = "123456"
                    world.cut_in = world.chance.randint(1, 3)  # to get the try back
                with suppress(*ANSWERS):
                    found = await world.present(actor)
                    await leave(world, found.token)


PARTS = (strangers,)
