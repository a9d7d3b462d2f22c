"""Rules of devices: one-time codes, tokens, allow lists. Pure.

A token reads `<tenant>.<device>.<secret>`: tenant and device only say where to look, the secret (256 bits, stored as
SHA-256) decides. A one-time code has 40 bits, lives for an hour and for one use.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from servicepunkt.core.declarations import DeviceKind
from servicepunkt.core.errors import ServicepunktError

COOKIE = "sp_device"
CODE_LIFETIME = timedelta(hours=1)
SEEN_EVERY = timedelta(seconds=15)
MISSING_AFTER = timedelta(minutes=2)
ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # no letters that look alike
CODE_LENGTH = 8
TERMINAL = DeviceKind("terminal", "Terminal")


class DeviceRefusedError(ServicepunktError):
    """Unknown, used or expired code; unknown or revoked token; a call outside the allow list: one answer."""

    code = "SP7003"
    status = 403
    citizen = "This device is not registered."
    staff = "The code or token is unknown, used up or revoked, or the device may not do this."
    next_step = "Create a new one-time code on the devices page."


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """`target` says what it is in the tenant file: the point of a terminal, the id of a box."""

    id: UUID
    kind: str
    target: str
    label: str
    state: str = "pending"
    code_hash: bytes | None = None
    code_until: datetime | None = None
    token_hash: bytes | None = None
    public_key: bytes | None = None
    info: dict[str, str] = {}
    created_at: datetime
    seen_at: datetime | None = None


def new_code(randomness: Callable[[int], bytes]) -> str:
    """A one-time code; bytes beyond the last whole multiple of the alphabet are drawn again, so it is uniform."""
    letters: list[str] = []
    while len(letters) < CODE_LENGTH:
        letters += [ALPHABET[b % len(ALPHABET)] for b in randomness(CODE_LENGTH) if b < 256 - 256 % len(ALPHABET)]
    return "".join(letters[:CODE_LENGTH])


def plain_code(typed: str) -> str:
    """What a person typed, without spaces and hyphens, in capitals."""
    return "".join(c for c in typed.upper() if c in ALPHABET)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def same(one: bytes | None, other: bytes) -> bool:
    return one is not None and hmac.compare_digest(one, other)


def make_token(tenant_id: int, device: UUID, secret: str) -> str:
    return f"{tenant_id}.{device.hex}.{secret}"


def tenant_of_token(token: str) -> int | None:
    """Where to look; decides nothing."""
    tenant, _, rest = token.partition(".")
    return int(tenant) if tenant.isascii() and tenant.isdigit() and len(tenant) < 10 and rest else None


def parts_of_token(token: str) -> tuple[UUID, str] | None:
    pieces = token.split(".")
    if len(pieces) != 3 or len(pieces[1]) != 32 or len(pieces[2]) != 64:
        return None
    try:
        return UUID(hex=pieces[1]), pieces[2]
    except ValueError:
        return None


def allows(kind: DeviceKind, method: str, template: str) -> bool:
    """Whether the allow list of the kind names this call; the heartbeat is open to every device."""
    return (method, template) in kind.calls or (method, template) == ("POST", "/api/v1/devices/heartbeat")
