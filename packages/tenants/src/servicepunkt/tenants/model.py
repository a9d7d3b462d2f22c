"""The tenant file: what `tenant.toml` and the files beside it say. Pure.

The kernel's part of the file is declared here; each plugin declares its own sections by the hook `tenant_sections`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from servicepunkt.core.catalogue.model import Catalogue, Strict
from servicepunkt.core.catalogue.records import ENTRIES
from servicepunkt.core.rules import Broken, closest, rule
from servicepunkt.tenants.decoding import UNKNOWN_KEY, decode
from servicepunkt.tenants.places import Path
from servicepunkt.tenants.translations import translated

SCHEMA = 1
ANYTHING = "*"
MAIN = "tenant.toml"

WRONG_SCHEMA = rule("SP1011", "the file says schema = {schema}", "The number says which edition of the format it is.")
NO_SECTION = rule("SP1022", "no installed plugin knows the section {name!r}")
NO_LIST = rule("SP1023", "this is a list of tables: [[{name}]]")
#: Kinds of entries that have no id and are called by their number.
NUMBERED = ("offers", "responsibilities")
#: By what entries of lists are called in places of mistakes.
CALLED = ("id", "name", "type", "code", "ars")
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_LABEL = re.compile(r" \([^)]*\)")


class TenantPart(Strict, frozen=True, kw_only=True):
    """The table [tenant]. `subdivision` is the Land (HE, BB); `hosts` are host names of web addresses.

    `ags`: the municipality's own key of eight digits; `serves`: those of all that its authority serves.
    """

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


class Mistake(NamedTuple):
    """Something that breaks a rule: in which file, and on which path within it."""

    file: str
    path: Path
    said: Broken


class Reading(msgspec.Struct, frozen=True):
    """What could be decoded, what could not, and where each entry of the catalogue stands."""

    tenant: TenantPart | None
    catalogue: Catalogue
    sections: Mapping[str, msgspec.Struct]
    mistakes: Sequence[Mistake]
    documents: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, Sequence[tuple[str, int]]]
    lost: frozenset[tuple[str, str]] = frozenset()
    """Kind and id of entries that could not be decoded: whoever refers to them makes no mistake."""
    kept: Mapping[str, Mapping[str, Sequence[int]]] = msgspec.field(default_factory=dict)
    """Sections of which entries could not be decoded: for each of their lists the numbers of those that could."""

    @property
    def file(self) -> TenantFile | None:
        """What the file says; None without the table [tenant]."""
        if self.tenant is None:
            return None
        return TenantFile(self.tenant, self.catalogue, self.sections)

    def located(self, place: str, said: Broken, *, section: str = "") -> Mistake:
        """A mistake by a place such as `hosts.shop.hours`, `offers[3].can` or, in a section, `boxes.one.rows`."""
        steps: list[str | int] = [
            int(number) if number else name for number, name in _STEP.findall(_LABEL.sub("", place))
        ]
        if section or not steps or steps[0] not in ENTRIES:
            match steps:
                case [str(name), int(number), *_] if name in self.kept.get(section, {}):
                    steps[1] = self.kept[section][name][number]
            path: Path = (section, *steps) if section else tuple(steps)
            return Mistake(MAIN, _walked(self.documents.get(MAIN, {}), path), said)
        kind, which, rest = str(steps[0]), steps[1], steps[2:]
        number = (
            int(which)
            if kind in NUMBERED or isinstance(which, int)
            else _last(getattr(self.catalogue, kind), str(which))
        )
        file, index = self.origins[kind][number]
        return Mistake(file, _walked(self.documents[file], (kind, index, *rest)), said)


def _last(entries: Sequence[Any], name: str) -> int:
    """The last entry of a name: where one stands twice, the second is the mistake."""
    named = (number for number, one in enumerate(entries) if name in (getattr(one, "id", ""), getattr(one, "ars", "")))
    return max(named, default=0)


def _walked(document: Any, path: Path) -> Path:
    """The path with numbers in place of the names by which entries of lists are called."""
    found: list[str | int] = []
    for step in path:
        if isinstance(document, list) and not isinstance(step, int):
            if (number := _number(document, str(step))) is None:
                break
            step = number
        found.append(step)
        try:
            document = document[step]
        except (LookupError, TypeError):
            document = None
    return tuple(found)


def _number(entries: list[Any], name: str) -> int | None:
    named = (n for n, one in enumerate(entries) if isinstance(one, dict) and any(one.get(k) == name for k in CALLED))
    return max(named, default=None)


def read(documents: Mapping[str, Mapping[str, Any]], schemas: Mapping[str, type[msgspec.Struct]]) -> Reading:
    """Decode the parsed TOML documents (file name → content) as far as they can be, and name every mistake."""
    documents, unfitting = translated(documents)
    main = dict(documents.get(MAIN, {}))
    found = [Mistake(*one) for one in unfitting]
    if main.pop("schema", None) != SCHEMA:
        found.append(Mistake(MAIN, ("schema",), WRONG_SCHEMA(schema=SCHEMA)))
    tenant, wrong = decode(main.pop("tenant", {}), TenantPart, ("tenant",))
    found += (Mistake(MAIN, path, said) for path, said in wrong)
    lists: dict[str, list[Any]] = {kind: [] for kind in ENTRIES}
    origins: dict[str, list[tuple[str, int]]] = {kind: [] for kind in ENTRIES}
    lost: set[tuple[str, str]] = set()
    for name, document in documents.items():
        content = main if name == MAIN else dict(document)
        for kind in ENTRIES:
            for index, value in _entries(content.pop(kind, []), kind, name, found):
                entry, wrong = decode(value, ENTRIES[kind], (kind, index))
                found += (Mistake(name, path, said) for path, said in wrong)
                if entry is not None:
                    lists[kind].append(entry)
                    origins[kind].append((name, index))
                elif isinstance(value, dict):
                    # What was meant by something that is no text nobody knows: it may be anything.
                    identity = value.get("id", "")
                    lost.add((kind, identity if isinstance(identity, str) else ANYTHING))
        lost |= {entry for key, values in content.items() for entry in _meant(key, values)}
        if name != MAIN:
            found += (Mistake(name, (key,), UNKNOWN_KEY(name=key, near=closest(key, ENTRIES))) for key in content)
    sections, kept = _sections(main, schemas, found, lost)
    catalogue = Catalogue(**{kind: tuple(entries) for kind, entries in lists.items()})
    return Reading(tenant, catalogue, sections, found, documents, origins, frozenset(lost), kept)


def _sections(
    main: Mapping[str, Any],
    schemas: Mapping[str, type[msgspec.Struct]],
    found: list[Mistake],
    lost: set[tuple[str, str]],
) -> tuple[dict[str, msgspec.Struct], dict[str, Mapping[str, Sequence[int]]]]:
    """The sections, as far as they can be decoded, and of which entries that holds where it does not of all."""
    sections: dict[str, msgspec.Struct] = {}
    kept: dict[str, Mapping[str, Sequence[int]]] = {}
    for name, value in main.items():
        if name not in schemas:
            near = closest(name, ["tenant", *ENTRIES, *schemas])
            found.append(Mistake(MAIN, (name,), NO_SECTION(name=name, near=near)))
            continue
        decoded, wrong = decode(value, schemas[name], (name,))
        found += (Mistake(MAIN, path, said) for path, said in wrong)
        if wrong and isinstance(value, dict):
            part, kept[name] = _without_mistakes(value, {path[1:3] for path, _ in wrong})
            lost |= _left_out(value, kept[name])
            decoded, _ = decode(part, schemas[name])
        if decoded is not None:
            sections[name] = decoded
    return sections, kept


def _without_mistakes(section: Mapping[str, Any], wrong: set[Path]) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """What is left of a section without the entries of lists, and the other values, at which there are mistakes; and
    the numbers of the entries that are left."""
    part = {key: value for key, value in section.items() if (key,) not in {path[:1] for path in wrong}}
    kept = {
        key: [number for number in range(len(value)) if (key, number) not in wrong]
        for key, value in section.items()
        if isinstance(value, list) and (key,) not in wrong
    }
    return part | {key: [section[key][number] for number in numbers] for key, numbers in kept.items()}, kept


def _left_out(section: Mapping[str, Any], kept: Mapping[str, Sequence[int]]) -> set[tuple[str, str]]:
    """By what name each entry is called that is not among those that are left."""
    return {
        (key, str(value[name]))
        for key, numbers in kept.items()
        for number, value in enumerate(section[key])
        if number not in numbers and isinstance(value, dict)
        for name in CALLED
        if name in value
    }


def _meant(key: str, values: Any) -> Iterator[tuple[str, str]]:
    """The entries of a list whose name is misspelt, as (kind, id)."""
    kind = closest(key, ENTRIES)
    if kind and kind != key and isinstance(values, list):
        yield from ((kind, str(value.get("id", ""))) for value in values if isinstance(value, dict))


def _entries(values: Any, kind: str, file: str, found: list[Mistake]) -> list[tuple[int, Any]]:
    if isinstance(values, list):
        return list(enumerate(values))
    found.append(Mistake(file, (kind,), NO_LIST(name=kind)))
    return []
