"""A card that fails on demand, so that drivers learn what they may meet. No I/O: who waits is the transport.

FaultyChip(chip, [Fault(at=3, kind="truncated", length=4)])
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from servicepunkt.eid.errors import CardRemovedError
from servicepunkt.eid.testing.chip.card import Chip

Kind = Literal["replaced", "truncated", "repeated", "removed", "removed_after", "slow"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one answer. `at`: the how manieth command since the card was made, from 1; 0: every one.

    `replaced` by `data`; `truncated` to its first `length` bytes; `repeated`: the answer before comes once more;
    `removed` before the command reaches the chip, `removed_after` the chip has done it; `slow` by `seconds`.
    """

    at: int
    kind: Kind
    data: bytes = b""
    length: int = 0
    seconds: float = 0.0


class Reply(msgspec.Struct, frozen=True):
    """An answer, and how many seconds it is late."""

    data: bytes
    seconds: float = 0.0


class FaultyChip:
    """A chip whose answers go wrong at chosen commands. `asked` is how many came; `faults` may grow meanwhile."""

    def __init__(self, chip: Chip, faults: Iterable[Fault] = ()) -> None:
        self.chip = chip
        self.asked = 0
        self.faults = list(faults)
        self._before = b""

    def reply(self, command: bytes) -> Reply:
        """Raises CardRemovedError where the card is taken away at this command."""
        self.asked += 1
        faults = [one for one in self.faults if one.at in (0, self.asked)]
        kinds = {one.kind for one in faults}
        if "removed" in kinds:
            raise self._removed()
        data = self.chip.answer(command)
        if "removed_after" in kinds:
            raise self._removed()
        right, seconds = data, 0.0
        for fault in faults:
            match fault.kind:
                case "replaced":
                    data = fault.data
                case "truncated":
                    data = data[: fault.length]
                case "repeated":
                    data = self._before or data
                case "slow":
                    seconds += fault.seconds
        self._before = right
        return Reply(data, seconds)

    def answer(self, command: bytes) -> bytes:
        """As `reply`, for who does not wait."""
        return self.reply(command).data

    def power_off(self) -> None:
        self.chip.power_off()

    def _removed(self) -> CardRemovedError:
        self.chip.power_off()
        return CardRemovedError(command=self.asked)
