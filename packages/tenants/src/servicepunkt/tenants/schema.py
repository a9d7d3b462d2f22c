"""The JSON Schema of tenant files, for editors that know mistakes while somebody writes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from servicepunkt.core.catalogue.records import ENTRIES
from servicepunkt.tenants.model import SCHEMA, TenantPart

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = "#/$defs/{name}"


def json_schema(sections: Mapping[str, type[msgspec.Struct]]) -> dict[str, Any]:
    """Of tenant.toml with the sections of the installed plugins; files beside it hold the lists alone."""
    kinds = [TenantPart, *ENTRIES.values(), *sections.values()]
    found, definitions = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    tenant, *others = found
    lists, tables = others[: len(ENTRIES)], others[len(ENTRIES) :]
    properties: dict[str, Any] = {"schema": {"const": SCHEMA}, "tenant": tenant}
    properties |= {kind: {"type": "array", "items": one} for kind, one in zip(ENTRIES, lists, strict=True)}
    properties |= dict(zip(sections, tables, strict=True))
    return {
        "$schema": DIALECT,
        "title": "Servicepunkt: tenant file",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }
