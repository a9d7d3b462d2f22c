"""The tenant context: what is switched on, which settings hold, and who is named in logs."""

from __future__ import annotations

import asyncio
import contextvars
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from servicepunkt.core.errors import NoTenantError
from servicepunkt.core.tenancy.model import TenantContext, current, current_slug, use


class Section(msgspec.Struct, frozen=True):
    colour: str = "grey"


class Foreign(msgspec.Struct, frozen=True):
    pass


def context(**values: object) -> TenantContext:
    return TenantContext(**{"id": 1, "slug": "alpha", "name": "Alpha", **values})  # type: ignore[arg-type]


def test_the_kernel_is_always_on_and_everything_else_only_by_the_list() -> None:
    ctx = context(plugins=frozenset({"lounge"}))
    assert (ctx.allows("core"), ctx.allows("lounge"), ctx.allows("dokbox")) == (True, True, False)


def test_a_section_that_is_missing_or_of_another_kind_means_defaults() -> None:
    ctx = context(settings={"here": Section("red"), "wrong": Foreign()})
    assert ctx.section("here", Section) == Section("red")
    assert ctx.section("absent", Section) == Section()
    assert ctx.section("wrong", Section) == Section()


def test_a_context_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        context().id = 2  # type: ignore[misc]


def test_the_zone_is_the_tenants() -> None:
    assert context(zone="Europe/Lisbon").zone_info == ZoneInfo("Europe/Lisbon")


def test_a_day_begins_at_the_tenants_midnight() -> None:
    evening = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    days = [context(zone=zone).local_date(evening).day for zone in ("Europe/Lisbon", "Europe/Berlin")]
    assert days == [22, 23]


def test_the_tenant_is_named_within_the_block_and_nowhere_else() -> None:
    with pytest.raises(NoTenantError):
        current()
    with use(context()):
        with use(context(slug="beta")):
            assert current_slug() == "beta"
        assert current().slug == "alpha"
    assert current_slug() is None


async def test_tasks_of_two_tenants_do_not_see_each_other() -> None:
    first = asyncio.Event()

    async def work(slug: str) -> str | None:
        with use(context(slug=slug)):
            first.set() if slug == "beta" else await first.wait()
            return current_slug()

    assert await asyncio.gather(work("alpha"), work("beta")) == ["alpha", "beta"]
    assert contextvars.copy_context().run(current_slug) is None
