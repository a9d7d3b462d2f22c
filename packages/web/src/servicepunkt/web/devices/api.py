"""The interface of devices: exchange a one-time code for a token, and say that one is alive."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.devices import service
from servicepunkt.web.devices.attempts import Attempts
from servicepunkt.web.devices.model import Device

# No NUL: PostgreSQL stores none in JSON.
Info = Annotated[
    dict[
        Annotated[str, msgspec.Meta(max_length=40, pattern=r"^[^\x00]*\Z")],
        Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00]*\Z")],
    ],
    msgspec.Meta(max_length=service.MAX_INFO),
]


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`public_key`: a raw X25519 key in hexadecimal, for kinds of devices that need one."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    public_key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{64}\Z")] | None = None
    info: Info = {}


class Enrolled(msgspec.Struct, frozen=True):
    """What a device keeps: its token, the slug of its tenant, its id, and what it is in the tenant file."""

    token: str
    tenant: str
    device: str
    target: str


class Heartbeat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Short facts about the device, such as its version; never about a person."""

    info: Info = {}


def count_attempt(request: Request[Any, Any, Any], deployment: Deployment, ctx: TenantContext) -> None:
    """Raises TooManyRequestsError when this address has tried too often; one count for pages and programs."""
    attempts: Attempts = request.app.state.setdefault("enrol_attempts", Attempts())
    address = request.client.host if request.client else ""
    attempts.count(ctx.id, address, deployment.clock.now())


@post("/api/v1/devices/enrol", status_code=200, opt={"public": True, "closed_too": True, "exclude_from_csrf": True})
async def enrol(
    request: Request[Any, Any, Any],
    data: JSONBody[Enrolment],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
) -> Enrolled:
    """Exchange a one-time code for a token."""
    count_attempt(request, deployment, ctx)
    public_key = bytes.fromhex(data.public_key) if data.public_key else None
    device, token = await service.enrol(
        deployment, ctx, code=data.code, kind=data.kind, public_key=public_key, info=data.info
    )
    return Enrolled(token, ctx.slug, str(device.id), device.target)


@post("/api/v1/devices/heartbeat", status_code=204, guards=[access.device("*")], opt={"exclude_from_csrf": True})
async def heartbeat(
    data: JSONBody[Heartbeat],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    device: NamedDependency[Device],
) -> None:
    """Say that the device is alive."""
    await service.heartbeat(deployment, ctx, device, data.info)


HANDLERS = (enrol, heartbeat)
