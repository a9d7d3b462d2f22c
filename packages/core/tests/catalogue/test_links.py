"""Links that lead nowhere, tried against a server of our own; what is inside our own network is never asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from servicepunkt.core.catalogue import links
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.links import is_public, is_well, links_of, statuses
from servicepunkt.core.catalogue.model import (
    Catalogue,
    LegalReference,
    Link,
    Module,
    Partner,
    Responsibility,
    Service,
)
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, make_tenant

LOOPBACK = "127.0.0.1"


class Site:
    """A web server that answers by path and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Site]:
        server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    def url(self, path: str, host: str = "town.example") -> str:
        return f"http://{host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        self.asked.append((method, path))
        self.headers.append(head.lower())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        for line in self._answer(method, path):
            writer.write(line)
        self.at_once -= 1
        try:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass

    def _answer(self, method: str, path: str) -> list[bytes]:
        def said(status: str, *headers: str, body: bytes = b"") -> list[bytes]:
            lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
            return ["\r\n".join([*lines, "", ""]).encode(), b"" if method == "HEAD" else body]

        match path:
            case "/well":
                return said("200 OK", "set-cookie: a=b")
            case "/no-head":
                return said("405 No" if method == "HEAD" else "200 OK", body=b"x" * 1_000_000)
            case "/moved":
                return said("301 Moved", "location: /well")
            case "/away":
                return said("302 Found", "location: http://inside.example/secret")
            case "/strange":
                return said("302 Found", "location: file:///etc/passwd")
            case "/circle":
                return said("302 Found", "location: /circle")
            case "/signed":
                return said("401 No")
            case "/nonsense":
                return [b"nonsense\r\n\r\n"]
            case _:
                return said("404 Not Found")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site().open() as found:
        yield found


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every name is the test's own server, but for two."""
    if host == "nowhere.example":
        raise OSError
    return ["10.0.0.7"] if host == "inside.example" else [LOOPBACK]


def only_here(address: str) -> bool:
    return address == LOOPBACK


async def status(url: str) -> str:
    return (await statuses([url], resolve=resolve, is_allowed=only_here))[url]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/well", "200"),
        ("/no-head", "200"),
        ("/moved", "200"),
        ("/none", "404"),
        ("/signed", "401"),
        ("/away", "private"),
        ("/strange", "redirections"),
        ("/circle", "redirections"),
        ("/nonsense", "unreachable"),
    ],
)
async def test_what_becomes_of_a_link(site: Site, path: str, found: str) -> None:
    assert await status(site.url(path)) == found


async def test_hosts_that_are_not_there(site: Site) -> None:
    assert await status("http://nowhere.example/") == "unresolved"
    assert await status("http://inside.example/") == "private"
    assert await status("http://town.example:1/") == "unreachable"
    assert await status("https://town.example:x/") == "unreachable"
    assert site.asked == []


