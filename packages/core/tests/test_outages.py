"""A plugin that goes wrong, in every way and at every hook: the others' answers stand, and it is known which it was."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicepunkt.core import hookimpl
from servicepunkt.core.declarations import StaffEntry, TerminalTile
from servicepunkt.core.identification import Identified
from servicepunkt.core.metrics import PLUGIN_SLOW
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.orders.listed import Listed
from servicepunkt.core.plugins import PluginError, PluginHost
from servicepunkt.core.plugins.failures import LATELY, MOST_KEPT, Failure, Failures
from servicepunkt.core.plugins.host import SLOW_SECONDS
from servicepunkt.core.plugins.shapes import MOST_ITEMS, shape
from servicepunkt.core.protocols import Retention
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, RecordingChannel
from servicepunkt.core.testing.outage import WAYS, WORDS, frozen, hook_specs, outage, tenant_hooks

NOBODY = Identified(provider="well", level=0, at=datetime(2026, 11, 21, tzinfo=UTC), proof="")
GIVEN = {"locale": "de", "point": "north", "permissions": frozenset[str](), "identified": NOBODY}
CTX = TenantContext(id=7, slug="t7", name="T", plugins=frozenset({"apple", "broken", "zebra"}))


class Well:
    """A plugin that answers every tenant hook, with one thing of the right kind."""

    servicepunkt_api = "1"
    name = title = text = "Well"
    href = "/staff"
    level = 0

    async def settled(self, tx: Any, notice: Any, *, accepted: bool) -> None: ...
    async def undelivered(self, tx: Any, notice: Any) -> None: ...
    async def erase(self, tx: Any, before: datetime) -> int:
        return 0

    async def check(self, tx: Any) -> tuple[bool, str]:
        return True, "Well."

    async def count(self, tx: Any) -> int:
        return 0

    async def per_day(self, tx: Any, since: Any, until: Any) -> dict[Any, int]:
        return {}

    async def applied(self, tx: Any) -> None: ...
    async def look(self, tx: Any) -> Sequence[Any]:
        return ()

    async def send(self, application: Any) -> str:
        return "well-1"

    @hookimpl
    def application_connectors(self) -> Sequence[Any]:
        return (self,)

    async def begin(self, deployment: Any, tx: Any, wish: Any) -> str:
        return "/"

    async def take(self, deployment: Any, tx: Any, key: Any) -> None: ...
    async def forget(self, deployment: Any, tx: Any, key: Any) -> None: ...
    async def closed(self, tx: Any, key: Any, outcome: str) -> None: ...

    @hookimpl
    def identity_providers(self) -> Sequence[Any]:
        return (self,)

    @hookimpl
    def identity_attributes(self, identified: Identified) -> Mapping[str, str]:
        return {"greeting": identified.provider}

    @hookimpl
    def identification_listeners(self) -> Sequence[Any]:
        return (self,)

    @hookimpl
    def terminal_tiles(self) -> Sequence[TerminalTile]:
        return (TerminalTile("Well", "/k"),)

    @hookimpl
    def staff_entries(self) -> Sequence[StaffEntry]:
        return (StaffEntry("Well", "/staff"),)

    @hookimpl
    def staff_tasks(self) -> Sequence[Any]:
        return (self,)

    @hookimpl
    def notice_channels(self) -> Sequence[Any]:
        return (RecordingChannel(),)

    @hookimpl
    def notice_templates(self) -> Sequence[NoticeTemplate]:
        return (NoticeTemplate("well", {"de": "Gut"}),)

    @hookimpl
    def notice_listeners(self) -> Sequence[Any]:
        return (self,)

    @hookimpl
    def retention_rules(self) -> Mapping[str, Retention]:
        return {"well": Retention(7, self.erase)}

    @hookimpl
    def go_live_checks(self) -> Sequence[Any]:
        return (self,)

    @hookimpl
    def retirement_checks(self) -> Sequence[Any]:
        return (self,)

    @hookimpl
    def host_figures(self) -> Sequence[Any]:
        return (self,)

    @hookimpl
    def sales(self) -> Sequence[Any]:
        return (Listed("ticket", "well", ()),)

    @hookimpl
    def bookings(self) -> Sequence[Any]:
        return (Listed("tour", "well", ()),)

    @hookimpl
    def health_checks(self) -> Sequence[Any]:
        return (self,)

    @hookimpl
    def tenant_applied(self) -> Any:
        return self


def said_by(host: PluginHost, hook: str) -> list[str]:
    return [answer.plugin for answer in host.collect(CTX, hook, **given(hook)) if answer.plugin != "core"]


def given(hook: str) -> dict[str, object]:
    code = hook_specs()[hook].__code__
    return {name: GIVEN[name] for name in code.co_varnames[: code.co_argcount] if name != "ctx"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hook", tenant_hooks())
def test_whatever_one_plugin_does_the_others_answers_stand(hook: str, way: str, logged: Any) -> None:
    host = frozen(apple=Well(), broken=outage(way), zebra=Well())
    assert said_by(host, hook) == ["apple", "zebra"]
    (failure,) = [one for one in host.failures.lately(7) if one.fault == "failed"]
    assert (failure.plugin, failure.hook, failure.count) == ("broken", hook, 1)
    assert host.failures.lately(8) == []
    lines = [line for line in logged() if line["event"] == "plugin_failed"]
    assert [(line["plugin"], line["hook"]) for line in lines] == [("broken", hook)]
    assert WORDS not in str(lines) + str(failure)


def test_no_way_to_go_wrong_is_taken_for_an_answer() -> None:
    """The same hooks of the plugin that is well are answers: the ways are refused for what they are."""
    for hook in tenant_hooks():
        assert said_by(frozen(apple=Well()), hook) == ["apple"]


@pytest.mark.parametrize("hook", ["tables", "jobs", "commands", "texts", "device_kinds"])
@pytest.mark.parametrize("way", ["returns a number", "returns wrong items", "returns a million items", "never ends"])
def test_a_start_up_hook_that_returns_nonsense_ends_the_start_and_says_whose_it_is(hook: str, way: str) -> None:
    with pytest.raises(PluginError, match=f"plugin broken: {hook}: "):
        list(frozen(broken=outage(way, hook)).startup(hook))


def test_a_hook_that_hangs_is_waited_for_and_named() -> None:
    """Nothing can interrupt it: that is why hooks do no input or output, and why `plugin check` measures them."""
    host = frozen(apple=Well(), broken=outage("hangs", seconds=2 * SLOW_SECONDS))
    before = PLUGIN_SLOW.labels(plugin="broken", hook="staff_entries")._value.get()
    assert said_by(host, "staff_entries") == ["apple"]
    (failure,) = [one for one in host.failures.lately() if one.plugin == "broken"]
    assert (failure.hook, failure.fault, failure.count) == ("staff_entries", "slow", 1)
    assert PLUGIN_SLOW.labels(plugin="broken", hook="staff_entries")._value.get() == before + 1


@pytest.mark.parametrize(
    ("hook", "answer", "reason"),
    [
        ("staff_entries", [StaffEntry(7, "/staff")], "Expected `str`, got `int`"),  # type: ignore[arg-type]
        ("terminal_tiles", [TerminalTile("A", "/k", order="first")], "order"),  # type: ignore[arg-type]
        ("notice_templates", [NoticeTemplate("a", {"de": None})], "Expected `str`"),  # type: ignore[dict-item]
        ("staff_tasks", [object()], "object is no StaffTask: it has no title, href, count"),
        ("staff_entries", {"title": "A"}, "a sequence of StaffEntry is wanted, not dict"),
        ("retention_rules", [7], "a mapping to Retention is wanted, not list"),
        ("migrations", "folder", "Path is wanted, not str"),
        ("staff_entries", (StaffEntry("A", "/a") for _ in range(MOST_ITEMS + 1)), f"more than {MOST_ITEMS} items"),
    ],
)
def test_what_does_not_fit_is_said(hook: str, answer: Any, reason: str) -> None:
    with pytest.raises(TypeError) as refused:
        shape(hook).read(answer)
    assert reason in str(refused.value)


def test_as_many_as_are_allowed_are_allowed() -> None:
    assert len(shape("staff_entries").read(StaffEntry("A", "/a") for _ in range(MOST_ITEMS))) == MOST_ITEMS


@pytest.mark.parametrize("seed", range(20))
def test_the_order_is_the_same_however_plugins_were_registered(seed: int) -> None:
    names = ["core", "box", "Zoo", "a-b", "a_b", "b2", "b10"]
    shuffled = random.Random(seed).sample(names, len(names))
    host = PluginHost()
    for name in shuffled:
        host.register(Well(), name)
    host.freeze()
    ctx = TenantContext(id=1, slug="t", name="T", plugins=frozenset(shuffled))
    order = [answer.plugin for answer in host.collect(ctx, "staff_entries", permissions=frozenset())]
    assert order == list(host.names) == ["core", "Zoo", "a-b", "a_b", "b10", "b2", "box"]


# --- what is known of it afterwards ---------------------------------------------------------------------------


def test_failures_are_counted_by_tenant_plugin_and_hook_and_forgotten_after_a_day() -> None:
    clock = FixedClock(datetime(2026, 11, 21, 12, tzinfo=UTC))
    found = Failures(clock.now)
    for tenant, hook in ((1, "b"), (1, "a"), (1, "a"), (2, "a")):
        found.note(tenant, "locker", hook, "failed", error="KeyError")
        clock.forward(minutes=1)
    first = Failure(
        tenant=1,
        plugin="locker",
        hook="a",
        fault="failed",
        count=2,
        since=datetime(2026, 11, 21, 12, 1, tzinfo=UTC),
        last=datetime(2026, 11, 21, 12, 2, tzinfo=UTC),
        error="KeyError",
    )
    assert found.lately(1)[0] == first
    assert [(one.tenant, one.hook, one.count) for one in found.lately()] == [(1, "a", 2), (1, "b", 1), (2, "a", 1)]
    clock.instant = first.last + LATELY - timedelta(seconds=1)
    assert [(one.tenant, one.hook) for one in found.lately()] == [(1, "a"), (2, "a")]
    clock.instant = first.last + LATELY
    found.note(1, "locker", "a", "failed")
    assert [(one.tenant, one.count, one.since) for one in found.lately(1)] == [(1, 1, clock.instant)]


def test_only_so_many_are_kept_the_newest_of_them() -> None:
    found = Failures(FixedClock().now)
    for tenant in range(MOST_KEPT + 3):
        found.note(tenant, "locker", "a", "failed")
    kept = found.lately()
    assert (len(kept), kept[0].tenant) == (MOST_KEPT, 3)
