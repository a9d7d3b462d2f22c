"""Roles and what each may do, and the rules of sign-in: pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.errors import ServicepunktError

# One table says who may do what. The host never sees a citizen's datum, the operator none of a tenant's.
ROLES: dict[str, frozenset[str]] = {
    "operator": frozenset({"staff.enter", "tenants.manage", "health.read"}),
    "city_admin": frozenset(
        {
            "staff.enter",
            "accounts.manage",
            "consents.manage",
            "devices.manage",
            "applications.forward",
            "deposits.read",
            "deposits.unlock",
            "notices.read",
            "readers.read",
            "audit.read",
            "health.read",
            "space.ask",
        }
    ),
    "editor": frozenset({"staff.enter", "catalogue.read", "catalogue.edit", "space.ask"}),
    "clerk": frozenset(
        {
            "staff.enter",
            "applications.forward",
            "applications.read",
            "deposits.read",
            "deposits.create",
            "deposits.load",
            "deposits.recall",
            "deposits.unlock",
            "deposits.attest",
            "notices.read",
            "readers.read",
        }
    ),
    "point_staff": frozenset(
        {
            "staff.enter",
            "help.answer",
            "boxes.read",
            "deposits.attest",
            "orders.settle",
            "readers.read",
            "health.read",
            "incidents.answer",
            "space.ask",
        }
    ),
    "agent": frozenset({"staff.enter", "catalogue.read"}),
    "partner": frozenset({"staff.enter"}),
    "host": frozenset({"staff.enter", "host.read", "host.edit"}),
    "auditor": frozenset({"staff.enter", "audit.read"}),
    "data_protection_officer": frozenset({"staff.enter", "audit.read", "retention.read"}),
}

#: The platform's own role: neither a city nor its provider gives it.
PLATFORM_ROLE = "operator"
#: Into the rooms for staff.
ENTER = "staff.enter"
#: Roles that can be held for one unit alone, and what kind of unit that is.
UNIT_ROLES: dict[str, str] = {"host": "host", "partner": "organisation", "point_staff": "point"}
UNIT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

MAX_FAILURES = 5
LOCK_FIRST = timedelta(minutes=1)
LOCK_LONGEST = timedelta(hours=1)
MIN_PASSWORD = 12


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who signs in. `totp` is the sealed secret of the second factor, `totp_used` its last time step.

    `external` is the digest by which the tenant's OpenID provider names the person; such an account has no password,
    nor has one whose one-time code (`code_hash`) nobody has used yet. `ended_at`: when it was switched off, if it is.
    """

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
    external: bytes | None = None
    code_hash: bytes | None = None
    code_until: datetime | None = None
    ended_at: datetime | None = None


class SignInError(ServicepunktError):
    """Wrong login, password or second factor, or a locked account: never told apart."""

    code = "SP7001"
    status = 403
    citizen = "Sign-in failed."
    staff = "The login, the password or the second factor is not right, or the account is locked."
    next_step = "Check what you typed. After several attempts the account stays locked for a while."


class Grant(msgspec.Struct, frozen=True):
    """A role as an account holds it: for one unit (a point, a house, a partner), or with `unit` "" for all.

    Written `role` or `role@unit`.
    """

    role: str
    unit: str = ""

    @classmethod
    def parse(cls, text: str) -> Grant:
        role, _, unit = text.partition("@")
        return cls(role, unit)


def grant_mistakes(text: str) -> list[str]:
    """Why nobody can be given this."""
    grant = Grant.parse(text)
    if grant.role not in ROLES:
        return [f"There is no role {grant.role!r}."]
    if "@" in text and grant.role not in UNIT_ROLES:
        return [f"The role {grant.role!r} is not for a unit, but for the whole tenant."]
    if "@" in text and not UNIT.fullmatch(grant.unit):
        return [f"{grant.unit!r} is no id of a unit."]
    return []


def known_units(catalogue: Catalogue) -> dict[str, frozenset[str]]:
    """The ids of all units by their kind, as `UNIT_ROLES` names it."""
    return {
        "point": frozenset(one.id for one in catalogue.points),
        "host": frozenset(one.id for one in catalogue.hosts),
        "organisation": frozenset(one.id for one in catalogue.partners),
    }


def permissions(roles: tuple[str, ...], unit: str | None = None) -> frozenset[str]:
    """What somebody with `roles` may do in all units, and with `unit` in this one; unknown roles allow nothing.

    What is held for one unit alone is no permission where no unit is named; but whoever holds anything comes in.
    """
    held = [(one.unit, ROLES.get(one.role, frozenset())) for one in map(Grant.parse, roles)]
    return frozenset().union(*(may if of in ("", unit) else may & {ENTER} for of, may in held))


def units(roles: tuple[str, ...], permission: str) -> frozenset[str] | None:
    """The units in which somebody with `roles` may do this; None for all of them."""
    held = {one.unit for one in map(Grant.parse, roles) if permission in ROLES.get(one.role, frozenset())}
    return None if "" in held else frozenset(held)


def after_failure(failures: int, now: datetime) -> tuple[int, datetime | None]:
    """(count, locked until): from the fifth failure the lock doubles with each further one."""
    count = failures + 1
    if count < MAX_FAILURES:
        return count, None
    return count, now + min(LOCK_FIRST * 2 ** min(count - MAX_FAILURES, 10), LOCK_LONGEST)


def is_locked(account: Account, now: datetime) -> bool:
    return account.locked_until is not None and now < account.locked_until


def has_password(account: Account) -> bool:
    """Whether a password can let this account in at all."""
    return account.active and bool(account.password_hash)


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
