"""What each tenant uses in this process, counted in bounded memory; written down once a minute, see `service`.

No metric of Prometheus has a label for it: eleven thousand tenants would be as many series.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from servicepunkt.core.db.guard import TENANT_OPTION

#: Of more tenants than this, those that come last share the number 0.
MOST_TENANTS = 20_000
OTHERS = 0
STARTED = "servicepunkt_statement_started"


class Used(msgspec.Struct, kw_only=True):
    """Requests that were answered and how long that took, statements' time, refusals by a limit (429), jobs that were
    done, hooks of plugins that failed. Seconds are of the clock on the wall."""

    requests: int = 0
    seconds: float = 0.0
    database_seconds: float = 0.0
    refused: int = 0
    jobs: int = 0
    failures: int = 0


class Meters:
    """One for a process."""

    def __init__(self, *, monotonic: Callable[[], float] = time.perf_counter, most: int = MOST_TENANTS) -> None:
        self.monotonic = monotonic
        self._most = most
        self._used: dict[int, Used] = {}

    def of(self, tenant: int) -> Used:
        """The counters of a tenant, to be added to at once."""
        found = self._used.get(tenant)
        if found is None:
            kept = tenant if len(self._used) < self._most else OTHERS
            found = self._used.setdefault(kept, Used())
        return found

    def answered(self, tenant: int, seconds: float) -> None:
        used = self.of(tenant)
        used.requests += 1
        used.seconds += seconds

    def take(self) -> dict[int, Used]:
        """What was used since this was asked last."""
        taken, self._used = self._used, {}
        return taken

    def give_back(self, taken: dict[int, Used]) -> None:
        """It could not be written down."""
        for tenant, one in taken.items():
            used = self.of(tenant)
            for name in Used.__struct_fields__:
                setattr(used, name, getattr(used, name) + getattr(one, name))

    def watch(self, engine: Engine) -> None:
        """Count how long the statements of each tenant take on this engine."""

        def begin(connection: Connection, *_: Any) -> None:
            connection.info[STARTED] = self.monotonic()

        def end(connection: Connection, *_: Any) -> None:
            tenant = connection.get_execution_options().get(TENANT_OPTION)
            if tenant is not None:
                self.of(tenant).database_seconds += self.monotonic() - connection.info[STARTED]

        event.listen(engine, "before_cursor_execute", begin)
        event.listen(engine, "after_cursor_execute", end)
