"""What the Portalverbund Online-Gateway (PVOG) answers, as its two services were fetched into files (`sources.pvog`).

`pvog-feed`: the pages of the change feed (Bereitstelldienst), one JSON object a line as the service gave it, with a
message of XZuFi in each; all pages are read as one message. `pvog`: what the search service (Suchdienst) said of the
services of some areas, one answer a line. The search service publishes no schema that can be had here: names of fields
are those that public programs read from it (docs/reference/xzufi.md), unknown fields are passed over.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.formats.model import (
    Change,
    Format,
    Limits,
    Refused,
    SourceError,
    Upsert,
    identifier,
)
from servicepunkt.core.catalogue.formats.xzufi import names
from servicepunkt.core.catalogue.formats.xzufi import reader as xzufi
from servicepunkt.core.catalogue.formats.xzufi.elements import Notes, joined, line, long_text
from servicepunkt.core.catalogue.formats.xzufi.partners import area_of, role_of
from servicepunkt.core.catalogue.formats.xzufi.records import Record, without_empty
from servicepunkt.core.catalogue.formats.xzufi.source import Entry, Source
from servicepunkt.core.catalogue.html import is_address
from servicepunkt.core.catalogue.model import LEIKA_KEY, MODULES
from servicepunkt.core.catalogue.records import Kind

PAGES, ANSWERS = "pages", "answers"
AGENCY = "pvog"
MAX_LINE = 64 * 1024 * 1024  # bytes of one page or answer
LANGUAGE = "de"
NOTHING = msgspec.Raw(b"null")


class Page(msgspec.Struct, frozen=True):
    """A page of the change feed. Its names are the service's own."""

    xzufiObjekte: str  # noqa: N815
    naechsterIndex: int  # noqa: N815
    naechsteAnfrageUrl: str  # noqa: N815
    vollstaendig: bool


class LinkAnswer(msgspec.Struct, frozen=True):
    uri: str | None = None
    title: str | None = None


class Detail(msgspec.Struct, frozen=True):
    """A module of a service; `placeholder` stands for one that nobody has written."""

    code: str | int | None = None
    text: str | None = None
    title: str | None = None
    placeholder: bool = False
    links: list[LinkAnswer] = []
    details: list[Detail] = []


class ServiceAnswer(msgspec.Struct, frozen=True):
    """`/v6/servicedescriptions/{id}/detail`."""

    id: str
    name: str | None = None
    leikakeys: list[str] = []
    details: list[Detail] = []
    onlineServiceLinks: list[LinkAnswer] = []  # noqa: N815


class RoleAnswer(msgspec.Struct, frozen=True):
    code: str | None = None
    name: str | None = None


class UnitTitle(msgspec.Struct, frozen=True):
    """One of `/v2/organisationunits/titles`; the role is said in one of two ways."""

    id: str
    title: str | None = None
    role: RoleAnswer | str | None = None


class AddressAnswer(msgspec.Struct, frozen=True):
    type: str | None = None
    street: str | None = None
    zip: str | None = None
    city: str | None = None


class Way(msgspec.Struct, frozen=True):
    code: str | None = None
    value: str | None = None


class LocationAnswer(msgspec.Struct, frozen=True):
    addresses: list[AddressAnswer] = []
    communications: list[Way] = []


class UnitAnswer(msgspec.Struct, frozen=True):
    """`/v5/organisationunits/detail`."""

    title: str | None = None
    location: LocationAnswer | None = None
    internetAddresses: list[LinkAnswer] = []  # noqa: N815


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a snapshot: what was said of a service in an area, or of an authority."""

    area: str = ""
    service: msgspec.Raw = NOTHING
    units: list[UnitTitle] = []
    unit_id: str = ""
    unit: msgspec.Raw = NOTHING


class _Pages:
    """The messages of all pages as one."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file, self._start, self._limits = file, file.tell(), limits

    def mentions(self, word: str) -> bool:
        return any(source.mentions(word) for _, source in self._sources())

    def entries(self) -> Iterator[Entry]:
        left = self._limits.records
        for within, source in self._sources(within=True):
            try:
                for entry in source.entries():
                    left -= 1
                    if left < 0:
                        raise SourceError(f"more than {self._limits.records} records")
                    yield entry._replace(within=within)
            except SourceError as error:
                raise SourceError(f"{within}{error.staff_sentence}") from error

    def _sources(self, *, within: bool = False) -> Iterator[tuple[str, Source]]:
        self._file.seek(self._start)
        for number, said in _lines(self._file, self._limits):
            try:
                page = msgspec.json.decode(said, type=Page)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise SourceError(f"page {number}: {error}") from error
            # An empty page has an empty text, or none of the message's elements.
            if page.xzufiObjekte.strip():
                content = io.BytesIO(page.xzufiObjekte.encode())
                yield f"page {number}, " if within else "", Source(content, 0, self._limits)


