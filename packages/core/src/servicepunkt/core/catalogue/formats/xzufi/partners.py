"""An `organisationseinheit` as a partner, and a `zustaendigkeit` as who is responsible where. Pure.

How an authority can be reached is written in XZuFi with the building blocks of XÖV (Anschrift, Kommunikation). The name
of the element that holds a way of communication is unverified: three names are read.
"""

from __future__ import annotations

import re

from lxml import etree

from servicepunkt.core.catalogue.competence import level_of
from servicepunkt.core.catalogue.formats.xzufi import names
from servicepunkt.core.catalogue.formats.xzufi.elements import (
    Key,
    Notes,
    Parts,
    UnreadableError,
    code,
    day,
    every,
    first,
    key,
    line,
    lines,
    parts,
    said,
    value,
)
from servicepunkt.core.catalogue.formats.xzufi.names import Role
from servicepunkt.core.catalogue.formats.xzufi.records import Record, external, without_empty
from servicepunkt.core.catalogue.html import is_address
from servicepunkt.core.catalogue.model import pick

COMMUNICATION = ("kommunikation", "kommunikationssystem", "erreichbarkeit")
_DIGITS = re.compile(r"^\d+\Z", re.ASCII)


def partner(element: etree._Element, notes: Notes) -> Record:
    """Raises UnreadableError."""
    found = parts(element)
    named = key(first(found, "id"))
    if named is None:
        raise UnreadableError("it has no id")
    name = pick(_name(found, notes), "de")
    if not name:
        raise UnreadableError("it has no name")
    record: Record = {"id": named.id, "name": name, "kind": "authority"}
    record |= _reached(found, notes) | external(named, found)
    if (address := _address(found)) is not None:
        record["address"] = address
    for field, part in (("valid_from", "beginn"), ("valid_until", "ende")):
        days = [day(said(first(parts(one), part))) for one in every(found, "gueltigkeit")]
        if len(days) == 1 and days[0] is not None:
            record[field] = days[0].isoformat()
    return without_empty(record)


def _name(found: Parts, notes: Notes) -> dict[str, str]:
    """`name/name` with a language, or a `name` that holds it itself."""
    outer = every(found, "name", "bezeichnung")
    return lines([inner for one in outer for inner in (every(parts(one), "name") or [one])], notes)


def _address(found: Parts) -> Record | None:
    """The first address with a street."""
    for element in every(found, "anschrift"):
        inner = parts(element)
        street = " ".join(filter(None, (line(value(inner, "strasse")), line(value(inner, "hausnummer")))))
        if street:
            where = {"postcode": value(inner, "postleitzahl"), "town": line(value(inner, "ort"))}
            return {"street": street, **where}
    return None


def _reached(found: Parts, notes: Notes) -> Record:
    """Telephone, e-mail and page; the first of each."""
    reached = map(parts, every(found, *COMMUNICATION))
    ways = [(code(first(inner, "kanal")), value(inner, "kennung")) for inner in reached]
    pages = [said(first(parts(one), "uri")) or said(one) for one in every(found, "internetadresse")]
    pages += [way for kind, way in ways if kind == names.WEB]
    for page in pages:
        if page and not is_address(page):
            notes.say(f"{page[:80]!r} is no address")
    return {
        "phone": next((way for kind, way in ways if kind in names.PHONES and way), ""),
        "email": next((way for kind, way in ways if kind == names.MAIL and way), ""),
        "website": next((page for page in pages if is_address(page)), ""),
    }


def transferred(element: etree._Element) -> tuple[Key, etree._Element]:
    """What a `zustaendigkeitTransferObjekt` hangs under, and its `zustaendigkeit`. Raises UnreadableError."""
    found = parts(element)
    above = key(first(found, "uebergeordnetesObjektID"))
    inner = first(found, names.RESPONSIBILITY)
    if above is None or inner is None:
        raise UnreadableError("it does not say what is responsible")
    return above, inner


def served(element: etree._Element) -> Key:
    """The service of a `zustaendigkeit`. Raises UnreadableError."""
    found = key(first(parts(element), "leistungID"))
    if found is None:
        raise UnreadableError("it names no service")
    return found


def areas(element: etree._Element, notes: Notes) -> list[str]:
    """The areas of a `zustaendigkeit` as keys of ours, without those that cannot be told."""
    made: dict[str, None] = {}
    for one in every(parts(element), "gebietID"):
        given = said(one)
        if (area := area_of(given)) is None:
            notes.say(f"{given[:40]!r} is no key of an area that can be told (ARS)")
        else:
            made[area] = None
    return list(made)


def area_of(given: str) -> str | None:
    """A key with zeros at its end as a key of ours; None for what is none.

    Eight digits are an AGS. It has no digits of the association, so only that of a whole district can be told.
    """
    if not _DIGITS.match(given):
        return None
    if len(given) == 8:
        return given[:5] if given.endswith("000") else None
    if len(given) == 12:
        for digits in (0, 2, 5, 9):
            if not given[digits:].strip("0"):
                return given[:digits]
    return given if level_of(given) is not None else None


def responsibilities(element: etree._Element, authority: str, notes: Notes) -> list[tuple[str, Record]]:
    """An entry for each area, with its id: that of the `zustaendigkeit`, and `@` and the area when there are several.

    Raises UnreadableError.
    """
    found = parts(element)
    of = served(element)
    named = key(first(found, "id"))
    record: Record = {"service": of.id, "authority": authority}
    role = _role(first(found, "rolle"), notes)
    if role != "decides":
        record["role"] = role
    where = areas(element, notes)
    if not where and "gebietID" in found:
        raise UnreadableError("; ".join(notes))
    if not where:
        notes.say("it names no area")
        record["caveat"] = dict(names.NO_AREA)
        where = [""]
    base = f"{record['service']}@{authority}" if named is None else named.value if named.is_own else named.id
    return [
        (base if len(where) == 1 else f"{base}@{area}", record | ({"area": area} if area else {})) for area in where
    ]


def _role(element: etree._Element | None, notes: Notes) -> Role:
    return role_of(code(element), value(parts(element), "name"), notes)


def role_of(given: str, name: str, notes: Notes) -> Role:
    """By its words where they are known, else by its code; without either it decides, unknown ones are only asked."""
    words = line(name).casefold()
    if not given and not words:
        return "decides"
    if (role := names.ROLE_WORDS.get(words) or names.ROLE_CODES.get(given)) is None:
        notes.say(f"the role {(words or given)[:40]!r} is not known")
        return "contact"
    return role
