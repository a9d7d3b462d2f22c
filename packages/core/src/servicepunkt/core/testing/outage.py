"""Plugins that go wrong on purpose, one for each way and for every hook: to see that the others, and the page, go on.

    host = frozen(locker=my_plugin, broken=outage("raises"))
    assert host.flat(ctx, "staff_entries", permissions=frozenset()) == [...]  # what my_plugin says, and no more

What hangs cannot be interrupted within a process: such a hook is waited for, then named in the log as slow.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from servicepunkt.core import hookimpl, hookspecs
from servicepunkt.core.plugins import PluginHost


class CanaryError(Exception):
    """What a plugin raises whose words must stand nowhere: an exception may quote what a person typed."""


WORDS = "canary 0151 23456789"


def _raise() -> Any:
    raise CanaryError(WORDS)


def _raise_late() -> Iterator[Any]:
    yield from ()
    raise CanaryError(WORDS)


def _exit() -> Any:
    raise SystemExit(WORDS)


def _recurse() -> Any:
    return _recurse()


#: Ways to go wrong, each as what the hook then does; `hangs` is made by `outage` with its seconds.
WAYS: dict[str, Callable[[], Any]] = {
    "raises": _raise,
    "raises late": _raise_late,
    "exits": _exit,
    "recurses": _recurse,
    "returns a number": lambda: 7,
    "returns a text": lambda: WORDS,
    "returns wrong items": lambda: [WORDS, 7],
    "returns a wrong mapping": lambda: {7: WORDS},
    "returns a million items": lambda: [WORDS] * 1_000_000,
    "never ends": lambda: itertools.repeat(WORDS),
}


def outage(way: str, *hooks: str, seconds: float = 0.2) -> ModuleType:
    """A plugin that implements these hooks, all tenant hooks if none is named, and goes wrong in this way.

    The further way `hangs` blocks for so many seconds, and then has nothing to say.
    """
    act = (lambda: time.sleep(seconds)) if way == "hangs" else WAYS[way]
    made = ModuleType("outage")
    vars(made)["servicepunkt_api"] = hookspecs.API_VERSION
    for hook in hooks or tenant_hooks():
        vars(made)[hook] = hookimpl(_named(hook, act))
    return made


def tenant_hooks() -> tuple[str, ...]:
    """The names of all hooks that are asked for a tenant."""
    return tuple(name for name, spec in hook_specs().items() if "ctx" in spec.__code__.co_varnames)


def hook_specs() -> dict[str, Any]:
    """Every hook by its name, in the order of `hookspecs`."""
    return {name: value for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")}


def frozen(**plugins: Any) -> PluginHost:
    """A host with the kernel and these plugins, ready to be asked."""
    from servicepunkt.core import plugin as core_plugin

    host = PluginHost()
    for name, plugin in {"core": core_plugin, **plugins}.items():
        host.register(plugin, name)
    host.freeze()
    return host


def _named(hook: str, act: Callable[[], Any]) -> Callable[[], Any]:
    def implementation() -> Any:
        return act()

    implementation.__name__ = hook
    return implementation
