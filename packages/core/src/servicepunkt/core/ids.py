"""Identifiers: time-ordered UUIDs (RFC 9562 version 7), made in Python and never by the database."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7

NIL = UUID(int=0)


def new_id() -> UUID:
    """A new UUIDv7."""
    return UUID(int=uuid7().int)
