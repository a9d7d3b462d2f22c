"""CBOR as the wallet's documents have it (RFC 8949, ISO/IEC 18013-5 §7.3): the only module that imports `cbor2`. Pure.

Definite lengths, no key twice, few levels, and three tags: a time (0), a day (1004), CBOR within bytes (24). All others
are refused before they are decoded: some would compile an expression, or calculate a number of a gigabyte.
"""

from __future__ import annotations

import io
import re
from datetime import date, datetime
from typing import Any, NoReturn

import cbor2
import msgspec

from servicepunkt.eid.errors import MalformedError

MOST_BYTES = 262_144
MOST_LEVELS = 16
ENCODED = 24
#: COSE_Mac0, COSE_Sign1 and CWT say what is in them, which the place where they stand says, too.
UNTAGGED = frozenset({17, 18, 61})
#: The tags that `cbor2` has a meaning for; what it has none for comes to `_tag`.
_MEANT = (*range(6), 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)


class Encoded(msgspec.Struct, frozen=True):
    """CBOR within bytes, tag 24: what a digest or a signature was made over is `bytes()` of it."""

    data: bytes

    def __bytes__(self) -> bytes:
        return encoded(self.data)

    def __repr__(self) -> str:
        return f"Encoded({len(self.data)} bytes)"


def encoded(data: bytes) -> bytes:
    """`data` as bytes with tag 24 before them."""
    return b"\xd8\x18" + dumps(data)


def dumps(value: object) -> bytes:
    """In the shortest form, maps in the order that they have."""
    return cbor2.dumps(value, default=_put)


def loads(data: bytes, what: str, most: int = MOST_BYTES) -> Any:
    """The one value in `data`. Raises MalformedError."""
    if len(data) > most:
        raise MalformedError(what=what, why="too long")
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(
        stream,
        tag_hook=_tag,
        semantic_decoders=_DECODERS,
        max_depth=MOST_LEVELS,
        allow_indefinite=False,
        allow_duplicate_keys=False,
    )
    try:
        found = decoder.decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError):
        raise MalformedError(what=what, why="not CBOR as it is used here") from None
    if stream.tell() != len(data):
        raise MalformedError(what=what, why="something after its end")
    return found


def _put(encoder: cbor2.CBOREncoder, value: object) -> None:
    if not isinstance(value, Encoded):
        raise TypeError(type(value).__name__)
    encoder.encode(cbor2.CBORTag(ENCODED, value.data))


def _time(value: object, immutable: bool) -> datetime:
    """RFC 3339 without fractions and in UTC, as ISO/IEC 18013-5 §7.2.1 has it."""
    del immutable
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("no time")
    return datetime.fromisoformat(value)


def _day(value: object, immutable: bool) -> date:
    del immutable
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("no day")
    return date.fromisoformat(value)


def _refuse(value: object, immutable: bool) -> NoReturn:
    del value, immutable
    raise ValueError("a tag that is not used here")


def _tag(tag: cbor2.CBORTag, immutable: bool) -> object:
    del immutable
    if tag.tag == ENCODED and isinstance(tag.value, bytes):
        return Encoded(tag.value)
    if tag.tag in UNTAGGED:
        return tag.value
    raise ValueError("a tag that is not used here")


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DECODERS = {**dict.fromkeys(_MEANT, _refuse), 0: _time, 1004: _day}
