"""What hooks return to be asked later: objects that do I/O on behalf of a plugin, as protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from servicepunkt.core.db.session import Transaction
    from servicepunkt.core.notices.model import Notice
    from servicepunkt.core.rules import Broken


class Retention(msgspec.Struct, frozen=True):
    """How long a field stays (days), and what erases everything older than an instant; it returns the count."""

    days: int
    erase: Callable[[Transaction, datetime], Awaitable[int]]


class HealthCheck(Protocol):
    name: str

    async def check(self, tx: Transaction) -> tuple[bool, str]: ...


class StaffTask(Protocol):
    """Something that waits for staff: `title` is an English message id, `href` the page that lists it."""

    title: str
    href: str

    async def count(self, tx: Transaction) -> int: ...


class HostFigure(Protocol):
    """Something that is counted at points. `title` is an English message id: what is counted.

    The numbers are exact; small ones are taken out before a host sees them.
    """

    title: str

    async def per_day(self, tx: Transaction, since: datetime, until: datetime) -> Mapping[tuple[str, date], int]:
        """How many there were in [since, until), by point and day at the tenant's place."""
        ...


class Readiness(Protocol):
    """Whether a tenant is ready for its next state. `title` is an English message id: what is looked at.

    A broken rule blocks, one that only warns is said.
    """

    title: str

    async def look(self, tx: Transaction) -> Sequence[Broken]: ...


class TenantApplied(Protocol):
    async def applied(self, tx: Transaction) -> None: ...


class NoticeListener(Protocol):
    """Told in the transaction that changes the notice.

    `settled`: a provider has accepted it, or it has failed for good before (`accepted` is False).
    `undelivered`: a provider that had accepted it says later that it did not arrive.
    """

    async def settled(self, tx: Transaction, notice: Notice, *, accepted: bool) -> None: ...
    async def undelivered(self, tx: Transaction, notice: Notice) -> None: ...
