"""Rules of a session: how long it lives, how it is named. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.operators.consents.model import PERMISSIONS as LENT
from servicepunkt.core.operators.consents.model import Acting
from servicepunkt.core.people import model as people
from servicepunkt.core.people.model import Account

COOKIE = "sp_session"
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
#: What was shown when the session began: a password alone, with a code of the second factor, a passkey, or that the
#: tenant's own provider vouches, which asks for a second factor itself, or does not.
Proof = Literal["password", "totp", "passkey", "openid"]
STRONG = ("totp", "passkey")


class NotSignedInError(ServicepunktError):
    code = "SP7002"
    status = 401
    citizen = "Please sign in."
    staff = "There is no session, or it has ended."
    next_step = "Sign in."


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in session; `key` is the SHA-256 of what the cookie holds.

    `proof` is None where the version before this one began it. `link`: it began with a switch from another tenant, by
    the link of this id, and what was shown was shown there.
    """

    key: bytes
    account: UUID
    started_at: datetime
    seen_at: datetime
    proof: Proof | None = None
    link: UUID | None = None


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who is looking at a staff page."""

    account: Account
    session: Session
    #: An operator of the platform whom the city has let in; the account is one of the operators' own tenant then.
    acting: Acting | None = None

    @property
    def permissions(self) -> frozenset[str]:
        """What this person may do in the whole tenant."""
        return self._lent(people.permissions(self.roles))

    def _lent(self, permissions: frozenset[str]) -> frozenset[str]:
        """Of an operator's permissions those that a consent lends."""
        return permissions & LENT if self.acting else permissions

    @property
    def somewhere(self) -> frozenset[str]:
        """What this person may do in one unit at least."""
        held = (people.permissions((role,), people.Grant.parse(role).unit) for role in self.roles)
        return self._lent(frozenset().union(*held))

    @property
    def roles(self) -> tuple[str, ...]:
        return self.account.roles

    @property
    def actor(self) -> str:
        """How the audit chain names this person."""
        return self.acting.actor if self.acting else f"account:{self.account.id}"

    @property
    def proof(self) -> Proof:
        """What this person has shown at sign-in."""
        return self.session.proof or proof_of(self.account)

    def may(self, permission: str, unit: str | None = None) -> bool:
        """Whether this person may do this in the whole tenant, or in `unit`."""
        return permission in self._lent(people.permissions(self.roles, unit))

    def units(self, permission: str) -> frozenset[str] | None:
        """The units in which this person may do this; None for all of them."""
        return people.units(self.roles, permission) if self._lent(frozenset({permission})) else frozenset()


def proof_of(account: Account) -> Proof:
    """What somebody has shown who signed in with a password: whoever has a second factor is not let in without."""
    return "password" if account.totp is None else "totp"


def key_of(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()


def is_alive(session: Session, now: datetime) -> bool:
    return now - session.seen_at < IDLE and now - session.started_at < LONGEST
