"""How much a tenant may have: up to there everything goes, one more is refused whole."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from servicepunkt.core.catalogue.formats.dldb import FORMAT
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Offer, Partner, Point, Service, Theme
from servicepunkt.core.catalogue.service import newest, publish
from servicepunkt.core.catalogue.sources import store as sources
from servicepunkt.core.catalogue.sources.importing import Wanted, import_files
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import service as people
from servicepunkt.core.quotas import QuotaError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant


async def limited(deployment: Deployment, urls: Urls, **limits: int) -> TenantContext:
    return await make_tenant(deployment, urls.owner, "alpha", settings={"limits": limits})


async def add_account(deployment: Deployment, ctx: TenantContext, login: str) -> None:
    async with deployment.database.tenant(ctx) as tx:
        await people.create_account(
            tx, at=tx.now(), actor="test", login=login, name="", password="a long sentence", roles=("clerk",)
        )


async def test_one_account_more_than_agreed_is_refused(
    deployment: Deployment, urls: Urls, other: TenantContext
) -> None:
    ctx = await limited(deployment, urls, accounts=2)
    await add_account(deployment, ctx, "anna")
    await add_account(deployment, ctx, "bert")
    with pytest.raises(QuotaError) as refused:
        await add_account(deployment, ctx, "cora")
    assert (refused.value.code, refused.value.details) == ("SP0070", {"what": "accounts", "count": 3, "most": 2})
    for login in ("anna", "bert", "cora"):
        await add_account(deployment, other, login)


def town(points: int, offers: int) -> Catalogue:
    text, address = {"de": "x"}, Address(street="Weg 1", postcode="1", town="Ort")
    names = [f"service-{number}" for number in range(offers)]
    return Catalogue(
        hosts=(Host(id="host", name="Host", kind="shop", hours="24/7"),),
        points=tuple(Point(id=f"point-{n}", name=text, host="host", address=address) for n in range(points)),
        partners=(Partner(id="town", name="Town", kind="authority"),),
        themes=(Theme(id="theme", name=text),),
        services=tuple(Service(id=name, name=text, themes=("theme",), competence="town") for name in names),
        offers=tuple(
            Offer(service=name, point="point-0", provider="town", can=("inform",), non_digital=text) for name in names
        ),
    )


@pytest.mark.parametrize(("points", "offers", "what"), [(3, 2, "points"), (2, 4, "offers")])
async def test_a_catalogue_of_more_than_agreed_is_not_published(
    deployment: Deployment, urls: Urls, points: int, offers: int, what: str
) -> None:
    ctx = await limited(deployment, urls, points=2, offers=3)
    async with deployment.database.tenant(ctx) as tx:
        await publish(tx, town(2, 3), at=tx.now(), actor="test")
        with pytest.raises(QuotaError, match=what):
            await publish(tx, town(points, offers), at=tx.now(), actor="test")
        assert len((await newest(tx)).points) == 2


async def test_an_import_of_more_than_agreed_fails_and_what_was_there_stays(
    deployment: Deployment, urls: Urls, tmp_path: Path
) -> None:
    ctx = await limited(deployment, urls, records=3)

    async def take(source: str, count: int) -> None:
        services = [{"id": f"{n}", "name": f"Service {n}"} for n in range(count)]
        path = tmp_path / f"{source}.json"
        path.write_bytes(msgspec.json.encode({"data": services}))
        wanted = Wanted(source=source, format=FORMAT, files={FORMAT.parts[0]: path})
        await import_files(deployment.database, ctx, wanted, actor="test")

    await take("first", 2)
    for source, count in (("second", 2), ("third", 4), ("first", 4)):
        with pytest.raises(QuotaError, match="records"):
            await take(source, count)
    async with deployment.database.tenant(ctx) as tx:
        assert [row.name for row in await sources.sources(tx)] == ["first"]
        assert [run.state for run in await sources.runs(tx)] == ["failed", "failed", "failed", "done"]
        assert await sources.count_imported(tx) == 2
