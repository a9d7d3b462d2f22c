"""The service data base of Berlin and Munich (DLDB): two JSON files, services and locations.

What is wrong in real exports: numbers are text, `hint` is text or `false`, `leika` may hold several keys with commas,
`combinable` names services that do not exist, `meta.datacount` is not the number of records. Nothing in the envelope
is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.formats.model import (
    Change,
    Counted,
    Format,
    Limits,
    Refused,
    SourceError,
    Upsert,
    identifier,
)
from servicepunkt.core.catalogue.formats.texts import cleaned
from servicepunkt.core.catalogue.html import is_address
from servicepunkt.core.catalogue.model import LEIKA_KEY
from servicepunkt.core.catalogue.records import record_id

SERVICES, LOCATIONS = "services", "locations"
AGENCY = "dldb"
_KEYS = re.compile(r"[,;\s]+")


class Named(msgspec.Struct):
    id: str | int
    name: str
    webinfo: str = ""


class Meta(msgspec.Struct):
    locale: str = "de"
    keywords: str | None = None
    translated: bool = True


class Page(msgspec.Struct):
    """A law, a form or a page."""

    name: str = ""
    link: str = ""


class Paragraph(msgspec.Struct):
    """A document to bring or a requirement, as Berlin has them."""

    name: str = ""
    description: str | None = ""


class Appointment(msgspec.Struct):
    link: str | None = ""
    allowed: bool = False


class Online(msgspec.Struct):
    link: str | None = ""
    description: str | None = ""


class Place(msgspec.Struct):
    """Where a service is given."""

    location: str | int
    appointment: Appointment | None = None
    hint: str | bool | None = None
    responsibility: str | None = None


class ServiceRecord(msgspec.Struct):
    """A record of `services`; Berlin's and Munich's together."""

    id: str | int
    name: str
    description: str | None = ""
    meta: Meta = msgspec.field(default_factory=Meta)
    authorities: list[Named] = []
    locations: list[Place] = []
    leika: str | int | None = None
    public: bool = True
    links: list[Page] = []
    forms: list[Page] = []
    legal: list[Page] = []
    fees: str | None = None
    process_time: str | None = None
    responsibility: str | None = None
    requirements: list[Paragraph] = []
    prerequisites: list[Paragraph] = []
    onlineprocessing: Online | None = None


class Street(msgspec.Struct):
    street: str = ""
    house_number: str | int = ""
    postal_code: str | int = ""
    city: str = ""
    hint: str | bool | None = None


class Contact(msgspec.Struct):
    email: str | None = ""
    phone: str | None = ""
    webinfo: str | None = ""


class LocationRecord(msgspec.Struct):
    """A record of `locations`."""

    id: str | int
    name: str
    displayName: str = ""  # noqa: N815 - the file's own word
    address: Street = msgspec.field(default_factory=Street)
    contact: Contact = msgspec.field(default_factory=Contact)
    public: bool = True


class _Numbered(msgspec.Struct):
    id: str | int


class Envelope(msgspec.Struct):
    data: msgspec.Raw


def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """Partners for authorities and locations, services, and who is asked for them where."""
    known: set[tuple[str, str]] = set()
    hidden: set[str] = set()  # locations that are not for the public: nobody is sent there
    if LOCATIONS in files:
        for place, raw in _records(files[LOCATIONS], LOCATIONS, limits):
            yield from _once(known, _location(place, raw, hidden))
    for place, raw in _records(files[SERVICES], SERVICES, limits):
        yield from _once(known, _service(place, raw, known if LOCATIONS in files else None, hidden))


def _records(file: BinaryIO, part: str, limits: Limits) -> Iterator[tuple[str, msgspec.Raw]]:
    try:
        body = Counted(file, limits.bytes).read()
        # Only the list is taken apart here; each record is decoded by itself, so that one bad one is one bad one.
        records = msgspec.json.decode(msgspec.json.decode(body, type=Envelope).data, type=list[msgspec.Raw])
        body.decode()  # text in another encoding is found here, not in each of its records
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"{part}: {error}") from error
    if len(records) > limits.records:
        raise SourceError(f"{part}: more than {limits.records} records")
    for number, raw in enumerate(records):
        yield f"{part}: data[{number}]", raw


def _once(known: set[tuple[str, str]], changes: Iterator[Change]) -> Iterator[Change]:
    """Authorities stand in every service: the first one counts. What stands twice otherwise is refused."""
    for change in changes:
        if not isinstance(change, Upsert):
            yield change
        elif (change.kind, change.id) not in known:
            known.add((change.kind, change.id))
            yield change
        elif change.kind in ("services", "responsibilities"):
            yield Refused(place=change.place, kind=change.kind, id=change.id, reason="this record stands there twice")


def _location(place: str, raw: msgspec.Raw, hidden: set[str]) -> Iterator[Change]:
    try:
        found = msgspec.json.decode(raw, type=LocationRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield Refused(place=place, kind="partners", id=_id_in(raw, f"{AGENCY}-location"), reason=str(error))
        return
    if not found.public:
        hidden.add(_location_id(found.id))
        return
    where, contact = found.address, found.contact
    record: dict[str, Any] = {
        "id": _location_id(found.id),
        "name": (found.displayName or found.name).strip(),
        "kind": "authority",
        "external": {"agency": f"{AGENCY}-location", "value": str(found.id)},
        "phone": (contact.phone or "").strip(),
        "email": (contact.email or "").strip(),
        "website": contact.webinfo if contact.webinfo and is_address(contact.webinfo) else "",
    }
    if where.street:
        street = f"{where.street} {where.house_number}".strip()
        record["address"] = {"street": street, "postcode": str(where.postal_code), "town": where.city}
        if isinstance(where.hint, str) and where.hint:
            record["address"]["directions"] = {"de": html.plain(html.clean(where.hint))}
    yield Upsert(kind="partners", id=record["id"], record=record, place=place)


def _service(place: str, raw: msgspec.Raw, known: set[tuple[str, str]] | None, hidden: set[str]) -> Iterator[Change]:
    try:
        found = msgspec.json.decode(raw, type=ServiceRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield Refused(place=place, kind="services", id=_id_in(raw, AGENCY), reason=str(error))
        return
    name, language = identifier(AGENCY, str(found.id)), found.meta.locale.lower()
    notes: list[str] = []
    texts = {field: _text(value, field, notes) for field, value in _texts(found).items()}
    keys = [key for key in _KEYS.split(str(found.leika or "")) if key]
    notes += [f"{key!r} is no LeiKa key" for key in keys if not LEIKA_KEY.match(key)]
    record: dict[str, Any] = {
        "id": name,
        "name": {language: found.name.strip()},
        "external": {"agency": AGENCY, "value": str(found.id)},
        "leika": list(dict.fromkeys(key for key in keys if LEIKA_KEY.match(key))),
        "visibility": "public" if found.public else "staff",
        "keywords": [word.strip() for word in (found.meta.keywords or "").split(",") if word.strip()],
    }
    record |= {field: {language: texts[field]} for field in ("description", "fee", "duration") if texts[field]}
    modules = {"09": texts["prerequisites"], "22": texts["responsibility"]}
    record["modules"] = [
        {"code": code, "channel": "000", "text": {language: text}} for code, text in modules.items() if text
    ]
    record["documents"] = [
        {"text": {language: one.name.strip()}, "when": {language: said} if said else {}}
        for one in found.requirements
        if one.name.strip()
        for said in [html.plain(html.clean(one.description or ""))]
    ]
    record["legal_basis"] = [
        {"citation": one.name, "url": one.link} if is_address(one.link) else one.name for one in found.legal if one.name
    ]
    record["links"] = list(_links(found, language, notes))
    for authority in found.authorities[:1]:
        # The authority that is named first decides; the places only take in.
        partner: dict[str, Any] = {"id": identifier(f"{AGENCY}-authority", str(authority.id)), "name": authority.name}
        partner |= {"kind": "authority", "external": {"agency": f"{AGENCY}-authority", "value": str(authority.id)}}
        if is_address(authority.webinfo):
            partner["website"] = authority.webinfo
        yield Upsert(kind="partners", id=partner["id"], record=partner, place=place)
        record["competence"] = partner["id"]
    yield Upsert(
        kind="services",
        id=name,
        record={field: value for field, value in record.items() if value not in ([], {}, "")},
        place=place,
        notes=tuple(notes),
    )
    for one in found.locations:
        if _location_id(one.location) not in hidden:
            yield _responsibility(place, name, one, known)


def _id_in(raw: msgspec.Raw, agency: str) -> str:
    """Which record cannot be read, where at least that can be told."""
    try:
        return identifier(agency, str(msgspec.json.decode(raw, type=_Numbered).id))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _texts(found: ServiceRecord) -> dict[str, str]:
    requirements = "".join(f"<li>{one.name} {one.description or ''}</li>" for one in found.prerequisites)
    return {
        "description": found.description or "",
        "fee": found.fees or "",
        "duration": found.process_time or "",
        "responsibility": found.responsibility or "",
        "prerequisites": f"<ul>{requirements}</ul>" if requirements else "",
    }


def _text(value: str, field: str, notes: list[str]) -> str:
    text, note = cleaned(value)
    if note:
        notes.append(f"{field}: {note}")
    return text


def _links(found: ServiceRecord, language: str, notes: list[str]) -> Iterator[dict[str, Any]]:
    """Forms stand under `forms` and again under `links`: each address once, as the first kind."""
    seen = set()
    online = [Page(link=found.onlineprocessing.link or "")] if found.onlineprocessing else []
    for kind, pages in (("online", online), ("form", found.forms), ("page", found.links)):
        for page in pages:
            if not page.link or page.link in seen:
                continue
            seen.add(page.link)
            if is_address(page.link):
                yield {"kind": kind, "url": page.link} | ({"name": {language: page.name}} if page.name else {})
            else:
                notes.append(f"{page.link[:80]!r} is no address")


def _responsibility(place: str, service: str, at: Place, known: set[tuple[str, str]] | None) -> Change:
    authority = _location_id(at.location)
    record: dict[str, Any] = {"service": service, "authority": authority, "role": "contact"}
    name = record_id("responsibilities", record)
    if known is not None and ("partners", authority) not in known:
        reason = f"there is no location {at.location}"
        return Refused(place=place, kind="responsibilities", id=name, reason=reason)
    if at.appointment is not None and at.appointment.allowed and is_address(at.appointment.link or ""):
        record["booking"] = at.appointment.link
    if isinstance(at.hint, str) and at.hint:
        record["caveat"] = {"de": html.plain(html.clean(at.hint))}
    return Upsert(kind="responsibilities", id=name, record=record, place=place)


def _location_id(name: str | int) -> str:
    return identifier(f"{AGENCY}-location", str(name))


FORMAT = Format(name="dldb", parts=(SERVICES, LOCATIONS), is_whole=True, read=read)
