"""The directory: which tenants are served, under which names, and when a change is seen."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.declarations import TenantSection
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.notices.service import NoticeSettings
from servicepunkt.core.tenancy import store
from servicepunkt.core.tenancy.service import FRESH_SECONDS, DatabaseDirectory
from servicepunkt.core.testing import empty_database, make_tenant, open_deployment


class Seconds:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Demo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    colour: str = "grey"


async def test_a_tenant_is_found_by_number_name_and_host_in_any_case(deployment: Deployment, urls: Urls) -> None:
    made = await make_tenant(deployment, urls.owner, "alpha", hosts=["Service.Example.org", "alpha.example"])
    directory = deployment.directory
    assert await directory.by_id(made.id) == made
    assert await directory.by_slug("alpha") == made
    for host in ("service.example.org", "SERVICE.EXAMPLE.ORG", "alpha.example"):
        assert await directory.by_host(host) == made
    assert await directory.all() == [made]


async def test_what_does_not_exist_is_nothing(deployment: Deployment, urls: Urls) -> None:
    await make_tenant(deployment, urls.owner, "alpha", hosts=["alpha.example"])
    directory = deployment.directory
    assert await directory.by_id(99) is None
    assert await directory.by_slug("Alpha") is None
    assert await directory.by_host("") is None
    assert await directory.by_host("evil.alpha.example") is None


async def test_a_retired_tenant_is_hidden_everywhere(deployment: Deployment, urls: Urls) -> None:
    gone = await make_tenant(deployment, urls.owner, "gone", hosts=["gone.example"])
    await make_tenant(deployment, urls.owner, "alpha")
    with pytest.raises(LookupError):
        await make_tenant(deployment, urls.owner, "gone", hosts=["gone.example"], state="retired")
    directory = deployment.directory
    assert await directory.by_id(gone.id) is None
    assert await directory.by_slug("gone") is None
    assert await directory.by_host("gone.example") is None
    assert [ctx.slug for ctx in await directory.all()] == ["alpha"]


@pytest.mark.parametrize("state", ["draft", "rehearsal", "live", "paused"])
async def test_every_other_state_is_served(deployment: Deployment, urls: Urls, state: str) -> None:
    assert (await make_tenant(deployment, urls.owner, "alpha", state=state)).state == state


@pytest.mark.parametrize("settings", [{"notices": {"sms": 7}}, {"notices": {"unknown": "x"}}, {"notices": []}], ids=str)
async def test_a_tenant_whose_settings_no_longer_fit_takes_no_other_down(
    deployment: Deployment, urls: Urls, logged: Any, settings: dict[str, object]
) -> None:
    await make_tenant(deployment, urls.owner, "alpha")
    with pytest.raises(LookupError):
        await make_tenant(deployment, urls.owner, "broken", settings=settings)
    assert [ctx.slug for ctx in await deployment.directory.all()] == ["alpha"]
    assert [(line["event"], line["tenant"]) for line in logged()] == [("tenant_unreadable", "broken")]


async def test_sections_are_decoded_for_plugins_that_are_on_and_left_out_for_others(
    urls: Urls, tmp_path: Path, make_host: Any
) -> None:
    empty_database(urls.owner)
    host = make_host(demo={"tenant_sections": lambda: (TenantSection("demo", Demo),)})
    settings = {"demo": {"colour": "red"}, "notices": {"sms": "other"}, "other": {"x": 1}}
    async with open_deployment(urls, tmp_path, host) as deployment:
        on = await make_tenant(deployment, urls.owner, "on", settings=settings, plugins=["demo"])
        off = await make_tenant(deployment, urls.owner, "off", settings=settings, plugins=[])
    assert on.settings == {"demo": Demo("red"), "notices": NoticeSettings(sms="other")}
    assert off.settings == {"notices": NoticeSettings(sms="other")}
    assert off.section("demo", Demo) == Demo()


async def test_a_change_is_seen_when_the_directory_is_no_longer_fresh(deployment: Deployment, urls: Urls) -> None:
    await make_tenant(deployment, urls.owner, "alpha", state="rehearsal")
    seconds = Seconds()
    directory = DatabaseDirectory(deployment.database, deployment.plugins, monotonic=seconds)
    before = await directory.by_slug("alpha")
    await make_tenant(deployment, urls.owner, "alpha", state="live")
    await make_tenant(deployment, urls.owner, "beta")
    seconds.now += FRESH_SECONDS - 0.01
    assert await directory.by_slug("alpha") is before
    assert await directory.by_slug("beta") is None
    seconds.now += 0.01
    after = await directory.by_slug("alpha")
    assert after is not None
    assert after.state == "live"
    assert await directory.by_slug("beta") is not None


async def test_nothing_is_decoded_again_while_nothing_has_changed(deployment: Deployment, urls: Urls) -> None:
    await make_tenant(deployment, urls.owner, "alpha")
    seconds = Seconds()
    directory = DatabaseDirectory(deployment.database, deployment.plugins, monotonic=seconds)
    before = await directory.by_slug("alpha")
    seconds.now += 10
    assert await directory.by_slug("alpha") is before


async def test_a_directory_that_is_told_to_forget_looks_again_at_once(deployment: Deployment, urls: Urls) -> None:
    await make_tenant(deployment, urls.owner, "alpha")
    directory = DatabaseDirectory(deployment.database, deployment.plugins, monotonic=lambda: 0.0)
    assert await directory.by_slug("beta") is None
    await make_tenant(deployment, urls.owner, "beta")
    assert await directory.by_slug("beta") is None
    directory.forget()
    assert await directory.by_slug("beta") is not None


async def test_numbers_of_tenants_are_given_out_in_order_and_stay(deployment: Deployment, urls: Urls) -> None:
    first = await make_tenant(deployment, urls.owner, "alpha")
    second = await make_tenant(deployment, urls.owner, "beta")
    again = await make_tenant(deployment, urls.owner, "alpha", name="New")
    assert (first.id, second.id, again.id) == (1, 2, 1)
    assert again.name == "New"


async def test_only_the_owner_writes_tenants(deployment: Deployment, urls: Urls) -> None:
    with (
        psycopg.connect(conninfo(urls.application)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("UPDATE tenant SET state = 'live'")


async def test_a_state_that_does_not_exist_is_refused_by_the_database(deployment: Deployment, urls: Urls) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="ck_tenant_state"):
        await make_tenant(deployment, urls.owner, "alpha", state="sleeping")


async def test_two_tenants_made_at_once_get_two_numbers(deployment: Deployment, urls: Urls) -> None:
    engine = create_async_engine(urls.owner)
    template = await make_tenant(deployment, urls.owner, "alpha")
    async with engine.connect() as connection:
        (row,) = await store.rows(connection)
    values = {name: value for name, value in row.items() if name not in ("id", "revision", "settings")}

    async def make(slug: str) -> int:
        async with engine.begin() as connection:
            return await store.save(connection, {**values, "slug": slug, "settings": {}})

    made = await asyncio.gather(*(make(f"t{number}") for number in range(5)))
    await engine.dispose()
    assert sorted(made) == [template.id + number for number in range(1, 6)]
