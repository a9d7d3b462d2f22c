"""The simulated slot: what lies in it, what it keeps for good, and what nobody hears of."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from servicepunkt.dokbox.slot import Slot as Protocol
from servicepunkt.dokbox.slot import SlotError
from simulation import clockwork
from simulation.clockwork import VirtualLoop
from simulation.disk import Power, PowerCut
from simulation.slot import OldDocument, Reader, Slot


class Scene:
    def __init__(self, *, trouble: float = 0.0) -> None:
        self.slot, self.power, self.old = Slot(), Power(), OldDocument("C01X00T47")
        self.drawn: list[OldDocument] = []
        self.slot.drawn = self.drawn.append
        self.reader: Protocol = Reader(self.slot, self.power, random.Random(1), trouble=trouble)


def scene(play: Callable[[Scene], Awaitable[Any]], **options: float) -> Any:
    async def main(_: VirtualLoop) -> Any:
        return await play(Scene(**options))

    return clockwork.run(main)


def test_what_is_kept_does_not_come_back() -> None:
    async def play(at: Scene) -> None:
        with pytest.raises(SlotError, match="empty"):
            await at.reader.read()
        assert at.slot.put(at.old)
        assert not at.slot.put(OldDocument("X")), "there is room for one"
        assert await at.reader.read() == "C01X00T47"
        await at.reader.keep()
        assert (at.old.place, at.drawn, at.slot.pull()) == ("kept", [at.old], None)

    scene(play)


def test_what_is_given_back_can_be_taken_along() -> None:
    async def play(at: Scene) -> None:
        at.slot.put(at.old)
        await at.reader.give_back()
        assert (at.old.place, at.drawn, at.slot.inside) == ("citizen", [], None)

    scene(play)


def test_trouble_leaves_it_where_it_was_or_nobody_hears_that_it_is_kept() -> None:
    async def play(at: Scene) -> set[tuple[str, str]]:
        seen = set()
        for _ in range(20):
            at.slot.inside, at.old.place = at.old, "slot"
            with pytest.raises(SlotError) as error:
                await at.reader.keep()
            seen.add((error.value.reason, at.old.place))
        return seen

    assert scene(play, trouble=1.0) == {("jammed", "slot"), ("silent", "kept")}


def test_without_power_nothing_is_drawn_in() -> None:
    async def play(at: Scene) -> None:
        at.slot.put(at.old)
        at.power.on = False
        with pytest.raises(PowerCut):
            await at.reader.keep()
        assert at.drawn == []

    scene(play)