async def test_what_is_not_public_is_not_asked(site: Site) -> None:
    found = await statuses([site.url("/well", "localhost"), site.url("/well", LOOPBACK), "http://[::1]/"])
    assert set(found.values()) == {"private"}
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("64:ff9b::101:101", True),
        ("64:ff9b::a00:1", False),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("nonsense", False),
    ],
)
def test_addresses_of_the_public_internet(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_host_is_asked_for_one_link_at_a_time_with_its_name_and_without_cookies(site: Site) -> None:
    urls = [site.url(f"/{number}") for number in range(6)] + [site.url("/well"), site.url("/moved")]
    found = await statuses(urls, resolve=resolve, is_allowed=only_here)
    assert len(found) == 8
    assert site.most_at_once == 1
    assert all(f"host: town.example:{site.port}" in head for head in site.headers)
    assert not any("cookie" in head or "referer" in head for head in site.headers)


@pytest.mark.parametrize(
    ("found", "well"),
    [
        *(("200", True), ("301", True), ("403", True), ("429", True), ("404", False), ("410", False)),
        *(("500", False), ("timeout", False), ("private", False), ("", False)),
    ],
)
def test_who_answers_is_there(found: str, well: bool) -> None:
    assert is_well(found) is well


def catalogue(*urls: str) -> Catalogue:
    return Catalogue(
        services=tuple(
            Service(id=f"s{number}", name={"de": "X"}, links=(Link(kind="page", url=url),))
            for number, url in enumerate(urls)
        )
    )


def test_links_stand_in_fields_and_in_texts() -> None:
    text = {"de": '<p>Mehr <a href="https://a.example/?x=1&amp;y=2">hier</a> <a href="tel:115">115</a></p>'}
    found = links_of(
        Catalogue(
            partners=(Partner(id="town", name="T", kind="authority", website="https://town.example"),),
            services=(
                Service(
                    id="card",
                    description=text,
                    modules=(Module(code="11", text=text),),
                    legal_basis=("§ 1", LegalReference(citation="§ 2", url="https://law.example")),
                    links=(Link(kind="page", url="https://town.example"),),
                ),
            ),
            responsibilities=(Responsibility(service="card", authority="town", booking="https://book.example"),),
        )
    )
    assert found == {
        "https://town.example": [("services", "card"), ("partners", "town")],
        "https://law.example": [("services", "card")],
        "https://a.example/?x=1&y=2": [("services", "card")],
        "https://book.example": [("services", "card")],
    }


async def publish(deployment: Deployment, ctx: TenantContext, *urls: str) -> None:
    async with deployment.database.tenant(ctx) as tx:
        await catalogues.publish(tx, catalogue(*urls), at=tx.now(), actor="test")


async def test_what_failed_is_kept_with_the_day_on_which_it_began(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, clock: FixedClock, site: Site
) -> None:
    well, none = site.url("/well"), site.url("/none")
    await publish(deployment, tenant, well, none)
    first = clock.now()
    for _ in range(2):
        assert await links.check(deployment, tenant, resolve=resolve, is_allowed=only_here) == 2
        clock.forward(days=7)
    async with deployment.database.tenant(tenant) as tx:
        (row,) = await links.dead(tx)
        assert (row.url, row.status, row.failing_since) == (none, "404", first)
        assert (row.checked_at - first).days == 7
        assert await links.count_dead(tx) == 1
    async with deployment.database.tenant(other) as tx:
        assert await links.known(tx) == {}
        assert await links.count_dead(tx) == 0
    await publish(deployment, tenant, well)
    await links.check(deployment, tenant, resolve=resolve, is_allowed=only_here)
    async with deployment.database.tenant(tenant) as tx:
        assert list(await links.known(tx)) == [well]


async def test_a_link_that_failed_once_is_nobodys_task(
    deployment: Deployment, tenant: TenantContext, site: Site
) -> None:
    await publish(deployment, tenant, site.url("/none"))
    await links.check(deployment, tenant, resolve=resolve, is_allowed=only_here)
    async with deployment.database.tenant(tenant) as tx:
        assert len(await links.dead(tx)) == 1
        assert await links.count_dead(tx) == 0


async def test_each_run_tries_those_that_were_longest_not_tried(
    deployment: Deployment, urls: object, site: Site, clock: FixedClock
) -> None:
    ctx = await make_tenant(deployment, urls.owner, "delta", settings={"catalogue": {"links_a_run": 2}})  # type: ignore[attr-defined]
    await publish(deployment, ctx, *(site.url(f"/{number}") for number in range(3)))
    seen = []
    for _ in range(3):
        site.asked.clear()
        await links.check(deployment, ctx, resolve=resolve, is_allowed=only_here)
        seen.append([path for method, path in site.asked if method == "HEAD"])
        clock.forward(days=7)
    assert seen == [["/0", "/1"], ["/2", "/0"], ["/1", "/0"]]


async def test_the_job_asks_nobody_inside(deployment: Deployment, tenant: TenantContext, site: Site) -> None:
    await publish(deployment, tenant, site.url("/well", LOOPBACK))
    await links.check_links.function(deployment, tenant)
    assert site.asked == []
    async with deployment.database.tenant(tenant) as tx:
        assert [row.status for row in await links.dead(tx)] == ["private"]
