"""BundID, the state's account: its attributes as ours, its levels of trust, and the extension of its requests. Pure.

BundID speaks SAML 2 with attributes named by object identifiers, and wants to be told in an extension of AKDB which of
them a service needs and how it is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import msgspec

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.model import Attributes, Identity, Level, PartialDate, Place

AKDB = "https://www.akdb.de/request/2018/09"
CLASSIC = "https://www.akdb.de/request/2018/09/classic-ui/v1"
MOST_VALUES, MOST_LETTERS = 64, 2_000
PSEUDONYM = "urn:oid:1.3.6.1.4.1.25484.494450.3"
TRUST = "urn:oid:1.2.40.0.10.2.1.1.261.94"
#: Object identifier → our attribute; those with a dot are parts of the address.
ATTRIBUTES: Mapping[str, str] = {
    "urn:oid:2.5.4.42": "given_names",
    "urn:oid:2.5.4.4": "family_names",
    "urn:oid:1.2.40.0.10.2.1.1.225566": "birth_name",
    "urn:oid:1.2.40.0.10.2.1.1.55": "date_of_birth",
    "urn:oid:1.3.6.1.5.5.7.9.2": "place_of_birth",
    "urn:oid:1.2.40.0.10.2.1.1.225577": "nationality",
    "urn:oid:1.2.40.0.10.2.1.1.552255": "document_type",
    "urn:oid:2.5.4.16": "address.street",
    "urn:oid:2.5.4.17": "address.zip_code",
    "urn:oid:2.5.4.7": "address.city",
    "urn:oid:1.2.40.0.10.2.1.1.225599": "address.country",
    "urn:oid:0.9.2342.19200300.100.1.3": "email",
    "urn:oid:2.5.4.20": "phone",
}
#: What BundID calls its levels: a password, a certificate of the tax office, the online ID.
LEVELS: Mapping[str, Level] = {
    "STORK-QAA-Level-1": Level.LOW,
    "STORK-QAA-Level-3": Level.SUBSTANTIAL,
    "STORK-QAA-Level-4": Level.HIGH,
}


class Display(msgspec.Struct, frozen=True, kw_only=True):
    """How the service is called on BundID's pages; `service_id` is BundID's number for it."""

    organisation: str
    service_id: str = ""


def level_name(level: Level) -> str:
    """What is asked for, so that it is reached at least."""
    return next(name for name, known in LEVELS.items() if known >= level)


def extension(wanted: Mapping[str, bool], display: Display) -> bytes:
    """The XML of the request's extension. `wanted`: our attributes, and whether they have to be there.

    Raises ValueError for an attribute that BundID does not have.
    """
    root = ElementTree.Element(f"{{{AKDB}}}AuthenticationRequest", {"Version": "2"})
    requested = ElementTree.SubElement(root, f"{{{AKDB}}}RequestedAttributes")
    for name, required in {oid: required for attribute, required in wanted.items() for oid in oids(attribute)}.items():
        element = ElementTree.SubElement(requested, f"{{{AKDB}}}RequestedAttribute", {"Name": name})
        if required:
            element.set("RequiredAttribute", "true")
    version = ElementTree.SubElement(
        ElementTree.SubElement(root, f"{{{AKDB}}}DisplayInformation"), f"{{{CLASSIC}}}Version"
    )
    ElementTree.SubElement(version, f"{{{CLASSIC}}}OrganizationDisplayName").text = display.organisation
    if display.service_id:
        ElementTree.SubElement(version, f"{{{CLASSIC}}}OnlineServiceId").text = display.service_id
    ElementTree.register_namespace("akdb", AKDB)
    ElementTree.register_namespace("classic-ui", CLASSIC)
    return ElementTree.tostring(root)


def oids(attribute: str) -> list[str]:
    """The identifiers of an attribute: the address has several. Raises ValueError."""
    if attribute == "pseudonym":
        return [PSEUDONYM]
    found = [oid for oid, name in ATTRIBUTES.items() if name.partition(".")[0] == attribute]
    if not found:
        raise ValueError(f"BundID has no {attribute}")
    return found


def identity(values: Mapping[str, Sequence[str]], *, context: str, proof: str, at: datetime) -> Identity:
    """From an assertion whose signature was verified: its attributes by name, and its AuthnContextClassRef.

    The lower of the two levels that it names counts. Raises MalformedError.
    """
    if len(values) > MOST_VALUES:
        raise MalformedError(what="assertion", why="too many attributes")
    found: dict[str, str] = {}
    for oid, name in ATTRIBUTES.items():
        if text := _one(values, oid):
            found[name] = text
    address = {name.partition(".")[2]: text for name, text in found.items() if name.startswith("address.")}
    plain: dict[str, Any] = {name: text for name, text in found.items() if "." not in name}
    born, birthplace = plain.pop("date_of_birth", ""), plain.pop("place_of_birth", "")
    levels = [_level(one) for one in (context, _one(values, TRUST)) if one]
    return Identity(
        origin="bundid",
        level=min(levels, default=Level.NONE),
        at=at,
        proof=proof,
        attributes=Attributes(
            **plain,
            date_of_birth=_date(born) if born else None,
            place_of_birth=Place(free=birthplace) if birthplace else None,
            address=Place(**address) if address else None,
            pseudonym=_one(values, PSEUDONYM).encode(),
        ),
    )


def _one(values: Mapping[str, Sequence[str]], oid: str) -> str:
    given = values.get(oid, ())
    if len(given) > 1 or any(len(one) > MOST_LETTERS or not one.isprintable() for one in given):
        raise MalformedError(what="assertion", why=f"{oid} cannot be read")
    return given[0].strip() if given else ""


def _level(name: str) -> Level:
    if name not in LEVELS:
        raise MalformedError(what="assertion", why="a level that is not known")
    return LEVELS[name]


def _date(text: str) -> PartialDate:
    """'1964-08-12'; '1964-00-00' where only the year is known."""
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise MalformedError(what="assertion", why="no day")
    year, month, day = (int(part) for part in parts)
    return PartialDate.parse(PartialDate(year, month, day).encode())
