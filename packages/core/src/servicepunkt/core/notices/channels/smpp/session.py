"""One bind to a message centre over asyncio: requests and their answers, receipts, and signs of life.

smpplib's own client blocks, and aiosmpplib's sends from a queue of its own, from which a message could still go out
after we gave it up and asked another provider: here a message is either answered in time or known to be uncertain.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.notices.channels import TIMEOUT_SECONDS
from servicepunkt.core.notices.channels.smpp import pdus
from servicepunkt.core.notices.channels.smpp.pdus import BrokenPduError, Pdu

log = structlog.get_logger("servicepunkt.notices")
SIGN_OF_LIFE_SECONDS = 30.0
LAST_SEQUENCE = 0x7FFFFFFF

TakeReceipt = Callable[[Pdu], Awaitable[None]]


class LineLostError(ServicepunktError):
    """The line to a message centre is gone, or it does not answer."""

    code = "SP0043"
    status = 502
    staff = "The message centre does not answer."


class RefusedError(ServicepunktError):
    """A message centre answered a request with a status other than ESME_ROK."""

    code = "SP0044"
    status = 502

    def __init__(self, status: int) -> None:
        super().__init__(f"the message centre refused with {status:#010x}")
        self.smpp_status = status


class Session:
    """A bound line. Made by `bind`; of no use any more once it is lost."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        take_receipt: TakeReceipt,
        timeout: float = TIMEOUT_SECONDS,
        sign_of_life: float = SIGN_OF_LIFE_SECONDS,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._take_receipt = take_receipt
        self._timeout, self._sign_of_life = timeout, sign_of_life
        self._sequence = 0
        self._waiting: dict[int, asyncio.Future[Pdu]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.lost = False

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._read()))

    async def bind(self, *, system_id: str, password: str, system_type: str) -> None:
        """Raises LineLostError, RefusedError."""
        await self.request("bind_transceiver", system_id=system_id, password=password, system_type=system_type)
        self._tasks.append(asyncio.create_task(self._keep_alive()))

    async def request(self, command: str, **fields: Any) -> Pdu:
        """Send a request and wait for its answer. Raises LineLostError, RefusedError."""
        if self.lost:
            raise LineLostError
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        sequence = self._sequence
        answered: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._waiting[sequence] = answered
        try:
            self._writer.write(pdus.encode(command, sequence, **fields))
            async with asyncio.timeout(self._timeout):
                await self._writer.drain()
                answer = await answered
        except (OSError, TimeoutError) as error:
            self._lose()
            raise LineLostError from error
        finally:
            self._waiting.pop(sequence, None)
        if answer.status != pdus.OK:
            raise RefusedError(answer.status)
        return answer

    async def close(self) -> None:
        """Unbind and hang up."""
        with contextlib.suppress(ServicepunktError):
            await self.request("unbind")
        self._lose()
        own = [task for task in self._tasks if task is not asyncio.current_task()]
        await asyncio.gather(*own, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def _lose(self) -> None:
        """Whoever waits learns that it is uncertain what became of his request."""
        self.lost = True
        self._writer.close()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(LineLostError())

    async def _read(self) -> None:
        try:
            while True:
                header = await self._reader.readexactly(4)
                body = await self._reader.readexactly(pdus.length_of(header) - 4)
                await self._on_pdu(pdus.decode(header + body))
        except (OSError, asyncio.IncompleteReadError):
            pass
        except BrokenPduError as error:
            log.warning("line_broken", reason=error.staff_sentence)
        finally:
            self._lose()

    async def _on_pdu(self, pdu: Pdu) -> None:
        match pdu.command:
            case "deliver_sm":
                await self._on_message(pdu)
            case "enquire_link":
                self._answer("enquire_link_resp", pdu)
            case "unbind":
                self._answer("unbind_resp", pdu)
                raise ConnectionResetError
            case _:
                answered = self._waiting.get(pdu.sequence)
                if answered is not None and not answered.done():
                    answered.set_result(pdu)

    async def _on_message(self, pdu: Pdu) -> None:
        """A receipt is acknowledged when it is stored; otherwise the centre sends it again."""
        status = pdus.OK
        if pdu.is_receipt:
            try:
                await self._take_receipt(pdu)
            except ServicepunktError as error:
                log.warning("receipt_not_stored", code=error.code)
                status = pdus.TRY_AGAIN
        self._answer("deliver_sm_resp", pdu, status=status)

    def _answer(self, command: str, pdu: Pdu, *, status: int = pdus.OK) -> None:
        self._writer.write(pdus.encode(command, pdu.sequence, status=status))

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._sign_of_life)
            with contextlib.suppress(RefusedError):
                await self.request("enquire_link")


async def connect(
    host: str, port: int, *, tls: bool, take_receipt: TakeReceipt, timeout: float = TIMEOUT_SECONDS
) -> Session:
    """A line that is not bound yet. Raises LineLostError."""
    context = ssl.create_default_context() if tls else None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError, ValueError) as error:  # ValueError: a host that is none
        raise LineLostError(f"the message centre cannot be reached ({type(error).__name__})") from None
    session = Session(reader, writer, take_receipt=take_receipt, timeout=timeout)
    session.start()
    return session
