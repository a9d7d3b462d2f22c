"""Who is refused when too much is asked, in which words, and who never is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import empty_database, make_tenant, open_deployment
from servicepunkt.web.app import create_litestar
from servicepunkt.web.devices import service as devices
from servicepunkt.web.frame import build_frame
from servicepunkt.web.limits.edge import Limits
from servicepunkt.web.problems import Problems
from servicepunkt.web.tenancy import TenantMiddleware
from servicepunkt.web.testing import alive

PUBLIC_KEY = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
ALPHA, BETA = "/t/alpha/device/enrol", "/t/beta/device/enrol"
HEARTBEAT = "/t/alpha/api/v1/devices/heartbeat"


class Edge:
    """The application behind limits of two requests a second for an address and five for a tenant, by a set clock."""

    def __init__(self, deployment: Deployment) -> None:
        self.now = 0.0
        frame = build_frame(deployment.plugins, deployment.texts)
        limits = Limits(create_litestar(deployment, frame), deployment, Problems(frame), monotonic=lambda: self.now)
        self.app: Any = TenantMiddleware(limits, deployment, limits)

    async def ask(self, path: str, *, verb: str = "GET", address: str = "192.0.2.1", **headers: str) -> Response:
        transport = ASGITransport(app=self.app, client=(address, 1))
        async with AsyncClient(transport=transport, base_url="http://points.example.org") as client:
            json = {"info": {}} if verb == "POST" else None
            return await client.request(verb, path, headers=headers, json=json)

    async def served(self, path: str, count: int, **more: Any) -> int:
        """How many of so many requests were not refused by a limit."""
        return sum([(await self.ask(path, **more)).status_code != 429 for _ in range(count)])


@pytest.fixture
async def deployment(urls: Urls, plugins: PluginHost, tmp_path: Path) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, plugins, address_requests=2.0, tenant_requests=5.0) as made:
        yield made


@pytest.fixture
async def edge(deployment: Deployment) -> AsyncIterator[Edge]:
    made = Edge(deployment)
    async with alive(made.app):
        yield made


@pytest.fixture
async def alpha(deployment: Deployment, urls: Urls) -> TenantContext:
    await make_tenant(deployment, urls.owner, "beta")
    return await make_tenant(deployment, urls.owner, "alpha")


async def enrolled(deployment: Deployment, ctx: TenantContext, kind: str) -> str:
    _, code = await devices.announce(deployment, ctx, actor="test", kind=kind, target="harbour", label="Device")
    _, token = await devices.enrol(deployment, ctx, code=code, public_key=PUBLIC_KEY)
    return token


async def test_an_address_that_asks_too_much_waits_and_others_do_not(edge: Edge, alpha: TenantContext) -> None:
    assert await edge.served(ALPHA, 25) == 20
    assert await edge.served(ALPHA, 1, address="192.0.2.2") == 1
    edge.now += 1
    assert await edge.served(ALPHA, 5) == 2


async def test_the_answer_is_a_problem_with_when_to_come_again(edge: Edge, alpha: TenantContext) -> None:
    await edge.served(ALPHA, 20)
    answer = await edge.ask(ALPHA, accept="application/json")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "SP0007"
    assert answer.json()["title"] == "Zu viele Versuche in kurzer Zeit."


@pytest.mark.parametrize("path", [ALPHA, "/t/alpha/k/search"])
async def test_a_person_reads_the_same_words_on_a_page(edge: Edge, alpha: TenantContext, path: str) -> None:
    await edge.served(ALPHA, 20)
    answer = await edge.ask(path, accept="text/html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Zu viele Versuche in kurzer Zeit." in answer.text
    assert 'lang="de"' in answer.text
    assert "/t/alpha" in answer.text
    english = await edge.ask(path, accept="text/html", cookie="sp_language=en")
    assert "Too many attempts in a short time." in english.text


async def test_a_crowd_of_addresses_takes_the_tenants_share_and_not_the_others(
    edge: Edge, alpha: TenantContext
) -> None:
    crowd = [f"198.51.100.{number}" for number in range(60)]
    assert sum([await edge.served(ALPHA, 1, address=address) for address in crowd]) == 50
    assert sum([await edge.served(BETA, 1, address=address) for address in crowd]) == 50


async def test_addresses_of_one_network_of_ipv6_are_one(edge: Edge, alpha: TenantContext) -> None:
    household = [f"2001:db8:1:2::{number}" for number in range(1, 26)]
    assert sum([await edge.served(ALPHA, 1, address=address) for address in household]) == 20
    assert await edge.served(ALPHA, 1, address="2001:db8:1:3::1") == 1


async def test_where_nobody_is_served_the_address_counts_as_well(edge: Edge, alpha: TenantContext) -> None:
    assert await edge.served("/t/none/", 25) == 20


async def test_a_box_is_never_refused(edge: Edge, deployment: Deployment, alpha: TenantContext) -> None:
    token = await enrolled(deployment, alpha, "box")
    await edge.served(ALPHA, 60)
    says = {"verb": "POST", "authorization": f"Bearer {token}"}
    statuses = [(await edge.ask(HEARTBEAT, **says)).status_code for _ in range(120)]
    assert set(statuses) == {204}


async def test_a_token_that_proves_nothing_is_no_way_around(edge: Edge, alpha: TenantContext) -> None:
    made_up = [f"{alpha.id}.{'0' * 32}.{number:064d}" for number in range(30)]
    answers = [await edge.ask(HEARTBEAT, verb="POST", authorization=f"Bearer {token}") for token in made_up]
    assert [answer.status_code for answer in answers].count(429) == 10


async def test_terminals_do_not_wait_because_of_visitors(
    edge: Edge, deployment: Deployment, alpha: TenantContext
) -> None:
    token = await enrolled(deployment, alpha, "terminal")
    terminal = {"cookie": f"sp_device={token}"}
    assert await edge.served("/t/alpha/k/help", 1, **terminal) == 1
    for number in range(60):
        await edge.served(ALPHA, 1, address=f"198.51.100.{number}")
    await edge.served(ALPHA, 25)
    assert await edge.served(ALPHA, 1) == 0
    assert await edge.served("/t/alpha/k/help", 25, **terminal) == 20


@pytest.mark.parametrize("path", ["/health/live", "/static/web/base.css", "/t/alpha/static/web/base.css", "/metrics"])
async def test_what_belongs_to_the_platform_has_no_limit(edge: Edge, alpha: TenantContext, path: str) -> None:
    await edge.served(ALPHA, 25)
    assert await edge.served(path, 25) == 25


async def test_a_tenant_may_have_limits_of_its_own(edge: Edge, deployment: Deployment, urls: Urls) -> None:
    own = {"limits": {"requests": 3.0, "requests_of_address": 1.0}}
    await make_tenant(deployment, urls.owner, "alpha", settings=own)
    assert await edge.served(ALPHA, 15) == 10
    crowd = [f"198.51.100.{number}" for number in range(40)]
    assert sum([await edge.served(ALPHA, 1, address=address) for address in crowd]) == 20
