"""Links of the catalogue that lead nowhere: each week some are tried, those first that were longest not tried.

A link is typed by people and comes from other sources: it may name a computer of our own network. Therefore a name is
resolved first, every address of it has to be one of the public internet, and the connection goes to the address that
was looked at, also after each redirection.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert as upsert

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.model import Catalogue, LegalReference, Text
from servicepunkt.core.catalogue.settings import settings_of
from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.jobs import job
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.catalogue")
TIMEOUT = httpx.Timeout(10.0)
LONGEST = 30.0  # seconds for one link with all of its redirections
MOST_REDIRECTIONS = 5
MOST_BYTES = 64 * 1024
AT_ONCE = 4  # hosts that are asked at the same time, each for one link after the other
BATCH = 50  # outcomes that are written at once
AGENT = "Servicepunkt link check"
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
HREF = re.compile(r'href="([^"]+)"')
#: Answers to HEAD that are asked again with GET: many servers know no HEAD, or refuse it.
ASK_AGAIN = range(400, 600)
WELL = range(200, 400)
#: What a status that is no number means, as message ids.
WORDS = {
    "unresolved": "There is no computer of this name.",
    "private": "It leads into a network that is not public: not tried.",
    "timeout": "It did not answer in time.",
    "certificate": "The certificate is not valid.",
    "unreachable": "No connection could be made.",
    "redirections": "It redirects without end, or to nowhere.",
}

catalogue_link = tenant_table(
    "catalogue_link",
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("checked_at", Instant, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("failing_since", Instant, nullable=True),
    key=("digest",),
    kept="addresses that the catalogue names; those that it no longer names are deleted",
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class LinkRow(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was tried: an HTTP status or one of `WORDS`, and since when it fails."""

    digest: str
    url: str
    checked_at: datetime
    status: str
    failing_since: datetime | None


class UnreachableError(Exception):
    """A link that cannot be followed; the argument is one of `WORDS`."""


# --- which links ----------------------------------------------------------------------------------------------


def links_of(catalogue: Catalogue) -> dict[str, list[tuple[str, str]]]:
    """Every address that people are sent to, with the (kind, id) of the entries where it stands."""
    found: dict[str, dict[tuple[str, str], None]] = {}

    def take(url: str, kind: str, name: str) -> None:
        if html.is_address(url):
            found.setdefault(url, {})[kind, name] = None

    def take_texts(texts: Iterable[Text], kind: str, name: str) -> None:
        for text in texts:
            for said in text.values():
                if html.is_html(said):
                    for href in HREF.findall(said):
                        take(unescape(href), kind, name)

    for service in catalogue.services:
        for link in service.links:
            take(link.url, "services", service.id)
        for basis in service.legal_basis:
            if isinstance(basis, LegalReference):
                take(basis.url, "services", service.id)
        modules = (module.text for module in service.modules)
        texts = (service.summary, service.description, service.fee, service.duration, service.ended, *modules)
        take_texts(texts, "services", service.id)
    for offer in catalogue.offers:
        take_texts((module.text for module in offer.modules), "services", offer.service)
    for partner in catalogue.partners:
        take(partner.website, "partners", partner.id)
    for one in catalogue.responsibilities:
        take(one.booking, "services", one.service)
    return {url: list(places) for url, places in found.items()}


