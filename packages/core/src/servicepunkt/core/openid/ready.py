"""Whether the provider of a tenant answers: before it goes live."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core.clock import SystemClock
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.openid.model import OpenIdUnavailableError
from servicepunkt.core.openid.provider import OpenIdProviders
from servicepunkt.core.openid.settings import is_loopback, openid_of
from servicepunkt.core.rules import Broken, rule
from servicepunkt.core.tenancy.model import TenantContext

SILENT = rule(
    "SP1521",
    "the provider {issuer} does not answer as it should: {reason}",
    "Look at [oidc], and whether it can be reached from here.",
)
ON_LOOPBACK = rule("SP1522", "the provider {issuer} is not https", "It is for a rehearsal; name the city's own.")


class ProviderReady:
    """Sign-in with the city's accounts: the provider answers, with keys, over https."""

    title = "Sign-in with the city's accounts"

    def __init__(self, ctx: TenantContext) -> None:
        self._settings = openid_of(ctx)

    async def look(self, tx: Transaction) -> Sequence[Broken]:  # noqa: ARG002 - the protocol's shape
        if self._settings is None:
            return []
        issuer = self._settings.issuer
        try:
            # Looked at anew: what is kept may be an hour old.
            await OpenIdProviders(SystemClock()).metadata(issuer, loopback=is_loopback(issuer))
        except OpenIdUnavailableError as error:
            return [SILENT(issuer=issuer, reason=str(error.details["reason"]))]
        return [] if issuer.startswith("https://") else [ON_LOOPBACK(issuer=issuer)]
