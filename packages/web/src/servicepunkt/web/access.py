"""Who may call what: dependencies that hand a handler its tenant, visitor or device, and guards that refuse.

A handler states its rule beside its path: `guards=[permission("deposits.read")]`, `guards=[device("box")]`, or
`opt={"public": True}`. A handler without any rule is a fault that a test finds.
"""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ForbiddenError, NotFoundError, ServicepunktError
from servicepunkt.core.operators.consents.model import NotLentError
from servicepunkt.core.operators.model import SecondFactorNeededError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.devices import model as devices
from servicepunkt.web.devices import service as device_service
from servicepunkt.web.devices.model import Device, DeviceRefusedError
from servicepunkt.web.operators import service as operator_service
from servicepunkt.web.sessions import demand
from servicepunkt.web.sessions import model as sessions
from servicepunkt.web.sessions import service as session_service
from servicepunkt.web.sessions.model import NotSignedInError, Visitor
from servicepunkt.web.tenancy import TENANT_KEY

VISITOR_KEY = "servicepunkt_visitor"
DEVICE_KEY = "servicepunkt_device"
Connection = ASGIConnection[Any, Any, Any, Any]


def tenant_of(connection: Connection) -> TenantContext:
    """Raises NotFoundError where no tenant is served."""
    ctx = connection.scope.get(TENANT_KEY)
    if not isinstance(ctx, TenantContext):
        raise NotFoundError
    return ctx


def deployment_of(connection: Connection) -> Deployment:
    found: Deployment = connection.app.state["deployment"]
    return found


async def provide_ctx(request: Request[Any, Any, Any]) -> TenantContext:
    return tenant_of(request)


async def provide_deployment(request: Request[Any, Any, Any]) -> Deployment:
    return deployment_of(request)


async def provide_visitor(request: Request[Any, Any, Any]) -> Visitor:
    """The signed-in person. Raises NotSignedInError."""
    return await _visitor(request)


async def provide_device(request: Request[Any, Any, Any]) -> Device:
    """The recognised device. Raises DeviceRefusedError."""
    found = request.scope.get(DEVICE_KEY)
    if not isinstance(found, Device):
        raise DeviceRefusedError
    return found


async def _visitor(connection: Connection) -> Visitor:
    found = connection.scope.get(VISITOR_KEY)
    if not isinstance(found, Visitor):
        ctx, deployment = tenant_of(connection), deployment_of(connection)
        found = await operator_service.visitor(deployment, ctx, connection.cookies.get(operator_service.COOKIE, ""))
        found = found or await session_service.visitor(deployment, ctx, connection.cookies.get(sessions.COOKIE, ""))
        if found is None:
            raise NotSignedInError
        connection.scope[VISITOR_KEY] = found  # type: ignore[literal-required]
    return found


def permission(name: str, *, per_unit: bool = False) -> Guard:
    """Only people with this permission in the whole tenant.

    With `per_unit` also those who have it in one unit: the handler then asks `visitor.may(name, unit)` for what it
    shows and does, or narrows it down by `visitor.units(name)`.
    """

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001 - the framework's shape
        visitor = await _visitor(connection)
        template = str(connection.scope.get("path_template", ""))
        if visitor.acting and not operator_service.is_lent(template):
            raise NotLentError
        if not visitor.may(name) and not (per_unit and visitor.units(name)):
            raise ForbiddenError
        await demand.require(
            deployment_of(connection), tenant_of(connection), visitor, str(connection.scope.get("method", "")), template
        )
        if visitor.acting:
            await operator_service.note(connection, tenant_of(connection), visitor.acting)

    guard.rule = f"permission:{name}"  # type: ignore[attr-defined]
    return guard


async def console(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001
    """Only operators of the platform who have shown a second factor or a passkey; the gate has seen to the tenant."""
    visitor = await _visitor(connection)
    if visitor.acting or not visitor.may("tenants.manage"):
        raise ForbiddenError
    if visitor.proof not in sessions.STRONG:
        raise SecondFactorNeededError


console.rule = "operator"  # type: ignore[attr-defined]


def device(kind: str) -> Guard:
    """Only devices of this kind, with a token in `Authorization: Bearer`, for calls on the kind's allow list."""

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001
        header = connection.headers.get("authorization", "")
        found = await _recognise(connection, header.removeprefix("Bearer ") if header.startswith("Bearer ") else "")
        known = device_service.kinds(deployment_of(connection), tenant_of(connection)).get(found.kind)
        method, template = str(connection.scope.get("method", "")), str(connection.scope.get("path_template", ""))
        wrong_kind = kind not in ("*", found.kind)
        if known is None or wrong_kind or not devices.allows(known, method, template):
            raise DeviceRefusedError

    guard.rule = f"device:{kind}"  # type: ignore[attr-defined]
    return guard


async def terminal(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001
    """Only enrolled terminals: browsers that hold a device cookie."""
    found = await _recognise(connection, connection.cookies.get(devices.COOKIE, ""))
    if found.kind != devices.TERMINAL.name:
        raise DeviceRefusedError


terminal.rule = "device:terminal"  # type: ignore[attr-defined]


async def _recognise(connection: Connection, token: str) -> Device:
    found = await device_service.recognise(deployment_of(connection), tenant_of(connection), token)
    connection.scope[DEVICE_KEY] = found  # type: ignore[literal-required]
    return found


class NotOpenError(ServicepunktError):
    """The tenant is a draft: its own people look at its pages, nobody else does."""

    code = "SP7010"
    status = 503
    citizen = "This service point is not open yet."
    staff = "The tenant is a draft; sign in to look at its pages."
    next_step = "Please come back later, or call 115."


class PausedError(ServicepunktError):
    """The tenant pauses: what lies in boxes can be collected, and staff go on with their work."""

    code = "SP7011"
    status = 503
    citizen = "This service point is closed for now."
    staff = "The tenant is paused; sign in to look at its pages."
    next_step = "Please call 115: they know where you are helped now."


async def state_gate(connection: Connection, handler: BaseRouteHandler) -> None:
    """Pages for everybody, and those of terminals, are shown while the tenant is open, and always to its own people.

    A route with `opt={"public": True, "closed_too": True}` answers in every state: signing in, receipts of providers.
    """
    ctx = connection.scope.get(TENANT_KEY)
    for_everybody = handler.opt.get("public") or terminal in (handler.guards or ())
    if not isinstance(ctx, TenantContext) or ctx.is_open or not for_everybody or handler.opt.get("closed_too"):
        return
    try:
        await _visitor(connection)
    except NotSignedInError:
        raise (NotOpenError if ctx.state == "draft" else PausedError) from None
