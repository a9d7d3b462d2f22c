"""A transfer message of XZuFi as changes: each record by itself, in the order of the file.

Online services are no entries here: they become links of the services that they belong to. Because records are in no
order, a file that has any is read before: once for the online services and what they are responsible for, a second time
when a responsibility stood before its online service. What is kept meanwhile is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from lxml import etree

from servicepunkt.core.catalogue.formats.model import Change, Delete, Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.formats.xzufi import instruction, links, names, partners, services
from servicepunkt.core.catalogue.formats.xzufi.elements import (
    Key,
    Notes,
    UnreadableError,
    every,
    first,
    key,
    local,
    parts,
)
from servicepunkt.core.catalogue.formats.xzufi.records import Record
from servicepunkt.core.catalogue.formats.xzufi.source import MAX_ATTRIBUTES, MAX_ELEMENTS, Entry, Messages, rewindable
from servicepunkt.core.catalogue.records import Kind

PART = "xzufi"
MAX_ONLINE = 100_000  # online services of one file
MAX_USES = 500_000  # responsibilities of online services in one file


def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """The changes of a message. Raises SourceError where it cannot be read on."""
    with rewindable(files[PART], limits) as source:
        yield from changes(source)


def changes(messages: Messages) -> Iterator[Change]:
    """What messages say, each one going on from the one before. Raises SourceError where they cannot be read on."""
    online = OnlineServices()
    if messages.mentions(names.ONLINE):
        online.gather(messages)
    for entry in messages.entries():
        yield from _changes(entry, online)
    yield from online.left_over()


def _changes(entry: Entry, online: OnlineServices) -> Iterator[Change]:
    place = entry.place()
    if entry.is_unwieldy:
        reason = f"a record has at most {MAX_ELEMENTS} elements, and an element {MAX_ATTRIBUTES} attributes"
        yield Refused(place=place, reason=reason)
    elif entry.action == "delete":
        yield _delete(entry.element, place)
    elif entry.action == "instruction":
        yield from _told(entry.element, place)
    else:
        yield from _write(entry, online)


def _delete(element: etree._Element, place: str) -> Change:
    of = (element.get("klasse") or "").strip()[:80]
    named = key(first(parts(element), "id"))
    kind = names.DELETED.get(of.casefold())
    if kind is None or named is None:
        reason = "it has no id" if kind else f"not taken over: deletion of {of or 'nothing'}"
        return Refused(place=place, kind=of, id=str(named or ""), reason=reason)
    try:
        name = named.value if named.is_own and kind == "responsibilities" else named.id
    except UnreadableError as error:
        return Refused(place=place, kind=of, id=str(named), reason=str(error))
    return Delete(kind=kind, id=name, place=place)


def _told(element: etree._Element, place: str) -> Iterator[Change]:
    """A whole entry in an instruction."""
    try:
        found = instruction.read(element.text)
        if not found.id:
            raise UnreadableError("instruction: an entry has an id")
        if found.record.get("id", found.record.get("ars", found.id)) != found.id:
            raise UnreadableError("instruction: the entry has another id")
        instruction.look_at(instruction.entry(found.kind, found.record), is_told=True)
    except UnreadableError as error:
        yield Refused(place=place, kind=names.INSTRUCTION, reason=str(error))
        return
    yield Upsert(kind=found.kind, id=found.id, record=found.record, place=place)


def _write(entry: Entry, online: OnlineServices) -> Iterator[Change]:
    objects = [child for child in entry.element if local(child)]
    if not objects:
        yield Refused(place=entry.place(), reason="nothing stands in it")
    for child in objects:
        what = local(child)
        line = entry.place(child)
        try:
            if what == names.SERVICE:
                yield _service(child, online, line)
            elif what == names.AUTHORITY:
                yield from _authority(child, entry)
            elif what == names.TRANSFER:
                yield from _responsibility(child, online, line)
            elif what == names.ONLINE:
                links.online(child, Notes())
            else:
                raise UnreadableError(f"not taken over: {what[:80]}")
        except UnreadableError as error:
            yield Refused(place=line, kind=what[:80], id=_told_id(child), reason=str(error))


def _told_id(element: etree._Element) -> str:
    found = parts(element)
    return str(key(first(found, "id")) or key(first(parts(first(found, names.RESPONSIBILITY)), "id")) or "")


def upsert(kind: Kind, name: str, record: Record, place: str, notes: Notes, beside: etree._Element | None) -> Upsert:
    """The entry of a record, with the instruction that stands `beside` its element. Raises UnreadableError."""
    rest = _rest(beside)
    if rest is not None:
        record = instruction.overlaid(record, kind, rest)
    instruction.look_at(instruction.entry(kind, record), is_told=rest is not None)
    return Upsert(kind=kind, id=record.get("id", name), record=record, place=place, notes=tuple(notes))


def _rest(element: etree._Element | None) -> instruction.Instruction | None:
    """The instruction directly after an element."""
    after = element.getnext() if element is not None else None
    if not isinstance(after, etree._ProcessingInstruction) or after.target != names.INSTRUCTION:
        return None
    return instruction.read(after.text)


def _service(element: etree._Element, online: OnlineServices, place: str) -> Upsert:
    notes = Notes()
    record = services.service(element, online.links_of(key(first(parts(element), "id"))), notes)
    return upsert("services", record["id"], record, place, notes, element)


def _authority(element: etree._Element, entry: Entry) -> Iterator[Change]:
    """The authority, and for what it says itself to be responsible."""
    notes = Notes()
    record = partners.partner(element, notes)
    made = upsert("partners", record["id"], record, entry.place(element), notes, element)
    yield made
    for one in every(parts(element), names.RESPONSIBILITY):
        try:
            yield from _responsibilities(one, made.id, entry.place(one), Notes(), None)
        except UnreadableError as error:
            reason = f"{names.AUTHORITY} {_told_id(element)}: {error}"
            yield Refused(place=entry.place(one), kind=names.RESPONSIBILITY, id=_told_id(one), reason=reason)


def _responsibility(element: etree._Element, online: OnlineServices, place: str) -> Iterator[Change]:
    """Of an authority; that of an online service has become a link."""
    above, inner = partners.transferred(element)
    notes = Notes()
    if above in online:
        if above not in online.authorities:
            return
        notes.say(f"{above} is an authority and an online service: this counts for both")
    yield from _responsibilities(inner, above.id, place, notes, element)


def _responsibilities(
    element: etree._Element, authority: str, place: str, notes: Notes, beside: etree._Element | None
) -> Iterator[Change]:
    made = partners.responsibilities(element, authority, notes)
    for name, record in made:
        yield upsert("responsibilities", name, record, place, notes, beside if len(made) == 1 else None)


class _Use:
    """For what an online service is responsible."""

    __slots__ = ("areas", "online", "service")

    def __init__(self, online: Key, service: Key, areas: list[str]) -> None:
        self.online, self.service, self.areas = online, service, tuple(areas)


class OnlineServices:
    """The online services of a file, and the services that each belongs to."""

    def __init__(self) -> None:
        self._links: dict[Key, tuple[str, tuple[Record, ...]]] = {}
        self._uses: dict[Key, _Use] = {}
        self._by_service: dict[Key, list[_Use]] = {}
        self._seen: set[Key] = set()
        self._known: frozenset[Key] = frozenset()
        #: Keys of authorities in the file; an id is unique only within its class.
        self.authorities: set[Key] = set()

    def __contains__(self, named: Key) -> bool:
        return named in self._links

    def gather(self, messages: Messages) -> None:
        """Read them all. Raises SourceError for a file that cannot be read, or has too many of them."""
        if self._pass(messages):
            # Once more, now that all of them are known; what is said last counts again.
            self._known = frozenset(self._links)
            self._uses.clear()
            self._pass(messages)
        self.settle()
        self.authorities &= self._links.keys()

    def settle(self) -> None:
        """No more will come: from now on `links_of` answers."""
        for use in self._uses.values():
            self._by_service.setdefault(use.service, []).append(use)
        self._uses.clear()

    def _pass(self, messages: Messages) -> bool:
        """True when a responsibility stood before something that it may hang under."""
        met_responsibility = is_late = False
        for entry in messages.entries():
            if entry.is_unwieldy or entry.action == "instruction":
                continue
            if entry.action == "delete":
                self._forget(entry.element)
                continue
            self.take(entry.element, entry.within)
            seen = {local(child) for child in entry.element}
            is_late = is_late or (met_responsibility and names.ONLINE in seen)
            met_responsibility = met_responsibility or names.TRANSFER in seen
        return is_late

    def take(self, element: etree._Element, within: str = "") -> None:
        """What a `schreibe` says of online services. Raises SourceError when there are too many."""
        for child in element:
            what = local(child)
            if what == names.ONLINE:
                self._add(child, within)
            elif what == names.AUTHORITY:
                self._note_authority(child)
            elif what == names.TRANSFER:
                self._use_of(child)

    def _forget(self, element: etree._Element) -> None:
        named = key(first(parts(element), "id"))
        of = (element.get("klasse") or "").strip().casefold()
        if named is not None and of == names.ONLINE:
            self._links.pop(named, None)
        elif named is not None and of == names.RESPONSIBILITY:
            self._uses.pop(named, None)

    def _note_authority(self, element: etree._Element) -> None:
        if (named := key(first(parts(element), "id"))) is not None:
            self.authorities.add(named)

    def _add(self, element: etree._Element, within: str) -> None:
        """An `onlinedienst`, with the responsibilities that stand in it. One that is not readable is refused later."""
        try:
            found = links.online(element, Notes())
        except UnreadableError:
            return
        if found.key not in self._links and len(self._links) >= MAX_ONLINE:
            raise SourceError(f"line {element.sourceline}: more than {MAX_ONLINE} online services in one file")
        self._links[found.key] = (f"{within}line {element.sourceline}", found.links)
        for one in every(parts(element), names.RESPONSIBILITY):
            self._use(found.key, one)

    def _use_of(self, element: etree._Element) -> None:
        """A `zustaendigkeitTransferObjekt`, if it hangs under an online service."""
        try:
            above, inner = partners.transferred(element)
        except UnreadableError:
            return
        if above in self._links or above in self._known:
            self._use(above, inner)

    def _use(self, above: Key, element: etree._Element) -> None:
        try:
            areas = partners.areas(element, Notes())
            use = _Use(above, partners.served(element), [] if "" in areas else areas)
        except UnreadableError:
            return
        if not areas and first(parts(element), "gebietID") is not None:
            return  # in areas that cannot be told: that is not everywhere
        if len(self._uses) >= MAX_USES:
            raise SourceError(f"line {element.sourceline}: online services have more than {MAX_USES} responsibilities")
        named = key(first(parts(element), "id")) or Key("", f"{above} {use.service} {use.areas}")
        self._uses[named] = use

    def links_of(self, service: Key | None) -> list[Record]:
        """The links of a service: one for each address, with all areas in which it may be used."""
        made: dict[str, Record] = {}
        for use in self._by_service.get(service, ()) if service is not None else ():
            self._seen.add(use.online)
            for link in self._links.get(use.online, ("", ()))[1]:
                before = made.get(link["url"])
                if before is None:
                    made[link["url"]] = link | ({"areas": list(use.areas)} if use.areas else {})
                elif "areas" in before and use.areas:
                    before["areas"] = list(dict.fromkeys((*before["areas"], *use.areas)))
                else:
                    before.pop("areas", None)
        return list(made.values())

    def left_over(self) -> Iterator[Change]:
        """What has become no link, because none of its services is in the file."""
        for named, (place, _) in self._links.items():
            if named not in self._seen:
                reason = "none of its services is in this file, or its areas cannot be told"
                yield Refused(place=place, kind=names.ONLINE, id=str(named), reason=reason)
