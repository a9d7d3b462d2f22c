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


class Failures:
    """One for a process. What has not happened for `LATELY` is forgotten."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._found: OrderedDict[tuple[int, str, str, Fault], Failure] = OrderedDict()

    def note(self, tenant: int, plugin: str, hook: str, fault: Fault, *, error: str = "") -> None:
        now, key = self._now(), (tenant, plugin, hook, fault)
        before = self._found.pop(key, None)
        fresh = before is not None and now - before.last < LATELY
        self._found[key] = Failure(
            tenant=tenant,
            plugin=plugin,
            hook=hook,
            fault=fault,
            count=before.count + 1 if before and fresh else 1,
            since=before.since if before and fresh else now,
            last=now,
            error=error,
        )
        if len(self._found) > MOST_KEPT:
            self._found.popitem(last=False)

    def lately(self, tenant: int | None = None) -> list[Failure]:
        """Of one tenant or of all, by plugin and hook."""
        now = self._now()
        found = [one for one in self._found.values() if tenant in (None, one.tenant) and now - one.last < LATELY]
        return sorted(found, key=lambda one: (one.tenant, one.plugin, one.hook, one.fault))
