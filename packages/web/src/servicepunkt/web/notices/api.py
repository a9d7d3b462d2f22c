"""Where providers post what became of a message; they are told nothing but whether they were believed."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ForbiddenError, InvalidInputError, SecretError
from servicepunkt.core.notices import receipts
from servicepunkt.core.notices.channels.profiles import PROFILES, Profile
from servicepunkt.core.notices.service import settings_of
from servicepunkt.core.notices.settings import RestProvider
from servicepunkt.core.secrets import read_secret, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.notices import model

log = structlog.get_logger("servicepunkt.web")
MAX_BODY = 16 * 1024
PATH = "/api/v1/notices/receipts/{provider:str}"


@post(
    [PATH, PATH + "/{token:str}"],
    status_code=204,
    opt={"public": True, "closed_too": True, "exclude_from_csrf": True},
    request_max_body_size=MAX_BODY,
)
async def receive(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    provider: FromPath[str],
    token: FromPath[str] = "",
) -> None:
    """A delivery receipt of `provider`. Raises ForbiddenError unless it is proven, InvalidInputError for its schema.

    A provider that does not exist and one that is not believed get the same answer; so do a message that we know and
    one that we do not.
    """
    body = await request.body()
    found = settings_of(ctx).find(provider)
    if not isinstance(found, RestProvider) or not found.receipts:
        raise ForbiddenError
    profile = PROFILES[found.profile]
    _prove(request, deployment, ctx, found, profile, body, token)
    if profile.receipts is None:
        raise ForbiddenError
    try:
        posted = msgspec.json.decode(body, type=profile.receipts)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # msgspec's sentence could repeat what was sent.
        raise InvalidInputError([("", "This is no receipt of this provider.")]) from None
    await receipts.take(deployment, ctx, provider, posted.receipt())


def _prove(
    request: Request[Any, Any, Any],
    deployment: Deployment,
    ctx: TenantContext,
    provider: RestProvider,
    profile: Profile,
    body: bytes,
    token: str,
) -> None:
    """Raises ForbiddenError."""
    try:
        key = read_secret(tenant_secret(provider.receipts, slug=ctx.slug, home=deployment.settings.home))
    except SecretError as error:
        log.error("receipt_secret_missing", channel=provider.name, reason=error.staff_sentence)
        raise ForbiddenError from None
    now, headers = deployment.clock.now(), request.headers
    match profile.proof:
        case "hmac":
            proven = model.proven_by_hmac(headers, body, key=key, now=now)
        case "seven":
            proven = model.proven_by_seven(
                headers, body, key=key, now=now, url=_own_url(deployment, ctx, provider.name)
            )
        case "token":
            proven = model.proven_by_token(token, key=key)
    if not proven or len(key) < model.MIN_SECRET:
        log.warning("receipt_not_believed", channel=provider.name)
        raise ForbiddenError


def _own_url(deployment: Deployment, ctx: TenantContext, provider: str) -> str:
    """The address that the provider was given: what a proxy made of it on the way is not in the signature."""
    return f"{deployment.settings.public_url.rstrip('/')}/t/{ctx.slug}{PATH.replace('{provider:str}', provider)}"


HANDLERS = (receive,)
