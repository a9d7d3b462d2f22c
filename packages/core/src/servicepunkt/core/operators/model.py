"""What an operator may settle for a tenant, and what is refused: pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from servicepunkt.core.errors import InvalidInputError, ServicepunktError
from servicepunkt.core.quotas import LimitSettings
from servicepunkt.core.tenancy.model import TENANT_STATES, TenantContext, Terms

#: How long fewer requests of a tenant are answered; it ends by itself.
SLOW_FOR = timedelta(hours=1)
QUOTAS = LimitSettings.__struct_fields__


class SecondFactorNeededError(ServicepunktError):
    code = "SP8201"
    status = 403
    citizen = "This page is open only with a second factor."
    staff = "The console of the platform is open only to accounts with a second factor."
    next_step = "Set up a second factor under your account."


class TermsError(ServicepunktError):
    """A tenant that is not live cannot be paused, and what is not paused cannot be resumed."""

    code = "SP8202"
    status = 409
    citizen = "This cannot be done with the tenant as it is."
    staff = "The tenant is not in the state that this needs."
    next_step = "Load the page again and look at the tenant's state."


def paused(ctx: TenantContext, terms: Terms, *, pause: bool) -> Terms:
    """The terms with a pause, or without. `ctx` is the tenant as it is served. Raises TermsError."""
    if pause and (terms.paused or "paused" not in TENANT_STATES[ctx.state]):
        raise TermsError(f"{ctx.slug} is {ctx.state}; only a live tenant is paused")
    if not pause and not terms.paused:
        raise TermsError(f"{ctx.slug} was not paused by an operator")
    return msgspec.structs.replace(terms, paused=pause)


def with_limits(terms: Terms, wanted: dict[str, float | int | None]) -> Terms:
    """The terms with these limits in place of the file's. Raises InvalidInputError with every mistake."""
    mistakes = []
    for name, value in wanted.items():
        try:
            msgspec.convert({name: value}, LimitSettings)
        except msgspec.ValidationError:
            mistakes.append((name, "This number does not fit."))
    if mistakes:
        raise InvalidInputError(mistakes)
    return msgspec.structs.replace(terms, limits=wanted)


def slowed(terms: Terms, requests: float | None, *, now: datetime) -> Terms:
    """The terms with so many requests a second from now on for `SLOW_FOR`; None for no more than that."""
    until = now + SLOW_FOR if requests is not None else None
    return msgspec.structs.replace(terms, slow_requests=requests, slow_until=until)
