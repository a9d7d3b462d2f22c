"""A catalogue as a transfer message of XZuFi 2.3.1, such that reading it gives the same catalogue. Pure.

What XZuFi can say stands in its elements. What is left is found by reading each element again and comparing: only the
fields that differ go into an instruction. The same catalogue gives the same bytes.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from lxml import etree

from servicepunkt.core.catalogue.formats.xzufi import building, instruction, names, partners, services
from servicepunkt.core.catalogue.formats.xzufi.building import NAMESPACE, NSMAP
from servicepunkt.core.catalogue.formats.xzufi.elements import Key, Notes, UnreadableError
from servicepunkt.core.catalogue.formats.xzufi.reader import OnlineServices
from servicepunkt.core.catalogue.formats.xzufi.records import Record
from servicepunkt.core.catalogue.model import Catalogue, Link, Partner, Responsibility, Service, Strict
from servicepunkt.core.catalogue.records import Kind, record_id, said

VERSION = "2.3.1"
#: The name of the message is unverified; readers, ours too, go by its namespace and its version.
ROOT = "transfer"
CREATED = datetime(2000, 1, 1, tzinfo=UTC)
_DECLARED = [f' xmlns:{prefix}="{uri}"'.encode() for prefix, uri in NSMAP.items()]


def write(catalogue: Catalogue, agency: str = names.OWN_AGENCY, *, created: datetime = CREATED) -> Iterator[bytes]:
    """The message, one record after the other. `agency`: whose ids ours are to everybody else (`schemeAgencyID`)."""
    yield _head(agency, created)
    ids = Ids()
    for host in catalogue.hosts:
        yield _told("hosts", host.id, host)
    for point in catalogue.points:
        yield _told("points", point.id, point)
    for partner in catalogue.partners:
        yield _partner(partner, agency)
    for theme in catalogue.themes:
        yield _told("themes", theme.id, theme)
    for service in catalogue.services:
        yield from _service(service, agency)
    for offer in catalogue.offers:
        yield _told("offers", ids.of("offers", offer), offer)
    for area in catalogue.areas:
        yield _told("areas", area.ars, area)
    for responsibility in catalogue.responsibilities:
        yield _responsibility(responsibility, agency, ids)
    yield f"</xzufi:{ROOT}>\n".encode()


class Ids:
    """Ids for entries that have none of their own, each given once."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()

    def of(self, kind: Kind, made: Strict) -> str:
        wanted = record_id(kind, msgspec.structs.asdict(made))
        self._given[wanted] += 1
        times = self._given[wanted]
        return wanted if times == 1 else f"{wanted}#{times}"


def rest_of(kind: Kind, made: Strict, record: Record) -> Record | None:
    """The fields of an entry that its record, as it was read from elements, does not have; None when it is unreadable.

    What the record has and the entry does not is empty there.
    """
    try:
        read = instruction.entry(kind, record)
        instruction.look_at(read, is_told=False)
    except UnreadableError:
        return None
    return {
        field: _plain(getattr(made, field))
        for field in made.__struct_fields__
        if getattr(made, field) != getattr(read, field)
    }


def _plain(content: object) -> object:
    return msgspec.to_builtins(content, str_keys=True)


def _told(kind: Kind, name: str, made: Strict) -> bytes:
    """A whole entry as an instruction, without what it does not say."""
    return f"<?{names.INSTRUCTION} {instruction.write(kind, said(made), name)}?>\n".encode()


def _written(top: etree._Element) -> bytes:
    """A record, without the declarations that stand at the root."""
    content: bytes = etree.tostring(top, encoding="utf-8")
    for declared in _DECLARED:
        content = content.replace(declared, b"", 1)
    return content + b"\n"


def _with_rest(top: etree._Element, kind: Kind, made: Strict, name: str, record: Record | None) -> bytes:
    """A `schreibe` with the instruction that holds the rest; an instruction alone for what elements cannot be."""
    rest = rest_of(kind, made, record) if record is not None else None
    if rest is None:
        return _told(kind, name, made)
    if rest:
        top.append(etree.ProcessingInstruction(names.INSTRUCTION, instruction.write(kind, rest)))
    return _written(top)


def _partner(made: Partner, agency: str) -> bytes:
    top = building.element(names.WRITE)
    building.partner(top, made, agency)
    try:
        record = partners.partner(top[0], Notes())
    except UnreadableError:
        record = None
    return _with_rest(top, "partners", made, made.id, record)


def _service(made: Service, agency: str) -> Iterator[bytes]:
    """The service and its online services, each with what says that it belongs to it."""
    online = [(number, link) for number, link in enumerate(made.links, 1) if link.kind == "online"]
    shown = list(_online(made, online, agency))
    known = OnlineServices()
    for top in shown:
        known.take(top)
    known.settle()
    top = building.element(names.WRITE)
    building.service(top, made, agency)
    try:
        record = services.service(top[0], known.links_of(Key(agency, made.id)), Notes())
    except UnreadableError:
        record = None
    content = _with_rest(top, "services", made, made.id, record)
    yield content
    if content.startswith(b"<xzufi:"):
        yield from map(_written, shown)


def _online(made: Service, online: list[tuple[int, Link]], agency: str) -> Iterator[etree._Element]:
    for number, link in online:
        top = building.element(names.WRITE)
        building.online(top, made, number, link, agency)
        yield top
        top = building.element(names.WRITE)
        building.online_responsibility(top, made, number, link, agency)
        yield top


def _responsibility(made: Responsibility, agency: str, ids: Ids) -> bytes:
    name = ids.of("responsibilities", made)
    top = building.element(names.WRITE)
    building.responsibility(top, made, name, agency)
    try:
        above, inner = partners.transferred(top[0])
        [(_, record)] = partners.responsibilities(inner, above.id, Notes())
    except UnreadableError:
        return _told("responsibilities", name, made)
    return _with_rest(top, "responsibilities", made, name, record)


def _head(agency: str, created: datetime) -> bytes:
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NSMAP.items())
    at = created.isoformat()
    top = building.element("nachrichtenkopf")
    building.put(top, "nachrichtUUID", str(uuid.uuid5(uuid.NAMESPACE_URL, f"{NAMESPACE} {agency} {at}")))
    building.put(top, "erstelltDatumZeit", at)
    building.put(top, "sender", agency)
    root = f'<xzufi:{ROOT}{declared} produktbezeichnung="Servicepunkt" xzufiVersion="{VERSION}">\n'
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + root.encode() + _written(top)
