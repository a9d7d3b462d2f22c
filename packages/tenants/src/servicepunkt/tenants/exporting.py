"""A tenant as a folder that `tenant apply` takes: as it is, or as a start for the next town without its names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from servicepunkt.core import toml
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.records import KINDS
from servicepunkt.core.secrets import tenant_prefix
from servicepunkt.tenants.areas import LANDS, Area, municipalities
from servicepunkt.tenants.model import MAIN, SCHEMA, TenantFile, TenantPart

EXAMPLE = "Musterstadt"
PHONE, STREET, POSTCODE = "115", "Beispielstraße 1", "00000"
#: What belongs to one town alone and is left out of a start for the next one.
DROPPED = {
    "hosts": ("exceptions", "contract"),
    "points": ("exceptions", "staffed_exceptions"),
    "partners": (
        "website",
        "phone",
        "email",
        "address",
        "external",
        "valid_from",
        "valid_until",
        "exceptions",
        "hours",
    ),
    "services": ("external", "links", "valid_from", "valid_until", "ended"),
    "offers": ("exceptions", "valid_from", "valid_until"),
}
#: Sections that hold addresses and accesses, and nothing that the next town could use.
OWN_SECTIONS = ("web", "notices", "line115", "limits")
_DIGITS = re.compile(r"\b0\d{2,5}[ /-]?\d[\d -]{2,}\d\b")
Ids = Mapping[str, Mapping[str, str]]
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\b[\w.+-]+@[\w-]+\.[\w.-]+|\b[a-z0-9-]+\.(?:de|com|org|net|eu|info)\b")


def files_of(file: TenantFile) -> dict[str, str]:
    """Name → text: the tenant and its places in one file, services by their first theme in others."""
    main = [f"schema = {SCHEMA}", "", *toml.table("tenant", file.tenant, is_one=True)]
    for name, section in file.sections.items():
        main += ["", *toml.table(name, section, is_one=True)]
    for kind in ("hosts", "points", "partners", "themes"):
        for entry in getattr(file.catalogue, kind):
            main += ["", *toml.table(kind, entry)]
    found = {MAIN: "\n".join(main) + "\n"}
    for theme, entries in _by_theme(file.catalogue).items():
        lines = [line for kind, entry in entries for line in ("", *toml.table(kind, entry))]
        found[f"catalogue/{theme}.toml"] = "\n".join(lines[1:]) + "\n"
    return found


def _by_theme(catalogue: Catalogue) -> dict[str, list[tuple[str, msgspec.Struct]]]:
    themes = {theme.id: list[tuple[str, msgspec.Struct]]() for theme in catalogue.themes}
    others: list[tuple[str, msgspec.Struct]] = []
    for service in catalogue.services:
        place = themes.get(service.themes[0], others) if service.themes else others
        place.append(("services", service))
        place += [("offers", offer) for offer in catalogue.offers_of(service.id)]
    others += [("areas", area) for area in catalogue.areas]
    others += [("responsibilities", one) for one in catalogue.responsibilities]
    return {name: entries for name, entries in {**themes, "other": others}.items() if entries}


def write(folder: Path, file: TenantFile) -> list[Path]:
    """Write the files into a new folder."""
    written = []
    for name, text in files_of(file).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        written.append(path)
    return written


# --- a start for the next town ----------------------------------------------------------------------------------


def replica(file: TenantFile, area: Area | None = None) -> TenantFile:
    """The same themes, services, offers, hours and boxes, without names, numbers, addresses and dates of the town."""
    names = dict(sorted(_names(file, area).items(), key=lambda pair: -len(pair[0])))
    ids = _ids(file.catalogue, file.tenant.slug)
    tree = msgspec.to_builtins(file.catalogue)
    for kind in KINDS:
        tree[kind] = [_anonymous(entry, kind, names, ids) for entry in tree[kind]]
    tree["areas"], tree["responsibilities"] = [], []
    sections = {
        name: msgspec.convert(_replaced(msgspec.to_builtins(section), names, ids), type(section))
        for name, section in file.sections.items()
        if name not in OWN_SECTIONS
    }
    ags = example_key(file.tenant.subdivision)
    part = msgspec.structs.replace(
        file.tenant,
        slug=EXAMPLE.lower(),
        name=f"Stadt {EXAMPLE}",
        ags=ags,
        state="draft",
        hosts=(),
        district="",
        serves=(),
        plugins=tuple(name for name in file.tenant.plugins if _plain(name, names) == name),  # the town's own stay there
    )
    return TenantFile(part, msgspec.convert(tree, Catalogue), sections)


def example_key(land: str) -> str:
    """The first key of the Land: the next town puts its own in its place."""
    digits = next((key for key, code in LANDS.items() if code == land), "")
    return next((ags for ags in sorted(municipalities()) if ags.startswith(digits)), "00000000")


def _names(file: TenantFile, area: Area | None) -> dict[str, str]:
    """What names the town, and what stands in its place."""
    town = area.name if area else file.tenant.name.removeprefix("Stadt ").removeprefix("Gemeinde ")
    found = {file.tenant.name: f"Stadt {EXAMPLE}", town: EXAMPLE, file.tenant.slug: EXAMPLE.lower()}
    found[tenant_prefix(file.tenant.slug)] = tenant_prefix(EXAMPLE.lower())
    catalogue = file.catalogue
    counted = {"authority": 0}
    for partner in catalogue.partners:
        if town in partner.name and partner.kind == "authority":
            found[partner.name] = f"Stadt {EXAMPLE}"
        else:
            counted[partner.kind] = counted.get(partner.kind, 0) + 1
            found[partner.name] = f"{PARTNERS[partner.kind]} {counted[partner.kind]}"
    found |= {host.name: f"Beispielhaus {number}" for number, host in enumerate(catalogue.hosts, start=1)}
    for point in catalogue.points:
        found |= {point.address.street: STREET, point.address.town: EXAMPLE}
    return {name: word for name, word in found.items() if name.strip()}


PARTNERS = {
    "authority": "Beispielbehörde",
    "municipal_enterprise": "Beispielbetrieb",
    "company": "Beispielunternehmen",
    "association": "Beispielverein",
}


def _ids(catalogue: Catalogue, slug: str) -> Ids:
    """Ids of hosts, points and partners say who they are; those of services what they are about, but for the town."""
    counted = {
        kind: {entry.id: f"{kind[:-1]}-{number}" for number, entry in enumerate(getattr(catalogue, kind), start=1)}
        for kind in ("hosts", "points", "partners")
    }
    return {**counted, "services": {one.id: one.id.replace(slug, EXAMPLE.lower()) for one in catalogue.services}}


#: Fields that refer to an entry, and its kind.
REFERENCES = {
    "host": "hosts",
    "point": "points",
    "provider": "partners",
    "accepted_for": "partners",
    "competence": "partners",
    "operator": "partners",
    "service": "services",
}


def _anonymous(entry: dict[str, Any], kind: str, names: Mapping[str, str], ids: Ids) -> dict[str, Any]:
    kept = {name: value for name, value in entry.items() if name not in DROPPED.get(kind, ())}
    if kind == "points":
        address = {"street": STREET, "postcode": POSTCODE, "town": EXAMPLE}
        kept |= {"help_phone": PHONE, "address": address}
    if kind in ids:
        kept["id"] = ids[kind][kept["id"]]
    return dict(_replaced(kept, names, ids))


def _replaced(value: Any, names: Mapping[str, str], ids: Ids, field: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _replaced(inner, names, ids, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(inner, names, ids, field) for inner in value]
    if not isinstance(value, str) or field == "id":
        return value
    if field in REFERENCES:
        return ids[REFERENCES[field]].get(value, value)
    return _plain(value, names)


def _plain(text: str, names: Mapping[str, str]) -> str:
    for name, word in names.items():
        text = re.sub(re.escape(name), word, text, flags=re.IGNORECASE if len(name) > 3 else 0)
    return _DIGITS.sub(PHONE, _ADDRESS.sub("example.org", text))


def traces(file: TenantFile, replicated: TenantFile, area: Area | None = None) -> Iterator[str]:
    """What still names the town in a replica; nothing, if all is well."""
    text = "\n".join(files_of(replicated).values()).lower()
    words = {name for name, word in _names(file, area).items() if name.lower() != word.lower() and len(name) > 3}
    yield from sorted(word for word in words if word.lower() in text)


def file_of(row: Mapping[str, Any], sections: Mapping[str, msgspec.Struct], catalogue: Catalogue) -> TenantFile:
    """A live tenant as a file: its row, its sections, and what is published."""
    names = [field.encode_name for field in msgspec.structs.fields(TenantPart)]
    part = {name: row[name] for name in names if name in row} | row["settings"].get("tenant", {})
    return TenantFile(msgspec.convert({"ags": "", **part}, TenantPart), catalogue, sections)
