"""The plugin host: what it refuses, whom it asks, in which order, and what happens when a plugin raises."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from servicepunkt.core import hookimpl
from servicepunkt.core.declarations import StaffEntry, TerminalTile
from servicepunkt.core.metrics import PLUGIN_FAILURES
from servicepunkt.core.plugins import PluginError, PluginHost
from servicepunkt.core.plugins import host as host_module
from servicepunkt.core.tenancy.model import TenantContext


def module(name: str = "demo", **attributes: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update({"servicepunkt_api": "1", **attributes})
    return made


def context(tenant_id: int = 1, *plugins: str) -> TenantContext:
    return TenantContext(id=tenant_id, slug=f"t{tenant_id}", name="T", plugins=frozenset(plugins))


def entry(title: str) -> Any:
    return lambda ctx, permissions: (StaffEntry(title, "/staff"),)


def failures(plugin: str, hook: str) -> float:
    return float(PLUGIN_FAILURES.labels(plugin=plugin, hook=hook)._value.get())


# --- what is refused ------------------------------------------------------------------------------------------


def test_a_misspelt_hook_is_refused_when_the_host_freezes() -> None:
    @hookimpl
    def terminal_tile(ctx: TenantContext) -> Sequence[Any]:
        return ()

    host = PluginHost()
    host.register(module(terminal_tile=terminal_tile), "demo")
    with pytest.raises(PluginError, match="terminal_tile"):
        host.freeze()


def test_an_argument_that_the_hook_does_not_have_is_refused() -> None:
    @hookimpl
    def terminal_tiles(ctx: TenantContext, colour: str) -> Sequence[Any]:
        return ()

    with pytest.raises(PluginError, match="colour"):
        PluginHost().register(module(terminal_tiles=terminal_tiles), "demo")


def test_nothing_can_be_registered_after_the_host_froze() -> None:
    host = PluginHost()
    host.freeze()
    with pytest.raises(PluginError, match="already running"):
        host.register(module(), "late")
    assert host.names == ()


@pytest.mark.parametrize("version", ["2", "1.0", 1, None, ""])
def test_a_plugin_for_another_api_is_refused(version: object) -> None:
    with pytest.raises(PluginError, match="servicepunkt_api"):
        PluginHost().register(module(servicepunkt_api=version), "demo")


def test_a_plugin_without_an_api_version_is_refused() -> None:
    with pytest.raises(PluginError, match="servicepunkt_api is None"):
        PluginHost().register(ModuleType("demo"), "demo")


def test_two_plugins_of_one_name_are_refused() -> None:
    host = PluginHost()
    host.register(module(), "demo")
    with pytest.raises(PluginError, match="demo"):
        host.register(module(), "demo")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a,b", "a\n"])
def test_a_name_that_would_not_fit_a_path_or_a_list_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match="a name consists of"):
        PluginHost().register(module(), name)


def test_an_asynchronous_hook_is_refused_instead_of_never_being_awaited() -> None:
    @hookimpl
    async def staff_entries(ctx: TenantContext) -> Sequence[Any]:
        return ()

    with pytest.raises(PluginError, match=r"staff_entries.*asynchronous"):
        PluginHost().register(module(staff_entries=staff_entries), "demo")


def test_a_hook_that_wraps_the_others_is_refused() -> None:
    @hookimpl(wrapper=True)
    def staff_entries(ctx: TenantContext) -> Iterator[None]:
        return (yield)

    with pytest.raises(PluginError, match=r"staff_entries.*wrap"):
        PluginHost().register(module(staff_entries=staff_entries), "demo")


def test_a_host_that_is_not_frozen_answers_nobody() -> None:
    host = PluginHost()
    with pytest.raises(PluginError, match="before it was frozen"):
        host.collect(context(), "staff_entries", permissions=frozenset())
    with pytest.raises(PluginError, match="before it was frozen"):
        list(host.startup("tables"))


# --- who is asked, in which order -----------------------------------------------------------------------------


def test_the_kernel_is_asked_first_then_plugins_by_name_whatever_the_order_of_registration() -> None:
    host = PluginHost()
    for name in ("zebra", "apple", "core", "Mango"):
        host.register(module(name, staff_entries=hookimpl(entry(name))), name)
    host.freeze()
    assert host.names == ("core", "Mango", "apple", "zebra")
    ctx = context(1, "zebra", "apple", "Mango")
    answers = host.collect(ctx, "staff_entries", permissions=frozenset())
    assert [answer.plugin for answer in answers] == ["core", "Mango", "apple", "zebra"]
    assert [one.title for one in host.flat(ctx, "staff_entries", permissions=frozenset())] == list(host.names)


def test_a_plugin_that_the_tenant_does_not_allow_is_never_called(make_host: Any) -> None:
    called = []

    def staff_entries(ctx: TenantContext) -> Sequence[Any]:
        called.append(ctx.slug)
        return ()

    host = make_host(on={"staff_entries": staff_entries}, off={"staff_entries": staff_entries})
    host.collect(context(1, "on"), "staff_entries", permissions=frozenset())
    host.collect(context(2), "staff_entries", permissions=frozenset())
    host.collect(context(3, "not-installed"), "staff_entries", permissions=frozenset())
    assert called == ["t1"]


def test_a_hook_may_take_only_the_arguments_that_it_wants(make_host: Any) -> None:
    host = make_host(
        none={"terminal_tiles": lambda: (TerminalTile("none", "/k"),)},
        some={"terminal_tiles": lambda point: (TerminalTile(point, "/k"),)},
        all={"terminal_tiles": lambda point, locale, ctx: (TerminalTile(f"{ctx.slug} {locale} {point}", "/k"),)},
    )
    tiles = host.flat(context(7, "none", "some", "all"), "terminal_tiles", locale="de", point="north")
    assert [tile.title for tile in tiles] == ["t7 de north", "none", "north"]


def test_a_plugin_with_nothing_to_say_gives_no_answer(make_host: Any) -> None:
    host = make_host(silent={"terminal_tiles": lambda ctx: None}, empty={"terminal_tiles": lambda ctx: ()})
    answers = host.collect(context(1, "silent", "empty"), "terminal_tiles", locale="de", point="p")
    assert [answer.plugin for answer in answers] == ["empty"]


def test_ten_thousand_tenants_with_ten_sets_of_plugins_share_ten_callers(make_host: Any) -> None:
    names = [f"p{number}" for number in range(10)]
    host = make_host(**{name: {"staff_entries": entry(name)} for name in names})
    sets = [names[: size + 1] for size in range(10)]
    for number in range(10_000):
        # A new but equal frozenset each time, as the directory makes them.
        ctx = context(number, *sets[number % 10])
        assert len(host.collect(ctx, "staff_entries", permissions=frozenset())) == number % 10 + 1
    kept = host._allowed.cache_info()
    assert (kept.currsize, kept.misses, kept.hits) == (10, 10, 9_990)


# --- a plugin that raises -------------------------------------------------------------------------------------


def raising(ctx: TenantContext) -> Sequence[Any]:
    raise ValueError(f"CANARY of {ctx.name}")


def raising_late(ctx: TenantContext) -> Iterator[Any]:
    yield StaffEntry("half an answer", "/")
    raise ValueError("CANARY")


@pytest.mark.parametrize("broken", [raising, raising_late, lambda ctx: 7], ids=["at once", "late", "no sequence"])
def test_a_plugin_that_raises_does_not_silence_the_others(make_host: Any, logged: Any, broken: Any) -> None:
    host = make_host(
        apple={"staff_entries": entry("apple")},
        broken={"staff_entries": broken},
        zebra={"staff_entries": entry("zebra")},
    )
    before = failures("broken", "staff_entries")
    ctx = context(1, "apple", "broken", "zebra")
    assert [one.title for one in host.flat(ctx, "staff_entries", permissions=frozenset())] == ["apple", "zebra"]
    assert failures("broken", "staff_entries") == before + 1
    assert failures("apple", "staff_entries") == 0
    (line,) = logged()
    assert (line["event"], line["plugin"], line["hook"]) == ("plugin_failed", "broken", "staff_entries")
    assert line["error_type"] in {"ValueError", "AnswerError"}
    assert "CANARY" not in str(line)


def test_cancelling_a_request_is_not_taken_for_a_fault_of_a_plugin(make_host: Any) -> None:
    def cancelled(ctx: TenantContext) -> Sequence[Any]:
        raise asyncio.CancelledError

    host = make_host(demo={"staff_entries": cancelled})
    with pytest.raises(asyncio.CancelledError):
        host.collect(context(1, "demo"), "staff_entries", permissions=frozenset())


def test_a_start_up_hook_that_raises_ends_the_start(make_host: Any) -> None:
    def tables() -> Sequence[Any]:
        raise ValueError("half a product must not run")

    host = make_host(demo={"tables": tables})
    with pytest.raises(ValueError, match="half a product"):
        list(host.startup("tables"))


# --- loading what is installed --------------------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two entry points, `apple` and `zebra`; gives the names of those that were imported."""
    loaded: list[str] = []

    class Point(EntryPoint):
        def load(self) -> Any:
            loaded.append(self.name)
            return module(self.name)

    points = [Point(name, f"{name}.plugin", "servicepunkt") for name in ("zebra", "apple")]
    monkeypatch.setattr(host_module, "entry_points", lambda group: points if group == "servicepunkt" else [])
    return loaded


