"""The small town with a plugin that sells and books, and can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.orders.listed import Listed
from servicepunkt.core.orders.model import Choice
from servicepunkt.core.plugins import PluginHost, hookimpl
from servicepunkt.core.testing import FixedClock
from servicepunkt.web import plugin as web_plugin

BEGINS = FixedClock().instant + timedelta(days=7)


class Ticket(Listed):
    act: Callable[[], Any] | None = None

    async def choices(self, at: datetime) -> Sequence[Choice]:
        if self.act:
            answer = self.act()
            return await answer if asyncio.iscoroutine(answer) else answer
        return await super().choices(at)


class Shop:
    """A plugin: month cards of the works, and stalls on the market with two places for each date."""

    servicepunkt_api = "1"

    def __init__(self) -> None:
        cards = (
            Choice(item="month", words={"de": "Monatskarte", "en": "Month card"}, price=Decimal("49.90")),
            Choice(item="dog", words={"de": "Hundekarte", "en": "Card for a dog"}, price=Decimal(5), most=1),
        )
        stalls = [
            Choice(item=f"stall-{day}", words={"de": "Stand"}, most=1, limit=1, at=BEGINS + timedelta(days=day))
            for day in range(2)
        ]
        self.ticket = Ticket("contract", "works", cards)
        self.market = Listed("market", "club", stalls)

    @hookimpl
    def sales(self) -> Sequence[Any]:
        return (self.ticket,)

    @hookimpl
    def bookings(self) -> Sequence[Any]:
        return (self.market,)


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    host.register(core_plugin, "core")
    host.register(web_plugin, "web")
    host.register(Shop(), "shop")
    host.freeze()
    return host


@pytest.fixture
def shop(plugins: PluginHost) -> Any:
    found = plugins._manager.get_plugin("shop")
    yield found
    found.ticket.act = None
