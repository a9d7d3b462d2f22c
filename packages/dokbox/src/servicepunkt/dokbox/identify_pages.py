"""The terminal's pages on which somebody at the box beside it identifies, and from which it goes back to the box."""

from __future__ import annotations

import re
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.doors import DoorFailedError
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import identifying
from servicepunkt.dokbox.identifying import Here, NobodyWaitsError
from servicepunkt.dokbox.settings import BoxSettings, settings_of
from servicepunkt.web import access
from servicepunkt.web.devices import service as devices
from servicepunkt.web.devices.model import Device
from servicepunkt.web.forms import typed
from servicepunkt.web.frame import terminal_bar
from servicepunkt.web.navigation import cookie, see_other
from servicepunkt.web.terminal import pages as terminal
from servicepunkt.web.terminal.switches import with_choices

COOKIE = "sp_box_ticket"
TICKET = re.compile(r"[0-9a-f]{32}")
IDLE_SECONDS = 120
#: Why somebody is shown the doors again, by a word in the address.
NOTES = {
    "again": "Nobody was identified. Try again, or choose another way.",
    "fault": "Identifying is not possible now. Please choose another way, or go back to the box.",
}
Word = Annotated[str, QueryParameter(max_length=40)]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The box beside the terminal. `address`: of its own pages, empty as long as nobody knows it."""

    box: BoxSettings
    address: str
    here: Here

    @property
    def path(self) -> str:
        return f"/k/box/{self.box.id}/identify"


def box_beside(ctx: TenantContext, box_id: str) -> BoxSettings:
    """Raises NotFoundError."""
    found = settings_of(ctx).box(box_id)
    if found is None:
        raise NotFoundError
    return found


async def address_of(tx: Transaction, box: BoxSettings) -> str:
    """Where the box's own pages are, as far as it has said so; empty where nobody knows."""
    found = await devices.active(tx, "box", box.id)
    address = (found.info.get("url", "") if found else "") or box.local_url
    return address if address.startswith(("http://", "https://")) else ""


async def _place(request: Request[Any, Any, Any], device: Device, box_id: str) -> Place:
    """Raises NotFoundError for a box that does not stand at this terminal's point."""
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    box = box_beside(ctx, box_id)
    if box.point != device.target:
        raise NotFoundError
    async with deployment.database.tenant(ctx) as tx:
        address = await address_of(tx, box)
    brought = request.cookies.get(COOKIE, "")
    ticket = brought if TICKET.fullmatch(brought) else ""
    return Place(box=box, address=address, here=Here(box=box.id, device=device.id, ticket=ticket))


def _back_to_box(request: Request[Any, Any, Any], place: Place, *, sent: bool = False) -> str:
    """Where the visit at the box goes on; empty where nobody knows."""
    path = f"{place.address.rstrip('/')}/identified"
    return with_choices(request, f"{path}?sent=1" if sent else path) if place.address else ""


@get("/k/box/{box_id:str}/identify", guards=[access.terminal])
async def show(
    request: Request[Any, Any, Any],
    device: NamedDependency[Device],
    box_id: FromPath[str],
    ticket: Word = "",
    note: Word = "",
) -> Response[Any]:
    """The doors by which one identifies for the document; the ticket in the address goes into a cookie."""
    place = await _place(request, device, box_id)
    if ticket:
        answer = see_other(request, place.path)
        # Not strict: doors may lead over pages of others.
        answer.set_cookie(cookie(request, COOKIE, ticket, samesite="lax"))
        return answer
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    doors, waits = None, False
    async with deployment.database.tenant(ctx) as tx:
        try:
            doors = identifying.doors_for(deployment, ctx, await identifying.waiting(tx, place.here))
        except NobodyWaitsError:
            waits = bool(place.here.ticket) and not await identifying.heard_of(tx, place.here)
    return await _page(
        request, device, place, "dokbox/identify.html", doors=doors, waits=waits, note=NOTES.get(note, "")
    )


async def _page(
    request: Request[Any, Any, Any], device: Device, place: Place, template: str, **values: Any
) -> Response[str]:
    sight = await terminal.sight_of(request, device)
    shown = {"box": place.box, "here": place.path, "purpose": identifying.PURPOSE, "back": _back_to_box(request, place)}
    bar = terminal_bar(request, idle=IDLE_SECONDS)
    return terminal.page(request, template, sight, **{**shown, "path": place.path, "bar": bar, **values})


@post("/k/box/{box_id:str}/identify", guards=[access.terminal], status_code=303)
async def begin(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    device: NamedDependency[Device],
    box_id: FromPath[str],
) -> Response[Any]:
    """On to the chosen door."""
    place = await _place(request, device, box_id)
    door = (await typed(request)).get("door", "")
    try:
        back = f"{place.path}/back/{door}"
        path = await identifying.begin(deployment, ctx, place.here, door=door, return_path=back)
    except DoorFailedError:
        return see_other(request, f"{place.path}?note=fault")
    except NobodyWaitsError:
        return see_other(request, place.path)
    return see_other(request, path, fallback=place.path)


@get("/k/box/{box_id:str}/identify/back/{door:str}", guards=[access.terminal])
async def back(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    device: NamedDependency[Device],
    box_id: FromPath[str],
    door: FromPath[str],
    key: Word = "",
) -> Response[Any]:
    """Back from the door: what came of it is compared, and the visit goes on at the box."""
    place = await _place(request, device, box_id)
    try:
        is_answered = await identifying.finish(deployment, ctx, place.here, door=door, key=_uuid(key))
    except DoorFailedError:
        return see_other(request, f"{place.path}?note=fault")
    except NobodyWaitsError:
        return see_other(request, place.path)
    if not is_answered:
        return see_other(request, f"{place.path}?note=again")
    # A page, and no redirect: a browser follows none from a form to the box's own pages, which are another origin.
    on = _back_to_box(request, place, sent=True)
    return await _page(request, device, place, "dokbox/identify_back.html", back=on)


def _uuid(text: str) -> UUID:
    """Raises NobodyWaitsError."""
    try:
        return UUID(text)
    except ValueError:
        raise NobodyWaitsError from None


HANDLERS = (show, begin, back)
