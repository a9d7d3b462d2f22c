"""Roles and what each may do, and the rules of sign-in: pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ServicepunktError

# One table says who may do what. The host never sees a citizen's datum, the operator none of a tenant's.
ROLES: dict[str, frozenset[str]] = {
    "operator": frozenset({"tenants.manage", "health.read"}),
    "city_admin": frozenset(
        {
            "staff.enter",
            "accounts.manage",
            "devices.manage",
            "deposits.read",
            "deposits.unlock",
            "notices.read",
            "audit.read",
            "health.read",
        }
    ),
    "editor": frozenset({"staff.enter", "catalogue.read", "catalogue.edit"}),
    "clerk": frozenset(
        {
            "staff.enter",
            "deposits.read",
            "deposits.create",
            "deposits.load",
            "deposits.recall",
            "deposits.unlock",
            "deposits.attest",
            "notices.read",
        }
    ),
    "point_staff": frozenset(
        {"staff.enter", "help.answer", "boxes.read", "deposits.attest", "orders.settle", "health.read"}
    ),
    "agent": frozenset({"staff.enter", "catalogue.read"}),
    "partner": frozenset({"staff.enter"}),
    "host": frozenset({"staff.enter", "host.read"}),
    "auditor": frozenset({"staff.enter", "audit.read"}),
    "data_protection_officer": frozenset({"staff.enter", "audit.read", "retention.read"}),
}

MAX_FAILURES = 5
LOCK_FIRST = timedelta(minutes=1)
LOCK_LONGEST = timedelta(hours=1)
MIN_PASSWORD = 12


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who signs in. `totp` is the sealed secret of the second factor, `totp_used` its last time step."""

    id: UUID
    login: str
    name: str
    password_hash: str
    roles: tuple[str, ...]
    totp: bytes | None = None
    totp_used: int = 0
    active: bool = True
    failures: int = 0
    locked_until: datetime | None = None
    created_at: datetime


class SignInError(ServicepunktError):
    """Wrong login, password or second factor, or a locked account: never told apart."""

    code = "SP7001"
    status = 403
    citizen = "Sign-in failed."
    staff = "The login, the password or the second factor is not right, or the account is locked."
    next_step = "Check what you typed. After several attempts the account stays locked for a while."


def permissions(roles: tuple[str, ...]) -> frozenset[str]:
    """Everything that somebody with `roles` may do; an unknown role allows nothing."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))


def after_failure(failures: int, now: datetime) -> tuple[int, datetime | None]:
    """(count, locked until): from the fifth failure the lock doubles with each further one."""
    count = failures + 1
    if count < MAX_FAILURES:
        return count, None
    return count, now + min(LOCK_FIRST * 2 ** min(count - MAX_FAILURES, 10), LOCK_LONGEST)


def is_locked(account: Account, now: datetime) -> bool:
    return account.locked_until is not None and now < account.locked_until


def password_mistakes(password: str, login: str) -> list[str]:
    """Why a new password is refused: length is what counts (ASVS 6.2), no composition rules."""
    mistakes = []
    if len(password) < MIN_PASSWORD:
        mistakes.append("The password needs at least 12 characters.")
    if len(password) > 256:
        mistakes.append("The password is longer than 256 characters.")
    if login and login.lower() in password.lower():
        mistakes.append("The password must not contain the login.")
    return mistakes
