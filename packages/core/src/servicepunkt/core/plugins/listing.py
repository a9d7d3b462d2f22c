"""Which plugins there are, which of them are on for a tenant, and why."""

from __future__ import annotations

from importlib.metadata import distribution
from typing import Literal

import msgspec

from servicepunkt.core import hookspecs
from servicepunkt.core.plugins.host import PluginHost
from servicepunkt.core.tenancy.model import TenantContext

KERNEL = "servicepunkt-core"
State = Literal["installed", "on", "off"]
Reason = Literal["installed", "always", "allowed", "not-allowed", "not-installed", "excluded"]
#: What each reason says to people.
REASONS: dict[Reason, str] = {
    "installed": "installed",
    "always": "the kernel is always on",
    "allowed": "in the tenant's allow list",
    "not-allowed": "installed, but not in the tenant's allow list",
    "not-installed": "in the tenant's allow list, but not installed",
    "excluded": "installed, but not named in SERVICEPUNKT_PLUGINS",
}


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin; `distribution` and `version` are empty for one that is not installed, `hooks` too where it was not
    loaded. Without a tenant the state is `installed` or `off`."""

    plugin: str
    distribution: str = ""
    version: str = ""
    api: str = ""
    hooks: tuple[str, ...] = ()
    state: State
    reason: Reason


def listed(host: PluginHost, ctx: TenantContext | None = None) -> list[Listed]:
    """In the order in which they are asked; after them what is wanted or installed and not asked."""
    asked = [_loaded(host, name, ctx) for name in host.names]
    left_out = [_known(host, name, "off", "excluded") for name in host.excluded]
    wanted = ctx.plugins - {*host.names, *host.excluded} if ctx else ()
    return [*asked, *left_out, *(Listed(plugin=name, state="off", reason="not-installed") for name in sorted(wanted))]


def _loaded(host: PluginHost, name: str, ctx: TenantContext | None) -> Listed:
    state, reason = _why(name, ctx)
    known = _known(host, name, state, reason)
    return msgspec.structs.replace(known, api=hookspecs.API_VERSION, hooks=host.hooks(name))


def _why(name: str, ctx: TenantContext | None) -> tuple[State, Reason]:
    if ctx is None:
        return "installed", "installed"
    if name == "core":
        return "on", "always"
    return ("on", "allowed") if ctx.allows(name) else ("off", "not-allowed")


def _known(host: PluginHost, name: str, state: State, reason: Reason) -> Listed:
    point = host.points.get(name)
    from_ = distribution(KERNEL) if name == "core" else point.dist if point else None
    found = (from_.name, from_.version) if from_ else ("", "")
    return Listed(plugin=name, distribution=found[0], version=found[1], state=state, reason=reason)
