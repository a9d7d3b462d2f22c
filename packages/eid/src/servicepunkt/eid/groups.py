"""The data groups of the eID application and the attributes in them (TR-03110-4 §2.2.3, ASN.1 in annex E). Pure.

    found = attributes_of({4: dg4, 5: dg5, 8: dg8})

Every group is [APPLICATION n] around one value. What is read from a card was signed by nobody: it counts because it
came through the channel that chip authentication opened.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import msgspec

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.model import Attributes, PartialDate, Place
from servicepunkt.eid.tlv import only, parse, tlv

UTF8, PRINTABLE, NUMERIC, IA5, OCTETS, SEQUENCE, SET = 0x0C, 0x13, 0x12, 0x16, 0x04, 0x30, 0x31
#: Letters of one attribute: addresses stay below 400.
MOST_LETTERS = 2_000
#: The parts of a place, by the number of their tag.
PLACE = {10: "street", 11: "city", 12: "state", 13: "country", 14: "zip_code"}
FREE_TEXT, NO_PLACE = 0xA1, 0xA2
PLAIN, COMPRESSED = 0xA1, 0xA2


def application(number: int) -> int:
    """The tag around a group: 0x61 to 0x76."""
    return 0x60 + number


def _text(data: bytes, *tags: int) -> str:
    """The one string in `data`. Raises MalformedError."""
    found = parse(data)
    if len(found) != 1 or found[0].tag not in tags or len(found[0].value) > MOST_LETTERS:
        raise MalformedError(what="data group", why="not the string that it should be")
    return _decoded(found[0].value, "utf-8" if found[0].tag == UTF8 else "ascii")


def _decoded(value: bytes, encoding: str) -> str:
    try:
        text = value.decode(encoding)
    except UnicodeDecodeError as error:
        raise MalformedError(what="data group", why=f"not {encoding}") from error
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text):
        raise MalformedError(what="data group", why="a control character")
    return text


def _name(data: bytes) -> str:
    return _text(data, UTF8)


def _letters(data: bytes) -> str:
    return _text(data, PRINTABLE)


def _date(data: bytes) -> PartialDate:
    return PartialDate.parse(_text(data, NUMERIC))


def _day(data: bytes) -> date:
    """Raises MalformedError for one of which a part is unknown."""
    if (day := _date(data).day_known) is None:
        raise MalformedError(what="data group", why="a date of which a part is missing")
    return day


def _place(data: bytes) -> Place:
    found = parse(data)
    if len(found) != 1:
        raise MalformedError(what="data group", why="not one place")
    [one] = found
    match one.tag:
        case 0xA1:
            return Place(free=_name(one.value))
        case 0xA2:
            return Place(free=_name(one.value))
        case 0x30:
            parts: dict[str, str] = {}
            for part in parse(one.value):
                name = PLACE.get(part.tag - 0xA0)
                if name is None or name in parts:
                    raise MalformedError(what="data group", why="no such part of a place")
                parts[name] = _text(part.value, UTF8, PRINTABLE)
            return Place(**parts)
    raise MalformedError(what="data group", why="no place")


def _residence(data: bytes) -> Place:
    """The first one, where there are several."""
    found = parse(data)
    if len(found) == 1 and found[0].tag == SET and (several := parse(found[0].value)):
        return _place(bytes(several[0]))
    return _place(data)


def _community(data: bytes) -> str:
    """Digits two a byte: the country (0276), then the keys of Land, region, district and municipality."""
    value = only(data, OCTETS)
    if not 1 <= len(value) <= 16 or not value.hex().isdigit():
        raise MalformedError(what="data group", why="no municipality")
    return value.hex()


def _permit(data: bytes) -> str:
    found = parse(data)
    if len(found) == 1 and found[0].tag == PLAIN:
        return _name(found[0].value)
    if len(found) == 1 and found[0].tag == COMPRESSED:
        return _decoded(_inflated(only(found[0].value, OCTETS)), "utf-8")
    raise MalformedError(what="data group", why="no text")


def _inflated(data: bytes) -> bytes:
    """DEFLATE without a header, up to a limit: a few bytes can say a million zeros."""
    reader = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        text = reader.decompress(data, MOST_LETTERS)
    except zlib.error as error:
        raise MalformedError(what="data group", why="not DEFLATE") from error
    if not reader.eof or reader.unused_data:
        raise MalformedError(what="data group", why="longer than a text is")
    return text


#: Number of a group → the attribute, and how it is read. The rest is no attribute: a signature, a date of issue.
READ: Mapping[int, tuple[str, Callable[[bytes], Any]]] = {
    1: ("document_type", _letters),
    2: ("issuing_country", _letters),
    3: ("valid_until", _day),
    4: ("given_names", _name),
    5: ("family_names", _name),
    6: ("artistic_name", _name),
    7: ("doctoral_degree", _name),
    8: ("date_of_birth", _date),
    9: ("place_of_birth", _place),
    10: ("nationality", _letters),
    11: ("sex", _letters),
    13: ("birth_name", _name),
    17: ("address", _residence),
    18: ("community_id", _community),
    19: ("residence_permit", _permit),
    20: ("residence_permit", _permit),
    21: ("phone", lambda data: _text(data, NUMERIC, UTF8, PRINTABLE)),
    22: ("email", lambda data: _text(data, IA5)),
}


def attributes_of(groups: Mapping[int, bytes]) -> Attributes:
    """The attributes in groups as they were read: number → bytes from the file. Raises MalformedError.

    A group that holds no attribute is left out; two permits stand one after the other.
    """
    found: dict[str, Any] = {}
    for number, data in sorted(groups.items()):
        if number not in READ:
            continue
        name, read = READ[number]
        value = read(only(data, application(number)))
        found[name] = f"{found[name]}\n{value}" if name in found else value
    return Attributes(**found)


def groups_of(attributes: Attributes) -> dict[int, bytes]:
    """The other way round, for cards that are simulated: a group for every attribute that holds something."""
    return {
        number: tlv(application(number), WRITE[number](getattr(attributes, name)))
        for number, (name, _) in READ.items()
        if number in WRITE and name in attributes.held()
    }


def _put_place(place: Place) -> bytes:
    if place.free:
        return tlv(FREE_TEXT, tlv(UTF8, place.free.encode()))
    plain = msgspec.structs.asdict(place)
    return tlv(SEQUENCE, *(
        tlv(0xA0 + number, tlv(PRINTABLE if number > 12 else UTF8, plain[name].encode()))
        for number, name in PLACE.items()
        if plain[name]
    ))  # fmt: skip


def _put(tag: int) -> Callable[[str], bytes]:
    return lambda text: tlv(tag, text.encode())


WRITE: Mapping[int, Callable[[Any], bytes]] = {
    **dict.fromkeys((4, 5, 6, 7, 13), _put(UTF8)),
    **dict.fromkeys((1, 2, 10, 11), _put(PRINTABLE)),
    3: lambda day: tlv(NUMERIC, f"{day:%Y%m%d}".encode()),
    8: lambda day: tlv(NUMERIC, day.encode().encode()),
    9: _put_place,
    17: _put_place,
    18: lambda digits: tlv(OCTETS, bytes.fromhex(digits)),
    19: lambda text: tlv(PLAIN, tlv(UTF8, text.encode())),
    21: _put(NUMERIC),
    22: _put(IA5),
}
