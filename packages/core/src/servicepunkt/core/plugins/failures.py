"""What went wrong with plugins lately, counted in memory by tenant, plugin and hook; nothing of what they said."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

LATELY = timedelta(hours=24)
MOST_KEPT = 10_000
Fault = Literal["failed", "slow"]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """How often a hook raised or answered wrongly (failed), or took too long (slow), since when and when last.

    `error` is the class of the last exception; its words may quote what a person typed and are not kept.
    """

    tenant: int
    plugin: str
    hook: str
    fault: Fault
    count: int
    since: datetime
    last: datetime
    error: str = ""


Key = tuple[int, str, str, Fault]


class Failures:
    """One for a process: what happened for `LATELY`, and what of it was not yet taken to be written down."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._found: OrderedDict[Key, Failure] = OrderedDict()
        self._new: OrderedDict[Key, Failure] = OrderedDict()

    def note(self, tenant: int, plugin: str, hook: str, fault: Fault, *, error: str = "") -> None:
        now = self._now()
        one = Failure(tenant=tenant, plugin=plugin, hook=hook, fault=fault, count=1, since=now, last=now, error=error)
        _add(self._found, one)
        _add(self._new, one)

    def take(self) -> list[Failure]:
        """What is new since this was asked last."""
        taken, self._new = list(self._new.values()), OrderedDict()
        return taken

    def give_back(self, taken: list[Failure]) -> None:
        """They could not be written down."""
        for one in taken:
            _add(self._new, one)

    def lately(self, tenant: int | None = None) -> list[Failure]:
        """Of one tenant or of all, by tenant, plugin and hook."""
        now = self._now()
        found = [one for one in self._found.values() if tenant in (None, one.tenant) and now - one.last < LATELY]
        return sorted(found, key=lambda one: (one.tenant, one.plugin, one.hook, one.fault))


def _add(kept: OrderedDict[Key, Failure], one: Failure) -> None:
    key = (one.tenant, one.plugin, one.hook, one.fault)
    before = kept.pop(key, None)
    kept[key] = one if before is None else together(before, one)
    if len(kept) > MOST_KEPT:
        kept.popitem(last=False)


def together(before: Failure, new: Failure) -> Failure:
    """Both as one; what is longer ago than `LATELY` counts no more."""
    if new.last - before.last >= LATELY:
        return new
    first, last = min(before.since, new.since), max(before.last, new.last)
    return msgspec.structs.replace(new, count=before.count + new.count, since=first, last=last)
