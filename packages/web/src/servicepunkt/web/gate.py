"""What is of a plugin that a tenant has not switched on does not exist for that tenant: routes, templates, files.

Routes are refused before forms are looked at and whatever the verb: a 403 for a missing token, a 405 or the answer to
OPTIONS would tell that something is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from litestar import Request
from litestar.enums import HttpMethod, ScopeType
from litestar.exceptions import MethodNotAllowedException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.tenancy import TENANT_KEY

#: The plugin that draws pages and errors for everybody, also where no tenant is served.
SHELL = "web"
OPT = "plugin"
#: What belongs to the platform's operators: "home" exists in their own tenant alone, "any" where there are operators.
CONSOLE = "console"
#: Asked for the tenant, if there is one, and a plugin; raises NotFoundError for what is not to be seen.
Gate = Callable[[object, str], None]


class PluginGate(ASGIMiddleware):
    """Before everything else that a route does: is its plugin on?"""

    scopes = (ScopeType.HTTP,)

    def __init__(self, operator_tenant: str) -> None:
        self._operator_tenant = operator_tenant

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        require_route(scope.get(TENANT_KEY), scope["route_handler"].opt, self._operator_tenant)
        await next_app(scope, receive, send)


def require_route(ctx: object, opt: Mapping[str, Any], operator_tenant: str) -> None:
    """Raises NotFoundError where the route's plugin is off, and for the operators' pages where they are not at home."""
    require(ctx, str(opt.get(OPT, "core")))
    if (kind := opt.get(CONSOLE)) and not shows_console(ctx, kind, operator_tenant):
        raise NotFoundError


def shows_console(ctx: object, kind: str, operator_tenant: str) -> bool:
    """Whether pages of this kind (see `CONSOLE`) exist at this tenant; `operator_tenant` is empty for no operators."""
    home = isinstance(ctx, TenantContext) and ctx.slug == operator_tenant
    return bool(operator_tenant) and (home or kind == "any")


def require(ctx: object, plugin: str) -> None:
    """Raises NotFoundError where the plugin is off, or where there is no tenant that could have it on."""
    if plugin != "core" and not (isinstance(ctx, TenantContext) and ctx.allows(plugin)):
        raise NotFoundError


def require_shown(ctx: object, plugin: str) -> None:
    """The same for templates and files, of which the shell's are shown to everybody. Raises NotFoundError."""
    if plugin != SHELL:
        require(ctx, plugin)


def show_all(ctx: object, plugin: str) -> None:
    """For programs that serve no tenants: a box, the desk of a demonstration."""


def is_hidden(request: Request[Any, Any, Any]) -> bool:
    """Whether a path that does not take this verb is of a plugin that is off, as the other verbs' handlers say."""
    for method in HttpMethod:
        try:
            found = request.app.asgi_router.handle_routing(path=request.scope["path"], method=method.value)
        except MethodNotAllowedException:
            continue
        try:
            settings = request.app.state["deployment"].settings
            require_route(request.scope.get(TENANT_KEY), found[1].opt, settings.operator_tenant)
        except NotFoundError:
            return True
    return False