def test_every_installed_plugin_is_loaded_and_the_host_is_frozen(installed: list[str]) -> None:
    host = PluginHost()
    host.load_installed()
    assert host.names == ("core", "apple", "zebra")
    with pytest.raises(PluginError):
        host.register(module(), "late")


def test_plugins_that_are_not_named_are_not_even_imported(installed: list[str]) -> None:
    host = PluginHost()
    host.load_installed(only=frozenset({"zebra"}))
    assert host.names == ("core", "zebra")
    assert installed == ["zebra"]


def test_naming_a_plugin_that_is_not_installed_is_refused(installed: list[str]) -> None:
    with pytest.raises(PluginError, match=r"aple.*known are: apple, core, zebra"):
        PluginHost().load_installed(only=frozenset({"aple", "core"}))


def test_a_plugin_that_cannot_be_imported_is_named_and_can_be_left_out(
    installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(point: EntryPoint) -> Any:
        raise ImportError("no module named locker_driver")

    monkeypatch.setattr(type(host_module.entry_points(group="servicepunkt")[0]), "load", broken)
    with pytest.raises(PluginError, match=r"plugin apple: apple\.plugin: ImportError: no module named locker_driver"):
        PluginHost().load_installed()
    host = PluginHost()
    host.load_installed(only=frozenset({"core"}))
    assert (host.names, host.excluded) == (("core",), ("apple", "zebra"))
