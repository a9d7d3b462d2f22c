"""What a box calls at the centre: exchange keys, send events, wait for commands, fetch configuration and peppers.

What a box says is signed by it, what it is told is signed by the centre (`wire.signed`).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, ServicepunktError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import configuration, intake, wire
from servicepunkt.dokbox.trust import service as trust
from servicepunkt.dokbox.wakeups import Wakeups
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device

Ctx = NamedDependency[TenantContext]
House = NamedDependency[Deployment]
Recognised = NamedDependency[Device]
JSON_ONLY = {"exclude_from_csrf": True}
LONGEST_WAIT = 25
SIGNATURE_DIGITS = 128
NONCE = re.compile(r"^[0-9a-f]{32}\Z")


class Said:
    """One signed conversation with a box: what it said is checked, what it is told is signed."""

    def __init__(
        self, request: Request[Any, Any, Any], deployment: Deployment, ctx: TenantContext, device: Device
    ) -> None:
        self._request, self._deployment, self._ctx, self._device = request, deployment, ctx, device

    async def require(self, purpose: wire.Purpose) -> None:
        """Raises NotSignedByBoxError."""
        signature = self._request.headers.get(wire.SIGNATURE, "")[:SIGNATURE_DIGITS]
        body = await self._request.body()
        try:
            await trust.require_signed(
                self._deployment, self._ctx, self._device, purpose=purpose, body=body, signature=signature
            )
        except trust.NotSignedByBoxError:
            await trust.note_unsigned(self._deployment, self._ctx, self._device)
            raise

    async def answer(self, purpose: wire.Purpose, body: bytes, *, status: int = 200, etag: str = "") -> Response[bytes]:
        nonce = self._request.headers.get(wire.NONCE, "")
        if not NONCE.match(nonce):
            raise InvalidInputError(
                [(wire.NONCE, "The header holds 32 hexadecimal digits, new ones for each request.")]
            )
        signature = await trust.sign(self._deployment, self._ctx, self._device, purpose=purpose, body=body, nonce=nonce)
        headers = {wire.SIGNATURE: signature} | ({"etag": etag} if etag else {})
        return Response(body, status_code=status, headers=headers, media_type="application/json")

    async def refusal(self, purpose: wire.Purpose, error: ServicepunktError) -> Response[bytes]:
        """A conflict of histories, signed: a box stops handing out for it, so nobody else may say it."""
        return await self.answer(purpose, msgspec.json.encode({"code": error.code}), status=error.status)


@post("/api/v1/box/keys", guards=[access.device("box")], opt=JSON_ONLY, status_code=200)
async def exchange_keys(
    ctx: Ctx, deployment: House, device: Recognised, data: JSONBody[wire.BoxKeys]
) -> wire.CentreKeys:
    """The first thing that an enrolled box does: tell its signing key, and learn the centre's."""
    return await trust.exchange_keys(deployment, ctx, device, bytes.fromhex(data.signing_key))


@post("/api/v1/box/peppers", guards=[access.device("box")], opt=JSON_ONLY, status_code=200)
async def deliver_peppers(
    request: Request[Any, Any, Any],
    ctx: Ctx,
    deployment: House,
    device: Recognised,
    data: JSONBody[wire.PepperRequest],
) -> Response[bytes]:
    """The peppers that the centre keeps for this box, sealed to it, for its memory alone."""
    said = Said(request, deployment, ctx, device)
    await said.require("peppers")
    try:
        found = await trust.peppers_for(deployment, ctx, device, data)
    except trust.StalePeppersError as error:
        return await said.refusal("peppers", error)
    return await said.answer("peppers", msgspec.json.encode(found))


@post("/api/v1/box/condition", guards=[access.device("box")], opt=JSON_ONLY, status_code=204)
async def tell_condition(
    request: Request[Any, Any, Any], ctx: Ctx, deployment: House, device: Recognised, data: JSONBody[wire.Condition]
) -> None:
    """How the box is: where its keys lie, and why it hands nothing out."""
    await Said(request, deployment, ctx, device).require("condition")
    await trust.note_condition(deployment, ctx, device, data)


@post("/api/v1/box/events", guards=[access.device("box")], opt=JSON_ONLY, status_code=200)
async def send_events(
    request: Request[Any, Any, Any], ctx: Ctx, deployment: House, device: Recognised, data: JSONBody[wire.Events]
) -> Response[bytes]:
    """Journal entries of the box, idempotent by (box, seq); answers how far the centre has them."""
    said = Said(request, deployment, ctx, device)
    await said.require("events")
    if len(data.events) > wire.MAX_EVENTS:
        raise InvalidInputError([("events", f"At most {wire.MAX_EVENTS} events are sent at once.")])
    try:
        acknowledged = await intake.ingest(deployment, ctx, device.target, data.events)
    except (intake.JournalForkError, intake.ImpossibleEntryError) as error:
        return await said.refusal("events", error)
    return await said.answer("events", msgspec.json.encode(acknowledged))


@get("/api/v1/box/commands", guards=[access.device("box")], opt=JSON_ONLY)
async def wait_for_commands(
    request: Request[Any, Any, Any],
    ctx: Ctx,
    deployment: House,
    device: Recognised,
    after: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    wait: Annotated[int, QueryParameter(ge=0, le=LONGEST_WAIT)] = 0,
) -> Response[bytes]:
    """Commands after `after`; with `wait` the answer comes when there is one, or after so many seconds."""
    await trust.require_known(deployment, ctx, device)
    with _wakeups(request, deployment).waiting(ctx.id, device.target) as announced:
        found = await intake.commands_for(deployment, ctx, device.target, after=after)
        if not found and wait:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await announced.wait()
            found = await intake.commands_for(deployment, ctx, device.target, after=after)
    body = msgspec.json.encode(wire.Commands(commands=found, now=deployment.clock.now()))
    return await Said(request, deployment, ctx, device).answer("commands", body)


def _wakeups(request: Request[Any, Any, Any], deployment: Deployment) -> Wakeups:
    """The listener of this process, made when the first box asks and closed with the application."""
    found = request.app.state.get("dokbox_wakeups")
    if not isinstance(found, Wakeups):
        found = request.app.state["dokbox_wakeups"] = Wakeups(deployment.settings.listening_url)
        request.app.state["at_shutdown"].append(found.close)
    return found


@get("/api/v1/box/config", guards=[access.device("box")], opt=JSON_ONLY)
async def fetch_config(
    request: Request[Any, Any, Any], ctx: Ctx, deployment: House, device: Recognised
) -> Response[bytes]:
    """Everything that the box needs to work without the centre, with an ETag."""
    await trust.require_known(deployment, ctx, device)
    published = await request.app.state["catalogue"].current(ctx)
    body = msgspec.json.encode(await configuration.config_for(deployment, ctx, device.target, published))
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(b"", status_code=304, headers={"etag": etag})
    return await Said(request, deployment, ctx, device).answer("config", body, etag=etag)


HANDLERS = (send_events, wait_for_commands, fetch_config, exchange_keys, deliver_peppers, tell_condition)
