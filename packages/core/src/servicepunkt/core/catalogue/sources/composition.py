"""The records of all sources become one catalogue. Pure.

The tenant's own files stand above what was imported, what hosts say of the hours of their houses and editors of
services above both. What an imported record refers to and what is
nowhere is left out, and said: a source of somebody else must not keep the tenant from publishing. In the tenant's own
files it is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from servicepunkt.core.catalogue.editing.model import Edit, overlay
from servicepunkt.core.catalogue.layers import LAYERS, Layer, Path, Record, Sourced, merge
from servicepunkt.core.catalogue.model import Catalogue, Service, Theme, pick
from servicepunkt.core.catalogue.records import ENTRIES, records_of

#: The tenant's own files, its hosts and its editors: sources of every tenant.
FILES, HOSTS, EDITORS = "files", "hosts", "editors"
RANKS = {"import": 10, FILES: 20, HOSTS: 25, EDITORS: 30}
PLACE_OF_EDITORS = (LAYERS.index("tenant"), RANKS[EDITORS], EDITORS)
#: Layers of services as such; what a town offers of them its own layers say.
NATIONAL = frozenset({"federation", "land"})
#: What another authority says of a service as such does not hold for this town's.
NOT_INHERITED = frozenset(
    {"id", "leika", "external", "themes", "competence", "visibility", "valid_from", "valid_until"}
)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What one source says: records by (kind, id), in its order.

    What a source says that is `partial` holds for entries of others only, and gives them no order.
    """

    name: str
    layer: Layer
    rank: int
    records: Mapping[tuple[str, str], Record]
    partial: bool = False

    @property
    def place(self) -> tuple[int, int, str]:
        """Where it stands among the others, the lowest first."""
        return LAYERS.index(self.layer), self.rank, self.name


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """The catalogue, from where each value of its entries came, and what was left out with the reason."""

    catalogue: Catalogue
    origins: Mapping[tuple[str, str], Mapping[Path, str]]
    left_out: tuple[tuple[str, str], ...]


def compose(sources: Iterable[Source]) -> Composed:
    """One catalogue of all sources. What the federation and the Land say lies below the services of the same LeiKa key.

    Raises msgspec.ValidationError for a record that does not fit its kind.
    """
    found_sources = sorted(sources, key=lambda one: one.place)
    national = by_key(one for one in found_sources if one.layer in NATIONAL)
    ordered = [one for one in found_sources if one.layer not in NATIONAL]
    layers: dict[tuple[str, str], list[Sourced]] = {}
    # The tenant's own order comes first: what its files name stands where they name it.
    for source in reversed(ordered):
        if not source.partial:
            for key in source.records:
                layers.setdefault(key, [])
    left_out: list[tuple[str, str]] = []
    for source in ordered:
        for key, record in source.records.items():
            if key in layers:
                layers[key].append(Sourced(source.name, record))
            else:
                left_out.append((".".join(key), f"no source has it any more, but {source.name}"))
    found: dict[str, dict[str, Any]] = {kind: {} for kind in ENTRIES}
    origins: dict[tuple[str, str], Mapping[Path, str]] = {}
    for (kind, name), sourced in layers.items():
        below = [one for leika in keys_of(sourced) for one in national.get(leika, ())]
        merged = merge([*below, *sourced])
        found[kind][name] = msgspec.convert(merged.record, ENTRIES[kind])
        origins[kind, name] = merged.origins
    _drop_dangling(found, origins, left_out)
    entries = {kind: tuple(by_name.values()) for kind, by_name in found.items()}
    entries["services"] = _with_themes(entries["themes"], entries["services"])
    return Composed(catalogue=Catalogue(**entries), origins=origins, left_out=tuple(left_out))


def by_key(sources: Iterable[Source]) -> dict[str, list[Sourced]]:
    """What national layers say of each key, the lowest first."""
    found: dict[str, list[Sourced]] = {}
    for source in sources:
        for (kind, _), record in source.records.items():
            if kind == "services":
                said = _inherited(record)
                for key in record.get("leika", ()):
                    found.setdefault(key, []).append(Sourced(source.name, said))
    return found


