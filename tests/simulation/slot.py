"""The slot for old documents: what lies in it, what it has drawn in, and what a driver does and tells.

`Slot` outlives every restart of the box. `Reader` satisfies `servicepunkt.dokbox.slot.Slot`, and dies with the power.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import msgspec

from servicepunkt.dokbox.slot import SlotError

from .disk import Power


class OldDocument(msgspec.Struct):
    """An old document. `place` is where it really is: citizen, slot (it can be taken out again), or kept."""

    number: str
    place: str = "citizen"


class Slot:
    """The hardware: one document in it or none; what it keeps is cut up, and so void."""

    def __init__(self) -> None:
        self.inside: OldDocument | None = None
        self.drawn: Callable[[OldDocument], None] = lambda document: None

    def put(self, document: OldDocument) -> bool:
        """Push a document in; whether there was room."""
        if self.inside is not None:
            return False
        self.inside, document.place = document, "slot"
        return True

    def pull(self) -> OldDocument | None:
        """Take out what lies there."""
        found, self.inside = self.inside, None
        if found is not None:
            found.place = "citizen"
        return found

    def draw(self) -> None:
        """Draw the document in, for good."""
        found, self.inside = self.inside, None
        if found is not None:
            found.place = "kept"
            self.drawn(found)


class Reader:
    """What the controller is given. `trouble`: how often something jams, cannot be read, or is never answered."""

    def __init__(self, slot: Slot, power: Power, chance: random.Random, *, trouble: float) -> None:
        self._slot, self._power, self._chance, self._trouble = slot, power, chance, trouble

    async def _work(self) -> bool:
        """Take a while; whether it goes wrong. The current may go away meanwhile."""
        self._power.need()
        await asyncio.sleep(self._chance.uniform(0.2, 2.0))
        self._power.need()
        return self._chance.random() < self._trouble

    async def read(self) -> str:
        if await self._work():
            raise SlotError("unreadable")
        if self._slot.inside is None:
            raise SlotError("empty")
        return self._slot.inside.number

    async def keep(self) -> None:
        if await self._work():
            if self._chance.random() < 0.5:
                raise SlotError("jammed")
            self._slot.draw()
            raise SlotError("silent")
        if self._slot.inside is None:  # pulled out at the last moment
            raise SlotError("jammed")
        self._slot.draw()
        await self._work()

    async def give_back(self) -> None:
        if await self._work():
            raise SlotError("silent")
        self._slot.pull()
