"""Layers of the catalogue: what the federation, the Land, the tenant and a point say of one service becomes one. Pure.

A layer is a record: the fields of a service (or another entry) as JSON has them, without those that it says nothing
about. Of two layers the upper one wins, for each text in each language, for each module in each channel and language,
and for every other field as a whole. An empty text says that nothing shall stand there. From where each value came is
kept, by its path: `summary/de`, `modules/11/000/de`, `fees`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

Layer = Literal["federation", "land", "tenant"]
#: From the lowest to the highest.
LAYERS: tuple[Layer, ...] = ("federation", "land", "tenant")
Record = Mapping[str, Any]
Path = str
#: Fields that hold a text by language.
TEXTS = frozenset({"name", "official_name", "summary", "description", "fee", "duration", "ended", "intro", "hint"})
MODULES = "modules"


class Sourced(msgspec.Struct, frozen=True):
    """What one source says of an entry. `source`: its name, for people."""

    source: str
    record: Record


class Merged(msgspec.Struct, frozen=True):
    """One record of all layers, and the name of the source of each of its values by path."""

    record: dict[str, Any]
    origins: dict[Path, str]


def values(record: Record) -> dict[Path, Any]:
    """The record as single values by path."""
    found: dict[Path, Any] = {}
    for field, value in record.items():
        if field in TEXTS and isinstance(value, Mapping):
            found |= {f"{field}/{language}": text for language, text in value.items()}
        elif field == MODULES:
            for module in value:
                place = f"{MODULES}/{module['code']}/{module.get('channel', '000')}"
                translated = module.get("translated", ())
                for language, text in module["text"].items():
                    found[f"{place}/{language}"] = (text, language in translated)
        else:
            found[field] = value
    return found


def record_of(found: Mapping[Path, Any], *, with_empty: bool = False) -> dict[str, Any]:
    """The record that has these values; empty texts are left out unless it is a layer, where they take away."""
    made: dict[str, Any] = {}
    modules: dict[tuple[str, str], dict[str, Any]] = {}
    for path, value in found.items():
        field, _, rest = path.partition("/")
        if field == MODULES:
            code, channel, language = rest.split("/")
            said, is_translated = value
            if said or with_empty:
                module = modules.setdefault((code, channel), {"code": code, "channel": channel, "text": {}})
                module["text"][language] = said
                if is_translated:
                    module.setdefault("translated", []).append(language)
        elif rest:
            if value or with_empty:
                made.setdefault(field, {})[rest] = value
        else:
            made[field] = value
    if modules:
        made[MODULES] = [modules[key] for key in sorted(modules)]
    return made


def merge(layers: Iterable[Sourced]) -> Merged:
    """One record of all of them, the lowest layer first."""
    found: dict[Path, Any] = {}
    origins: dict[Path, str] = {}
    for layer in layers:
        for path, value in values(layer.record).items():
            found[path] = value
            origins[path] = layer.source
    made = record_of(found)
    present = values(made)
    return Merged(made, {path: source for path, source in origins.items() if path in present})


def difference(before: Record, after: Record) -> list[tuple[Path, Any, Any]]:
    """(path, before, after) of every value that differs; None where there is none."""
    old, new = values(before), values(after)
    return [
        (path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
