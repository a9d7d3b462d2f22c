"""What a citizen does between the right code and the open door, step by step: rightly, wrongly, slowly, not at all."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from servicepunkt.dokbox.errors import RefusedError, VisitOverError

from .cabinet import Document
from .kinds import FRESH_MINUTES, QUESTIONS
from .slot import OldDocument
from .truth import Actor
from .world import World

TRIES = 4
MESSAGE_PATIENCE = 60.0
STAFF_PATIENCE = 200.0
GLANCE = 2.0  # the screen asks again this often while somebody waits in front of it


async def do(world: World, actor: Actor, found: Any, document: Document, step: str) -> bool:
    """Do one step; whether this person wants to go on. Raises what the box says."""
    await asyncio.sleep(world.chance.uniform(1, 6))
    match step:
        case _ if step in QUESTIONS:
            return await question(world, actor, found.token, step)
        case "birth_date":
            return await birth_date(world, actor, found)
        case "fresh_code":
            return await fresh_code(world, actor, found, document)
        case "old_document_chip":
            return await old_document(world, found, document)
        case _:
            return await staff_check(world, found)


async def question(world: World, actor: Actor, token: str, step: Any) -> bool:
    yes = world.chance.random() >= world.profile.answer_no
    world.judge.asked.answers(actor, step, yes=yes)
    await world.machine.ask(lambda box: box.confirm(token, step, answer=yes))
    return not actor.said_no


async def type_in(world: World, actor: Actor, token: str, step: str, typed: str) -> None:
    """Type a proof; that it was refused he sees on the screen."""
    with suppress(RefusedError):
        await world.prove(actor, token, step, typed)


async def birth_date(world: World, actor: Actor, found: Any) -> bool:
    for _ in range(TRIES):
        wrong = world.chance.random() < world.profile.wrong_proof
        await type_in(world, actor, found.token, "birth_date", birthday(world) if wrong else actor.born)
        if found.next_question != "birth_date":
            return True
        await asyncio.sleep(world.chance.uniform(1, 6))
    return False


def birthday(world: World) -> str:
    """A day on which somebody may have been born; some people type nothing."""
    chance = world.chance
    if chance.random() < 0.1:
        return ""
    return f"{chance.randint(1940, 2008)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"


async def fresh_code(world: World, actor: Actor, found: Any, document: Document) -> bool:
    """Have one sent, wait for it, type it: some too late, some one that came before, some with a slip."""
    had = world.fresh.setdefault(document.id, [])
    for _ in range(TRIES):
        before = len(had)
        sent = world.clocks.seconds
        await world.machine.ask(lambda box: box.send_fresh(found.token))
        while len(had) == before and world.clocks.seconds < sent + MESSAGE_PATIENCE:
            await look(world, found)
        if len(had) == before:
            continue
        chance, profile = world.chance, world.profile
        typed = had[-1]
        if chance.random() < profile.wrong_proof:
            typed = chance.choice([*had[-3:], f"{chance.randrange(10**6):06d}"])
        elif chance.random() < profile.slow_proof:
            while world.clocks.seconds < sent + FRESH_MINUTES * 60 + chance.choice([-5, 1, 20]):
                await look(world, found)
        await type_in(world, actor, found.token, "fresh_code", typed)
        if found.next_question != "fresh_code":
            return True
        await asyncio.sleep(chance.uniform(1, 6))
    return False


async def old_document(world: World, found: Any, document: Document) -> bool:
    """Put it into the slot; some put in another one first. What comes out again is taken along."""
    for _ in range(TRIES):
        stranger = OldDocument(f"X{world.chance.randrange(10**8):08d}")
        mine = document.old if world.chance.random() >= world.profile.wrong_old else stranger
        if mine is None or mine.place != "citizen" or not world.slot.put(mine):
            return False
        try:
            await world.machine.ask(lambda box: box.hand_in(found.token))
        finally:
            # Also when the lights have gone out: what can be pulled out nobody leaves there.
            world.slot.pull()
        if found.next_question != "old_document_chip":
            return True
        await asyncio.sleep(world.chance.uniform(1, 6))
    return False


async def staff_check(world: World, found: Any) -> bool:
    """Call somebody and wait, or lose patience."""
    await world.machine.ask(lambda box: box.call_staff(found.token))
    chance, patient = world.chance, world.chance.random() >= world.profile.walk_off
    until = world.clocks.seconds + (STAFF_PATIENCE if patient else chance.uniform(1, 30))
    while found.next_question == "staff_check" and world.clocks.seconds < until:
        await look(world, found)
    return bool(found.next_question != "staff_check")


async def look(world: World, found: Any) -> None:
    """Look at the screen, which keeps the visit. Raises VisitOverError."""
    await asyncio.sleep(GLANCE)
    if world.machine.controller is None:
        raise VisitOverError
    world.machine.controller.visit(found.token)
