"""BER-TLV as cards speak it (ISO/IEC 7816-4 §5.2.2): definite lengths, tags of up to three bytes. Pure.

An object is read only as a whole: what is cut off, nested too deeply or has bytes left over is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from servicepunkt.eid.errors import MalformedError

#: A card never sends more in one object; certificates and EF.CardSecurity are below 4 KiB.
MOST_BYTES = 65_536
#: Objects on one level, and levels: a certificate has five.
MOST_OBJECTS = 256
MOST_LEVELS = 12


class Tlv(msgspec.Struct, frozen=True):
    """A tag with its value. `tag` as it is written in hexadecimal: 0x7F49."""

    tag: int
    value: bytes

    @property
    def is_constructed(self) -> bool:
        """Whether the value is objects itself (bit 6 of the first byte)."""
        return bool(self.tag.to_bytes(_size(self.tag), "big")[0] & 0x20)

    def __bytes__(self) -> bytes:
        return tlv(self.tag, self.value)


def tlv(tag: int, *values: bytes) -> bytes:
    """An object: its tag, the length, and the values one after the other."""
    value = b"".join(values)
    return tag.to_bytes(_size(tag), "big") + _length(len(value)) + value


def _size(tag: int) -> int:
    return max(1, (tag.bit_length() + 7) // 8)


def _length(count: int) -> bytes:
    if count < 0x80:
        return bytes([count])
    size = (count.bit_length() + 7) // 8
    return bytes([0x80 | size]) + count.to_bytes(size, "big")


def parse(data: bytes) -> tuple[Tlv, ...]:
    """The objects that stand one after the other in `data`. Raises MalformedError."""
    return tuple(_objects(data))


def _objects(data: bytes) -> Iterator[Tlv]:
    if len(data) > MOST_BYTES:
        raise MalformedError(what="TLV", why="too long")
    at = count = 0
    while at < len(data):
        count += 1
        if count > MOST_OBJECTS:
            raise MalformedError(what="TLV", why="too many objects")
        tag, at = _tag(data, at)
        length, at = _count(data, at)
        if at + length > len(data):
            raise MalformedError(what="TLV", why="cut off")
        yield Tlv(tag, data[at : at + length])
        at += length


def _tag(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    if first & 0x1F != 0x1F:
        return first, at + 1
    tag = first
    for size in (1, 2):
        if at + size >= len(data):
            break
        following = data[at + size]
        tag = tag << 8 | following
        if not following & 0x80:
            return tag, at + size + 1
    raise MalformedError(what="TLV", why="no such tag")


def _count(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise MalformedError(what="TLV", why="cut off")
    first = data[at]
    if first < 0x80:
        return first, at + 1
    size = first & 0x7F
    if not 1 <= size <= 3 or at + 1 + size > len(data):
        raise MalformedError(what="TLV", why="no such length")
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def only(data: bytes, tag: int) -> bytes:
    """The value of the one object of this tag, with nothing before and behind it. Raises MalformedError."""
    found = parse(data)
    if len(found) != 1 or found[0].tag != tag:
        raise MalformedError(what="TLV", why=f"no single {tag:02X}")
    return found[0].value


def find(data: bytes, *path: int) -> bytes | None:
    """The value of the first object of a tag, within the first one of the tag before; None where there is none.

    Raises MalformedError for what cannot be read at all.
    """
    for tag in path:
        value = next((one.value for one in parse(data) if one.tag == tag), None)
        if value is None:
            return None
        data = value
    return data


def need(data: bytes, *path: int) -> bytes:
    """As `find`. Raises MalformedError where there is none, too."""
    found = find(data, *path)
    if found is None:
        raise MalformedError(what="TLV", why=f"{'/'.join(f'{tag:02X}' for tag in path)} is missing")
    return found


def check_depth(data: bytes, levels: int = MOST_LEVELS) -> None:
    """Raises MalformedError for objects that lie in each other too deeply, or that cannot be read."""
    if not levels:
        raise MalformedError(what="TLV", why="nested too deeply")
    for one in parse(data):
        if one.is_constructed:
            check_depth(one.value, levels - 1)
