"""The link to the centre: the configuration, tickets, and how it ended. All calls go out from here.

Without the centre people still choose and change their PIN; to identify takes both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import httpx
import msgspec
import structlog

from servicepunkt.eid import wire
from servicepunkt.eid.controller.errors import CentreAwayError, CentreMessageError, TicketRefusedError
from servicepunkt.eid.sdk.workflow import is_token_address
from servicepunkt.web.frame import local_path

log = structlog.get_logger("servicepunkt.eid")
CONFIG_SECONDS, RETRY_SECONDS, REACH_SECONDS = 60.0, 5.0, 4.0
#: Bytes of an answer.
MAX_ANSWER = 64 * 1024
#: How often it is tried to say how it ended; without it the centre gives it up by itself.
TRIES = 3
_MessageT = TypeVar("_MessageT", wire.ReaderConfig, wire.Claimed)


class Link:
    """`config` is the last configuration, None before the first; `connected`: whether the centre answered last."""

    def __init__(
        self, client: httpx.AsyncClient, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._client = client
        self._sleep = sleep
        self._etag = ""
        self.config: wire.ReaderConfig | None = None
        self.connected = False

    async def run(self) -> None:
        """Keep the configuration until cancelled; asking for it is the sign of life."""
        while True:
            try:
                await self.fetch_config()
            except (CentreAwayError, CentreMessageError) as error:
                if self.connected:
                    log.warning("centre_lost", code=error.code)
                self.connected = False
                await self._sleep(RETRY_SECONDS)
            else:
                self.connected = True
                await self._sleep(CONFIG_SECONDS)

    async def fetch_config(self) -> None:
        """Take over the configuration when it has changed. Raises CentreAwayError, CentreMessageError."""
        headers = {"if-none-match": self._etag} if self._etag else {}
        status, body, etag = await self._call("GET", "/api/v1/eid/config", headers=headers)
        if status == 304:
            return
        if status != 200:
            raise CentreAwayError(status=status)
        self.config, self._etag = _read(body, wire.ReaderConfig), etag

    async def reaches(self) -> bool:
        """Whether the centre answers at this moment."""
        try:
            async with asyncio.timeout(REACH_SECONDS):
                status, _, _ = await self._call("GET", "/api/v1/eid/config", headers={"if-none-match": self._etag})
        except (CentreAwayError, CentreMessageError, TimeoutError):
            return False
        return status in (200, 304)

    async def claim(self, ticket: str) -> wire.Claimed:
        """What is to be done for a ticket. Raises TicketRefusedError, CentreAwayError, CentreMessageError."""
        try:
            claim = msgspec.convert({"ticket": ticket}, wire.Claim)
        except msgspec.ValidationError:
            raise TicketRefusedError() from None
        status, body, _ = await self._call("POST", "/api/v1/eid/claim", message=claim)
        if 400 <= status < 500:
            raise TicketRefusedError(status=status)
        if status not in (200, 201):
            raise CentreAwayError(status=status)
        claimed = _read(body, wire.Claimed)
        if not local_path(claimed.back, fallback="") or not is_token_address(claimed.tc_token_url):
            raise CentreMessageError(what="address")
        return claimed

    async def tell(self, ended: wire.Ended) -> None:
        """Say how it ended; if nobody hears it, the centre gives it up when its time is over."""
        for again in range(TRIES):
            if again:
                await self._sleep(RETRY_SECONDS)
            try:
                status, _, _ = await self._call("POST", "/api/v1/eid/ended", message=ended)
            except (CentreAwayError, CentreMessageError):
                continue
            if status < 500:
                return
        log.warning("end_not_told")

    async def _call(
        self, method: str, path: str, *, message: msgspec.Struct | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, str]:
        """(status, body, ETag). Raises CentreAwayError, CentreMessageError."""
        content = None if message is None else msgspec.json.encode(message)
        sent = {**(headers or {}), **({"content-type": "application/json"} if content is not None else {})}
        body = bytearray()
        try:
            async with self._client.stream(method, path, content=content, headers=sent) as answer:
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER:
                        raise CentreMessageError(what="size")
                return answer.status_code, bytes(body), answer.headers.get("etag", "")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CentreAwayError(why=type(error).__name__) from None


def _read(body: bytes, kind: type[_MessageT]) -> _MessageT:
    """Raises CentreMessageError, which never repeats what it could not read."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise CentreMessageError(what=kind.__name__) from None
