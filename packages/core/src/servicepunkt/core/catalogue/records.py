"""Entries of a catalogue as records: what an entry says, as JSON has it, and by what it is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from servicepunkt.core.catalogue.layers import Record
from servicepunkt.core.catalogue.model import (
    Area,
    Catalogue,
    Host,
    Offer,
    Partner,
    Point,
    Responsibility,
    Service,
    Strict,
    Theme,
)

Kind = Literal["hosts", "points", "partners", "themes", "services", "offers", "areas", "responsibilities"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ENTRIES: Mapping[str, type[Strict]] = {
    "hosts": Host,
    "points": Point,
    "partners": Partner,
    "themes": Theme,
    "services": Service,
    "offers": Offer,
    "areas": Area,
    "responsibilities": Responsibility,
}


def record_id(kind: str, record: Record) -> str:
    """What a record is known by within its kind."""
    match kind:
        case "areas":
            return str(record["ars"])
        case "offers":
            return f"{record['service']}@{record['point']}@{record['provider']}"
        case "responsibilities":
            role, area = record.get("role", "decides"), record.get("area", "")
            return f"{record['service']}@{record['authority']}@{role}@{area}"
        case _:
            return str(record["id"])


def records_of(catalogue: Catalogue) -> dict[tuple[str, str], Record]:
    """The entries of a catalogue as records, without what an entry says nothing about."""
    found: dict[tuple[str, str], Record] = {}
    for kind in ENTRIES:
        for entry in getattr(catalogue, kind):
            record = said(entry)
            found[kind, record_id(kind, record)] = record
    return found


def said(entry: msgspec.Struct) -> dict[str, Any]:
    """The fields of an entry that differ from their defaults, as JSON has them."""
    values = msgspec.to_builtins(entry)
    for field in msgspec.structs.fields(type(entry)):
        if not field.required and getattr(entry, field.name) == default(field):
            del values[field.encode_name]
    return dict(values)


def default(field: msgspec.structs.FieldInfo) -> Any:
    """What a field is that nobody has said; only for one that need not be."""
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
