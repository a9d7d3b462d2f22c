"""Sign-in with an account that the city keeps: to its OpenID provider and back."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Redirect

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.openid import service as openid
from servicepunkt.core.openid.model import Login, NoRoleError, OpenIdRefusedError, OpenIdUnavailableError, Returned
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.frame import Frame, local_path
from servicepunkt.web.handshakes import model as handshakes
from servicepunkt.web.handshakes import service as handshake_service
from servicepunkt.web.navigation import cookie, public_address
from servicepunkt.web.sessions import model as sessions
from servicepunkt.web.sessions import service as session_service
from servicepunkt.web.staff.pages import sign_in_page

log = structlog.get_logger("servicepunkt.web")
PUBLIC = {"public": True, "closed_too": True}
START = "/staff"
HREF = "/staff/openid"
RETURN = "/staff/openid/return"
# A code of Entra has 1500 characters and more.
Long = Annotated[str, QueryParameter(max_length=4096)]
Short = Annotated[str, QueryParameter(max_length=512)]


@get(HREF, opt=PUBLIC)
async def go_to_provider(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    target: Annotated[str, QueryParameter(name="next", max_length=512)] = START,
) -> Response[Any]:
    """Send the browser to the city's provider, and remember that it is this one that went."""
    target = local_path(target, fallback=START)
    try:
        login, address = await openid.begin(deployment, ctx, target=target, redirect=public_address(request, RETURN))
    except OpenIdUnavailableError as refused:
        return not_in(request, refused, target)
    answer = Redirect(address, status_code=303)
    kept = await handshake_service.begin(deployment, ctx, login)
    # Lax: the way back begins on the provider's pages.
    seconds = int(handshakes.LONGEST.total_seconds())
    answer.set_cookie(cookie(request, handshakes.COOKIE, kept, max_age=seconds, samesite="lax"))
    return answer


@get(RETURN, opt=PUBLIC)
async def come_back(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    given: Annotated[str, QueryParameter(name="state", max_length=512)] = "",
    code: Long = "",
    iss: Short = "",
    error: Short = "",
) -> Response[str]:
    """Start a session for whom the provider vouches.

    The session's cookie is not sent along on a way that began on another site, not even after a redirect: so a page of
    ours comes in between, which goes on by itself.
    """
    login = await handshake_service.take(deployment, ctx, request.cookies.get(handshakes.COOKIE, ""), Login)
    returned = Returned(state=given, code=code, iss=iss, error=error)
    try:
        account = await openid.finish(deployment, ctx, login, returned, redirect=public_address(request, RETURN))
    except (OpenIdUnavailableError, OpenIdRefusedError, NoRoleError) as refused:
        return not_in(request, refused, login.target)
    target = local_path(login.target, fallback=START)
    frame: Frame = request.app.state["frame"]
    answer = frame.page(request, "web/signed_in.html", target=START if target.startswith("/t/") else target)
    answer.set_cookie(cookie(request, handshakes.COOKIE, "", max_age=0, samesite="lax"))
    answer.set_cookie(cookie(request, sessions.COOKIE, await session_service.start(deployment, ctx, account, "openid")))
    return answer


def not_in(request: Request[Any, Any, Any], refused: ServicepunktError, target: str) -> Response[str]:
    """The page for signing in once more, which says why; with the password where that is allowed."""
    log.warning("openid_sign_in_refused", code=refused.code, reason=refused.details.get("reason", ""))
    sentences = [("", refused.citizen), ("", refused.next_step), ("", refused.code)]
    return sign_in_page(request, target=target, mistakes=sentences, status=refused.status)


HANDLERS = (go_to_provider, come_back)
