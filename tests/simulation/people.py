"""Citizens: they come after some days, mistype, walk away, forget, come twice; and strangers who try codes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec

from servicepunkt.dokbox.boards import CabinetError
from servicepunkt.dokbox.errors import DokboxError

from . import steps
from .cabinet import Document
from .clockwork import DAY
from .digits import CHECKED
from .machine import PowerOutError
from .truth import Actor
from .world import Ticket, World

ANSWERS = (DokboxError, CabinetError, PowerOutError)
VISITS = 5
DOOR_PATIENCE = 12.0
UNTOLD = 30 * DAY


async def collect(world: World, document: Document) -> None:
    """From the message to the document, or until it is not in the box any more."""
    news = world.arrived[document.id] = asyncio.Event()
    profile, chance = world.profile, world.chance
    try:
        for turn in range(VISITS):
            waiting = asyncio.ensure_future(news.wait())
            await asyncio.wait([waiting], timeout=UNTOLD)
            waiting.cancel()
            if not news.is_set() or chance.random() < profile.never_come:
                return
            # Who has come in vain comes again sooner.
            await asyncio.sleep(chance.expovariate(1 / (profile.dwell_days * DAY)) / (turn + 1) ** 2)
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
    if document.id not in world.phones.get(document.phone, {}):
        return  # somebody else has the message, and his is still on its way
    for number, code in typed_codes(world, document):
        actor = Actor(name="citizen", number=number, code=code, deposit=document.id, born=document.born)
        with world.somebody(actor):
            await asyncio.sleep(world.chance.uniform(5, 20))
            if world.chance.random() < world.profile.new_code:
                # He telephones while he stands there, and types his old code all the same.
                world.centre.order("new_code", document.id)
                await asyncio.sleep(world.chance.uniform(0, 2 * world.profile.slow_network))
            if world.chance.random() < world.profile.two_terminals:
                other = Actor(name="second terminal", number=number, code=code, deposit=document.id, born=document.born)
                world.spawn(alone(world, other, document))
            if await visit(world, actor, document):
                break
    else:
        return
    if document.place == "box" and world.chance.random() < world.profile.come_back:
        again = msgspec.structs.replace(actor, done=set(), said_no=False, has_no_old=False, fresh=[], opened=[], call=0)
        with world.somebody(again):
            await asyncio.sleep(world.chance.uniform(2, 10))
            await visit(world, again, document)


async def alone(world: World, actor: Actor, document: Document) -> None:
    """Somebody with the same code at another terminal, at about the same moment."""
    with world.somebody(actor):
        await asyncio.sleep(world.chance.choice([0.0, 0.01, 0.1]))
        await visit(world, actor, document)


def typed_codes(world: World, document: Document) -> list[Ticket]:
    """What somebody types one after the other: slips of the finger, an old message, the right code at last."""
    chance, right = world.chance, world.phones[document.phone][document.id]
    codes = [right]
    if chance.random() < world.profile.mistype:
        codes[:0] = [(right[0], slip(world, right[1])) for _ in range(chance.randint(1, 5))]
    old = world.old_codes.get(document.id, [])
    if old and chance.random() < world.profile.old_code:
        codes.insert(0, chance.choice(old))
    return codes


def slip(world: World, code: str) -> str:
    """A wrong digit, now and then a missing one."""
    place = world.chance.randrange(len(code))
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
        if not await answer_all(world, actor, found, document):
            return True
        await open_door(world, actor, found)
    await at_the_door(world, actor, found, document)
    return True


async def answer_all(world: World, actor: Actor, found: Any, document: Document) -> bool:
    """Do what is asked; whether this person wants to go on."""
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
    while (step := found.next_question) is not None and step != "removal":
        walks_off = actor.done and chance.random() < profile.walk_off / 2
        if walks_off or not await steps.do(world, actor, found, document, step):
            if chance.random() < 0.5:
                await press(world, found.token)
            if chance.random() < 0.7:
                await leave(world, found.token)
            return False
        if chance.random() < profile.press_early / 4:
            await press(world, found.token)
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
        known = sorted({known.number for known in world.judge.known.values() if known.number})
        number = world.chance.choice(known) if known and world.chance.random() < 0.7 else "+4915199999999"
        digits = 6 if number.startswith("+") else CHECKED
        actor = Actor(name="stranger", number=number)
        with world.somebody(actor):
            pulls = world.chance.random() < world.profile.pull_plug
            for _ in range(world.chance.choice([1, 3, 5, 9, 25])):
                actor.code = world.chance.choice(
                    ["", f"{world.chance.randrange(10**digits):0{digits}d}", "12345x"] + ["123456789"[:digits]] * 2
                )
                await asyncio.sleep(150.0 if pulls else world.chance.uniform(0.0, 10.0))
                if pulls:
                    actor.code = "123456789"[:digits]
                    world.cut_in = world.chance.randint(1, 3)  # to get the try back
                with suppress(*ANSWERS):
                    found = await world.present(actor)
                    await leave(world, found.token)


async def guessers(world: World) -> None:
    """Somebody has found a telephone: he reads the message, and guesses what else is asked, in visit after visit."""
    from .faults import moments

    async for _ in moments(world, world.profile.guessers_a_year):
        await world.until_open()
        lying = [known for known in world.judge.known.values() if "birth_date" in known.steps and known.version]
        tickets = [world.phones.get(known.told.phone, {}).get(known.id) for known in lying]
        found = [ticket for ticket in tickets if ticket is not None]
        if not found:
            continue
        number, code = world.chance.choice(found)
        for _ in range(world.chance.randint(1, 4)):
            actor = Actor(name="guesser", number=number, code=code)
            with world.somebody(actor), suppress(*ANSWERS):
                visit = await world.present(actor)
                for _ in range(world.chance.randint(1, 3)):
                    await asyncio.sleep(world.chance.uniform(1, 5))
                    await steps.type_in(world, actor, visit.token, "birth_date", steps.birthday(world))
                await leave(world, visit.token)


PARTS = (strangers, guessers)
