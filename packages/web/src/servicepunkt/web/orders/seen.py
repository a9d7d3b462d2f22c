"""Orders in words: what may be chosen, what was chosen, and how an order stands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from babel.numbers import format_currency

from servicepunkt.core.catalogue.model import Capability, Text
from servicepunkt.core.orders.model import Choice, Chosen, Order
from servicepunkt.core.texts import language_of, spoken_date, spoken_time
from servicepunkt.web.terminal.content import CAPABILITIES

PREFIX = "item-"
#: What is pressed on the page of a service, as message ids; the first of these that is offered.
VERBS: tuple[Capability, ...] = ("sell", "book", "start")
STATES = {
    "draft": "Not finished",
    "placed": "Ordered",
    "paid_at_counter": "Paid",
    "cancelled": "Cancelled",
    "expired": "Time is over",
}


class ChoiceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A choice with its date and price in words; `counts` are the numbers of pieces that may be chosen, from 0."""

    field: str
    item: str
    words: Text
    when: str
    price: str
    left: int | None
    counts: Sequence[int]
    count: int


class ChosenSeen(msgspec.Struct, frozen=True, kw_only=True):
    field: str
    words: Text
    when: str
    count: int
    price: str


class OrderSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An order as citizens and staff read it. `total` is empty for what is free; `state` is a message id."""

    order: Order
    chosen: Sequence[ChosenSeen]
    total: str
    state: str
    until: str
    made: str


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """How amounts and instants are said: in which language, where."""

    locale: str
    zone: ZoneInfo

    def amount(self, amount: Decimal, currency: str = "EUR") -> str:
        """Nothing for what is free."""
        return format_currency(amount, currency, locale=language_of(self.locale)) if amount else ""

    def day(self, at: datetime) -> str:
        return spoken_date(at.astimezone(self.zone).date(), self.locale)

    def instant(self, at: datetime) -> str:
        return f"{self.day(at)}, {spoken_time(at, self.locale, self.zone)}"

    def choices(self, choices: Iterable[Choice], wish: Mapping[str, int]) -> list[ChoiceSeen]:
        """Those of which something is left."""
        return [
            ChoiceSeen(
                field=PREFIX + one.item,
                item=one.item,
                words=one.words,
                when=self.instant(one.at) if one.at else "",
                price=self.amount(one.price),
                left=one.limit,
                counts=range(min(one.most, one.most if one.limit is None else one.limit) + 1),
                count=wish.get(one.item, 0),
            )
            for one in choices
            if one.limit != 0
        ]

    def chosen(self, chosen: Iterable[Chosen], currency: str) -> list[ChosenSeen]:
        return [
            ChosenSeen(
                field=PREFIX + one.item,
                words=one.words,
                when=self.instant(one.at) if one.at else "",
                count=one.count,
                price=self.amount(one.price * one.count, currency),
            )
            for one in chosen
        ]

    def order(self, order: Order) -> OrderSeen:
        return OrderSeen(
            order=order,
            chosen=self.chosen(order.chosen, order.currency),
            total=self.amount(order.total, order.currency),
            state=STATES[order.state],
            until=self.instant(order.expires_at),
            made=spoken_time(order.created_at, self.locale, self.zone),
        )


def verb(can: Iterable[str]) -> str:
    """What an offer lets somebody do that is an order, as a message id; empty for nothing."""
    return next((CAPABILITIES[one] for one in VERBS if one in can), "")


def wish_of(values: Mapping[str, Any]) -> dict[str, int]:
    """How many of which item a form or address asks for; what is no number is as if it were not there.

    A booking names its date (`date`) and how many seats (`seats`).
    """
    wish = {
        name.removeprefix(PREFIX): int(value)
        for name, value in values.items()
        if name.startswith(PREFIX) and _is_count(value)
    }
    if date := values.get("date"):
        seats = values.get("seats", "1")
        wish[str(date)] = int(seats) if _is_count(seats) else 1
    return {item: count for item, count in wish.items() if count}


def _is_count(value: object) -> bool:
    return isinstance(value, str) and len(value) < 3 and value.isascii() and value.isdigit()
