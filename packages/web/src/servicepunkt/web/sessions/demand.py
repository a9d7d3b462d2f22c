"""A second factor that the tenant demands: what is open to whom until it was shown."""

from __future__ import annotations

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.people.settings import demands_second_factor
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.passkeys import store as passkeys
from servicepunkt.web.sessions.model import STRONG, Visitor

SET_UP = "/staff/account/second-factor"
PASSKEYS = "/staff/account/passkeys"
#: What somebody needs who sets the first one up; signing out is open to everybody.
OPEN = frozenset({SET_UP, PASSKEYS, f"{PASSKEYS}/begin"})


class SecondFactorDemandedError(ServicepunktError):
    code = "SP7046"
    status = 403
    citizen = "This service point is open to you only with a second factor."
    staff = "[people] of the tenant file demands a second factor, and none was shown at sign-in."
    next_step = "Set up a second factor. If you have one, sign in again with it."


def is_met(ctx: TenantContext, visitor: Visitor) -> bool:
    """Whether this person has shown what the tenant demands.

    The tenant's own provider asks for a second factor itself, or does not; another tenant's counts for nothing.
    """
    vouched = visitor.proof == "openid" and visitor.session.link is None
    shown = visitor.proof in STRONG or vouched
    return visitor.acting is not None or shown or not demands_second_factor(ctx, visitor.roles)


async def has_one(tx: Transaction, visitor: Visitor) -> bool:
    """Whether a second factor was set up, so that it takes more than a password to set up another one."""
    account = visitor.account
    kept = account.totp is not None or account.external is not None
    return kept or bool(await passkeys.of_account(tx, account.id))


async def require(deployment: Deployment, ctx: TenantContext, visitor: Visitor, method: str, template: str) -> None:
    """Raises SecondFactorDemandedError for all but the pages on which the first one is set up."""
    if is_met(ctx, visitor) or (method, template) == ("GET", SET_UP):
        return
    if template in OPEN:
        async with deployment.database.tenant(ctx) as tx:
            if not await has_one(tx, visitor):
                return
    raise SecondFactorDemandedError
