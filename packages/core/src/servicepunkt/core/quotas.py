"""Section [limits] of a tenant file: how much one tenant may ask for and keep in an installation of many. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.rules import rule
from servicepunkt.core.tenancy.model import TenantContext

SECTION = "limits"
Rate = Annotated[float, Meta(gt=0, le=100_000)]
Count = Annotated[int, Meta(ge=0, le=100_000_000)]

TOO_MANY = rule(
    "SP1191",
    "there are {count} of these, and [limits] allows {most}",
    "Leave some out, or agree on more with the operator of the installation.",
)


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests a second, of everybody who has not signed in together and of one address; without it the deployment's
    settings. How many accounts, devices that are not switched off, points and offers the tenant may have, and how many
    records all of its imports may bring.
    """

    requests: Rate | None = None
    requests_of_address: Rate | None = None
    accounts: Count = 500
    devices: Count = 500
    points: Count = 200
    offers: Count = 20_000
    records: Count = 500_000


class QuotaError(ServicepunktError):
    """The tenant has as much of something as was agreed; `details` name what, how many it would be and the most."""

    code = "SP0070"
    status = 409
    citizen = "Nothing more can be added here."
    staff = "There is as much of this as was agreed."
    next_step = "Remove what is not needed any more, or agree on more with the operator of the installation."


def keep_within(ctx: TenantContext, what: str, count: int) -> None:
    """Raises QuotaError when `count` of `what` (a field of `LimitSettings`) is more than the tenant may have."""
    most = getattr(ctx.section(SECTION, LimitSettings), what)
    if count > most:
        raise QuotaError(f"{what}: {count} would be more than {most}", what=what, count=count, most=most)


def mistakes(draft: TenantDraft) -> list[tuple[str, str]]:
    """What a tenant file says itself and may not have."""
    limits = draft.ctx.section(SECTION, LimitSettings)
    counts = {"points": len(draft.catalogue.points), "offers": len(draft.catalogue.offers)}
    return [
        (what, TOO_MANY(count=count, most=getattr(limits, what)))
        for what, count in counts.items()
        if count > getattr(limits, what)
    ]
