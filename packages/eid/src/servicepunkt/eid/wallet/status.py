"""Whether a document still counts: the Token Status List of the IETF, as JWT and as CWT (draft-ietf-oauth-status-list).

A list holds one to eight bits for each document, compressed with zlib; a million documents are below 200 KiB. Lists are
fetched by a callable that the caller brings (`fetch(uri) -> bytes`), and kept until they expire or their `ttl` is over.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any, Self

import msgspec

from servicepunkt.eid.errors import EidError, MalformedError
from servicepunkt.eid.wallet import jose
from servicepunkt.eid.wallet.errors import OutdatedError, RevokedError, StatusError
from servicepunkt.eid.wallet.trust import TrustAnchors

Fetch = Callable[[str], bytes]
WHAT = "status list"
TYPE = "statuslist+jwt"
MOST_BYTES = 2_097_152
#: Of a list that is unpacked: a status of one bit for 67 million documents.
MOST_UNPACKED = 8_388_608
MOST_INDEX = 2**32
#: Where a list does not say for how long it may be kept.
KEEP = timedelta(minutes=15)
MOST_LISTS = 64
VALID = 0
BITS = (1, 2, 4, 8)


class StatusReference(msgspec.Struct, frozen=True):
    """Where it stands whether a document counts: the address of a list, and the place in it."""

    uri: str
    index: int

    @classmethod
    def of_claims(cls, status: object) -> Self | None:
        """From the claim `status`, of either format; None where a document has none. Raises MalformedError."""
        if status is None:
            return None
        if not isinstance(status, Mapping) or not isinstance(found := status.get("status_list"), Mapping):
            # A mechanism that is not known is none that can be passed over.
            raise MalformedError(what="status", why="no status list")
        uri, index = jose.text(found.get("uri"), "status"), found.get("idx")
        if not uri.startswith("https://") or not uri.isascii() or not uri.isprintable():
            raise MalformedError(what="status", why="no address")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < MOST_INDEX:
            raise MalformedError(what="status", why="no index")
        return cls(uri, index)


class StatusList(msgspec.Struct, frozen=True):
    """A list that was verified. `keep_until`: when to fetch it again."""

    bits: int
    statuses: bytes
    keep_until: datetime

    def status(self, index: int) -> int:
        """Raises StatusError for an index that the list does not have."""
        each = 8 // self.bits
        if index // each >= len(self.statuses):
            raise StatusError(why="not on the list")
        return self.statuses[index // each] >> index % each * self.bits & (1 << self.bits) - 1


class StatusLists:
    """Lists that were fetched, by their address."""

    def __init__(self, fetch: Fetch, anchors: TrustAnchors) -> None:
        """`fetch` may block and raise OSError or EidError."""
        self._fetch, self._anchors = fetch, anchors
        self._kept: dict[str, StatusList] = {}

    def check(self, reference: StatusReference, now: datetime) -> None:
        """Raises RevokedError; StatusError where the list is out of reach or not to be believed."""
        listed = self._kept.get(reference.uri)
        if listed is None or now >= listed.keep_until:
            listed = self._load(reference.uri, now)
            self._kept = {uri: one for uri, one in self._kept.items() if now < one.keep_until}
            if len(self._kept) < MOST_LISTS:
                self._kept[reference.uri] = listed
        if (status := listed.status(reference.index)) != VALID:
            raise RevokedError(status=status)

    def _load(self, uri: str, now: datetime) -> StatusList:
        try:
            data = self._fetch(uri)
        except (OSError, EidError) as error:
            raise StatusError(why="out of reach") from error
        try:
            return read(data, uri=uri, anchors=self._anchors, now=now)
        except EidError as error:
            raise StatusError(why=error.code) from error


def read(data: bytes, *, uri: str, anchors: TrustAnchors, now: datetime) -> StatusList:
    """A list as it was fetched from `uri`, JWT or CWT.

    Raises MalformedError, AlgorithmError, UntrustedError, SignatureError, OutdatedError.
    """
    if len(data) > MOST_BYTES:
        raise MalformedError(what=WHAT, why="too long")
    if data.startswith(b"eyJ"):
        token = jose.parse(_ascii(data), typ=(TYPE,), what=WHAT, most=MOST_BYTES)
        jose.verify(token, anchors.issuer_key(jose.x5c(token.header, WHAT), now=now, use="status"), WHAT)
        return _list(token.payload, jose.decode64, uri=uri, now=now)
    if find_spec("cbor2") is None:
        raise MalformedError(what=WHAT, why="a list in CBOR needs servicepunkt-eid[wallet]")
    from servicepunkt.eid.wallet import cose

    return _list(cose.status_claims(data, anchors, now), _bytes, uri=uri, now=now)


def _ascii(data: bytes) -> str:
    if not data.isascii():
        raise MalformedError(what=WHAT, why="not ASCII")
    return data.decode().strip()


def _bytes(value: object, what: str) -> bytes:
    if not isinstance(value, bytes):
        raise MalformedError(what=what, why="no bytes")
    return value


def _list(claims: Mapping[str, Any], decode: Callable[[Any, str], bytes], *, uri: str, now: datetime) -> StatusList:
    if claims.get("sub") != uri:
        raise MalformedError(what=WHAT, why="another list")
    at = now.timestamp()
    if jose.seconds(claims.get("iat"), WHAT) > at + 60:
        raise OutdatedError(what=WHAT)
    until = now + KEEP
    if "ttl" in claims:
        until = now + timedelta(seconds=min(jose.seconds(claims["ttl"], WHAT), 86_400))
    if "exp" in claims:
        expires = jose.seconds(claims["exp"], WHAT)
        if expires <= at:
            raise OutdatedError(what=WHAT)
        until = min(until, datetime.fromtimestamp(expires, UTC))
    listed = claims.get("status_list")
    if not isinstance(listed, Mapping) or listed.get("bits") not in BITS or isinstance(listed["bits"], bool):
        raise MalformedError(what=WHAT, why="no list")
    packed = listed.get("lst")
    if not isinstance(packed, str | bytes):
        raise MalformedError(what=WHAT, why="no list")
    return StatusList(listed["bits"], _unpacked(decode(packed, WHAT)), until)


def _unpacked(data: bytes) -> bytes:
    """Raises MalformedError for more than a list has: a few bytes can say a gigabyte of zeros."""
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(data, MOST_UNPACKED)
    except zlib.error:
        raise MalformedError(what=WHAT, why="not zlib") from None
    if not reader.eof or reader.unused_data:
        raise MalformedError(what=WHAT, why="longer than a list is, or cut off")
    return found
