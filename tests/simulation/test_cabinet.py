"""The simulated doors: what a hand does, what a sensor sees of it, and what is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from servicepunkt.dokbox.bus import BusLostError
from servicepunkt.dokbox.events import BoardSilent, DoorClosed, DoorOpened, ItemChanged, LineFound, LineLost, Snapshot
from simulation import clockwork
from simulation.cabinet import Cabinet, Document, Driver
from simulation.clockwork import Clocks, VirtualLoop
from simulation.disk import Power, PowerCut


class Scene:
    """A cabinet of four compartments with its driver, and what it told."""

    def __init__(self, loop: VirtualLoop, *, lost_replies: float = 0.0) -> None:
        self.cabinet = Cabinet(4, sensors=True, seconds=loop.time)
        self.power = Power()
        self.fired: list[int] = []
        self.driver = Driver(
            self.cabinet,
            self.power,
            random.Random(1),
            now=Clocks(loop).now,
            fired=self._fired,
            spawn=loop.create_task,
            lost_replies=lost_replies,
        )
        self.driver.start()

    def _fired(self, number: int) -> None:
        self.fired.append(number)
        self.cabinet.fire(number)

    async def listen(self, seconds: float) -> list[Any]:
        """What was told in so many seconds, without the instants."""
        news: list[Any] = []
        stream = self.driver.events()

        async def read() -> None:
            async for event in stream:
                news.append(event)

        reading = asyncio.ensure_future(read())
        await asyncio.sleep(seconds)
        reading.cancel()
        return news


def scene(play: Callable[[Scene], Awaitable[Any]], **options: float) -> Any:
    async def main(loop: VirtualLoop) -> Any:
        return await play(Scene(loop, **options))

    return clockwork.run(main)


def document(*, thin: bool = False) -> Document:
    return Document(id="d", kind="passport", phone="+4915112345678", thin=thin)


def kinds(news: list[Any]) -> list[type]:
    return [type(event) for event in news]


def test_a_hand_over_is_told_in_the_order_of_the_hand() -> None:
    async def play(at: Scene) -> None:
        at.cabinet.put(2, document())
        (first,) = await at.listen(5)
        assert isinstance(first, Snapshot)
        assert first.readings[2].item is True
        await at.driver.unlock(2)
        await asyncio.sleep(3)
        at.cabinet.take(2, "citizen")
        await asyncio.sleep(3)
        at.cabinet.close(2)
        news = await at.listen(5)
        assert kinds(news) == [DoorOpened, ItemChanged, DoorClosed]
        assert news[-1].item is False
        assert at.fired == [2]

    scene(play)


def test_a_thin_document_is_not_seen() -> None:
    async def play(at: Scene) -> None:
        at.cabinet.put(1, document(thin=True))
        assert at.cabinet.reading(1).item is False

    scene(play)


def test_a_stuck_latch_does_not_move() -> None:
    async def play(at: Scene) -> None:
        await at.listen(5)
        at.cabinet.compartments[3].stuck = True
        await at.driver.unlock(3)
        assert at.cabinet.compartments[3].closed
        assert not await at.cabinet.door(3, 10)

    scene(play)


def test_who_waits_at_a_door_sees_it_open() -> None:
    async def play(at: Scene) -> None:
        waiting = asyncio.ensure_future(at.cabinet.door(1, 60))
        await asyncio.sleep(30)
        at.cabinet.open(1)
        assert await waiting

    scene(play)


def test_a_lost_line_is_told_once_and_a_found_one_shows_everything() -> None:
    async def play(at: Scene) -> None:
        await at.listen(5)
        at.cabinet.line_up = False
        await at.driver.lose_line()
        at.cabinet.open(4)
        with pytest.raises(BusLostError) as refused:
            await at.driver.unlock(1)
        assert refused.value.certainly_not_written
        assert kinds(await at.listen(60)) == [LineLost]
        assert set(at.driver.dark) == {1, 2, 3, 4}
        at.cabinet.line_up = True
        await at.driver.find_line()
        news = await at.listen(5)
        assert kinds(news) == [LineFound, Snapshot]
        assert not news[1].readings[4].closed
        assert at.driver.dark == {}

    scene(play)


def test_a_silent_board_hides_its_own_compartments_alone() -> None:
    async def play(at: Scene) -> None:
        await at.listen(5)
        at.cabinet.silent.update((1, 3))
        await at.driver.lose_board((1, 3))
        at.cabinet.open(1)
        at.cabinet.open(2)
        news = await at.listen(5)
        assert kinds(news) == [BoardSilent, DoorOpened]
        assert news[1].compartment == 2

    scene(play)


def test_a_lost_reply_says_that_nobody_knows() -> None:
    async def play(at: Scene) -> None:
        await at.listen(5)
        with pytest.raises(BusLostError) as lost:
            await at.driver.unlock(1)
        assert not lost.value.certainly_not_written

    scene(play, lost_replies=1.0)


def test_without_power_no_lock_is_fired() -> None:
    async def play(at: Scene) -> None:
        await at.listen(5)
        at.power.on = False
        with pytest.raises(PowerCut):
            await at.driver.unlock(1)
        assert at.fired == []

    scene(play)
