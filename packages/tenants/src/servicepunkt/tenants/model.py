"""The tenant file: what `tenant.toml` and the files of its `catalogue` folder say. Pure.

The kernel's part of the file is declared here; each plugin declares its own sections by the hook `tenant_sections`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from servicepunkt.core.catalogue.model import IDENTIFIER, Catalogue, Strict
from servicepunkt.core.catalogue.records import ENTRIES

SCHEMA = 1


class TenantPart(Strict, frozen=True, kw_only=True):
    """The table [tenant]. `subdivision` is the Land (HE, BB); `hosts` are host names of web addresses."""

    slug: str
    name: str
    ags: str
    subdivision: str
    state: Literal["draft", "rehearsal", "live", "paused", "retired"] = "draft"
    locale: str = "de"
    languages: tuple[str, ...] = ("de", "en")
    zone: str = "Europe/Berlin"
    plugins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    district: str = ""
    serves: tuple[str, ...] = ()


class TenantFile(msgspec.Struct, frozen=True):
    """Everything that was read: the tenant, its catalogue, and the sections of plugins, decoded by their schemas."""

    tenant: TenantPart
    catalogue: Catalogue
    sections: Mapping[str, msgspec.Struct]


Mistake = tuple[str, str]


def read(
    documents: Mapping[str, Mapping[str, Any]], schemas: Mapping[str, type[msgspec.Struct]]
) -> tuple[TenantFile | None, list[Mistake]]:
    """Decode the parsed TOML documents (file name → content); every mistake is (place, sentence).

    msgspec stops at the first mistake of a struct, therefore each entry of each list is decoded by itself.
    """
    main = dict(documents.get("tenant.toml", {}))
    mistakes: list[Mistake] = []
    if main.pop("schema", None) != SCHEMA:
        mistakes.append(("tenant.toml: schema", f"the file says schema = {SCHEMA}"))
    tenant = _one(main.pop("tenant", {}), TenantPart, "tenant.toml: [tenant]", mistakes)
    lists: dict[str, list[Any]] = {key: [] for key in ENTRIES}
    for name, document in sorted(documents.items()):
        content = main if name == "tenant.toml" else dict(document)
        for key in ENTRIES:
            lists[key] += _many(content.pop(key, []), ENTRIES[key], f"{name}: [[{key}]]", mistakes)
        if name != "tenant.toml":
            mistakes += [(f"{name}: {key}", "this key does not exist here") for key in content]
    sections = {}
    for key, value in main.items():
        if key not in schemas:
            mistakes.append((f"tenant.toml: {key}", "no installed plugin knows this section"))
        else:
            found = section_mistakes(value, schemas[key], f"tenant.toml: [{key}]")
            mistakes += found
            if not found:
                sections[key] = msgspec.convert(value, schemas[key])
    catalogue = Catalogue(**{key: tuple(value) for key, value in lists.items()})
    if tenant is not None and not IDENTIFIER.match(tenant.slug):
        mistakes.append(("tenant.toml: tenant.slug", "a slug has small letters, digits and hyphens"))
    if mistakes or tenant is None:
        return None, mistakes
    return TenantFile(tenant, catalogue, sections), []


def section_mistakes(value: Any, schema: type[msgspec.Struct], place: str) -> list[Mistake]:
    """Every mistake in a section: each key by itself, and each table of its lists."""
    try:
        msgspec.convert(value, schema)
    except msgspec.ValidationError as error:
        whole = [(place, str(error))]
    else:
        return []
    if not isinstance(value, dict):
        return whole
    fields = {field.encode_name: field for field in msgspec.structs.fields(schema)}
    found: list[Mistake] = [(f"{place} {key}", "this key does not exist here") for key in value if key not in fields]
    for name, field in fields.items():
        if name not in value:
            found += [(f"{place} {name}", "this key is missing")] * field.required
        elif (entry := _entry_of(field.type)) is not None and isinstance(value[name], list):
            _many(value[name], entry, f"{place} [[{name}]]", found)
        else:
            _one(value[name], field.type, f"{place} {name}", found)
    # What only shows in the whole is named as the whole.
    return found or whole


def _entry_of(kind: Any) -> Any:
    """What a list of any length holds; None for every other type."""
    match get_args(kind):
        case (entry, end) if end is ...:
            return entry
        case _:
            return None


def _one(value: Any, kind: Any, place: str, mistakes: list[Mistake]) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        mistakes.append((place, str(error)))
        return None


def _many(values: Any, kind: Any, place: str, mistakes: list[Mistake]) -> list[Any]:
    if not isinstance(values, list):
        mistakes.append((place, "this is a list of tables"))
        return []
    found = []
    for number, value in enumerate(values, start=1):
        label = value.get("id") or value.get("service") or value.get("name") if isinstance(value, dict) else None
        decoded = _one(value, kind, f"{place} {number}" + (f" ({label})" if label else ""), mistakes)
        if decoded is not None:
            found.append(decoded)
    return found
