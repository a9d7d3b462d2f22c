"""SMS by a modem at the worker's own computer: slow, small, and independent of every provider."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from servicepunkt.core.errors import SecretError, ServicepunktError
from servicepunkt.core.notices.channels.gsm.modem import Modem, ModemError
from servicepunkt.core.notices.channels.gsm.pdu import BrokenReportError, decode_report, encode_submit
from servicepunkt.core.notices.channels.gsm.port import PortLostError
from servicepunkt.core.notices.model import DeliveryError, Message, Receipt
from servicepunkt.core.notices.settings import GsmProvider

log = structlog.get_logger("servicepunkt.notices")
# TS 24.011, table 8.4: the number is not assigned; nobody is known by it.
NO_SUCH_NUMBER = frozenset({1, 28})


class GsmChannel:
    """One modem. It is opened when the first message is sent, or when the worker starts."""

    kind = "sms"

    def __init__(
        self,
        provider: GsmProvider,
        *,
        read_pin: Callable[[], str] | None,
        on_receipt: Callable[[Receipt], Awaitable[None]],
        now: Callable[[], datetime],
        patience: float = 1.0,
    ) -> None:
        self.name = provider.name
        self._provider = provider
        self._read_pin, self._on_receipt, self._now, self._patience = read_pin, on_receipt, now, patience
        self._modem: Modem | None = None
        self._opening = asyncio.Lock()
        self._taking: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Raises DeliveryError, SecretError."""
        await self._opened()

    async def close(self) -> None:
        modem, self._modem = self._modem, None
        if modem is not None:
            modem.close()
        await asyncio.gather(*self._taking)

    async def send(self, message: Message) -> str:
        """The modem's reference, which it uses again after 255 others. Raises DeliveryError, SecretError."""
        longest = timedelta(hours=self._provider.longest_hours)
        valid = longest if message.until is None else min(longest, message.until - self._now())
        pdu, octets = encode_submit(message.recipient, message.text, valid=valid)
        modem = await self._opened()
        try:
            return str(await modem.submit(pdu, octets))
        except ModemError as error:
            raise DeliveryError(error.staff_sentence, permanent=error.cms in NO_SUCH_NUMBER) from None
        except PortLostError as error:
            raise DeliveryError(error.staff_sentence, permanent=False) from None

    async def _opened(self) -> Modem:
        async with self._opening:
            if self._modem is None or self._modem.lost:
                self._modem = await self._start()
            return self._modem

    async def _start(self) -> Modem:
        provider = self._provider
        modem: Modem | None = None
        try:
            modem = Modem(provider.device, provider.baud, on_report=self._hear, patience=self._patience)
            await modem.start(self._read_pin)
        except (ModemError, PortLostError, SecretError) as error:
            if modem is not None:
                modem.close()
            if isinstance(error, SecretError):
                raise
            raise DeliveryError(error.staff_sentence, permanent=False) from None
        log.info("modem_ready", channel=self.name)
        return modem

    def _hear(self, pdu: str) -> None:
        try:
            report = decode_report(pdu)
        except BrokenReportError as error:
            log.warning("receipt_unreadable", channel=self.name, code=error.code)
            return
        task = asyncio.ensure_future(
            self._take(Receipt(str(report.reference), report.outcome, accepted_at=report.accepted_at))
        )
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _take(self, receipt: Receipt) -> None:
        try:
            await self._on_receipt(receipt)
        except ServicepunktError as error:
            # A modem says it once: after a day of silence staff are shown the message.
            log.error("receipt_not_stored", channel=self.name, code=error.code)
