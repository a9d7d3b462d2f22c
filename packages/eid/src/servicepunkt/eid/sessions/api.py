"""What a card controller calls at the centre: its configuration, what a terminal has sent, and that it has ended."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid import wire
from servicepunkt.eid.sessions import reading
from servicepunkt.eid.settings import ReaderSettings, settings_of
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device

Ctx = NamedDependency[TenantContext]
House = NamedDependency[Deployment]
Recognised = NamedDependency[Device]
JSON_ONLY = {"exclude_from_csrf": True}


def _reader(ctx: TenantContext, device: Device) -> ReaderSettings:
    """Raises NotFoundError for a reader that the tenant file names no more."""
    found = settings_of(ctx).reader(device.target)
    if found is None:
        raise NotFoundError
    return found


@get("/api/v1/eid/config", guards=[access.device("reader")], opt=JSON_ONLY)
async def fetch_config(
    request: Request[Any, Any, Any], ctx: Ctx, deployment: House, device: Recognised
) -> Response[bytes]:
    """What the reader must know for its pages, with an ETag."""
    reader = _reader(ctx, device)
    published = await request.app.state["catalogue"].current(ctx)
    point = published.catalogue.point(reader.point)
    if point is None:
        raise NotFoundError
    body = msgspec.json.encode(
        wire.ReaderConfig(
            tenant_name=ctx.name,
            reader=reader.id,
            point=point.id,
            point_name=dict(point.name),
            languages=ctx.languages,
            centre_url=f"{deployment.settings.public_url.rstrip('/')}/t/{ctx.slug}",
            help_phone=settings_of(ctx).help_phone or point.help_phone,
        )
    )
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(b"", status_code=304, headers={"etag": etag})
    return Response(body, headers={"etag": etag}, media_type="application/json")


@post("/api/v1/eid/claim", guards=[access.device("reader")], opt=JSON_ONLY, status_code=200)
async def claim(ctx: Ctx, deployment: House, device: Recognised, data: JSONBody[wire.Claim]) -> wire.Claimed:
    """Take over what a terminal at the reader's point has sent here, once."""
    reader = _reader(ctx, device)
    if settings_of(ctx).service is None:
        raise NotFoundError
    return await reading.claim(deployment, ctx, reader, data.ticket)


@post("/api/v1/eid/ended", guards=[access.device("reader")], opt=JSON_ONLY, status_code=204)
async def tell_ended(ctx: Ctx, deployment: House, device: Recognised, data: JSONBody[wire.Ended]) -> None:
    """Say that it has ended at the reader without success."""
    await reading.ended(deployment, ctx, _reader(ctx, device), data)


HANDLERS = (fetch_config, claim, tell_ended)
