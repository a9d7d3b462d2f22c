"""What plugins declare: small structs without behaviour, pure."""

from __future__ import annotations

import msgspec


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
