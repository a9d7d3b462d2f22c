"""What plugins declare: small structs without behaviour, pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Protocol

import msgspec

from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.tenancy.model import TenantContext


class Plugins(Protocol):
    """What a check may ask the other plugins."""

    def flat(self, ctx: TenantContext, hook: str, **arguments: object) -> list[Any]: ...


class TenantDraft(msgspec.Struct, frozen=True):
    """A tenant file that is checked: the context that it would give, what it says of the catalogue, and the day."""

    plugins: Plugins
    ctx: TenantContext
    catalogue: Catalogue
    day: date


class TenantSection(msgspec.Struct, frozen=True):
    """A top-level section of the tenant file and the struct that is its schema.

    `check` says what a schema cannot see, when the file is read: (place within the section, broken rule), see
    `servicepunkt.core.rules`.
    """

    name: str
    schema: type[msgspec.Struct]
    check: Callable[[TenantDraft], Sequence[tuple[str, str]]] | None = None


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
