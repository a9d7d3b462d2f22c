"""A bounded load: so many GET requests over keep-alive connections of HTTP/1.1, one under way on each."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Sequence

import msgspec
from _processes import HOST

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CONNECTIONS = 16


class Load(msgspec.Struct, frozen=True):
    """What came of a load; every answer was 200."""

    answers: int
    seconds: float
    body_bytes: int


class UnexpectedAnswerError(RuntimeError):
    """An answer that was not 200, or a connection that ended."""


class _Requests:
    """What is left to ask, shared by all connections."""

    def __init__(self, port: int, paths: Sequence[str], count: int) -> None:
        made = [f"GET {path} HTTP/1.1\r\nhost: {HOST}:{port}\r\n\r\n".encode() for path in paths]
        self._next = itertools.cycle(made)
        self._left = count
        self.waiting = count
        self.body_bytes = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self) -> bytes | None:
        if self._left == 0:
            return None
        self._left -= 1
        return next(self._next)

    def answered(self, body_bytes: int) -> None:
        self.waiting -= 1
        self.body_bytes += body_bytes
        if self.waiting == 0 and not self.done.done():
            self.done.set_result(None)

    def failed(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(UnexpectedAnswerError(reason))


class _Connection(asyncio.Protocol):
    """One connection: the next request goes out when the answer before it is whole."""

    def __init__(self, requests: _Requests) -> None:
        self._requests = requests
        self._received = bytearray()
        self._expected = 0
        self._head = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        request = self._requests.take()
        if request is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._head:
            self._head = self._received.find(b"\r\n\r\n") + 4
            if self._head < 4:
                self._head = 0
                return
            if not self._received.startswith(b"HTTP/1.1 200"):
                self._requests.failed(bytes(self._received[:200]).decode("latin-1"))
                return
            length = LENGTH.search(self._received, 0, self._head)
            # Without a length the body comes in chunks, the last of which is empty.
            self._expected = self._head + int(length.group(1)) if length else 0
        whole = len(self._received) >= self._expected if self._expected else self._received.endswith(b"\r\n0\r\n\r\n")
        if whole:
            self._requests.answered(len(self._received) - self._head)
            self._received.clear()
            self._head = 0
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._requests.failed(f"the server closed a connection: {exc}")


async def get(port: int, paths: Sequence[str], count: int, *, connections: int = CONNECTIONS) -> Load:
    """Ask `paths` in turn, `count` times in all. Raises UnexpectedAnswerError at the first answer that is not 200."""
    requests = _Requests(port, paths, count)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    opened = [await loop.create_connection(lambda: _Connection(requests), HOST, port) for _ in range(connections)]
    try:
        await requests.done
        return Load(count, time.perf_counter() - started, requests.body_bytes)
    finally:
        for transport, _ in opened:
            transport.abort()
