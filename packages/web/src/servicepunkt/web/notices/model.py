"""How a posted receipt is proven: a signature over the body and the time, or a token in the address. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

# How far the time of a signature may lie from ours: so long could a copied request be sent once more, and what it says
# has been counted by then.
WINDOW = timedelta(minutes=5)
MIN_SECRET = 16
MAX_HEADER = 200


def proven_by_hmac(headers: Mapping[str, str], body: bytes, *, key: bytes, now: datetime) -> bool:
    """The generic shape: X-Signature is the HMAC-SHA256 (hexadecimal) of `timestamp.body`, X-Timestamp Unix seconds."""
    timestamp = _fresh(headers, now)
    return timestamp is not None and _matches(headers, key, f"{timestamp}.".encode() + body)


def proven_by_seven(headers: Mapping[str, str], body: bytes, *, key: bytes, now: datetime, url: str) -> bool:
    """seven.io signs time, nonce, method, address and the MD5 of the body, each on a line (docs.seven.io, signing)."""
    timestamp, nonce = _fresh(headers, now), headers.get("x-nonce", "")
    if timestamp is None or not nonce.isalnum() or len(nonce) > MAX_HEADER:
        return False
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return _matches(headers, key, "\n".join((timestamp, nonce, "POST", url, digest)).encode())


def proven_by_token(token: str, *, key: bytes) -> bool:
    """For providers that sign nothing: the address holds what nobody can guess."""
    return hmac.compare_digest(token.encode("utf-8", "replace"), key)


def _fresh(headers: Mapping[str, str], now: datetime) -> str | None:
    """X-Timestamp as it was sent, if it is near `now`."""
    timestamp = headers.get("x-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 10):
        return None
    return timestamp if abs(datetime.fromtimestamp(int(timestamp), UTC) - now) <= WINDOW else None


def _matches(headers: Mapping[str, str], key: bytes, signed: bytes) -> bool:
    given = headers.get("x-signature", "").removeprefix("sha256=").lower().encode("utf-8", "replace")
    return hmac.compare_digest(given, hmac.new(key, signed, "sha256").hexdigest().encode())
