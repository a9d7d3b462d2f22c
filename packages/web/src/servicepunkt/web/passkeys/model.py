"""What a passkey is, and for which place it holds. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ServicepunktError

MAX_PASSKEYS = 10


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """`credential` is the id that the authenticator gave it, `public_key` is in COSE's form."""

    id: UUID
    account: UUID
    credential: bytes
    public_key: bytes
    sign_count: int
    name: str
    created_at: datetime
    used_at: datetime | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a passkey holds: the host's name (RP ID) and the origin that a browser has to be at."""

    rp_id: str
    origin: str


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What we remember while somebody makes a passkey."""

    account: UUID
    challenge: bytes
    name: str


class Assertion(msgspec.Struct, frozen=True, kw_only=True):
    """What we remember while somebody shows a passkey."""

    challenge: bytes


class PasskeyRefusedError(ServicepunktError):
    """Unknown, of another place, copied, or not shown in answer to our question: not told apart."""

    code = "SP7028"
    status = 403
    citizen = "The passkey was not accepted."
    staff = "The answer of the authenticator was refused."
    next_step = "Start again, or sign in with your password."
