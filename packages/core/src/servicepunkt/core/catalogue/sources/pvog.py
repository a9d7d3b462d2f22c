"""The two services of the Portalverbund Online-Gateway (PVOG), fetched into a file that `formats.pvog` reads.

Nightly and by areas, never while a citizen waits. What is fetched counts as a whole: a service that is down, too large
or strange ends with SourceError and leaves the file that was there before (`snapshot`). Only addresses of the origin
that was configured are asked, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from servicepunkt.core.catalogue.formats import pvog
from servicepunkt.core.catalogue.formats.model import SourceError
from servicepunkt.core.secrets import read_secret

FEED_PATH = "/v3/verwaltungsobjekte/xzufi-2-3-1"
TIMEOUT_SECONDS = 30.0
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
MAX_ANSWER = 32 * 1024 * 1024  # bytes
MAX_TOKEN_ANSWER = 64 * 1024
MAX_PAGES = 100_000
MAX_SERVICES = 20_000  # of one area
PAGE_SIZE = 100
AGAIN = frozenset({429, 500, 502, 503, 504})

Sleep = Callable[[float], Awaitable[None]]


class Position(msgspec.Struct, frozen=True):
    """Where a feed goes on: its index, and the address that the service named for it; empty at the beginning."""

    index: int = 0
    url: str = ""


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """Access to the change feed. `secret` says where the client's secret is (`env:NAME`, `file:PATH`)."""

    url: str
    token_url: str
    client_id: str
    secret: str


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Access to the search service. It needs no key; `client_id` names who asks, where the operator gave a name."""

    url: str = "https://pvog.fitko.net/suchdienst/api"
    client_id: str = ""


class _Token(msgspec.Struct):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme


class _Found(msgspec.Struct):
    id: str


class _Content(msgspec.Struct):
    content: list[_Found] = []


class _Listed(msgspec.Struct):
    serviceDescriptions: _Content = msgspec.field(default_factory=_Content)  # noqa: N815


@contextmanager
def snapshot(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when everything went well; else what was there before stays."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


async def fetch_feed(
    client: httpx.AsyncClient, feed: Feed, position: Position, into: BinaryIO, *, sleep: Sleep = asyncio.sleep
) -> Position:
    """Write every page from a position on into a file; where the next fetch goes on.

    Raises SourceError, SecretError.
    """
    web = _Web(client, feed.url, sleep)
    bearer = await _bearer(client, feed, sleep)
    url = position.url or f"{feed.url.rstrip('/')}{FEED_PATH}"
    index, asked = position.index, set[str]()
    for _ in range(MAX_PAGES):
        if url in asked:
            raise SourceError(f"{_shown(url)}: the feed leads back to this page")
        asked.add(url)
        said = await web.get(url, headers={"Authorization": bearer})
        try:
            page = msgspec.json.decode(said, type=pvog.Page)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SourceError(f"{_shown(url)}: {error}") from error
        if page.naechsterIndex < index:
            raise SourceError(f"{_shown(url)}: the feed goes back from {index} to {page.naechsterIndex}")
        into.write(msgspec.json.encode(page) + b"\n")
        index = page.naechsterIndex
        if page.vollstaendig:
            # An address that may not be asked is no place to go on from; this page is read once more then.
            return Position(index, page.naechsteAnfrageUrl if _origin(page.naechsteAnfrageUrl) == web.origin else url)
        url = page.naechsteAnfrageUrl
    raise SourceError(f"{_shown(feed.url)}: the feed has more than {MAX_PAGES} pages")


async def fetch_services(
    client: httpx.AsyncClient, search: Search, areas: Sequence[str], into: BinaryIO, *, sleep: Sleep = asyncio.sleep
) -> int:
    """Write what is said of the services of some areas, by their keys with 12 digits; how many answers it was.

    Raises SourceError, ValueError for a key that is none.
    """
    web = _Web(client, search.url, sleep)
    headers = {"pvog-sud-api-client-id": search.client_id} if search.client_id else {}
    units: dict[str, None] = {}
    count = 0

    def put(answer: pvog.Answer) -> None:
        into.write(msgspec.json.encode(answer) + b"\n")

    for ars in areas:
        area = pvog.area(ars)
        for name in await _services_of(web, ars, headers):
            detail = await web.get(f"{web.base}/v6/servicedescriptions/{quote(name, safe='')}/detail", headers, ars=ars)
            titles = await web.get(f"{web.base}/v2/organisationunits/titles", headers, ars=ars, lbId=name)
            found = _decoded(titles, list[pvog.UnitTitle], "organisationunits/titles")
            put(pvog.Answer(area=area, service=msgspec.Raw(_json(detail, name)), units=found))
            units |= dict.fromkeys(unit.id for unit in found)
            count += 1
    for unit in units:
        detail = await web.get(f"{web.base}/v5/organisationunits/detail", headers, q=unit)
        put(pvog.Answer(unit_id=unit, unit=msgspec.Raw(_json(detail, unit))))
        count += 1
    return count


async def _services_of(web: _Web, ars: str, headers: dict[str, str]) -> list[str]:
    found: dict[str, None] = {}
    for number in range(MAX_SERVICES // PAGE_SIZE):
        said = await web.get(f"{web.base}/v7/servicedescriptions/{ars}", headers, size=PAGE_SIZE, page=number)
        names = [one.id for one in _decoded(said, _Listed, f"servicedescriptions/{ars}").serviceDescriptions.content]
        new = [name for name in names if name not in found]
        found |= dict.fromkeys(new)
        if len(names) < PAGE_SIZE or not new:
            return list(found)
    raise SourceError(f"{_shown(web.base)}: more than {MAX_SERVICES} services in {ars}")


def _json(said: bytes, place: str) -> bytes:
    """JSON as it came, on one line."""
    try:
        return msgspec.json.format(said, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"{place}: {error}") from error


def _decoded(said: bytes, wanted: Any, place: str) -> Any:
    try:
        return msgspec.json.decode(said, type=wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"{place}: {error}") from error


async def _bearer(client: httpx.AsyncClient, feed: Feed, sleep: Sleep) -> str:
    """OAuth2, client credentials (RFC 6749, 4.4). The secret is read now and kept nowhere."""
    content = {
        "grant_type": "client_credentials",
        "client_id": feed.client_id,
        "client_secret": read_secret(feed.secret).decode(),
    }
    said = await _Web(client, feed.token_url, sleep, most=MAX_TOKEN_ANSWER).post(feed.token_url, content)
    token: _Token = _decoded(said, _Token, "token")
    if token.token_type.casefold() != "bearer" or not token.access_token.isprintable():
        raise SourceError(f"{_shown(feed.token_url)}: this is no bearer token")
    return f"Bearer {token.access_token}"


class _Web:
    """Asks one origin, again after a pause where that may help, and takes no more than is allowed."""

    def __init__(self, client: httpx.AsyncClient, base: str, sleep: Sleep, *, most: int = MAX_ANSWER) -> None:
        self.base, self.origin = base.rstrip("/"), _origin(base)
        self._client, self._sleep, self._most = client, sleep, most
        if self.origin is None:
            raise SourceError(f"{_shown(base)}: an address begins with https://")

    async def get(self, url: str, headers: dict[str, str], **query: str | int) -> bytes:
        return await self._asked("GET", url, headers=headers, params=query or None)

    async def post(self, url: str, form: dict[str, str]) -> bytes:
        return await self._asked("POST", url, data=form)

    async def _asked(self, method: str, url: str, **content: Any) -> bytes:
        if _origin(url) != self.origin:
            raise SourceError(f"{_shown(url)}: this address is not of {_shown(self.base)}")
        pause, reason = FIRST_PAUSE_SECONDS, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._sleep(min(pause, LONGEST_PAUSE_SECONDS))
                pause *= 2
            try:
                async with self._client.stream(
                    method, url, timeout=TIMEOUT_SECONDS, follow_redirects=False, **content
                ) as answer:
                    if answer.status_code == httpx.codes.OK:
                        return await self._bounded(url, answer)
                    reason = f"it answers {answer.status_code}"
                    if answer.status_code not in AGAIN:
                        break
                    pause = max(pause, _wait(answer))
            except httpx.HTTPError as error:
                # The class alone: the text of an error may hold what was sent.
                reason = f"it does not answer ({type(error).__name__})"
        raise SourceError(f"{_shown(url)}: {reason}")

    async def _bounded(self, url: str, answer: httpx.Response) -> bytes:
        said = bytearray()
        async for part in answer.aiter_bytes():
            said += part
            if len(said) > self._most:
                raise SourceError(f"{_shown(url)}: the answer has more than {self._most} bytes")
        return bytes(said)


def _wait(answer: httpx.Response) -> float:
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() and len(said) < 6 else 0.0


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what may not be asked. Without TLS only this computer is."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    host = (parts.hostname or "").casefold()
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "localhost", "::1"))
    return (parts.scheme, host, port) if host and is_safe and not parts.username and not parts.password else None


def _shown(url: str) -> str:
    """An address for people and logs: without what was asked, which may be long or secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:200]
