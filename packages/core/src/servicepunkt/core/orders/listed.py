"""Sales and bookings of a partner without a system of its own: what there is stands in its plugin, and staff deal with
the order at the counter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from servicepunkt.core.hours.model import Calendar
from servicepunkt.core.orders.model import Choice, Chosen, Order, Quote
from servicepunkt.core.tenancy.model import TenantContext

Choices = Sequence[Choice] | Callable[[datetime], Sequence[Choice]]
KEPT = timedelta(hours=2)


class Listed:
    """A sale or booking (see `model.Sale`, `model.Booking`) of `choices`: always the same, or those of an instant.

    What is not paid is kept for `kept`, and never longer than until it begins; what is free until it begins.
    """

    def __init__(self, service: str, provider: str, choices: Choices, *, kept: timedelta = KEPT) -> None:
        self.service = service
        self.provider = provider
        self._choices = choices
        self._kept = kept

    async def choices(self, at: datetime) -> Sequence[Choice]:
        return self._choices(at) if callable(self._choices) else self._choices

    async def quote(self, chosen: Sequence[Chosen], at: datetime) -> Quote:
        total = sum((one.price * one.count for one in chosen), start=Decimal(0))
        begins = [one.at for one in chosen if one.at is not None]
        ends = begins if begins and not total else [at + self._kept, *begins]
        return Quote(total=total, expires_at=min(ends))

    async def place(self, order: Order) -> None:
        """The order itself is all that staff need."""

    async def cancel(self, order: Order) -> None:
        """Nobody else knows of it."""


def instants(
    ctx: TenantContext, at: datetime, *, weekdays: Collection[int], times: Sequence[time], days: int
) -> Iterator[datetime]:
    """The instants of the next days at the tenant's place, in UTC, without today and without public holidays.

    Weekdays count from 0, which is Monday.
    """
    calendar, today = Calendar(ctx.zone, ctx.subdivision), ctx.local_date(at)
    for day in (today + timedelta(days=number) for number in range(1, days + 1)):
        if day.weekday() in weekdays and calendar.holiday(day) is None:
            for one in times:
                yield datetime.combine(day, one, tzinfo=ctx.zone_info).astimezone(UTC)


def item_of(at: datetime) -> str:
    """A name for an instant, as an item."""
    return f"{at.astimezone(UTC):%Y%m%dt%H%Mz}"
