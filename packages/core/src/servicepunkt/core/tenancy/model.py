"""The tenant context: who is being served, resolved once at the edge and passed on explicitly.

The context variable serves only what cannot take an argument: logs and traces. Nothing decides by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from servicepunkt.core.errors import NoTenantError

SectionType = TypeVar("SectionType", bound=msgspec.Struct)

#: The states of a tenant, and to which it may go from each. What went live once is never rehearsed again: documents of
#: citizens lie there, and their messages have to arrive.
TENANT_STATES: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"rehearsal", "retired"}),
    "rehearsal": frozenset({"draft", "live", "retired"}),
    "live": frozenset({"paused"}),
    "paused": frozenset({"live", "retired"}),
    "retired": frozenset(),
}
#: Those in which people find it open.
OPEN_STATES = frozenset({"rehearsal", "live"})


class Lowered(msgspec.Struct, frozen=True):
    """No more than so many requests a second until this moment: the operator calms a tenant down."""

    requests: float
    until: datetime


class TenantContext(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant as the code sees it during one request, job or command.

    `plugins` is the allow list; core itself is always on. `settings` holds one decoded struct for each section
    that an enabled plugin declared in the tenant file.
    """

    id: int
    slug: str
    name: str
    plugins: frozenset[str] = frozenset()
    state: str = "rehearsal"
    locale: str = "de"
    languages: tuple[str, ...] = ("de", "en")
    zone: str = "Europe/Berlin"
    subdivision: str = ""
    settings: Mapping[str, msgspec.Struct] = {}
    lowered: Lowered | None = None

    @property
    def is_open(self) -> bool:
        """Whether pages for everybody are shown: not before the rehearsal, and not in a pause."""
        return self.state in OPEN_STATES

    def allows(self, plugin: str) -> bool:
        """Whether the plugin of this name is switched on for the tenant."""
        return plugin == "core" or plugin in self.plugins

    def section(self, name: str, kind: type[SectionType]) -> SectionType:
        """The decoded section of the tenant file, or the defaults of `kind` where the file has none."""
        value = self.settings.get(name)
        return value if isinstance(value, kind) else kind()

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def local_date(self, moment: datetime) -> date:
        """The day that people at the tenant's place have at this moment."""
        return moment.astimezone(self.zone_info).date()


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator has settled beside the tenant's file.

    `limits`: fields of `LimitSettings` that stand in place of the file's. `slow_requests` a second until
    `slow_until` at the most.
    """

    limits: Mapping[str, Any] = {}
    paused: bool = False
    slow_requests: float | None = None
    slow_until: datetime | None = None


class TenantDirectory(Protocol):
    """Resolves tenants; every answer is None for what does not exist, is retired, or is not served here."""

    async def by_id(self, tenant_id: int) -> TenantContext | None: ...
    async def by_slug(self, slug: str) -> TenantContext | None: ...
    async def by_host(self, host: str) -> TenantContext | None: ...
    async def all(self) -> list[TenantContext]: ...


_current: ContextVar[TenantContext | None] = ContextVar("servicepunkt_tenant", default=None)


def current() -> TenantContext:
    """The tenant of the running request or job, for logs and traces only. Raises NoTenantError."""
    ctx = _current.get()
    if ctx is None:
        raise NoTenantError
    return ctx


def current_slug() -> str | None:
    ctx = _current.get()
    return ctx.slug if ctx else None


@contextmanager
def use(ctx: TenantContext) -> Iterator[TenantContext]:
    """Name `ctx` in logs and traces for the length of the block."""
    token = _current.set(ctx)
    try:
        yield ctx
    finally:
        _current.reset(token)
