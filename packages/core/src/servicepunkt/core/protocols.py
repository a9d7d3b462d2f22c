"""What hooks return: small structs, and protocols for objects that do I/O on behalf of a plugin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from servicepunkt.core.db.session import Transaction
    from servicepunkt.core.notices.model import Notice


class TenantSection(msgspec.Struct, frozen=True):
    """A top-level section of the tenant file and the struct that is its schema."""

    name: str
    schema: type[msgspec.Struct]


class DeviceKind(msgspec.Struct, frozen=True):
    """A kind of device; `calls` are (method, path template) pairs, the only ones that its token opens."""

    name: str
    title: str
    calls: tuple[tuple[str, str], ...] = ()
    needs_public_key: bool = False


class TerminalTile(msgspec.Struct, frozen=True):
    """A tile of the terminal's start page; `title` and `text` are already in the reader's language."""

    title: str
    href: str
    icon: str = ""
    text: str = ""
    order: int = 50


class StaffEntry(msgspec.Struct, frozen=True):
    """An entry of the staff navigation; `title` is an English message id."""

    title: str
    href: str
    order: int = 50


class Retention(msgspec.Struct, frozen=True):
    """How long a field stays (days), and what erases everything older than an instant; it returns the count."""

    days: int
    erase: Callable[[Transaction, datetime], Awaitable[int]]


class HealthCheck(Protocol):
    name: str

    async def check(self, tx: Transaction) -> tuple[bool, str]: ...


class TenantApplied(Protocol):
    async def applied(self, tx: Transaction) -> None: ...


class NoticeListener(Protocol):
    """Told in the settling transaction: `accepted` is False when the notice has failed for good."""

    async def settled(self, tx: Transaction, notice: Notice, *, accepted: bool) -> None: ...