def digest_of(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()


def is_well(status: str) -> bool:
    """Whether people get somewhere. Who asks for a sign-in, or counts how often we come, is there."""
    return status.isdecimal() and (int(status) in WELL or int(status) in (401, 403, 407, 429))


# --- trying one -----------------------------------------------------------------------------------------------


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet; one of IPv4 within IPv6 counts as what it leads to."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in NAT64:
            inner = ipaddress.IPv4Address(found.packed[-4:])
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return found.is_global and not found.is_multicast and not found.is_reserved


async def status_of(
    client: httpx.AsyncClient, url: str, *, resolve: Resolve = resolved, is_allowed: Callable[[str], bool] = is_public
) -> str:
    """What became of a link: an HTTP status, or one of `WORDS`."""
    try:
        async with asyncio.timeout(LONGEST):
            status = await _ask(client, "HEAD", url, resolve, is_allowed)
            return str(await _ask(client, "GET", url, resolve, is_allowed) if status in ASK_AGAIN else status)
    except UnreachableError as error:
        return str(error)
    except (TimeoutError, httpx.TimeoutException):
        return "timeout"
    except httpx.ConnectError as error:
        return "certificate" if _is_about_trust(error) else "unreachable"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
        return "unreachable"


def _is_about_trust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


async def _ask(
    client: httpx.AsyncClient, method: str, url: str, resolve: Resolve, is_allowed: Callable[[str], bool]
) -> int:
    for _ in range(MOST_REDIRECTIONS + 1):
        status, location = await _ask_once(client, method, url, resolve, is_allowed)
        if status not in (301, 302, 303, 307, 308) or not location:
            return status
        url = urljoin(url, location)
        if not html.is_address(url):
            raise UnreachableError("redirections")
    raise UnreachableError("redirections")


async def _ask_once(
    client: httpx.AsyncClient, method: str, url: str, resolve: Resolve, is_allowed: Callable[[str], bool]
) -> tuple[int, str]:
    wanted = httpx.URL(url)
    host = wanted.raw_host.decode("ascii")
    port = wanted.port or (443 if wanted.scheme == "https" else 80)
    try:
        addresses = await resolve(host, port)
    except OSError:
        raise UnreachableError("unresolved") from None
    if not addresses:
        raise UnreachableError("unresolved")
    if not all(is_allowed(address) for address in addresses):
        raise UnreachableError("private")
    # To the address that was looked at, not to whatever the name means a moment later.
    request = client.build_request(
        method,
        wanted.copy_with(host=addresses[0], userinfo=b"", fragment=None),
        headers={"host": wanted.netloc.decode("ascii").rpartition("@")[2]},
        extensions={"sni_hostname": host},
    )
    answer = await client.send(request, stream=True)
    try:
        if method == "GET":
            await _read_a_little(answer)
        return answer.status_code, answer.headers.get("location", "")
    finally:
        await answer.aclose()


async def _read_a_little(answer: httpx.Response) -> None:
    read = 0
    async for part in answer.aiter_raw():
        read += len(part)
        if read >= MOST_BYTES:
            return


def careful_client() -> httpx.AsyncClient:
    """A client that keeps nothing, follows nothing by itself, and takes nothing from the environment."""
    return httpx.AsyncClient(
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        headers={"user-agent": AGENT},
        limits=httpx.Limits(max_keepalive_connections=0),
    )


async def statuses(
    urls: Iterable[str], *, resolve: Resolve = resolved, is_allowed: Callable[[str], bool] = is_public
) -> dict[str, str]:
    """What became of each link; of one host one is tried at a time."""
    by_host: dict[str, list[str]] = {}
    for url in urls:
        by_host.setdefault(urlsplit(url).hostname or "", []).append(url)
    found: dict[str, str] = {}
    at_once = asyncio.Semaphore(AT_ONCE)

    async def ask(links: Sequence[str]) -> None:
        async with at_once, careful_client() as client:
            for url in links:
                client.cookies.clear()
                found[url] = await status_of(client, url, resolve=resolve, is_allowed=is_allowed)

    await asyncio.gather(*(ask(links) for links in by_host.values()))
    return found


# --- what is known --------------------------------------------------------------------------------------------


async def known(tx: Transaction) -> dict[str, LinkRow]:
    """What is known of links, by address."""
    table = catalogue_link
    rows = await tx.all(LinkRow, sa.select(table).where(table.c.tenant_id == tx.tenant_id))
    return {row.url: row for row in rows}


async def dead(tx: Transaction) -> list[LinkRow]:
    """Links that failed when they were last tried, those first that have failed for longest."""
    table = catalogue_link
    query = sa.select(table).where(table.c.tenant_id == tx.tenant_id, table.c.failing_since.is_not(None))
    return await tx.all(LinkRow, query.order_by(table.c.failing_since, table.c.url))


async def count_dead(tx: Transaction) -> int:
    """Links that failed more than once: a server that is away for an hour is nobody's task."""
    table = catalogue_link
    query = (
        sa.select(sa.func.count())
        .select_from(table)
        .where(table.c.tenant_id == tx.tenant_id, table.c.failing_since < table.c.checked_at)
    )
    return int(await tx.scalar(query))


def next_links(catalogue: Catalogue, rows: Mapping[str, LinkRow], most: int) -> list[str]:
    """The links to try: those that were never tried, then those that were longest not tried."""
    urls = sorted(links_of(catalogue), key=lambda url: (rows[url].checked_at.timestamp() if url in rows else 0.0, url))
    return urls[:most]


async def note(tx: Transaction, found: Mapping[str, str], rows: Mapping[str, LinkRow]) -> None:
    """Write down what became of links; a failure keeps the day on which it began."""
    at = tx.now()
    table = catalogue_link
    for url, status in found.items():
        before = rows.get(url)
        since = None if is_well(status) else (before.failing_since if before and before.failing_since else at)
        made = upsert(table).values(
            tenant_id=tx.tenant_id, digest=digest_of(url), url=url, checked_at=at, status=status, failing_since=since
        )
        changed = {name: made.excluded[name] for name in ("checked_at", "status", "failing_since")}
        await tx.execute(made.on_conflict_do_update(index_elements=["tenant_id", "digest"], set_=changed))


async def forget(tx: Transaction, urls: Iterable[str]) -> None:
    """Links that stand nowhere any more."""
    table = catalogue_link
    digests = [digest_of(url) for url in urls]
    await tx.execute(sa.delete(table).where(table.c.tenant_id == tx.tenant_id, table.c.digest.in_(digests)))


async def check(
    deployment: Deployment,
    ctx: TenantContext,
    *,
    resolve: Resolve = resolved,
    is_allowed: Callable[[str], bool] = is_public,
) -> int:
    """Try as many links as the tenant wants, and write down what became of them; returns how many were tried.

    No transaction is open while others are waited for.
    """
    async with deployment.database.tenant(ctx) as tx:
        catalogue, rows = await catalogues.newest(tx), await known(tx)
        if gone := rows.keys() - links_of(catalogue).keys():
            await forget(tx, gone)
    most = settings_of(ctx).links_a_run
    urls = next_links(catalogue, rows, most)
    for start in range(0, len(urls), BATCH):
        found = await statuses(urls[start : start + BATCH], resolve=resolve, is_allowed=is_allowed)
        async with deployment.database.tenant(ctx) as tx:
            await note(tx, found, rows)
    return len(urls)


@job(plugin="core", name="core.catalogue.links", every="23 3 * * 0")
async def check_links(deployment: Deployment, ctx: TenantContext) -> None:
    """Every week some links of the catalogue are tried."""
    count = await check(deployment, ctx)
    log.info("links_checked", count=count)
