"""The pages that wait for a wallet: at a terminal, and on the web for the browser that came first."""

from __future__ import annotations

import math
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.eid.sessions import wallet
from servicepunkt.eid.sessions.model import IdentificationGoneError
from servicepunkt.eid.sessions.wallet import Place, Seen
from servicepunkt.eid.sessions.words import ATTRIBUTES, refusal
from servicepunkt.eid.wallet.errors import OtherTerminalError
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device
from servicepunkt.web.frame import place_of, terminal_bar
from servicepunkt.web.navigation import cookie, public_address, see_other
from servicepunkt.web.qr import qr_once
from servicepunkt.web.terminal.pages import PUBLIC, page, sight_of

COOKIE = "sp_wallet"
#: Who looks at a phone does not touch the terminal.
IDLE_SECONDS = 120
Short = Annotated[str, QueryParameter(max_length=80)]


class OpenedElsewhereError(ServicepunktError):
    """A page of an identification that was begun at another terminal or in another browser; it has ended with this."""

    code = "SP4486"
    status = 403
    citizen = "This identification was begun somewhere else."
    staff = "The page belongs to another terminal or browser; the identification was ended."
    next_step = "Please begin again here."


async def _show(
    request: Request[Any, Any, Any], session_id: UUID, place: Place, device: Device | None, *, seen: str, returned: str
) -> Response[Any]:
    """What there is to see, or on to who has asked. A poll that would show the same again gets 204."""
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    address = public_address(request, "/eid/wallet")
    is_poll = "hx-request" in request.headers
    try:
        found = await wallet.look(deployment, ctx, session_id, place, address=address, returned=returned)
    except (IdentificationGoneError, OtherTerminalError) as error:
        own_error = IdentificationGoneError() if isinstance(error, IdentificationGoneError) else OpenedElsewhereError()
        if not is_poll:
            raise own_error from None
        # A poll is shown only what was answered well.
        return await _page(request, device, "eid/wallet_over.html", title=own_error.citizen, code=own_error.code)
    if found.state == "identified":
        return see_other(request, found.own.way_back)
    left = math.ceil((found.own.ends_at - deployment.clock.now()).total_seconds() / 60)
    digest = f"{found.state}-{left}"
    if is_poll and seen == digest:
        return Response("", status_code=204)
    return await _page(request, device, "eid/wallet.html", **_values(request, found), left=left, digest=digest)


def _values(request: Request[Any, Any, Any], found: Seen) -> dict[str, Any]:
    wish = found.own.asked
    asked = wallet.ask_of(wish)
    title, step = refusal(found.own.refused_by)
    return {
        "state": found.state,
        "here": wallet.path_of(found.own),
        "purpose": wish.purpose,
        "required": [ATTRIBUTES[name] for name in asked.required],
        "optional": [ATTRIBUTES[name] for name in asked.optional],
        "age": asked.age,
        "code": qr_once(found.code) if found.code else "",
        "link": "" if place_of(request) else found.link,
        # Whoever rehearses has no wallet that knows this town: the code is a link, whose address can be copied.
        "says": found.code if access.tenant_of(request).state == "rehearsal" else "",
        "refused_by": found.own.refused_by,
        "refusal": title,
        "next_step": step,
    }


async def _page(request: Request[Any, Any, Any], device: Device | None, template: str, **values: Any) -> Response[Any]:
    sight = await sight_of(request, device)
    bar = {"bar": terminal_bar(request, idle=IDLE_SECONDS)} if device else {}
    return page(request, template, sight, **bar, **values)


def _browser(request: Request[Any, Any, Any]) -> Place:
    """This browser by its cookie, a new one where it has none."""
    known = request.cookies.get(COOKIE, "")
    is_ours = len(known) == 64 and known.isascii()
    return Place(cookie=known if is_ours else access.deployment_of(request).randomness(32).hex())


async def _cancel(request: Request[Any, Any, Any], session_id: UUID, place: Place) -> Response[Any]:
    try:
        path = await wallet.cancel(access.deployment_of(request), access.tenant_of(request), session_id, place)
    except OtherTerminalError:
        raise OpenedElsewhereError from None
    return see_other(request, path)


async def _again(request: Request[Any, Any, Any], session_id: UUID, place: Place) -> Response[Any]:
    try:
        path = await wallet.again(access.deployment_of(request), access.tenant_of(request), session_id, place)
    except OtherTerminalError:
        raise OpenedElsewhereError from None
    return see_other(request, path)


# --- at a terminal --------------------------------------------------------------------------------------------


@get("/k/eid/wallet/{session_id:uuid}", guards=[access.terminal])
async def at_terminal(
    request: Request[Any, Any, Any], session_id: FromPath[UUID], device: NamedDependency[Device], seen: Short = ""
) -> Response[Any]:
    """The code for a camera, and what is asked by whom and why; then on, as soon as the wallet has answered."""
    return await _show(request, session_id, Place(device=device.id), device, seen=seen, returned="")


@post("/k/eid/wallet/{session_id:uuid}/cancel", guards=[access.terminal])
async def cancel_at_terminal(
    request: Request[Any, Any, Any], session_id: FromPath[UUID], device: NamedDependency[Device]
) -> Response[Any]:
    """Another way: back to who has asked."""
    return await _cancel(request, session_id, Place(device=device.id))


@post("/k/eid/wallet/{session_id:uuid}/again", guards=[access.terminal])
async def again_at_terminal(
    request: Request[Any, Any, Any], session_id: FromPath[UUID], device: NamedDependency[Device]
) -> Response[Any]:
    """Begin anew, with a new code."""
    return await _again(request, session_id, Place(device=device.id))


# --- on the web -----------------------------------------------------------------------------------------------


@get("/eid/wallet/{session_id:uuid}", opt=PUBLIC)
async def on_the_web(
    request: Request[Any, Any, Any], session_id: FromPath[UUID], seen: Short = "", returned: Short = ""
) -> Response[Any]:
    """A link that opens the wallet on this device, and a code for one on another."""
    place = _browser(request)
    answer = await _show(request, session_id, place, None, seen=seen, returned=returned)
    if place.cookie != request.cookies.get(COOKIE):
        # Not strict: a wallet leads back here.
        answer.set_cookie(cookie(request, COOKIE, place.cookie, samesite="lax"))
    return answer


@post("/eid/wallet/{session_id:uuid}/cancel", opt=PUBLIC)
async def cancel_on_the_web(request: Request[Any, Any, Any], session_id: FromPath[UUID]) -> Response[Any]:
    """Another way: back to who has asked."""
    return await _cancel(request, session_id, _browser(request))


@post("/eid/wallet/{session_id:uuid}/again", opt=PUBLIC)
async def again_on_the_web(request: Request[Any, Any, Any], session_id: FromPath[UUID]) -> Response[Any]:
    """Begin anew, with a new code."""
    return await _again(request, session_id, _browser(request))


HANDLERS = (
    at_terminal,
    cancel_at_terminal,
    again_at_terminal,
    on_the_web,
    cancel_on_the_web,
    again_on_the_web,
)
