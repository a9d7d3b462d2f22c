"""What plugins declare: small structs without behaviour, pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from servicepunkt.core.tenancy.model import TenantContext


class Plugins(Protocol):
    """What a check may ask the other plugins."""

    def flat(self, ctx: TenantContext, hook: str, **arguments: object) -> list[Any]: ...


class TenantSection(msgspec.Struct, frozen=True):
    """A top-level section of the tenant file and the struct that is its schema.

    `check` says what a schema cannot see, as (place, sentence): it is given the plugins and the context that the file
    would give, when the file is read.
    """

    name: str
    schema: type[msgspec.Struct]
    check: Callable[[Plugins, TenantContext], list[tuple[str, str]]] | None = None


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
