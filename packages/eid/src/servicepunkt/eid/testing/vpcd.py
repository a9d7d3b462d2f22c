"""The protocol by which vsmartcard's reader driver asks for a card: a codec, and a card put onto such a reader.

    async with inserted(FaultyChip(chip), port=35963):
        ...    # pcscd sees the card

Each message is its length in two bytes and the payload; a payload of one byte is about power. The driver listens, the
card connects; closing the connection takes the card away. **The driver listens on every address of its machine**: start
it in a network namespace of its own, or where nobody else can reach it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import IntEnum

from servicepunkt.eid.errors import CardRemovedError, MalformedError
from servicepunkt.eid.testing.chip import Chip, FaultyChip

PORT = 35_963
#: What a length of two bytes can say.
MOST_BYTES = 65_535


class Control(IntEnum):
    """Payloads of one byte."""

    POWER_OFF = 0
    POWER_ON = 1
    RESET = 2
    ATR = 4


def encode(payload: bytes) -> bytes:
    """A message. Raises MalformedError for a payload that is too long."""
    if len(payload) > MOST_BYTES:
        raise MalformedError(what="vpcd", why="too long")
    return len(payload).to_bytes(2, "big") + payload


class Decoder:
    """Bytes in, payloads out, however the bytes were cut."""

    def __init__(self) -> None:
        self._waiting = b""

    def receive(self, data: bytes) -> list[bytes]:
        self._waiting += data
        found = []
        while len(self._waiting) >= 2:
            end = 2 + int.from_bytes(self._waiting[:2], "big")
            if len(self._waiting) < end:
                break
            found.append(self._waiting[2:end])
            self._waiting = self._waiting[end:]
        return found


def react(card: FaultyChip, payload: bytes) -> tuple[bytes | None, float]:
    """The payload to send back, none for what wants no answer, and how many seconds it is late.

    Raises CardRemovedError where the card is to be taken away.
    """
    if len(payload) > 1:
        reply = card.reply(payload)
        return reply.data, reply.seconds
    if payload == bytes([Control.ATR]):
        return Chip.ATR, 0.0
    if payload in (bytes([Control.POWER_OFF]), bytes([Control.RESET])):
        card.power_off()
    return None, 0.0


async def lie_on(card: FaultyChip, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer until the reader goes away or the card is taken, then close."""
    decoder = Decoder()
    try:
        while data := await reader.read(MOST_BYTES):
            for payload in decoder.receive(data):
                answered, seconds = react(card, payload)
                if seconds:
                    await asyncio.sleep(seconds)
                if answered is not None:
                    writer.write(encode(answered))
                    await writer.drain()
    except (CardRemovedError, ConnectionError):
        pass
    finally:
        card.power_off()
        writer.close()


@asynccontextmanager
async def inserted(
    card: FaultyChip, *, port: int = PORT, sock: socket.socket | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """A card on the reader until the end of the block; the task ends when the card was taken away before.

    `sock`: a connection to the driver, in place of the loopback address and `port`.
    """
    if sock is not None:
        reader, writer = await asyncio.open_connection(sock=sock)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    task = asyncio.create_task(lie_on(card, reader, writer))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        writer.close()  # a task that never began closed nothing
        with suppress(ConnectionError):
            await writer.wait_closed()
