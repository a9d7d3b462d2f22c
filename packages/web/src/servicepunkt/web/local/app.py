"""The ASGI application of a computer's own pages: these, static files, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Litestar
from litestar.config.csrf import CSRFConfig
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, ExceptionHandlersMap, Receive, Scope, Send

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.web import assets
from servicepunkt.web.local.frame import LocalPages
from servicepunkt.web.local.pages import HANDLERS
from servicepunkt.web.problems import Problems
from servicepunkt.web.requests import CarefulRequest, PlainTokens
from servicepunkt.web.security import SecurityHeaders
from servicepunkt.web.tenancy import TENANT_KEY


class OneTenant:
    """Puts the computer's tenant into the scope, as far as it is known."""

    def __init__(self, app: ASGIApp, pages: LocalPages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tenant = self._pages.tenant
        if tenant is not None and str(scope["type"]) == "http":
            scope[TENANT_KEY] = tenant  # type: ignore[literal-required]
        await self._app(scope, receive, send)


class KnownHosts:
    """Refuses what is called by another name; without names every one is known."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._hosts and str(scope["type"]) == "http":
            named = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
            if named.partition(":")[0].lower() not in self._hosts:
                await ASGIResponse(status_code=400, body=b"unknown host", media_type="text/plain")(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Headers:
    """The headers of every answer. Where the centre is comes with the configuration, so it is asked each time."""

    def __init__(self, app: ASGIApp, pages: LocalPages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pages = self._pages
        headers = SecurityHeaders(self._app, secure=pages.secure, form_targets=pages.form_targets())
        await headers(scope, receive, send)


def create_local_app(
    pages: LocalPages,
    handlers: Sequence[Any],
    *,
    form_secret: str,
    refusals: ExceptionHandlersMap,
    hosts: Sequence[str] = (),
) -> ASGIApp:
    """`handlers` beside those that every computer has. `form_secret`: the same after a restart, because a browser keeps
    its token. `refusals`: how the area's own errors are answered. `hosts`: by which names the pages may be called; for
    any other one somebody else's page has had its name lead to this computer."""
    problems = Problems(pages.frame)

    async def startup(app: Litestar) -> None:
        app.state["frame"] = pages.frame
        app.state["pages"] = pages

    csrf = CSRFConfig(
        secret=form_secret,
        cookie_name=pages.csrf_cookie,
        cookie_path="/",
        cookie_secure=pages.secure,
        cookie_httponly=True,
        cookie_samesite="strict",
    )
    app = Litestar(
        route_handlers=[*handlers, *HANDLERS, assets.static_file],
        exception_handlers={
            **refusals,
            ServicepunktError: problems.known,
            HTTPException: problems.framework,
            Exception: problems.unknown,
        },
        csrf_config=csrf,
        middleware=[PlainTokens(csrf)],
        request_class=CarefulRequest,
        request_max_body_size=16 * 1024,
        on_startup=[startup],
        openapi_config=None,
        logging_config=None,
    )
    return Headers(KnownHosts(OneTenant(app, pages), frozenset(hosts)), pages)
