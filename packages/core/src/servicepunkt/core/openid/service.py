"""Let people in for whom the tenant's provider vouches: send them there, believe what comes back, keep the account."""

from __future__ import annotations

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.metrics import SIGN_INS
from servicepunkt.core.openid import model
from servicepunkt.core.openid.model import Login, NoRoleError, OpenIdRefusedError, OpenIdUnavailableError, Returned
from servicepunkt.core.openid.settings import OpenIdSettings, is_loopback, openid_of
from servicepunkt.core.people import service as people
from servicepunkt.core.people.model import Account
from servicepunkt.core.secrets import read_secret, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext

REHEARSED = frozenset({"draft", "rehearsal"})
RANDOM_BYTES = 32


def provider_of(ctx: TenantContext) -> OpenIdSettings:
    """Raises NotFoundError where the tenant has none, OpenIdUnavailableError for http in a tenant that is live."""
    settings = openid_of(ctx)
    if settings is None:
        raise NotFoundError
    if not settings.issuer.startswith("https://") and not rehearses(ctx, settings):
        raise OpenIdUnavailableError("the issuer is not https")
    return settings


def rehearses(ctx: TenantContext, settings: OpenIdSettings) -> bool:
    """Whether http will do: the provider is on this computer, and the tenant is not live."""
    return ctx.state in REHEARSED and is_loopback(settings.issuer)


async def begin(deployment: Deployment, ctx: TenantContext, *, target: str, redirect: str) -> tuple[Login, str]:
    """(what to remember, where the browser goes). Raises OpenIdUnavailableError."""
    settings = provider_of(ctx)
    metadata = await deployment.openid.metadata(settings.issuer, loopback=rehearses(ctx, settings))
    state, nonce, verifier = (model.token(deployment.randomness(RANDOM_BYTES)) for _ in range(3))
    login = Login(issuer=settings.issuer, state=state, nonce=nonce, verifier=verifier, target=target)
    return login, model.authorization_url(metadata, settings, login, redirect)


async def finish(
    deployment: Deployment, ctx: TenantContext, login: Login, returned: Returned, *, redirect: str
) -> Account:
    """The account of whom the provider vouches for, made or brought up to date.

    Raises OpenIdUnavailableError, OpenIdRefusedError, NoRoleError, QuotaError.
    """
    settings = provider_of(ctx)
    loopback = rehearses(ctx, settings)
    if login.issuer != settings.issuer:
        raise OpenIdRefusedError("the provider has changed")
    try:
        model.check_returned(returned, login, await deployment.openid.metadata(settings.issuer, loopback=loopback))
        secret = read_secret(tenant_secret(settings.client_secret, slug=ctx.slug, home=deployment.settings.home))
        claims = await deployment.openid.claims(
            settings, secret.decode(), login, code=returned.code, redirect=redirect, loopback=loopback
        )
        person = model.person_of(claims, settings)
    except OpenIdRefusedError:
        SIGN_INS.labels(outcome="refused").inc()
        raise
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        account = await people.vouched(tx, at=now, key=person.key, name=person.name, roles=person.roles)
    SIGN_INS.labels(outcome="accepted" if account else "refused").inc()
    if account is None:
        raise NoRoleError
    return account


async def sign_out_address(deployment: Deployment, ctx: TenantContext, *, redirect: str) -> str:
    """Where somebody signs out at the provider, too; empty where there is no such place, or nobody answers."""
    try:
        settings = provider_of(ctx)
        metadata = await deployment.openid.metadata(settings.issuer, loopback=rehearses(ctx, settings))
    except (NotFoundError, OpenIdUnavailableError):
        return ""
    return model.sign_out_url(metadata, settings, redirect)
