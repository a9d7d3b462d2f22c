"""Rules of a handshake: how long it lives, and that it is one browser's. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from servicepunkt.core.errors import ServicepunktError

COOKIE = "sp_handshake"
LONGEST = timedelta(minutes=10)


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is the SHA-256 of what the browser's cookie holds; `data` is JSON that its kind knows to read."""

    key: bytes
    kind: str
    data: bytes
    until: datetime


class HandshakeEndedError(ServicepunktError):
    """Unknown, used, over, or another browser's: not told apart."""

    code = "SP7024"
    status = 403
    citizen = "This sign-in has taken too long, or was finished before."
    staff = "There is no such sign-in under way in this browser."
    next_step = "Start again from the sign-in page."
