"""Orders: what may be chosen, what was chosen, and on which way an order goes. Pure.

An order knows no person. Who holds its reference has it, pays at the counter and gets what was ordered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Protocol
from uuid import UUID

import msgspec

from servicepunkt.core.catalogue.model import Capability, Text
from servicepunkt.core.errors import ConflictError, InvalidInputError, ServicepunktError

#: The states of an order, and to which it may go from each. What is free ends when its time is over.
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"placed", "cancelled", "expired"}),
    "placed": frozenset({"paid_at_counter", "cancelled", "expired"}),
    "paid_at_counter": frozenset(),
    "cancelled": frozenset(),
    "expired": frozenset(),
}
STATES = tuple(TRANSITIONS)
#: Which hook answers for what an offer says can be done: what is begun with a partner is an order, too.
HOOKS: Mapping[Capability, str] = {"sell": "sales", "start": "sales", "book": "bookings"}
ITEM = r"[a-z0-9][a-z0-9:.+-]{0,63}"
MOST_PIECES = 99
# 31 signs, a prime number; without those that are taken for each other (0 O, 1 I) and without U.
SIGNS = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
DRAWN = 7
DRAFT = timedelta(minutes=10)
NOTHING_CHOSEN = "Please choose something."
GONE = "This is not offered any more. Please choose again."
TOO_MANY = "So many are not possible."


class PartnerUnavailableError(ServicepunktError):
    """A partner raised, answered wrongly, or did not answer in time."""

    code = "SP8001"
    status = 503
    citizen = "This is not available now."
    staff = "The partner's plugin did not answer in time, or has a fault."
    next_step = "Please ask here at the counter."


class SoldOutError(ServicepunktError):
    """Somebody else was faster."""

    code = "SP8002"
    status = 409
    citizen = "What you chose has just been taken by somebody else."
    staff = "There is no longer enough of what was chosen."
    next_step = "Please choose something else, or ask here at the counter."


class OrderRefusedError(ServicepunktError):
    """A partner says no; raised by `quote` and `place` of its offerings."""

    code = "SP8003"
    status = 409
    citizen = "The partner does not take this order."
    staff = "The partner's system has refused the order."
    next_step = "Please ask here at the counter."


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that may be chosen: `price` for one piece, at most `most` pieces in one order.

    `item` is the partner's name for it. `limit`: how many there are in all, None without an end. `at`: when a booking
    begins, in UTC. Raises ValueError for a price that is none.
    """

    item: Annotated[str, msgspec.Meta(pattern=f"^{ITEM}$")]
    words: Text
    price: Decimal = Decimal(0)
    most: Annotated[int, msgspec.Meta(ge=1, le=MOST_PIECES)] = 9
    limit: Annotated[int, msgspec.Meta(ge=0)] | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        _look_at_amount(self.price)


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A choice and how many of it, as it stands in an order: words and price are those of that moment."""

    item: str
    words: Text
    count: int
    price: Decimal
    at: datetime | None = None
    limit: int | None = None


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What it costs in all, and until when the partner keeps it for somebody who has not paid."""

    total: Decimal
    expires_at: datetime
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] = "EUR"

    def __post_init__(self) -> None:
        _look_at_amount(self.total)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Something ordered at a point. `key` is the orderer's: the same key is the same order, however often it is sent.

    `reference` is for people; it says nothing about anybody.
    """

    id: UUID
    key: UUID
    plugin: str
    service: str
    provider: str
    point: str
    reference: str
    chosen: tuple[Chosen, ...]
    total: Decimal
    currency: str
    state: str = "draft"
    created_at: datetime
    changed_at: datetime
    expires_at: datetime

    @property
    def ends_at(self) -> datetime:
        """When it ends by itself: a draft, whose partner did not answer, before a placed one."""
        return min(self.created_at + DRAFT, self.expires_at) if self.state == "draft" else self.expires_at

    @property
    def is_open(self) -> bool:
        """Whether it still waits for somebody."""
        return bool(TRANSITIONS[self.state])

    @property
    def is_to_be_paid(self) -> bool:
        return self.state == "placed" and self.total > 0


class Sale(Protocol):
    """What a partner sells or begins: a `service` of the catalogue, as far as the partner `provider` offers it.

    Each method may wait for the partner's own system; it is given up after `asking.PARTNER_SECONDS`. Each order has
    one id: `place` and `cancel` may be asked several times for the same one, and do the same once. `cancel` may be
    asked for an order of which `place` never heard.
    """

    service: str
    provider: str

    async def choices(self, at: datetime) -> Sequence[Choice]: ...
    async def quote(self, chosen: Sequence[Chosen], at: datetime) -> Quote: ...
    async def place(self, order: Order) -> None: ...
    async def cancel(self, order: Order) -> None: ...


class Booking(Sale, Protocol):
    """What a partner books: a sale of which each choice has an instant, and seats as its `limit`."""


def move(state: str, to: str) -> str:
    """The next state. Raises ConflictError for a move that the table does not have."""
    if to not in TRANSITIONS.get(state, frozenset()):
        raise ConflictError(f"an order cannot go from {state} to {to}")
    return to


def pay(order: Order) -> str:
    """The state of a placed order after payment. Raises ConflictError, also where there is nothing to pay."""
    if not order.is_to_be_paid:
        raise ConflictError(f"an order over {order.total} in state {order.state} is not to be paid")
    return move(order.state, "paid_at_counter")


def choose(choices: Sequence[Choice], wish: Mapping[str, int]) -> tuple[Chosen, ...]:
    """What was wished, in the order in which it is offered; items of which none are wished are left out.

    Raises InvalidInputError for nothing, for what is not offered, and for more than there may be.
    """
    wanted = {item: count for item, count in wish.items() if count}
    known = {choice.item: choice for choice in choices}
    mistakes = [(item, GONE) for item in wanted if item not in known]
    for item, count in wanted.items():
        if item in known and not 0 < count <= _most(known[item]):
            mistakes.append((item, TOO_MANY))
    if not wanted:
        mistakes.append(("", NOTHING_CHOSEN))
    if mistakes:
        raise InvalidInputError(mistakes)
    return tuple(
        Chosen(item=one.item, words=one.words, count=wanted[one.item], price=one.price, at=one.at, limit=one.limit)
        for one in known.values()
        if one.item in wanted
    )


def left(choices: Sequence[Choice], taken: Mapping[str, int]) -> list[Choice]:
    """The choices with what is left of each as their limit; those of which nothing is left have 0."""
    return [
        one if one.limit is None else msgspec.structs.replace(one, limit=max(0, one.limit - taken.get(one.item, 0)))
        for one in choices
    ]


def new_reference(randomness: Callable[[int], bytes]) -> str:
    """Eight signs in two groups, the last one a check sign: one wrong sign, or two swapped, are noticed."""
    number = int.from_bytes(randomness(8))
    drawn = [number // len(SIGNS) ** place % len(SIGNS) for place in range(DRAWN)]
    signs = "".join(SIGNS[value] for value in (*drawn, _check(drawn)))
    return f"{signs[:4]}-{signs[4:]}"


def read_reference(typed: str) -> str | None:
    """A reference as it was typed, spoken or scanned, in its one spelling; None for what is none."""
    signs = re.sub(r"[\s-]", "", typed).upper()
    if len(signs) != DRAWN + 1 or any(sign not in SIGNS for sign in signs):
        return None
    *drawn, check = (SIGNS.index(sign) for sign in signs)
    return f"{signs[:4]}-{signs[4:]}" if _check(drawn) == check else None


def _check(drawn: Sequence[int]) -> int:
    """A weighted sum: no weight, and no difference of two weights, is a multiple of the prime number of signs."""
    return sum(weight * value for weight, value in enumerate(drawn, start=2)) % len(SIGNS)


def _most(choice: Choice) -> int:
    return choice.most if choice.limit is None else min(choice.most, choice.limit)


def _look_at_amount(amount: Decimal) -> None:
    if not (amount.is_finite() and amount >= 0 and amount == amount.quantize(Decimal("0.01"))):
        raise ValueError(f"{amount} is no amount of money")
