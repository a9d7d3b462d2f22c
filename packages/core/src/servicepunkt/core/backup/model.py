"""What a backup is made of: pure.

A folder of backups holds `base/` (copies of the whole server, named by the moment at which they were complete), `wal/`
(the log of writes since then, as it is received) and `tenants/<slug>/` (copies of one tenant, named in the same way).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter

import msgspec

from servicepunkt.core.errors import ServicepunktError

MOMENT = "%Y%m%dT%H%M%S.%fZ"
FORMAT = 1


class BackupError(ServicepunktError):
    """A backup cannot be taken or brought back as asked; nothing was changed."""

    code = "SP0064"
    staff = "The backup cannot be taken or brought back."
    next_step = "Read the reason; what was there before is unchanged."


class TableCopy(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a tenant in one table: PostgreSQL's COPY text in `<name>.copy`, with these columns."""

    name: str
    columns: tuple[str, ...]
    rows: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a copy of a tenant holds. `revisions` are those of the tables: it fits into no others.

    `tables`: parents first. Keys are wrapped as they were; without the deployment's master key they open nothing.
    """

    format: int = FORMAT
    slug: str
    tenant_id: int
    at: datetime
    revisions: tuple[str, ...]
    tables: tuple[TableCopy, ...]


def name_of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(MOMENT)


def moment_of(name: str) -> datetime | None:
    """The moment of a copy by its name; None for a folder that is none, or was not finished."""
    try:
        return datetime.strptime(name, MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None


def newest(names: Iterable[str], until: datetime | None = None) -> str:
    """The newest copy that was complete at `until`. Raises BackupError."""
    known = sorted(name for name in names if moment_of(name))
    fitting = [name for name in known if until is None or (moment_of(name) or until) <= until]
    if not fitting:
        first = f"; the first one is of {known[0]}" if known else ""
        raise BackupError(f"there is no copy of that time{first}" if until else "there is no copy in this folder")
    return fitting[-1]


def parents_first(tables: Iterable[str], references: Mapping[str, set[str]]) -> tuple[str, ...]:
    """An order in which rows can be inserted: `references` are the tables to which each one refers."""
    wanted = sorted(tables)
    sorter = TopologicalSorter({name: sorted(references.get(name, set()) & set(wanted) - {name}) for name in wanted})
    try:
        return tuple(sorter.static_order())
    except CycleError as error:
        raise BackupError(f"tables refer to each other in a circle: {error.args[1]}") from error


class Difference(msgspec.Struct, frozen=True):
    """What is not the same in the database and in what came back of it: rows of a tenant in a table."""

    tenant: str
    table: str
    live: str
    restored: str


def differences(live: Mapping[tuple[str, str], str], restored: Mapping[tuple[str, str], str]) -> tuple[Difference, ...]:
    """Every (tenant, table) whose sum is not the same; `absent` where there is none."""
    return tuple(
        Difference(*key, live.get(key, "absent"), restored.get(key, "absent"))
        for key in sorted(live.keys() | restored.keys())
        if live.get(key) != restored.get(key)
    )


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal has found. Seconds: `rto` from the order to a database that answers; `rpo` how long what was
    acknowledged last was held by the database alone.
    """

    base: str
    rpo_seconds: float
    rto_seconds: float
    tenants: int
    rows: int
    audit_entries: int
    differences: tuple[Difference, ...]
    broken_chains: tuple[str, ...]
    closed_keys: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not (self.differences or self.broken_chains or self.closed_keys)