def _inherited(record: Record) -> Record:
    """What a national record says of the services of its key."""
    return {field: value for field, value in record.items() if field not in NOT_INHERITED}


def keys_of(sourced: Sequence[Sourced]) -> Sequence[str]:
    """The keys of a service: those that its uppermost layer with keys names."""
    return next((one.record["leika"] for one in reversed(sourced) if one.record.get("leika")), ())


def _drop_dangling(
    found: Mapping[str, dict[str, Any]],
    origins: Mapping[tuple[str, str], Mapping[Path, str]],
    left_out: list[tuple[str, str]],
) -> None:
    """Leave out what leads nowhere. What the tenant's own files say stays: their author gets the mistake."""
    ids = {kind: {entry.id for entry in found[kind].values()} for kind in ("partners", "themes", "services", "points")}

    def is_own(kind: str, name: str, field: str) -> bool:
        return origins[kind, name].get(field) == FILES

    services = found["services"]
    for name, service in services.items():
        unknown = service.competence and service.competence not in ids["partners"]
        if unknown and not is_own("services", name, "competence"):
            left_out.append((f"services.{name}.competence", f"there is no partner {service.competence!r}"))
            services[name] = msgspec.structs.replace(services[name], competence="")
        known = tuple(theme for theme in service.themes if theme in ids["themes"])
        if known != service.themes and not is_own("services", name, "themes"):
            strange = ", ".join(theme for theme in service.themes if theme not in known)
            left_out.append((f"services.{name}.themes", f"there is no theme {strange}"))
            services[name] = msgspec.structs.replace(services[name], themes=known)
    for kind, references in (
        ("responsibilities", (("service", "services"), ("authority", "partners"))),
        ("offers", (("service", "services"), ("point", "points"), ("provider", "partners"))),
    ):
        for name, entry in list(found[kind].items()):
            missing = [
                f"there is no {field} {getattr(entry, field)!r}"
                for field, other in references
                if getattr(entry, field) not in ids[other] and not is_own(kind, name, field)
            ]
            if missing:
                left_out.append((f"{kind}.{name}", "; ".join(missing)))
                del found[kind][name]


def _with_themes(themes: Iterable[Theme], services: Iterable[Service]) -> tuple[Service, ...]:
    """Services that name no theme go where the tenant wants them: by what their key is about, else among the others."""
    by_group = {group: theme.id for theme in themes for group in theme.leika_groups}
    others = tuple(theme.id for theme in themes if theme.others)
    placed = []
    for service in services:
        if service.themes:
            placed.append(service)
            continue
        groups = (by_group.get(key[2:5]) for key in service.leika)
        wanted = tuple(dict.fromkeys(theme for theme in groups if theme)) or others
        placed.append(msgspec.structs.replace(service, themes=wanted) if wanted else service)
    return tuple(placed)


def shown_difference(before: Catalogue, after: Catalogue) -> list[tuple[str, str, str]]:
    """(kind, id, name) with a sign for what is new (+), gone (-) or changed (~): for people, not for programs."""
    old, new = records_of(before), records_of(after)
    found = []
    for kind, name in sorted(old.keys() | new.keys()):
        if old.get((kind, name)) != new.get((kind, name)):
            sign = "+" if (kind, name) not in old else "-" if (kind, name) not in new else "~"
            record = new.get((kind, name)) or old[kind, name]
            title = record.get("name", "")
            found.append((f"{sign} {kind}", name, title if isinstance(title, str) else pick(title, "de")))
    return found


def compose_with(found: Iterable[Source], edits: Iterable[Edit]) -> Composed:
    """The catalogue of sources and edits. An edit of a service that no source has, or that no service can have any
    more, is left out and said."""
    records, misfits = overlay(edits)
    layer, rank, name = PLACE_OF_EDITORS
    editors = Source(name=name, layer=LAYERS[layer], rank=rank, records=records, partial=True)
    made = compose([*found, editors])
    wrong = ((f"services.{edit.service}.{edit.path}", "what an editor wrote fits no longer") for edit in misfits)
    return msgspec.structs.replace(made, left_out=(*made.left_out, *wrong))
