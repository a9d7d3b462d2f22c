"""Consents and what they open: pure.

What an operator may do with one is listed, and nothing else is open: no page with a citizen's datum, no account, no
second factor, no key, no consent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from servicepunkt.core.errors import InvalidInputError, ServicepunktError

#: The roles that can be lent. A clerk's never: it is about documents of citizens.
ROLES = ("editor", "point_staff", "auditor")
#: The permissions that come with a lent role, of all that the role has.
PERMISSIONS = frozenset({"staff.enter", "catalogue.read", "catalogue.edit", "audit.read", "health.read"})
LONGEST = timedelta(hours=8)
#: A consent may be given so long before it begins.
EARLIEST = timedelta(days=30)
IDLE = timedelta(minutes=30)
#: For so long a form may lie open whose beginning was "now".
GRACE = timedelta(minutes=30)
MOST_REASON = 300


class ConsentError(ServicepunktError):
    """There is no such consent, or it does not hold now, or another operator uses it: never told apart."""

    code = "SP8203"
    status = 403
    citizen = "There is no consent for this."
    staff = "There is no consent of this tenant that holds now for you."
    next_step = "Ask the administration of the city for its consent."


class NotLentError(ServicepunktError):
    """The page is not among those that a consent opens."""

    code = "SP8204"
    status = 403
    citizen = "This page is not open to you."
    staff = "A consent does not open this page to an operator."
    next_step = "Ask the city's own people to look at this page."


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """The administration of the city (`granted_by`, an account) lends a role to one operator, the first who uses it.

    `operator` is that one's account in the operators' tenant, None before it is used.
    """

    id: UUID
    role: str
    reason: str
    granted_by: UUID
    granted_at: datetime
    starts_at: datetime
    ends_at: datetime
    withdrawn_at: datetime | None = None
    operator: UUID | None = None


class OperatorSession(msgspec.Struct, frozen=True, kw_only=True):
    """An operator looks at the tenant's pages; `key` is the SHA-256 of what the cookie holds."""

    key: bytes
    consent: UUID
    operator: UUID
    started_at: datetime
    seen_at: datetime


class Acting(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts with which consent, as long as that holds. `name` is the operator's."""

    consent: Consent
    session: OperatorSession
    name: str

    @property
    def actor(self) -> str:
        """How audit chains name the operator."""
        return f"operator:{self.session.operator}/consent:{self.consent.id}"


State = Literal["planned", "open", "ended", "withdrawn"]


def state(consent: Consent, now: datetime) -> State:
    if consent.withdrawn_at is not None:
        return "withdrawn"
    if now < consent.starts_at:
        return "planned"
    return "open" if now < consent.ends_at else "ended"


def opens(consent: Consent, operator: UUID, now: datetime) -> bool:
    """Whether this operator may begin, or go on, at this moment."""
    return state(consent, now) == "open" and consent.operator in (None, operator)


def is_alive(session: OperatorSession, now: datetime) -> bool:
    return now - session.seen_at < IDLE


def check(role: str, reason: str, starts_at: datetime, ends_at: datetime, *, now: datetime) -> None:
    """Raises InvalidInputError with every mistake of a consent that is about to be given."""
    mistakes = []
    if role not in ROLES:
        mistakes.append(("role", "This role cannot be lent."))
    if not reason.strip() or len(reason) > MOST_REASON:
        mistakes.append(("reason", "Give a reason of at most 300 characters."))
    if not now - GRACE <= starts_at <= now + EARLIEST:
        mistakes.append(("starts", "It begins now or within the next 30 days."))
    if not starts_at < ends_at <= starts_at + LONGEST or ends_at <= now:
        mistakes.append(("ends", "It ends after it began, and after eight hours at the latest."))
    if mistakes:
        raise InvalidInputError(mistakes)
