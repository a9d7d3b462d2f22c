"""The edge of the application: whoever asks too much is refused before anything is looked up for them.

Everybody who has not signed in shares the tenant's bucket and waits in the tenant's line, and everybody behind one
address shares a smaller bucket, so that neither one visitor nor one tenant takes what others need. Who has signed in
and terminals that were recognised have a bucket each: a crowd of visitors does not keep staff from their work. Boxes
and other devices with a token of their own are never refused, because their events must arrive; until such a token is
recognised it draws on a bucket of its address that visitors do not share. What belongs to the platform (health,
metrics, static files) has no limit.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import TooManyRequestsError
from servicepunkt.core.metrics import REFUSED
from servicepunkt.core.quotas import SECTION, LimitSettings
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.access import DEVICE_KEY, VISITOR_KEY
from servicepunkt.web.devices import model as devices
from servicepunkt.web.devices.model import Device
from servicepunkt.web.limits.model import Buckets, Proven
from servicepunkt.web.limits.turns import LineFullError, Turns
from servicepunkt.web.problems import Problems
from servicepunkt.web.sessions import model as sessions
from servicepunkt.web.tenancy import PLATFORM_PATHS, TENANT_KEY

# A page asks for several files at once, and they come from memory.
FREE_PATHS = (*PLATFORM_PATHS, "/static/")
BEARER = "Bearer "


class Limits:
    """Between the tenant's gate and the framework."""

    def __init__(
        self,
        app: ASGIApp,
        deployment: Deployment,
        problems: Problems,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._settings = deployment.settings
        self._meters = deployment.meters
        self._clock = deployment.clock
        self._problems = problems
        self._monotonic = monotonic
        # Two stores: addresses are made up easily, and must not push tenants out.
        self._tenants, self._addresses = Buckets(), Buckets()
        self._turns = Turns()
        self._proven = Proven()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(FREE_PATHS):
            await self._app(scope, receive, send)
            return
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        ctx: TenantContext | None = scope.get(TENANT_KEY)  # type: ignore[assignment]
        given = credentials_of(request, ctx)
        known, wait = self._wait(request, ctx, given)
        if wait:
            await self._refuse(request, ctx, math.ceil(wait))
        elif known or "token" in given or not self._settings.tenant_requests:
            await self._answer(request, ctx)
            self._learn(scope, given)
        else:
            await self._in_turn(request, ctx)
            self._learn(scope, given)

    async def _in_turn(self, request: Request[Any, Any, Any], ctx: TenantContext | None) -> None:
        try:
            async with self._turns.turn(ctx.id if ctx else 0):
                await self._answer(request, ctx)
        except LineFullError:
            await self._refuse(request, ctx, 1)

    async def _answer(self, request: Request[Any, Any, Any], ctx: TenantContext | None) -> None:
        """Hand on to the framework, and count for the tenant how long that took."""
        started = self._meters.monotonic()
        try:
            await self._app(request.scope, request.receive, request.send)
        finally:
            if ctx:
                self._meters.answered(ctx.id, self._meters.monotonic() - started)

    async def _refuse(self, request: Request[Any, Any, Any], ctx: TenantContext | None, seconds: int) -> None:
        REFUSED.inc()
        if ctx:
            self._meters.of(ctx.id).refused += 1
        await _refuse(self._problems, request, seconds)

    def _wait(
        self, request: Request[Any, Any, Any], ctx: TenantContext | None, given: Mapping[str, bytes]
    ) -> tuple[bool, float]:
        """Whether this was recognised lately, and seconds until it would be answered; 0.0 for now."""
        now, section = self._monotonic(), ctx.section(SECTION, LimitSettings) if ctx else LimitSettings()
        of_address = self._lowered(ctx, _chosen(section.requests_of_address, self._settings.address_requests))
        for credential in given.values():
            free = self._proven.get(credential, now)
            if free is not None:
                return True, 0.0 if free else self._addresses.take(credential, of_address, now)
        tenant_id, by_token = ctx.id if ctx else 0, "token" in given
        wait = self._addresses.take((tenant_id, address_of(request), by_token), of_address, now)
        if wait or by_token or ctx is None:
            return False, wait
        of_tenant = self._lowered(ctx, _chosen(section.requests, self._settings.tenant_requests))
        return False, self._tenants.take(tenant_id, of_tenant, now)

    def _lowered(self, ctx: TenantContext | None, rate: float) -> float:
        """No more than the operator lets through for a while; 0 is no limit."""
        if ctx is None or ctx.lowered is None or self._clock.now() >= ctx.lowered.until:
            return rate
        return min(rate, ctx.lowered.requests) if rate else ctx.lowered.requests

    def _learn(self, scope: Scope, given: Mapping[str, bytes]) -> None:
        """Which credential was worth something is known once the answer is made."""
        device, person = scope.get(DEVICE_KEY), scope.get(VISITOR_KEY)
        if isinstance(device, Device):
            kind = "terminal" if device.kind == devices.TERMINAL.name else "token"
            if kind in given:
                self._proven.note(given[kind], self._monotonic(), free=kind == "token")
        if person is not None and "session" in given:
            self._proven.note(given["session"], self._monotonic(), free=False)


def _chosen(own: float | None, of_deployment: float) -> float:
    """The tenant's own limit; a deployment without limits has none for anybody."""
    return own if own is not None and of_deployment else of_deployment


def credentials_of(request: Request[Any, Any, Any], ctx: TenantContext | None) -> dict[str, bytes]:
    """What a request may prove itself with, by its kind, as digests that name the tenant."""
    header = request.headers.get("authorization", "")
    said = {
        "token": header.removeprefix(BEARER) if header.startswith(BEARER) else "",
        "terminal": request.cookies.get(devices.COOKIE, ""),
        "session": request.cookies.get(sessions.COOKIE, ""),
    }
    tenant_id = ctx.id if ctx else 0
    return {
        kind: hashlib.sha256(f"{tenant_id}/{kind}/{value}".encode()).digest() for kind, value in said.items() if value
    }


async def _refuse(problems: Problems, request: Request[Any, Any, Any], seconds: int) -> None:
    body, media_type = problems.kept(request, TooManyRequestsError)
    headers = {"content-type": media_type, "content-length": str(len(body)), "retry-after": str(seconds)}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await request.send({"type": "http.response.start", "status": TooManyRequestsError.status, "headers": raw})
    await request.send({"type": "http.response.body", "body": body, "more_body": False})


def address_of(request: Request[Any, Any, Any]) -> str:
    """The address of the client; of IPv6 its network, because a household has 2^64 addresses (RFC 6177, 2)."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network(f"{address}/64", strict=False).network_address)
