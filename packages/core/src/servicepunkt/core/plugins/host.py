"""The plugin host: loads plugins once, freezes, and calls hooks for exactly the plugins that a tenant allows.

`subset_hook_caller` of pluggy is a deny list, made per set of plugins and cached here: that is safe only because
nothing can be registered after `freeze()`. One raising plugin must not silence the others, which pluggy's own call
would do; `collect()` and `first()` therefore walk the implementations themselves.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import msgspec
import pluggy
import structlog

from servicepunkt.core import hookspecs
from servicepunkt.core.clock import Clock, SystemClock
from servicepunkt.core.errors import SettingsError
from servicepunkt.core.metrics import PLUGIN_FAILURES, PLUGIN_SLOW
from servicepunkt.core.plugins.failures import Failures
from servicepunkt.core.plugins.shapes import AnswerError, shape
from servicepunkt.core.tenancy.model import TenantContext

hookimpl = pluggy.HookimplMarker(hookspecs.PROJECT)
log = structlog.get_logger("servicepunkt.plugins")
#: A hook that takes longer is named in the log: nothing can interrupt it, and meanwhile the process serves nobody.
SLOW_SECONDS = 0.05


class Answer(msgspec.Struct, frozen=True):
    """What one plugin said to a hook."""

    plugin: str
    value: Any


class PluginError(SettingsError):
    """A plugin cannot be loaded as it is."""

    code = "SP0020"
    staff = "A plugin cannot be loaded."
    next_step = "Mend or uninstall the plugin, or name the others in SERVICEPUNKT_PLUGINS."


class PluginHost:
    """All installed plugins, in a fixed order: core first, then the others by name."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._order: list[str] = []
        self._frozen = False
        self.points: dict[str, EntryPoint] = {}
        self.excluded: tuple[str, ...] = ()
        self.failures = Failures((clock or SystemClock()).now)
        self._allowed = lru_cache(maxsize=4096)(self._select)

    def register(self, plugin: ModuleType | object, name: str) -> None:
        """Add one plugin; refused after `freeze()`, without `servicepunkt_api`, or with a hook that does not fit."""
        if self._frozen:
            raise PluginError(f"plugin {name}: the host is already running")
        if (version := getattr(plugin, "servicepunkt_api", None)) != hookspecs.API_VERSION:
            raise PluginError(f"plugin {name}: servicepunkt_api is {version!r}, {hookspecs.API_VERSION!r} is needed")
        if not name.replace("_", "").replace("-", "").isalnum():
            raise PluginError(f"plugin {name!r}: a name consists of letters, digits, - and _")
        try:
            self._manager.register(plugin, name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"plugin {name}: {error}") from error
        for caller in self._manager.get_hookcallers(plugin) or ():
            for impl in caller.get_hookimpls():
                _check_kind(impl, name)
        self._order.append(name)

    def load_installed(self, *, only: frozenset[str] | None = None) -> None:
        """Register every entry point of the group `servicepunkt` (or those in `only`) and freeze.

        `points` has all that are installed, `excluded` the names of those that were left out.
        """
        self._register_installed(only)
        self.freeze()

    def _register_installed(self, only: frozenset[str] | None) -> None:
        from servicepunkt.core import plugin as core_plugin

        self.register(core_plugin, "core")
        points = sorted(entry_points(group=hookspecs.PROJECT), key=lambda point: point.name)
        self.points = {point.name: point for point in points}
        known = {"core", *self.points}
        if unknown := sorted((only or frozenset()) - known):
            raise PluginError(f"not installed: {', '.join(unknown)}; known are: {', '.join(sorted(known))}")
        self.excluded = tuple(name for name in self.points if only is not None and name not in only)
        for point in points:
            if point.name not in self.excluded:
                self.register(_loaded(point), point.name)

    def freeze(self) -> None:
        """Refuse later registrations and misspelt hook names (pluggy accepts those silently until asked)."""
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(str(error)) from error
        self._order.sort(key=lambda name: (name != "core", name))
        self._frozen = True

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._order)

    def hooks(self, name: str) -> tuple[str, ...]:
        """The hooks that a plugin implements, in alphabetical order."""
        callers = self._manager.get_hookcallers(self._manager.get_plugin(name)) or ()
        return tuple(sorted(caller.name for caller in callers))

    def implementation(self, name: str, hook: str) -> Callable[..., Any]:
        """A plugin's own function for a hook. Raises KeyError where it has none."""
        return {plugin: function for plugin, function, _ in self._implementations(hook)}[name]

    def startup(self, hook: str) -> Iterator[Answer]:
        """Ask every plugin a start-up hook; an error here ends the start, half a product must not run."""
        for name, function, _ in self._implementations(hook):
            try:
                yield Answer(name, shape(hook).read(function()))
            except AnswerError as error:
                raise PluginError(f"plugin {name}: {hook}: {error}") from error

    def collect(self, ctx: TenantContext, hook: str, **arguments: object) -> list[Answer]:
        """Ask the tenant's plugins; one that raises, or answers something else than the hook says, is logged and
        counted, and the others' answers stand. Sequences come as tuples."""
        return list(self._answers(ctx, hook, arguments))

    def flat(self, ctx: TenantContext, hook: str, **arguments: object) -> list[Any]:
        """Like `collect`, for hooks that return sequences: all items in order."""
        return [item for answer in self._answers(ctx, hook, arguments) for item in answer.value]

    def _answers(self, ctx: TenantContext, hook: str, arguments: dict[str, object]) -> Iterator[Answer]:
        given, read = {"ctx": ctx, **arguments}, shape(hook).read
        for name, function, accepted in self._allowed(hook, ctx.plugins):
            started = time.perf_counter()
            value, error = _asked(function, {key: given[key] for key in accepted}, read)
            self._note_time(ctx, name, hook, time.perf_counter() - started)
            if error is not None:
                self._note_failure(ctx, name, hook, error)
            elif value is not None:
                yield Answer(name, value)

    def _note_failure(self, ctx: TenantContext, plugin: str, hook: str, error: BaseException) -> None:
        log.error("plugin_failed", plugin=plugin, hook=hook, exc_info=error)
        PLUGIN_FAILURES.labels(plugin=plugin, hook=hook).inc()
        self.failures.note(ctx.id, plugin, hook, "failed", error=type(error).__name__)

    def _note_time(self, ctx: TenantContext, plugin: str, hook: str, seconds: float) -> None:
        if seconds > SLOW_SECONDS:
            log.warning("plugin_slow", plugin=plugin, hook=hook, seconds=round(seconds, 3))
            PLUGIN_SLOW.labels(plugin=plugin, hook=hook).inc()
            self.failures.note(ctx.id, plugin, hook, "slow")

    def _implementations(self, hook: str) -> list[tuple[str, Callable[..., Any], tuple[str, ...]]]:
        if not self._frozen:
            raise PluginError("the plugin host was asked before it was frozen")
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        found = [(impl.plugin_name, impl.function, tuple(impl.argnames)) for impl in caller.get_hookimpls()]
        return sorted(found, key=lambda entry: self._order.index(entry[0]))

    def _select(self, hook: str, plugins: frozenset[str]) -> list[tuple[str, Callable[..., Any], tuple[str, ...]]]:
        return [entry for entry in self._implementations(hook) if entry[0] == "core" or entry[0] in plugins]


def _asked(
    function: Callable[..., Any], arguments: dict[str, object], read: Callable[[Any], Any]
) -> tuple[Any, BaseException | None]:
    """(answer, what it raised); read here, because what a plugin returns may raise only when it is walked through."""
    try:
        value = function(**arguments)
        return (None if value is None else read(value)), None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything; the caller logs it
        return None, error


def _loaded(point: EntryPoint) -> Any:
    """The plugin's module; whatever its import raises is a fault of this plugin, and says so. Raises PluginError."""
    try:
        return point.load()
    except Exception as error:
        raise PluginError(f"plugin {point.name}: {point.value}: {type(error).__name__}: {error}") from error


def _check_kind(impl: pluggy.HookImpl, plugin: str) -> None:
    """Nobody awaits a hook, and `collect` calls each by itself: there is nothing that a wrapper could wrap."""
    place = f"plugin {plugin}: {impl.function.__name__}"
    if inspect.iscoroutinefunction(impl.function) or inspect.isasyncgenfunction(impl.function):
        raise PluginError(f"{place} is asynchronous; hooks return objects that do the waiting")
    if impl.wrapper or impl.hookwrapper:
        raise PluginError(f"{place} wraps the other implementations, which is not possible here")
