"""Published revisions: written once, never changed, and read from memory by a crowd."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest

from servicepunkt.core.audit import store as audit
from servicepunkt.core.catalogue import service, store
from servicepunkt.core.catalogue.model import Catalogue, Module, Partner, Service, Theme
from servicepunkt.core.catalogue.service import FRESH_SECONDS, CatalogueReader, Published, publish
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def themes(*names: str) -> Catalogue:
    return Catalogue(themes=tuple(Theme(id=name, name={"de": name}) for name in names))


class Seconds:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


async def put(deployment: Deployment, ctx: TenantContext, catalogue: Catalogue) -> int:
    async with deployment.database.tenant(ctx) as tx:
        return await publish(tx, catalogue, at=deployment.clock.now(), actor="account:1")


async def test_a_revision_is_written_once_however_often_it_is_published(
    deployment: Deployment, tenant: TenantContext, clock: FixedClock
) -> None:
    assert await put(deployment, tenant, themes("a")) == 1
    clock.forward(hours=1)
    assert await put(deployment, tenant, themes("a")) == 1
    assert await put(deployment, tenant, themes("a", "b")) == 2
    assert await put(deployment, tenant, themes("a")) == 3
    async with deployment.database.tenant(tenant) as tx:
        entries = [entry async for entry in audit.entries(tx)]
    assert [(entry.action, entry.subject) for entry in entries] == [
        ("catalogue.publish", f"catalogue:{number}") for number in (1, 2, 3)
    ]
    assert entries[0].details == entries[2].details != entries[1].details


async def test_each_tenant_counts_its_own_revisions(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    assert await put(deployment, tenant, themes("a")) == 1
    assert await put(deployment, tenant, themes("b")) == 2
    assert await put(deployment, other, themes("c")) == 1
    reader = CatalogueReader(deployment.database)
    assert (await reader.current(tenant)).catalogue == themes("b")
    assert (await reader.current(other)).catalogue == themes("c")


async def test_a_catalogue_with_mistakes_is_refused_whole(deployment: Deployment, tenant: TenantContext) -> None:
    await put(deployment, tenant, themes("a"))
    bad = msgspec.structs.replace(themes("A", "B"), partners=(Partner(id="P", name="P", kind="company"),))
    with pytest.raises(InvalidInputError) as caught:
        await put(deployment, tenant, bad)
    assert [place for place, _ in caught.value.mistakes] == ["partners.P", "themes.A", "themes.B"]
    assert (await CatalogueReader(deployment.database).current(tenant)).revision == 1


async def test_publishing_at_once_gives_each_revision_a_number(deployment: Deployment, tenant: TenantContext) -> None:
    numbers = await asyncio.gather(*(put(deployment, tenant, themes(f"t{number}")) for number in range(8)))
    assert sorted(numbers) == list(range(1, 9))


@pytest.mark.parametrize("verb", ["UPDATE catalogue_revision SET content = ''", "DELETE FROM catalogue_revision"])
def test_the_application_cannot_change_what_was_published(urls: Urls, verb: str) -> None:
    with psycopg.connect(conninfo(urls.application)) as connection:
        connection.execute("SET app.tenant = 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(verb)  # type: ignore[arg-type]


async def test_what_is_read_is_what_was_published(deployment: Deployment, tenant: TenantContext) -> None:
    await put(deployment, tenant, themes("a", "b"))
    found = await CatalogueReader(deployment.database).current(tenant)
    assert found.revision == 1
    assert found.catalogue == themes("a", "b")
    assert len(found.digest) == 64


async def test_before_anything_was_published_there_is_nothing(deployment: Deployment, tenant: TenantContext) -> None:
    reader = CatalogueReader(deployment.database)
    with pytest.raises(NotFoundError, match="nothing has been published"):
        await reader.current(tenant)
    await put(deployment, tenant, themes("a"))
    assert (await reader.current(tenant)).revision == 1


async def test_a_crowd_reads_from_memory_and_sees_a_new_revision_within_a_second(
    deployment: Deployment, tenant: TenantContext
) -> None:
    await put(deployment, tenant, themes("a"))
    seconds = Seconds()
    reader = CatalogueReader(deployment.database, monotonic=seconds)
    first = await reader.current(tenant)
    await put(deployment, tenant, themes("b"))
    seconds.now += FRESH_SECONDS - 0.01
    assert await reader.current(tenant) is first
    seconds.now += 0.01
    second = await reader.current(tenant)
    assert (second.revision, second.catalogue) == (2, themes("b"))


async def test_an_unchanged_revision_is_not_decoded_again(deployment: Deployment, tenant: TenantContext) -> None:
    await put(deployment, tenant, themes("a"))
    seconds = Seconds()
    reader = CatalogueReader(deployment.database, monotonic=seconds)
    first = await reader.current(tenant)
    seconds.now += 10
    assert (await reader.current(tenant)).catalogue is first.catalogue


async def test_the_number_is_that_of_the_newest_revision_also_where_the_content_came_back(
    deployment: Deployment, tenant: TenantContext
) -> None:
    await put(deployment, tenant, themes("a"))
    seconds = Seconds()
    reader = CatalogueReader(deployment.database, monotonic=seconds)
    assert (await reader.current(tenant)).revision == 1
    await put(deployment, tenant, themes("b"))
    await put(deployment, tenant, themes("a"))
    seconds.now += 10
    assert (await reader.current(tenant)).revision == 3


async def test_only_so_many_tenants_are_kept_in_memory(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "KEPT_TENANTS", 1)
    for ctx in (tenant, other):
        await put(deployment, ctx, themes("a"))
    reader = CatalogueReader(deployment.database, monotonic=lambda: 0.0)
    first = await reader.current(tenant)
    await reader.current(other)
    again = await reader.current(tenant)
    assert again is not first
    assert again == first


async def test_a_revision_that_is_not_there_has_no_content(deployment: Deployment, tenant: TenantContext) -> None:
    async with deployment.database.tenant(tenant) as tx:
        assert await store.newest(tx) is None
        assert await store.content(tx, 1) is None


def test_what_is_published_is_a_value() -> None:
    assert Published(1, "d", themes("a"), NOON) == Published(1, "d", themes("a"), NOON)
    assert timedelta(seconds=FRESH_SECONDS) == timedelta(seconds=1)


async def test_a_text_of_many_towns_is_held_once(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    said = "Wer umzieht, meldet die neue Wohnung innerhalb von zwei Wochen an."
    reader, found = CatalogueReader(deployment.database), []
    for ctx in (tenant, other):
        catalogue = Catalogue(
            services=(Service(id=ctx.slug, name={"de": ctx.slug}, modules=(Module(code="11", text={"de": said}),)),)
        )
        async with deployment.database.tenant(ctx) as tx:
            await publish(tx, catalogue, at=tx.now(), actor="test")
        found.append((await reader.current(ctx)).catalogue.services[0].modules[0].text["de"])
    assert found[0] == said
    assert found[0] is found[1]
