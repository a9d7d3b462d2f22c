"""SMS by SMPP: one bind for each provider, kept while the worker runs, because receipts come over it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from servicepunkt.core.errors import SecretError
from servicepunkt.core.notices.alphabet import septets
from servicepunkt.core.notices.channels import TIMEOUT_SECONDS
from servicepunkt.core.notices.channels.smpp import pdus
from servicepunkt.core.notices.channels.smpp.pdus import Pdu
from servicepunkt.core.notices.channels.smpp.receipt import plain_reference, read_receipt
from servicepunkt.core.notices.channels.smpp.session import LineLostError, RefusedError, Session, connect
from servicepunkt.core.notices.model import DeliveryError, Message, Receipt, is_reference
from servicepunkt.core.notices.settings import SmppProvider

log = structlog.get_logger("servicepunkt.notices")


class SmppChannel:
    """A message centre; bound when the first message is sent, or when the worker starts."""

    kind = "sms"

    def __init__(
        self,
        provider: SmppProvider,
        *,
        read_password: Callable[[], str],
        on_receipt: Callable[[Receipt], Awaitable[None]],
        now: Callable[[], datetime],
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.name = provider.name
        self._provider = provider
        self._decimal = provider.receipt_ids == "decimal"
        self._read_password, self._on_receipt, self._now, self._timeout = read_password, on_receipt, now, timeout
        self._session: Session | None = None
        self._binding = asyncio.Lock()

    async def open(self) -> None:
        """Raises DeliveryError, SecretError."""
        await self._bound()

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, message: Message) -> str:
        """The centre's message id. Raises DeliveryError, SecretError, AlphabetError."""
        session = await self._bound()
        try:
            answer = await session.request("submit_sm", **self._fields(message))
        except RefusedError as error:
            permanent = error.smpp_status == pdus.INVALID_DESTINATION
            raise DeliveryError(error.staff_sentence, permanent=permanent) from None
        except LineLostError as error:
            raise DeliveryError(error.staff_sentence, permanent=False) from None
        if not is_reference(answer.reference):
            return message.reference
        return plain_reference(answer.reference, base=16) if self._decimal else answer.reference

    def _fields(self, message: Message) -> dict[str, Any]:
        """submit_sm (4.4.1). GSM-7 goes unpacked, an octet a septet; numbers go without a plus."""
        ton, npi, sender = source_address(self._provider.sender)
        longest = timedelta(hours=self._provider.longest_hours)
        return {
            "source_addr_ton": ton,
            "source_addr_npi": npi,
            "source_addr": sender,
            "dest_addr_ton": pdus.TON_INTERNATIONAL,
            "dest_addr_npi": pdus.NPI_ISDN,
            "destination_addr": message.recipient.removeprefix("+"),
            "short_message": septets(message.text),
            "data_coding": pdus.DEFAULT_ALPHABET,
            "registered_delivery": pdus.WANT_RECEIPT,
            "validity_period": validity_period(message.until, self._now(), longest),
        }

    async def _bound(self) -> Session:
        async with self._binding:
            if self._session is not None and not self._session.lost:
                return self._session
            if self._session is not None:
                await self._session.close()
            self._session = await self._bind()
            return self._session

    async def _bind(self) -> Session:
        provider = self._provider
        password = self._read_password()
        if len(password) > 8 or not password.isascii():
            raise SecretError("a password of SMPP has at most eight ASCII characters")
        try:
            session = await connect(
                provider.host, provider.port, tls=provider.tls, take_receipt=self._take, timeout=self._timeout
            )
        except LineLostError as error:
            raise DeliveryError(error.staff_sentence, permanent=False) from None
        try:
            await session.bind(system_id=provider.system_id, password=password, system_type=provider.system_type)
        except (LineLostError, RefusedError) as error:
            await session.close()
            raise DeliveryError(f"no bind: {error.staff_sentence}", permanent=False) from None
        log.info("provider_bound", channel=self.name)
        return session

    async def _take(self, pdu: Pdu) -> None:
        receipt = read_receipt(pdu.text, reference=pdu.reference, state=pdu.state, decimal=self._decimal)
        if receipt is None:
            log.warning("receipt_unreadable", channel=self.name)
            return
        await self._on_receipt(receipt)


def source_address(sender: str) -> tuple[int, int, str]:
    """(TON, NPI, address) of a sender: letters, a number with its country, or a short number."""
    if not sender.removeprefix("+").isdecimal():
        return pdus.TON_ALPHANUMERIC, pdus.NPI_UNKNOWN, sender
    if sender.startswith("+"):
        return pdus.TON_INTERNATIONAL, pdus.NPI_ISDN, sender.removeprefix("+")
    return pdus.TON_NETWORK, pdus.NPI_UNKNOWN, sender


def validity_period(until: datetime | None, now: datetime, longest: timedelta) -> str:
    """How long the centre may try (7.1.1.2, relative): while the message is of use, at most what the provider takes."""
    left = max(timedelta(minutes=1), longest if until is None else min(longest, until - now))
    hours, rest = divmod(left.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"0000{left.days:02d}{hours:02d}{minutes:02d}{seconds:02d}000R"
