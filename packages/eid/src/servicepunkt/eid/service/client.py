"""The client of an eID service over HTTPS with certificates on both sides (TR-03130-1). Extra `[soap]`.

async with EidService(settings) as service:
    session = await service.open(UseId(operations={"GivenNames": "REQUIRED"}))
    ...                                    # the person identifies with the AusweisApp
    result = await service.result(session) # waits until there is one
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx
import msgspec
from cryptography import x509
from lxml import etree

from servicepunkt.eid.errors import EidError, MalformedError
from servicepunkt.eid.service import soap
from servicepunkt.eid.service.model import NotYetError, Result, Session, UnreachableError, UseId
from servicepunkt.eid.service.soap import MOST_BYTES, Signer

#: The number of a question for a result goes up with each, and no further than this (TR-03130-1 §3.3.2).
MOST_QUESTIONS = 32_767
WAIT = 2.0


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the service is and who we are. `tls` has our client certificate and trusts the service's; `trusted` is the
    certificate with which the service signs its answers."""

    url: str
    tls: ssl.SSLContext
    signer: Signer
    trusted: x509.Certificate
    seconds: float = 20.0


class EidService:
    """One service. Sessions are independent of each other."""

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings, self._now, self._pause = settings, now, pause
        self._counters: dict[str, int] = {}
        self._http = httpx.AsyncClient(verify=settings.tls, timeout=settings.seconds, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def open(self, wanted: UseId) -> Session:
        """Raises ServiceError, MalformedError, CryptoError."""
        session = soap.opened(await self._ask(soap.use_id(wanted)))
        self._counters[session.id] = 0
        return session

    async def ask(self, session: Session) -> Result:
        """The result, once: the service forgets it. Raises NotYetError, SessionGoneError, ServiceError.

        The counter goes up before the question: one that was lost on its way is never asked under its number again.
        """
        counter = self._counters.get(session.id, 0) + 1
        if counter > MOST_QUESTIONS:
            raise UnreachableError(why="asked too often")
        self._counters[session.id] = counter
        answer = await self._ask(soap.get_result(session.id, counter))
        try:
            found = soap.result(answer)
        except NotYetError:
            raise
        except EidError:
            self._counters.pop(session.id, None)
            raise
        self._counters.pop(session.id, None)
        return found

    async def result(self, session: Session, *, seconds: float = 300.0) -> Result:
        """Ask again and again until there is one. Raises NotYetError after so many seconds, else as `ask`."""
        waited = 0.0
        while True:
            try:
                return await self.ask(session)
            except NotYetError:
                if waited >= seconds:
                    self._counters.pop(session.id, None)
                    raise
            await self._pause(WAIT)
            waited += WAIT

    async def _ask(self, message: etree._Element) -> etree._Element:
        headers = {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}
        body = soap.signed(message, self._settings.signer, self._now())
        try:
            async with self._http.stream("POST", self._settings.url, content=body, headers=headers) as answer:
                data = await _bounded(answer)
        except (httpx.HTTPError, ssl.SSLError) as error:  # a refusal of TLS 1.3 comes with the first answer
            raise UnreachableError(why=type(error).__name__) from error
        # A fault comes with status 500 and is an envelope, too; anything else is no answer of the service.
        if answer.status_code not in (200, 500):
            raise UnreachableError(status=answer.status_code)
        return soap.verified(data, self._settings.trusted, self._now())


async def _bounded(answer: httpx.Response) -> bytes:
    data = bytearray()
    async for part in answer.aiter_bytes():
        data += part
        if len(data) > MOST_BYTES:
            raise MalformedError(what="SOAP", why="too long")
    return bytes(data)
