"""The catalogue for programs: bytes of one revision, its ETag, nothing that is for staff, no cookie."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from servicepunkt.core.catalogue import service
from servicepunkt.core.catalogue.model import Catalogue

if TYPE_CHECKING:
    from conftest import Town, Visit

API = "/t/alpha/api/v1/catalogue"


async def test_the_revision_is_whole_and_the_same_as_published(
    here: Town, visit: Visit, make_catalogue: Callable[..., Catalogue]
) -> None:
    answer = await visit.get(API)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert msgspec.convert(answer.json()["catalogue"], Catalogue) == make_catalogue(here.alpha.name)
    assert answer.json()["revision"] == 1
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", [API, f"{API}/services/card", f"{API}/search?q=perso", "/t/alpha/api/v1/openapi.json"])
async def test_who_has_it_gets_it_not_again(visit: Visit, path: str) -> None:
    etag = (await visit.get(path)).headers["etag"]
    again = await visit.get(path, headers={"if-none-match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await visit.get(path, headers={"if-none-match": '"other"'})).status_code == 200


async def test_one_service_and_search(visit: Visit) -> None:
    assert (await visit.get(f"{API}/services/card")).json()["service"]["name"]["de"]
    found = (await visit.get(f"{API}/search", params={"q": "perso", "limit": 1})).json()
    assert [one["id"] for one in found["found"]] == ["card"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{API}/services/none", 404),
        (f"{API}/services/..%2f..", 404),
        (f"{API}/search", 422),
        (f"{API}/search?q=a&limit=0", 422),
        (f"{API}/search?q=a&limit=61", 422),
        (f"{API}/search?q=" + "a" * 5000, 422),
    ],
)
async def test_what_does_not_fit_is_a_problem(visit: Visit, path: str, status: int) -> None:
    answer = await visit.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_what_is_for_staff_is_not_there(
    here: Town, visit: Visit, make_catalogue: Callable[..., Catalogue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FRESH_SECONDS", 0.0)
    before = (await visit.get(API)).headers["etag"]
    made = make_catalogue(here.alpha.name)
    hidden = [msgspec.structs.replace(one, visibility="staff") if one.id == "card" else one for one in made.services]
    async with here.deployment.database.tenant(here.alpha) as tx:
        await service.publish(tx, msgspec.structs.replace(made, services=tuple(hidden)), at=tx.now(), actor="test")
    answer = await visit.get(API)
    assert answer.headers["etag"] != before
    said: dict[str, Any] = answer.json()["catalogue"]
    assert "card" not in {one["id"] for one in said["services"]} | {one["service"] for one in said["offers"]}
    assert (await visit.get(f"{API}/services/card")).status_code == 404
    assert (await visit.get("/t/alpha/service/card")).status_code == 404
    assert (await visit.get(f"{API}/search", params={"q": "perso"})).json()["found"] == []


async def test_the_interface_is_described(visit: Visit) -> None:
    described = (await visit.get("/t/alpha/api/v1/openapi.json")).json()
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {
        "/api/v1/catalogue",
        "/api/v1/catalogue/services/{service}",
        "/api/v1/catalogue/search",
    }
    assert described["components"]["schemas"]["Service"]["properties"]["leika"]["type"] == "array"
