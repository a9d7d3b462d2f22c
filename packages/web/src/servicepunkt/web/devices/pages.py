"""Enrol a terminal in its own browser; and, for staff, the list of devices, new ones, and switching one off."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.devices import model, service
from servicepunkt.web.devices.api import count_attempt
from servicepunkt.web.devices.model import DeviceRefusedError
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import Frame, language
from servicepunkt.web.navigation import public_address, see_other
from servicepunkt.web.qr import qr_once
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff import overview
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.terminal.pages import device_cookie

PUBLIC = {"public": True, "closed_too": True}
GUARDS = [access.permission("devices.manage")]
SENTENCES = {
    "code": "Enter the code that was shown when the device was created.",
    "kind": "Choose what kind of device it is.",
    "target": "Say what the device belongs to.",
    "label": "Give the device a name of at most 100 characters.",
}


class EnrolForm(msgspec.Struct, frozen=True, kw_only=True):
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class DeviceForm(msgspec.Struct, frozen=True, kw_only=True):
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


def enrol_page(
    request: Request[Any, Any, Any],
    *,
    code: str,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    frame: Frame = request.app.state["frame"]
    return frame.page(request, "web/enrol.html", status=status, code=code, mistakes=mistakes or [])


@get("/device/enrol", opt=PUBLIC)
async def enrol_form(
    request: Request[Any, Any, Any], code: Annotated[str, QueryParameter(max_length=40)] = ""
) -> Response[str]:
    """Type the one-time code, or find it typed already after the QR code was scanned."""
    return enrol_page(request, code=code)


@post("/device/enrol", opt=PUBLIC)
async def enrol(
    request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext], deployment: NamedDependency[Deployment]
) -> Response[Any]:
    """Make this browser a terminal."""
    count_attempt(request, deployment, ctx)
    values = await typed(request)
    try:
        form = convert(values, EnrolForm, SENTENCES)
        _, token = await service.enrol(deployment, ctx, code=form.code, kind=model.TERMINAL.name)
    except InvalidInputError as error:
        return enrol_page(request, code=values.get("code", "")[:40], mistakes=error.mistakes, status=422)
    except DeviceRefusedError as error:
        wrong = [("code", error.citizen), ("", error.next_step)]
        return enrol_page(request, code=form.code, mistakes=wrong, status=error.status)
    answer = see_other(request, "/k")
    answer.set_cookie(device_cookie(request, token))
    return answer


async def device_form(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    *,
    values: dict[str, str],
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    known = service.kinds(access.deployment_of(request), access.tenant_of(request))
    return await staff_page(
        request,
        visitor,
        "web/device_new.html",
        status=status,
        kinds=list(known.values()),
        terminal_kind=model.TERMINAL.name,
        points=(await overview.catalogue_of(request)).points,
        values=values,
        mistakes=mistakes or [],
    )


@get("/staff/devices", guards=GUARDS)
async def devices(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """All devices: what they are, how they are, when they were last seen."""
    found = await overview.devices_seen(request)
    return await staff_page(request, visitor, "web/devices.html", devices=found)


@get("/staff/devices/new", guards=GUARDS)
async def new_device(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """Kind, place and name of a new device."""
    return await device_form(request, visitor, values={})


@post("/staff/devices", status_code=200, guards=GUARDS)
async def announce(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Create a device. The answer is the page with its code, not a redirect: nothing can show the code again."""
    values = await typed(request)
    try:
        form = convert(values, DeviceForm, SENTENCES)
        if form.kind == model.TERMINAL.name and (await overview.catalogue_of(request)).point(form.target) is None:
            raise InvalidInputError([("target", "There is no such point in the catalogue.")])
        device, code = await service.announce(
            deployment, ctx, actor=visitor.actor, kind=form.kind, target=form.target, label=form.label
        )
    except InvalidInputError as error:
        return await device_form(request, visitor, values=values, mistakes=error.mistakes, status=422)
    address = public_address(request, f"/device/enrol?code={quote(code)}")
    return await staff_page(
        request,
        visitor,
        "web/device_code.html",
        device=device,
        code=code,
        centre=public_address(request, ""),
        image=qr_once(address),
        terminal_kind=model.TERMINAL.name,
        until=overview.spoken_moment(device.code_until, deployment.clock.now(), language(request), ctx),
    )


@get("/staff/devices/{device_id:uuid}/revoke", guards=GUARDS)
async def ask_revoke(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], device_id: FromPath[UUID]
) -> Response[str]:
    """Ask before a device is switched off."""
    found = [seen for seen in await overview.devices_seen(request) if seen.device.id == device_id]
    if not found:
        raise NotFoundError
    return await staff_page(request, visitor, "web/device_revoke.html", seen=found[0])


@post("/staff/devices/{device_id:uuid}/revoke", guards=GUARDS)
async def revoke(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    device_id: FromPath[UUID],
) -> Response[Any]:
    """Switch a device off."""
    await service.revoke(deployment, ctx, actor=visitor.actor, device_id=device_id)
    return see_other(request, "/staff/devices")


HANDLERS = (enrol_form, enrol, devices, new_device, announce, ask_revoke, revoke)
