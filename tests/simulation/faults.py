"""What fails and when: power, line, boards, latches, crowbars, network, clock. Each part is a process of the world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from .clockwork import DAY, is_open
from .world import World

YEAR = 365 * DAY
LATCH_HOURS = 24


async def moments(world: World, a_year: float) -> AsyncIterator[float]:
    """Instants at random, so many a year, until nothing fails any more."""
    while a_year > 0:
        await asyncio.sleep(world.chance.expovariate(a_year / YEAR))
        if world.over:
            return
        yield world.clocks.seconds


def some_time(world: World, longest: float) -> float:
    """Seconds: mostly short, now and then as long as can be."""
    return float(min(longest, world.chance.choice([5, 60, 600, longest]) * world.chance.uniform(0.2, 1.0)))


async def power(world: World) -> None:
    """A cut at any instant, and a start at which the clock may be anywhere: there is no battery in it."""
    async for _ in moments(world, world.profile.power_cuts_a_year):
        world.cut_power(some_time(world, world.profile.longest_dark))


async def power_in_work(world: World) -> None:
    """A cut before or after one of the next writes, or a moment after somebody has touched something."""
    async for _ in moments(world, world.profile.cuts_in_work_a_year):
        while not is_open(world.clocks.seconds):
            await world.until_open()
        if world.chance.random() < 0.7:
            world.cut_in = world.chance.randint(1, 40)
        else:
            step = world.trace.step
            while world.trace.step == step and not world.over:
                await asyncio.sleep(0.5 if world.quiet.busy else 30.0)
            await asyncio.sleep(world.chance.uniform(0.0, 8.0))
            world.cut_power(some_time(world, 300.0))


async def line(world: World) -> None:
    async for _ in moments(world, world.profile.line_lost_a_year):
        if not world.machine.power.on or world.machine.driver is None:
            continue
        driver = world.machine.driver
        world.cabinet.line_up = False
        await driver.lose_line()
        await asyncio.sleep(some_time(world, 7200.0))
        world.cabinet.line_up = True
        if world.machine.driver is driver and world.machine.power.on:
            await driver.find_line()
        elif world.machine.driver is not None:
            await world.machine.driver.find_line()
        world.steady_since = world.clocks.seconds


async def boards(world: World) -> None:
    """Half of the cabinet is not answered for; its locks may still work."""
    half = tuple(number for number in world.cabinet.compartments if number % 2)
    async for _ in moments(world, world.profile.boards_lost_a_year):
        driver = world.machine.driver
        if driver is None or not world.machine.power.on or not world.cabinet.line_up:
            continue
        world.cabinet.silent.update(half)
        await driver.lose_board(half)
        await asyncio.sleep(some_time(world, DAY / 2))
        world.cabinet.silent.clear()
        if world.machine.driver is not None and world.machine.power.on and world.cabinet.line_up:
            await world.machine.driver.find_board(half)
        world.steady_since = world.clocks.seconds


async def latches(world: World) -> None:
    async for _ in moments(world, world.profile.stuck_a_year):
        compartment = world.cabinet.compartments[world.chance.randint(1, world.profile.compartments)]
        compartment.stuck = True
        world.loop.call_later(LATCH_HOURS * 3600 * world.chance.random(), setattr, compartment, "stuck", False)


async def crowbars(world: World) -> None:
    """A door is forced: to look, or to take what lies there; sometimes behind a dark line or without power."""
    async for _ in moments(world, world.profile.forced_a_year):
        number = world.chance.randint(1, world.profile.compartments)
        if world.chance.random() < 0.5:
            await darkness(world)
        if not world.cabinet.compartments[number].closed:
            continue
        with world.somebody():
            world.judge.note("crowbar", c=number)
            world.cabinet.open(number)
            await asyncio.sleep(world.chance.uniform(2, 8))
            if world.chance.random() < 0.5:
                for document in world.cabinet.take(number, "thief"):
                    world.judge.note("stolen", document.id)
        await asyncio.sleep(world.chance.choice([3.0, 3.0, 600.0, 7200.0]) * world.chance.random())
        world.cabinet.close(number)


async def darkness(world: World) -> None:
    """Until nobody sees the doors."""
    while world.sight is not None and not world.over:
        await asyncio.sleep(20.0)


async def network(world: World) -> None:
    async for _ in moments(world, world.profile.partitions_a_year):
        await part(world, some_time(world, world.profile.longest_partition))


async def part(world: World, seconds: float) -> None:
    """The network is gone for so long, at the most until the last days."""
    world.weather.partition = True
    left = max(0.0, (world.days - 2) * DAY - world.clocks.seconds)
    await asyncio.sleep(min(seconds, left))
    world.weather.partition = False
    world.weather.changed_at = world.clocks.seconds


async def clock(world: World) -> None:
    """The box's clock is set forward or back, and put right after a while."""
    async for _ in moments(world, world.profile.clock_steps_a_year):
        step = world.chance.choice([-1, 1]) * world.chance.choice([2.0, 120.0, 3600.0, DAY])
        world.judge.note("clock_step", by=step)
        world.clocks.set(world.clocks.error + step)
        await asyncio.sleep(some_time(world, DAY))
        world.clocks.set(0.0)


async def last_days(world: World) -> None:
    """From here on everything works."""
    await asyncio.sleep((world.days - 2) * DAY - world.clocks.seconds)
    weather = world.weather
    weather.loss = weather.duplication = weather.stale = 0.0
    weather.changed_at = world.clocks.seconds
    world.centre.message_fails = 0.0


PARTS = (power, power_in_work, line, boards, latches, crowbars, network, clock, last_days)
