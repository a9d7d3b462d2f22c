"""`story.toml` beside a tenant file: the example persons and moments with which the story is played."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path

import msgspec

from servicepunkt.core.errors import InvalidInputError


class StoryFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Local times without a zone are the tenant's. `compartment` is the door that has to open."""

    citizen: str
    phone: str
    document_kind: str
    document_number: str
    box: str
    loading_at: datetime
    open_at: datetime
    closed_at: datetime
    compartment: int
    theme: str
    service: str
    ended_service: str = ""


def read_story(folder: Path) -> StoryFile | None:
    """The story of a tenant pack, or None when it has none. Raises InvalidInputError."""
    path = folder / "story.toml"
    if not path.exists():
        return None
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), StoryFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidInputError([("story.toml", str(error))]) from None
