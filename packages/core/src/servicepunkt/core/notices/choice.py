"""Which provider carries the next message: weights that move when one is slow or fails. Pure.

The rule is GOV.UK Notify's (alphagov/notifications-api, `scheduled_tasks.py`, `config.py`): when at least 15 % of the
messages of the last 15 minutes took longer than five, a provider loses ten points, and drifts back to where it rests
when it is well again. Here a provider that does not take messages loses them by the same measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

WINDOW = timedelta(minutes=15)
SLOW_AFTER = timedelta(minutes=5)
BAD_SHARE = 0.15
# One phone that is switched off among three messages says nothing of the provider.
FEWEST_ANSWERS = 5
STEP = 10
# Below this no provider falls: the few messages that it still gets show that it is well again.
FLOOR = 5
POINTS = 100
LOWER_EVERY = timedelta(minutes=1)
RAISE_EVERY = timedelta(minutes=10)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A provider and how it did within the window: `tried` and `failed` attempts; of those that it took and whose fate
    is known or overdue (`answered`) the `slow` ones. `weight` is None before its first move."""

    name: str
    resting: int
    weight: int | None = None
    moved_at: datetime | None = None
    tried: int = 0
    failed: int = 0
    answered: int = 0
    slow: int = 0

    @property
    def present(self) -> int:
        """The weight that counts, never above where it rests: the tenant file may have changed since it was moved."""
        return self.resting if self.weight is None else min(self.weight, self.resting)

    @property
    def floor(self) -> int:
        return min(FLOOR, self.resting)


class Move(msgspec.Struct, frozen=True):
    """A weight that changes, and why."""

    name: str
    weight: int
    reason: Literal["failing", "slow", "recovered"]


def resting_points(weights: Mapping[str, int]) -> dict[str, int]:
    """The weights of a tenant file as shares of a hundred points, at least one each."""
    total = sum(weights.values())
    return {name: max(1, round(weight * POINTS / total)) for name, weight in weights.items()}


def trouble(standing: Standing) -> Literal["failing", "slow"] | None:
    """What speaks against a provider now."""
    if standing.failed and standing.failed >= BAD_SHARE * standing.tried:
        return "failing"
    if standing.answered >= FEWEST_ANSWERS and standing.slow >= BAD_SHARE * standing.answered:
        return "slow"
    return None


def moves(standings: Sequence[Standing], now: datetime) -> list[Move]:
    """The weights that have to change; each by a step at a time, so that one bad minute does not end a provider."""
    return [found for standing in standings if (found := _move(standing, now)) is not None]


def _move(standing: Standing, now: datetime) -> Move | None:
    quiet = None if standing.moved_at is None else now - standing.moved_at
    if (reason := trouble(standing)) is not None:
        weight = max(standing.floor, standing.present - STEP)
        if weight == standing.present or (quiet is not None and quiet < LOWER_EVERY):
            return None
        return Move(standing.name, weight, reason)
    if standing.present == standing.resting or quiet is None or quiet < RAISE_EVERY:
        return None
    # One step however long it was quiet: at the floor quiet may mean only that nobody asked it.
    return Move(standing.name, min(standing.resting, standing.present + STEP), "recovered")


def order(weights: Mapping[str, int], randomness: Callable[[int], bytes]) -> list[str]:
    """All names, each place drawn by weight among those that are left: the first is asked first."""
    left, drawn = dict(weights), []
    while left:
        # Eight bytes over a sum of a few hundred: the remainder favours nobody in any way that could be measured.
        ticket = int.from_bytes(randomness(8)) % sum(left.values())
        drawn.append(_holder(left, ticket))
        del left[drawn[-1]]
    return drawn


def _holder(weights: Mapping[str, int], ticket: int) -> str:
    """Whose ticket it is when each name holds as many, one after the other, as it has weight."""
    names = [name for name, weight in weights.items() for _ in range(weight)]
    return names[ticket]