def read_feed(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """The changes of all pages. Raises SourceError where one cannot be read on: then none of them counts."""
    yield from xzufi.changes(_Pages(files[PAGES], limits))


def read_answers(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """Services, authorities, and who is responsible in the areas that were asked for."""
    seen: set[tuple[Kind, str]] = set()
    for number, said in _lines(files[ANSWERS], limits):
        if number > limits.records:
            raise SourceError(f"more than {limits.records} records")
        place = f"answer {number}"
        try:
            answer = msgspec.json.decode(said, type=Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SourceError(f"{place}: {error}") from error
        for change in _changes(answer, place):
            # A service is valid in many areas, and an authority for many services: the first answer counts.
            if isinstance(change, Upsert):
                if (change.kind, change.id) in seen:
                    continue
                seen.add((change.kind, change.id))
            yield change


def _lines(file: BinaryIO, limits: Limits) -> Iterator[tuple[int, bytes]]:
    left, number = limits.bytes, 0
    while said := file.readline(MAX_LINE + 1):
        number, left = number + 1, left - len(said)
        if left < 0:
            raise SourceError(f"the file has more than {limits.bytes} bytes")
        if len(said) > MAX_LINE:
            raise SourceError(f"line {number} has more than {MAX_LINE} bytes")
        if said.strip():
            yield number, said


def _changes(answer: Answer, place: str) -> Iterator[Change]:
    if answer.service != NOTHING:
        yield from _decoded(place, "services", lambda: _service(answer, place))
    if answer.unit != NOTHING:
        yield from _decoded(place, "partners", lambda: _unit(answer, place))


def _decoded(place: str, kind: Kind, made: Any) -> Iterator[Change]:
    try:
        yield from made()
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        yield Refused(place=place, kind=kind, reason=str(error))


def _service(answer: Answer, place: str) -> list[Change]:
    found = msgspec.json.decode(answer.service, type=ServiceAnswer)
    notes = Notes()
    texts = {str(one.code).zfill(2): _text(one) for one in found.details if not one.placeholder}
    title = line(found.name or "") or line(html.markup(texts.get("03") or texts.get("02") or ""))
    keys = list(dict.fromkeys(key for key in found.leikakeys if LEIKA_KEY.match(key)))
    if not title and not keys:
        raise ValueError("it has neither a name nor a LeiKa key")
    fields = {"02": "official_name", "05": "summary", "06": "description", "95": "duration", "98": "fee"}
    own = {number: number for number in MODULES if number not in ("02", "03", "05", "06")}
    record: Record = {"id": service_id(found.id), "name": {LANGUAGE: title} if title else {}, "leika": keys}
    record |= {field: {LANGUAGE: texts[number]} for number, field in fields.items() if texts.get(number)}
    if "official_name" in record:
        record["official_name"] = {LANGUAGE: line(html.markup(record["official_name"][LANGUAGE]))}
    record["modules"] = [
        {"code": code, "text": {LANGUAGE: texts[number]}}
        for number, code in sorted((own | {"97": names.DEADLINE_WORDS}).items())
        if texts.get(number)
    ]
    record["legal_basis"] = [
        {"citation": one["name"].get(LANGUAGE, one["url"]), "url": one["url"]}
        for one in _links(found, (names.LEGAL_BASIS,), notes)
    ]
    record["links"] = _all_links(found, answer.area, notes)
    record["external"] = {"agency": AGENCY, "value": found.id}
    made: list[Change] = [
        Upsert(kind="services", id=record["id"], record=without_empty(record), place=place, notes=tuple(notes))
    ]
    return made + _responsibilities(answer, record["id"], place)


def service_id(name: str) -> str:
    return identifier(AGENCY, name)


def _text(detail: Detail) -> str:
    """A module with what stands below it, as one long text."""
    said = long_text(detail.text or "")
    below = [f"{line(one.title or '')}: {html.plain(long_text(one.text or ''))}".strip(": ") for one in detail.details]
    for one in filter(None, below):
        said = joined(said, one) if said else one
    return said


def _links(found: ServiceAnswer, codes: tuple[str, ...], notes: Notes) -> list[Record]:
    links = (link for one in found.details if str(one.code).zfill(2) in codes for link in one.links)
    return _addressed(links, notes)


def _addressed(links: Any, notes: Notes) -> list[Record]:
    made: dict[str, Record] = {}
    for link in links:
        url = (link.uri or "").strip()
        if url and not is_address(url):
            notes.say(f"{url[:80]!r} is no address")
        elif url and url not in made:
            title = line(link.title or "")
            made[url] = {"url": url, "name": {LANGUAGE: title} if title else {}}
    return list(made.values())


def _all_links(found: ServiceAnswer, area: str, notes: Notes) -> list[Record]:
    where = {"areas": [area]} if area else {}
    made: list[Record] = [{"kind": "online", **link, **where} for link in _addressed(found.onlineServiceLinks, notes)]
    made += [{"kind": "form", **link} for link in _links(found, (names.FORMS,), notes)]
    made += [{"kind": "page", **link} for link in _links(found, (names.FURTHER,), notes)]
    first: dict[str, Record] = {}
    for link in made:
        first.setdefault(link["url"], without_empty(link))
    return list(first.values())


def _responsibilities(answer: Answer, service: str, place: str) -> list[Change]:
    made: list[Change] = []
    for unit in answer.units:
        notes = Notes()
        given = RoleAnswer(name=unit.role) if isinstance(unit.role, str) else unit.role or RoleAnswer()
        role = role_of(given.code or "", given.name or "", notes)
        record: Record = {"service": service, "authority": identifier(AGENCY, unit.id)}
        record |= {"area": answer.area} if answer.area else {}
        record |= {"role": role} if role != "decides" else {}
        name = f"{service}@{record['authority']}@{role}@{answer.area}"
        made.append(Upsert(kind="responsibilities", id=name, record=record, place=place, notes=tuple(notes)))
    return made


def _unit(answer: Answer, place: str) -> list[Change]:
    found = msgspec.json.decode(answer.unit, type=UnitAnswer)
    where = found.location or LocationAnswer()
    name = line(found.title or "")
    if not name:
        raise ValueError("it has no name")
    record: Record = {"id": identifier(AGENCY, answer.unit_id), "name": name, "kind": "authority"}
    houses = [one for one in where.addresses if one.street and one.zip and one.city]
    house = next((one for one in houses if one.type == "Hausanschrift"), next(iter(houses), None))
    if house is not None:
        record["address"] = {"street": line(house.street or ""), "postcode": house.zip, "town": line(house.city or "")}
    for field, codes in (("phone", names.PHONES), ("email", (names.MAIL,))):
        record[field] = next((way.value for way in where.communications if way.code in codes and way.value), "")
    pages = [one.uri or "" for one in found.internetAddresses]
    record["website"] = next((page for page in pages if is_address(page)), "")
    record["external"] = {"agency": AGENCY, "value": answer.unit_id}
    return [Upsert(kind="partners", id=record["id"], record=without_empty(record), place=place)]


def area(ars: str) -> str:
    """The key of an area that was asked for, without the zeros at its end. Raises ValueError."""
    found = area_of(ars)
    if found is None or len(ars) != 12:
        raise ValueError(f"{ars!r} is no key of an area with 12 digits")
    return found


FEED = Format(name="pvog-feed", parts=(PAGES,), is_whole=False, read=read_feed)
SEARCH = Format(name="pvog", parts=(ANSWERS,), is_whole=True, read=read_answers)
