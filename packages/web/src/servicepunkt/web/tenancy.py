"""Which tenant a request belongs to, decided once before any routing: by path, by host name, or by device token.

Order: `/t/<slug>/...`, then the host name; a request with a device token takes the tenant that the token names,
and is refused when path or host say another one. No client header but Host is believed. What belongs to the
platform (health, metrics) has no tenant; static files may have one, which then says whose it may see.
"""

from __future__ import annotations

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext, use
from servicepunkt.web.devices.model import tenant_of_token

PLATFORM_PATHS = ("/health/", "/metrics")
TENANT_KEY = "servicepunkt_tenant"
PREFIX_KEY = "servicepunkt_prefix"


class TenantMiddleware:
    """Outermost but one: puts the context and the path prefix into the scope and strips the prefix from the path."""

    def __init__(self, app: ASGIApp, deployment: Deployment, root: ASGIApp) -> None:
        self._app = app
        self._deployment = deployment
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(PLATFORM_PATHS):
            await self._app(scope, receive, send)
            return
        ctx, prefix = await self._resolve(scope)
        if ctx is None:
            # Nobody is served here: the same page whether the tenant does not exist or is not ours to name.
            await self._root(scope, receive, send)
            return
        scope[TENANT_KEY] = ctx  # type: ignore[literal-required]
        scope[PREFIX_KEY] = prefix  # type: ignore[literal-required]
        if prefix:
            scope["path"] = scope["path"].removeprefix(prefix) or "/"
            scope["raw_path"] = scope["raw_path"].removeprefix(prefix.encode()) or b"/"
        with use(ctx):
            await self._app(scope, receive, send)

    async def _resolve(self, scope: Scope) -> tuple[TenantContext | None, str]:
        headers = dict(scope["headers"])
        directory = self._deployment.directory
        prefix = ""
        if scope["path"].startswith("/t/"):
            slug = scope["path"][3:].partition("/")[0]
            named = await directory.by_slug(slug)
            prefix = f"/t/{slug}"
            if named is None:
                return None, ""
        else:
            host = headers.get(b"host", b"").decode("latin-1").rpartition(":")[0] or headers.get(b"host", b"").decode(
                "latin-1"
            )
            named = await directory.by_host(host)
        bearer = headers.get(b"authorization", b"").decode("latin-1")
        tenant_id = tenant_of_token(bearer.removeprefix("Bearer ")) if bearer.startswith("Bearer ") else None
        if tenant_id is None:
            return named, prefix
        of_token = await directory.by_id(tenant_id)
        if of_token is None or (named is not None and named.id != of_token.id):
            return None, ""
        return of_token, prefix
