"""The simulated network: what arrives, how often, and what the sender hears of it."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx
import pytest

from simulation import clockwork
from simulation.clockwork import VirtualLoop
from simulation.disk import Power, PowerCut
from simulation.network import Transport, Weather


class Counting:
    """A server that numbers its answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def answer(self, *_: Any) -> tuple[int, dict[str, str], bytes]:
        self.asked += 1
        return 200, {}, str(self.asked).encode()


def ask(weather: Weather, times: int = 1, *, power: Power | None = None) -> tuple[list[str], int]:
    """What so many requests in a row got, and how often the server was asked."""
    server = Counting()

    async def main(loop: VirtualLoop) -> list[str]:
        transport = Transport(server, weather, power or Power(), random.Random(1), loop.create_task)
        heard = []
        async with httpx.AsyncClient(transport=transport, base_url="http://centre", timeout=10) as client:
            for _ in range(times):
                try:
                    heard.append((await client.get("/x")).text)
                except httpx.HTTPError as error:
                    heard.append(f"{type(error).__name__} {loop.time():.0f}")
        await asyncio.sleep(300)
        return heard

    return clockwork.run(main), server.asked


def test_good_weather() -> None:
    assert ask(Weather(), 3) == (["1", "2", "3"], 3)


def test_what_is_lost_is_waited_for_as_long_as_the_sender_is_patient() -> None:
    assert ask(Weather(loss=1.0)) == (["ReadTimeout 10"], 0)


def test_a_lost_answer_was_an_answer() -> None:
    heard, asked = ask(Weather(loss=0.5), 40)
    lost = sum(text.startswith("ReadTimeout") for text in heard)
    assert 40 - lost < asked < 40, "some are lost on the way, some on the way back"


def test_what_is_doubled_arrives_twice() -> None:
    assert ask(Weather(duplication=1.0), 3)[1] == 6


def test_an_old_answer_may_come_again() -> None:
    assert ask(Weather(stale=1.0), 3) == (["1", "1", "1"], 1)


def test_a_partition_lets_nothing_through() -> None:
    assert ask(Weather(partition=True)) == (["ConnectError 1"], 0)


def test_without_power_nothing_is_sent() -> None:
    power = Power()
    power.on = False
    with pytest.raises(PowerCut):
        ask(Weather(), power=power)
