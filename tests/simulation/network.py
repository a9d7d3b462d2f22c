"""The network between box and centre: loss, duplication, delay, reordering, partition, and somebody's old answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Protocol

import httpx
import msgspec

from .disk import Power

REFUSED_AFTER = 0.5


class Server(Protocol):
    """Whoever answers at the other end: status, headers, body."""

    async def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], bytes]: ...


class Weather(msgspec.Struct):
    """Shares of requests. `partition`: nothing gets through; `slow` is the longest delay of one way, in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    stale: float = 0.0
    slow: float = 0.05
    partition: bool = False
    changed_at: float = 0.0


class Transport(httpx.AsyncBaseTransport):
    """What the box's HTTP client runs on. Every request may overtake another: each is a connection of its own."""

    def __init__(
        self, server: Server, weather: Weather, power: Power, chance: random.Random, spawn: Callable[..., object]
    ) -> None:
        self._server, self._weather, self._power = server, weather, power
        self._chance, self._spawn = chance, spawn
        self._old: dict[str, tuple[int, dict[str, str], bytes]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._power.need()
        patience = float(request.extensions["timeout"]["read"])
        body = request.content
        arguments = (request.method, request.url.path, dict(request.url.params), request.headers, body)
        await self._way()
        if self._weather.partition:
            await asyncio.sleep(REFUSED_AFTER)
            raise httpx.ConnectError("simulated", request=request)
        if self._chance.random() < self._weather.loss:
            await asyncio.sleep(patience)
            raise httpx.ReadTimeout("simulated", request=request)
        if self._chance.random() < self._weather.duplication:
            self._spawn(self._again(arguments))
        old = self._old.get(request.url.path) if self._chance.random() < self._weather.stale else None
        found = old or await self._server.answer(*arguments)
        if request.method == "GET":
            self._old[request.url.path] = found
        await self._way()
        if self._weather.partition or self._chance.random() < self._weather.loss:
            await asyncio.sleep(patience)
            raise httpx.ReadTimeout("simulated", request=request)
        self._power.need()
        status, headers, content = found
        return httpx.Response(status, headers=headers, content=content, request=request)

    async def _way(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.005, self._weather.slow))

    async def _again(self, arguments: tuple[Any, ...]) -> None:
        """The same request once more, up to minutes later, and nobody reads the answer."""
        await asyncio.sleep(self._chance.choice([0.01, 1.0, 120.0]) * self._chance.random())
        if not self._weather.partition:
            await self._server.answer(*arguments)
