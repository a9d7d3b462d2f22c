"""Services as a table (CSV): a row each, for spreadsheets. Both ways.

Columns: `id`; texts by language (`name_de`, `summary_en`, ...: see `TEXTS`); lists whose parts stand with `|` between
them (`themes`, `leika`, `keywords`, `audience`, `legal_basis`, `links_online`, `links_form`, `links_booking`,
`links_page`; a `|` inside a part is `\\|`); `competence`, `visibility` (public, staff), `valid_from` and `valid_until`
(2026-11-21 or 21.11.2026), `external_agency` and `external_value`. An empty cell says nothing. What a service has
beside that (documents, modules, fees in figures, durations, names and rules of links) has no column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, BinaryIO

import msgspec

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.checks import LANGUAGE, service_mistakes
from servicepunkt.core.catalogue.formats import rows
from servicepunkt.core.catalogue.formats.model import Change, Format, Limits, Refused, Upsert
from servicepunkt.core.catalogue.formats.texts import LEGACY_NOTE, control_characters, spoilt_key
from servicepunkt.core.catalogue.model import IDENTIFIER, Catalogue, LegalReference, Service

SERVICES = "services"
TEXTS = ("name", "official_name", "summary", "description", "fee", "duration", "ended")
LISTS = ("themes", "leika", "keywords", "audience", "legal_basis")
LINKS = ("online", "form", "booking", "page")
SINGLE = ("competence", "visibility")
DATES = ("valid_from", "valid_until")
EXTERNAL = ("external_agency", "external_value")
OTHERS = {"id", *LISTS, *SINGLE, *DATES, *EXTERNAL, *(f"links_{kind}" for kind in LINKS)}
LEIKA_DIGITS = 14
_GERMAN_DATE = re.compile(r"([0-9]{2})\.([0-9]{2})\.([0-9]{4})")
_PART = re.compile(r"((?:[^|\\]|\\.)*)(\||\Z)", re.DOTALL)


def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """An Upsert for each row. Raises SourceError for a table that cannot be read on."""
    known: set[str] = set()
    for row in rows.read(files[SERVICES], SERVICES, "services", limits, is_column=is_column, required=["id"]):
        if isinstance(row, Refused):
            yield row
            continue
        place, name = f"{SERVICES}: line {row.line}", row.cells.get("id", "").strip()
        record, notes, problems = _record(name, row.cells)
        if name in known:
            problems.append(f"the id {name!r} stands there twice")
        problems = problems or list(_mistakes(record))
        if problems:
            yield Refused(place=place, kind="services", id=name[:80], reason="; ".join(problems))
            continue
        known.add(name)
        notes += [LEGACY_NOTE] * row.is_legacy
        yield Upsert(kind="services", id=name, record=record, place=place, notes=tuple(notes))


def is_column(name: str) -> bool:
    return name in OTHERS or _text_column(name) is not None


def _text_column(name: str) -> tuple[str, str] | None:
    """Field and language of `summary_de`; None for every other column."""
    field, _, language = name.rpartition("_")
    return (field, language) if field in TEXTS and LANGUAGE.match(language) else None


def _record(name: str, cells: Mapping[str, str]) -> tuple[dict[str, Any], list[str], list[str]]:
    """The record, what was changed while it was read, and why it cannot be taken over."""
    record: dict[str, Any] = {"id": name}
    notes: list[str] = []
    problems = [] if IDENTIFIER.match(name) else [f"{name[:80]!r} is no id: it has small letters, digits and hyphens"]
    if letter := control_characters(cells):
        return record, notes, [*problems, f"the row has a character that no text has ({letter})"]
    for column, cell in cells.items():
        if found := _text_column(column):
            field, language = found
            text = html.clean(cell) if html.is_html(cell) else cell
            if text != cell:
                notes.append(f"{column}: what may not be shown was taken out")
            if text:
                record.setdefault(field, {})[language] = text
        elif column in LISTS:
            record[column] = [part for part in _parts(cell) if part]
        elif column in DATES:
            record[column] = _iso(cell.strip())
        elif column in SINGLE:
            record[column] = cell.strip()
    problems += [reason for key in record.get("leika", ()) if (reason := spoilt_key(key, LEIKA_DIGITS))]
    links = [
        {"kind": kind, "url": url.strip()} for kind in LINKS for url in _parts(cells.get(f"links_{kind}", "")) if url
    ]
    if links:
        record["links"] = links
    external = [cells.get(column, "") for column in EXTERNAL]
    if all(external):
        record["external"] = {"agency": external[0], "value": external[1]}
    elif any(external):
        problems.append("external_agency and external_value are filled together")
    return record, notes, problems


def _mistakes(record: Mapping[str, Any]) -> Iterator[str]:
    try:
        service = msgspec.convert(record, Service)
    except msgspec.ValidationError as error:
        yield str(error)
        return
    for place, sentence in service_mistakes(service):
        yield f"{place}: {sentence}"


def _iso(cell: str) -> str:
    found = _GERMAN_DATE.fullmatch(cell)
    return f"{found[3]}-{found[2]}-{found[1]}" if found else cell


def _parts(cell: str) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", found, flags=re.DOTALL) for found, _ in _PART.findall(cell)] if cell else []


def _joined(parts: tuple[str, ...]) -> str:
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def write(catalogue: Catalogue, base: str, *, day: date | None = None) -> Iterator[bytes]:  # noqa: ARG001 - all of it
    """Every service, those for staff too, with a column for each language that one of them has."""
    languages = {language for one in catalogue.services for field in TEXTS for language in getattr(one, field)}
    in_order = sorted(languages | {"de"}, key=lambda language: (language != "de", language))
    texts = [(field, language) for field in TEXTS for language in in_order if LANGUAGE.match(language)]
    header = ["id", *(f"{field}_{language}" for field, language in texts)]
    header += [*LISTS, *(f"links_{kind}" for kind in LINKS), *SINGLE, *DATES, *EXTERNAL]
    yield from rows.write(header, (_cells(service, texts) for service in catalogue.services))


def _cells(service: Service, texts: list[tuple[str, str]]) -> list[str]:
    laws = tuple(one.citation if isinstance(one, LegalReference) else one for one in service.legal_basis)
    lists = (service.themes, service.leika, service.keywords, service.audience, laws)
    links = (tuple(link.url for link in service.links_of(kind)) for kind in LINKS)
    external = service.external
    return [
        service.id,
        *(getattr(service, field).get(language, "") for field, language in texts),
        *map(_joined, lists),
        *map(_joined, links),
        service.competence,
        service.visibility,
        *map(_day, (service.valid_from, service.valid_until)),
        *((external.agency, external.value) if external else ("", "")),
    ]


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


FORMAT = Format(name="table", parts=(SERVICES,), is_whole=True, read=read, write=write)
