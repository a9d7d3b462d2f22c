"""What one tenant imports of the nation lies below the services of all that want it, and of nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from servicepunkt.core.catalogue import service
from servicepunkt.core.catalogue.editing import publishing
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.formats.model import Change, Format, Limits, Upsert
from servicepunkt.core.catalogue.layers import Layer
from servicepunkt.core.catalogue.model import Catalogue, Service
from servicepunkt.core.catalogue.settings import CatalogueSettings
from servicepunkt.core.catalogue.sources import current, importing, national
from servicepunkt.core.catalogue.sources.importing import Wanted, import_files
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, NotFoundError, SettingsError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant

PASSPORT, ID_CARD = "99085001012000", "99079001012000"
OWN = Catalogue(
    services=(
        Service(id="pass", name={"de": "Pass"}, leika=(PASSPORT,), fee={"de": "70 Euro"}),
        Service(id="markt", name={"de": "Markt"}),
    )
)


def lines(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """A format of one line for each service: `keys summary`, several keys with commas."""
    for number, line in enumerate(files["file"].read().decode().splitlines()):
        keys, _, summary = line.partition(" ")
        record: dict[str, Any] = {"id": f"n{number}", "name": {"de": "Amtlich"}, "leika": keys.split(",")}
        record |= {"summary": {"de": summary}, "themes": ["nowhere"]}
        yield Upsert(kind="services", id=record["id"], record=record, place=f"line {number}")


def holding(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def import_texts(deployment: Deployment, ctx: TenantContext, path: Path, text: str, layer: Layer) -> None:
    form = Format(name="lines", parts=("file",), is_whole=True, read=lines)
    wanted = Wanted(source=layer, format=form, files={"file": holding(path, text)}, layer=layer)
    await import_files(deployment.database, ctx, wanted, actor="test")


@pytest.fixture
async def town(deployment: Deployment, urls: Urls, tenant: TenantContext) -> TenantContext:
    """A town that wants what `tenant` imports of the federation and the Land."""
    settings = {"catalogue": CatalogueSettings(national=("federation", "land", "nothing"))}
    town = await make_tenant(deployment, urls.owner, "town", settings=settings)
    async with deployment.database.tenant(town) as tx:
        await importing.put_files(tx, OWN, at=tx.now())
    return town


async def share(deployment: Deployment, urls: Urls, ctx: TenantContext, source: str) -> national.National:
    return await national.share(urls.owner, deployment.clock, deployment.database, ctx, source)


async def test_texts_of_the_nation_lie_below_the_services_of_their_key(
    deployment: Deployment, urls: Urls, tenant: TenantContext, town: TenantContext, other: TenantContext, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    text = f"{PASSPORT},{ID_CARD} Vom Bund\n{ID_CARD} Anderes"
    await import_texts(deployment, tenant, path, text, "federation")
    await import_texts(deployment, tenant, path, f"{PASSPORT} Vom Land", "land")
    first = await share(deployment, urls, tenant, "federation")
    async with deployment.database.tenant(town) as tx:
        revision, composed = await service.publish_sources(tx, at=tx.now(), actor="test")
        assert [source.name for source in await current.sources_of(tx)] == ["files", "federation"]
        found = await service.newest(tx)
    assert (first.services, first.tenant) == (2, "alpha")
    assert [one.id for one in found.services] == ["pass", "markt"]
    assert (found.services[0].summary, found.services[0].themes) == ({"de": "Vom Bund"}, ())
    assert composed.origins["services", "pass"]["summary/de"] == "federation"
    assert set(composed.left_out) >= {
        ("national.land", "no shared source has this name"),
        ("national.nothing", "no shared source has this name"),
    }
    # The Land says it closer; it is not asked for by who does not name it.
    await share(deployment, urls, tenant, "land")
    async with deployment.database.tenant(town) as tx:
        assert (await service.publish_sources(tx, at=tx.now(), actor="test"))[0] == revision + 1
        assert (await service.newest(tx)).services[0].summary == {"de": "Vom Land"}
        value = (await editing.sight(tx, "pass")).at("summary/de")
        assert (value.said, value.origin, value.below) == ("Vom Land", "land", "Vom Land")
        assert [one.name for one in await national.listed(tx)] == ["federation", "land"]
    async with deployment.database.tenant(other) as tx:
        await importing.put_files(tx, OWN, at=tx.now())
        assert (await current.composed(tx)).catalogue.services[0].summary == {}


async def test_what_changes_below_an_edit_is_a_question(
    deployment: Deployment, urls: Urls, tenant: TenantContext, town: TenantContext, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    await import_texts(deployment, tenant, path, f"{PASSPORT} Alt", "federation")
    await share(deployment, urls, tenant, "federation")
    async with deployment.database.tenant(town) as tx:
        [edit] = await editing.write(tx, "pass", {"summary/de": "Unser Text"}, actor="account:anna")
        await editing.approve(tx, edit.id, actor="account:anna")
        await publishing.publish(tx, actor="account:anna")
        assert await editing.conflicts(tx) == []
    await import_texts(deployment, tenant, path, f"{PASSPORT} Neu", "federation")
    await share(deployment, urls, tenant, "federation")
    async with deployment.database.tenant(town) as tx:
        [conflict] = await editing.conflicts(tx)
        assert (conflict.below_now, conflict.origin) == ("Neu", "federation")
        assert (await service.newest(tx)).services[0].summary == {"de": "Unser Text"}


async def test_a_source_of_the_town_alone_is_not_shared(
    deployment: Deployment, urls: Urls, tenant: TenantContext, other: TenantContext, tmp_path: Path
) -> None:
    await import_texts(deployment, tenant, tmp_path / "file", f"{PASSPORT} Stadt", "tenant")
    with pytest.raises(ConflictError, match="speaks for the layer tenant"):
        await share(deployment, urls, tenant, "tenant")
    with pytest.raises(NotFoundError, match="'nowhere'"):
        await share(deployment, urls, tenant, "nowhere")
    for ctx in (tenant, other):
        await import_texts(deployment, ctx, tmp_path / "file", f"{PASSPORT} Land", "land")
    await share(deployment, urls, tenant, "land")
    with pytest.raises(ConflictError, match="'land' is shared by the tenant 'alpha'"):
        await share(deployment, urls, other, "land")
    with pytest.raises(SettingsError, match="OWNER_DATABASE_URL"):
        await national.share("", deployment.clock, deployment.database, tenant, "land")


async def test_the_application_reads_it_and_nothing_else(deployment: Deployment) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with deployment.database.platform("a test") as connection:
            await connection.execute(sa.delete(national.national_source))
