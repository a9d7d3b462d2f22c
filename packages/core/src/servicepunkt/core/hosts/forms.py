"""A form that is sent twice is one wish: its key says so, and what it says has to be the same."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from servicepunkt.core.errors import ConflictError

Kept = TypeVar("Kept", bound=msgspec.Struct)


def the_same(known: Kept, said: msgspec.Struct, what: str) -> Kept:
    """What was kept under the key, if it says what is said now. Raises ConflictError for something else."""
    if any(getattr(known, name) != getattr(said, name) for name in said.__struct_fields__):
        raise ConflictError(f"the key was used for another {what}")
    return known
