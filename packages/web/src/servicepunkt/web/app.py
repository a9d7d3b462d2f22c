"""The web application: handlers of all plugins behind the tenant's gate, in one process for every tenant."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from litestar import Litestar, Router
from litestar.config.csrf import CSRFConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from servicepunkt.core.catalogue.search.misses import Misses
from servicepunkt.core.catalogue.search.service import CatalogueSearch
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.operators.service import metered
from servicepunkt.core.plugins.service import failures_written
from servicepunkt.web import access, assets, health
from servicepunkt.web.frame import Frame, build_frame
from servicepunkt.web.gate import OPT, PluginGate
from servicepunkt.web.limits.edge import Limits
from servicepunkt.web.paper import Press
from servicepunkt.web.problems import Problems
from servicepunkt.web.requests import CarefulRequest, PlainAddresses, PlainTokens
from servicepunkt.web.security import SecurityHeaders
from servicepunkt.web.speech import Speaker
from servicepunkt.web.tenancy import TenantMiddleware
from servicepunkt.web.terminal.switches import keep_choices

MAX_BODY = 256 * 1024


def create_app(deployment: Deployment) -> ASGIApp:
    """The ASGI application of a deployment."""
    frame = build_frame(deployment.plugins, deployment.texts)
    limits = Limits(create_litestar(deployment, frame), deployment, Problems(frame))
    tenants = TenantMiddleware(limits, deployment, limits)
    return SecurityHeaders(tenants, secure=deployment.settings.secure_cookies)


def create_litestar(deployment: Deployment, frame: Frame | None = None) -> Litestar:
    """The framework's application, without the middleware that resolves tenants and keeps their limits."""
    frame = frame or build_frame(deployment.plugins, deployment.texts)
    problems = Problems(frame)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state["deployment"] = deployment
        app.state["frame"] = frame
        app.state["catalogue"] = CatalogueReader(deployment.database, replica=deployment.replica)
        app.state["search"] = CatalogueSearch()
        app.state["misses"] = Misses()
        app.state["speech"] = Speaker(deployment.settings.home / "cache" / "speech")
        app.state["press"] = Press(deployment.settings.home / "cache" / "fonts")
        closing: list[Callable[[], Awaitable[None]]] = []
        app.state["at_shutdown"] = closing
        async with failures_written(deployment), metered(deployment, "serve"):
            yield
        for close in closing:
            await close()

    csrf = CSRFConfig(
        secret=hmac.digest(deployment.settings.master_key_bytes(), b"csrf", "sha256").hex(),
        cookie_name="sp_csrf",
        cookie_path="/",
        cookie_secure=deployment.settings.secure_cookies,
        cookie_httponly=True,
        cookie_samesite="strict",
    )
    return Litestar(
        route_handlers=[health.live, health.ready, health.metrics, assets.static_file, *plugin_routers(deployment)],
        dependencies={
            "ctx": Provide(access.provide_ctx),
            "deployment": Provide(access.provide_deployment),
            "visitor": Provide(access.provide_visitor),
            "device": Provide(access.provide_device),
        },
        exception_handlers={
            ServicepunktError: problems.known,
            HTTPException: problems.framework,
            Exception: problems.unknown,
        },
        csrf_config=csrf,
        middleware=[PluginGate(deployment.settings.operator_tenant), PlainAddresses(), PlainTokens(csrf)],
        before_request=keep_choices,
        request_class=CarefulRequest,
        request_max_body_size=MAX_BODY,
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def plugin_routers(deployment: Deployment) -> list[Router]:
    """One router for each plugin, named so that the gate knows whose it is; all keep to the state of the tenant."""
    return [
        Router(path="", route_handlers=list(answer.value), guards=[access.state_gate], opt={OPT: answer.plugin})
        for answer in deployment.plugins.startup("routes")
    ]
