"""Rules of help calls: states as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ConflictError

TRANSITIONS: Mapping[str, frozenset[str]] = {
    "open": frozenset({"coming", "closed"}),
    "coming": frozenset({"closed"}),
    "closed": frozenset(),
}


class HelpCall(msgspec.Struct, frozen=True, kw_only=True):
    """Where help is wanted and about what; never who asks. `topic` is the path of a page, without a query."""

    id: UUID
    point: str
    device: UUID | None
    topic: str
    state: str = "open"
    created_at: datetime
    changed_at: datetime


def move(state: str, to: str) -> str:
    """Raises ConflictError."""
    if to not in TRANSITIONS.get(state, frozenset()):
        raise ConflictError(f"a help call cannot go from {state} to {to}")
    return to
