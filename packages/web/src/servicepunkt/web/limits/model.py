"""Token buckets by key, in bounded memory. Pure: the time is an argument.

A bucket fills at its rate up to what `BURST_SECONDS` bring, and each request takes a token. Libraries (`limits`, the
framework's own) count in windows and read the clock themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

BURST_SECONDS = 10.0
MAX_KEYS = 20_000
REMEMBERED_SECONDS = 120.0  # a box asks for commands more often than that


class Buckets:
    """Of too many keys those that were quiet longest are forgotten: they were full again soonest."""

    def __init__(self, most: int = MAX_KEYS) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, key: Hashable, rate: float, now: float) -> float:
        """Take a token: 0.0, or after how many seconds there will be one. `rate`: tokens a second, 0 for no limit."""
        if not rate:
            return 0.0
        largest = max(1.0, rate * BURST_SECONDS)
        tokens, at = self._kept.get(key, (largest, now))
        tokens = min(largest, tokens + max(0.0, now - at) * rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / rate
        self._kept[key] = (tokens if wait else tokens - 1, now)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return wait


class Proven:
    """Digests of credentials that were recognised lately, with whether they stand above all limits."""

    def __init__(self, most: int = MAX_KEYS, lifetime: float = REMEMBERED_SECONDS) -> None:
        self._most = most
        self._lifetime = lifetime
        self._kept: OrderedDict[bytes, tuple[float, bool]] = OrderedDict()

    def get(self, credential: bytes, now: float) -> bool | None:
        """Whether it is free of limits; None for one that has not proven anything lately."""
        until, free = self._kept.get(credential, (0.0, False))
        return free if now < until else None

    def note(self, credential: bytes, now: float, *, free: bool) -> None:
        self._kept[credential] = (now + self._lifetime, free)
        self._kept.move_to_end(credential)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
