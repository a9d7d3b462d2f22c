"""What a box calls at the centre: send events, wait for commands, fetch its configuration."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import configuration, intake, wire
from servicepunkt.dokbox.wakeups import Wakeups
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device

Ctx = NamedDependency[TenantContext]
House = NamedDependency[Deployment]
Recognised = NamedDependency[Device]
JSON_ONLY = {"exclude_from_csrf": True}
LONGEST_WAIT = 25


@post("/api/v1/box/events", guards=[access.device("box")], opt=JSON_ONLY, status_code=200)
async def send_events(
    ctx: Ctx, deployment: House, device: Recognised, data: JSONBody[wire.Events]
) -> wire.Acknowledged:
    """Journal entries of the box, idempotent by (box, seq); answers how far the centre has them."""
    if len(data.events) > wire.MAX_EVENTS:
        raise InvalidInputError([("events", f"At most {wire.MAX_EVENTS} events are sent at once.")])
    return wire.Acknowledged(seq=await intake.ingest(deployment, ctx, device.target, data.events))


@get("/api/v1/box/commands", guards=[access.device("box")], opt=JSON_ONLY)
async def wait_for_commands(
    request: Request[Any, Any, Any],
    ctx: Ctx,
    deployment: House,
    device: Recognised,
    after: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    wait: Annotated[int, QueryParameter(ge=0, le=LONGEST_WAIT)] = 0,
) -> wire.Commands:
    """Commands after `after`; with `wait` the answer comes when there is one, or after so many seconds."""
    with _wakeups(request, deployment).waiting(ctx.id, device.target) as announced:
        found = await intake.commands_for(deployment, ctx, device.target, after=after)
        if not found and wait:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await announced.wait()
            found = await intake.commands_for(deployment, ctx, device.target, after=after)
    return wire.Commands(commands=found, now=deployment.clock.now())


def _wakeups(request: Request[Any, Any, Any], deployment: Deployment) -> Wakeups:
    """The listener of this process, made when the first box asks and closed with the application."""
    found = request.app.state.get("dokbox_wakeups")
    if not isinstance(found, Wakeups):
        found = request.app.state["dokbox_wakeups"] = Wakeups(deployment.settings.database_url)
        request.app.state["at_shutdown"].append(found.close)
    return found


@get("/api/v1/box/config", guards=[access.device("box")], opt=JSON_ONLY)
async def fetch_config(
    request: Request[Any, Any, Any], ctx: Ctx, deployment: House, device: Recognised
) -> Response[bytes]:
    """Everything that the box needs to work without the centre, with an ETag."""
    published = await request.app.state["catalogue"].current(ctx)
    body = msgspec.json.encode(await configuration.config_for(deployment, ctx, device.target, published))
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(b"", status_code=304, headers={"etag": etag})
    return Response(body, headers={"etag": etag}, media_type="application/json")


HANDLERS = (send_events, wait_for_commands, fetch_config)
