"""Identifying with a card: from a terminal to its reader and back, on the web with an AusweisApp of one's own."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.service.tctoken import MEDIA_TYPE
from servicepunkt.eid.sessions import card, reading
from servicepunkt.eid.sessions.model import IdentificationGoneError
from servicepunkt.eid.sessions.readers import ReaderSeen, at_point
from servicepunkt.eid.sessions.reading import Back, IsOwn
from servicepunkt.eid.sessions.services import Services
from servicepunkt.eid.sessions.words import ATTRIBUTES
from servicepunkt.web import access
from servicepunkt.web.devices.attempts import Attempts
from servicepunkt.web.devices.model import Device
from servicepunkt.web.frame import Frame, place_of, terminal_bar
from servicepunkt.web.navigation import cookie, see_other
from servicepunkt.web.terminal.pages import PUBLIC
from servicepunkt.web.terminal.switches import with_choices

COOKIE = "sp_identification"
SECONDS = 120
#: Where an AusweisApp on the same computer listens (TR-03124-1 §2.2), and how a telephone finds one.
CLIENTS = {"app": "eid://127.0.0.1:24727/eID-Client", "computer": "http://127.0.0.1:24727/eID-Client"}
Ctx = NamedDependency[TenantContext]
House = NamedDependency[Deployment]
Shown = Annotated[str, QueryParameter(max_length=64)]
#: What an AusweisApp puts behind the address that it leads to (TR-03124-1 §2.5.4).
Major = Annotated[str, QueryParameter(name="ResultMajor", max_length=200)]
Minor = Annotated[str, QueryParameter(name="ResultMinor", max_length=200)]


def services_of(request: Request[Any, Any, Any]) -> Services:
    """Of this process: made when the first one asks, and closed with the application."""
    found = request.app.state.get("eid_services")
    if not isinstance(found, Services):
        found = request.app.state["eid_services"] = Services()
        request.app.state["at_shutdown"].append(found.close)
    return found


def _page(request: Request[Any, Any, Any], template: str, *, status: int = 200, **values: Any) -> Response[str]:
    frame: Frame = request.app.state["frame"]
    bar = {"bar": terminal_bar(request, idle=SECONDS)} if place_of(request) else {}
    return frame.page(request, template, status=status, **bar, **values)


# --- at a terminal ------------------------------------------------------------------------------------------------


@get("/k/eid", guards=[access.terminal])
async def to_the_reader(
    request: Request[Any, Any, Any], ctx: Ctx, deployment: House, device: NamedDependency[Device]
) -> Response[Any]:
    """To the reader's own pages: the PIN, a check, practice."""
    async with deployment.database.tenant(ctx) as tx:
        found = await at_point(tx, device.target)
    if found is None:
        return _page(request, "eid/no_reader.html", back="")
    return Redirect(with_choices(request, f"{found.url}/"), status_code=303)


async def _reader_of(deployment: Deployment, ctx: TenantContext, point: str) -> ReaderSeen | None:
    async with deployment.database.tenant(ctx) as tx:
        return await at_point(tx, point)


@get("/k/eid/{session_id:uuid}", guards=[access.terminal])
async def at_terminal(
    request: Request[Any, Any, Any],
    ctx: Ctx,
    deployment: House,
    device: NamedDependency[Device],
    session_id: FromPath[UUID],
) -> Response[Any]:
    """On to the reader by itself: what a form leads to may not be another computer's page."""
    own = await reading.at_terminal(deployment, ctx, session_id, device.id)
    if own.state != "open":
        return see_other(request, f"/k/eid/{own.id}/back")
    if await _reader_of(deployment, ctx, device.target) is None:
        return _page(request, "eid/no_reader.html", back=own.way_back)
    return _page(request, "eid/to_reader.html", own=own)


@get("/k/eid/{session_id:uuid}/reader", guards=[access.terminal])
async def hand_over(
    request: Request[Any, Any, Any],
    ctx: Ctx,
    deployment: House,
    device: NamedDependency[Device],
    session_id: FromPath[UUID],
) -> Response[Any]:
    """To the reader, with a ticket that is good once and for a minute."""
    found = await _reader_of(deployment, ctx, device.target)
    if found is None:
        return see_other(request, f"/k/eid/{session_id}")
    ticket = await reading.ticket_for(deployment, ctx, session_id, device.id)
    return Redirect(with_choices(request, f"{found.url}/identify?{urlencode({'ticket': ticket})}"), status_code=303)


@get("/k/eid/{session_id:uuid}/back", guards=[access.terminal])
async def terminal_back(
    request: Request[Any, Any, Any],
    device: NamedDependency[Device],
    session_id: FromPath[UUID],
    major: Major = "",
    minor: Minor = "",
) -> Response[Any]:
    """Back from the reader: the result is fetched, and the person goes on."""
    return await _back(request, session_id, reading.of_terminal(device.id), _failed(major, minor))


@post("/k/eid/{session_id:uuid}/cancel", guards=[access.terminal])
async def terminal_cancel(
    request: Request[Any, Any, Any],
    ctx: Ctx,
    deployment: House,
    device: NamedDependency[Device],
    session_id: FromPath[UUID],
) -> Response[Any]:
    """Give it up, and go back to what was begun."""
    return see_other(request, await reading.give_up(deployment, ctx, session_id, reading.of_terminal(device.id)))


# --- on the web ---------------------------------------------------------------------------------------------------


@get("/eid/{session_id:uuid}", opt=PUBLIC)
async def on_web(
    request: Request[Any, Any, Any], ctx: Ctx, deployment: House, session_id: FromPath[UUID]
) -> Response[Any]:
    """What happens, and the way to the AusweisApp of one's own."""
    known = request.cookies.get(COOKIE, "")
    own, address, kept = await reading.on_web(deployment, ctx, session_id, known)
    if own.state == "identified":
        return see_other(request, own.way_back)
    query = urlencode({"tcTokenURL": address})
    links = {name: f"{client}?{query}" for name, client in CLIENTS.items()} if address else {}
    answer = _page(request, "eid/on_web.html", own=own, wish=own.asked, names=ATTRIBUTES, links=links)
    if kept != known:
        # Not strict: the AusweisApp leads back here.
        answer.set_cookie(cookie(request, COOKIE, kept, samesite="lax"))
    return answer


@get("/eid/{session_id:uuid}/token", opt=PUBLIC)
async def tc_token(
    request: Request[Any, Any, Any], ctx: Ctx, deployment: House, session_id: FromPath[UUID], token: Shown = ""
) -> Response[bytes]:
    """The TcToken, for an AusweisApp, once."""
    try:
        made = await reading.token(deployment, ctx, services_of(request), session_id, token)
    except IdentificationGoneError:
        _count(request, deployment, ctx)
        raise
    return Response(made, headers={"content-type": MEDIA_TYPE})


def _count(request: Request[Any, Any, Any], deployment: Deployment, ctx: TenantContext) -> None:
    """Nobody tries addresses. Raises TooManyRequestsError."""
    attempts: Attempts = request.app.state.setdefault("eid_attempts", Attempts())
    attempts.count(ctx.id, request.client.host if request.client else "", deployment.clock.now())


@get("/eid/{session_id:uuid}/back", opt=PUBLIC)
async def web_back(
    request: Request[Any, Any, Any],
    session_id: FromPath[UUID],
    proof: Shown = "",
    major: Major = "",
    minor: Minor = "",
) -> Response[Any]:
    """Back from the AusweisApp: the result is fetched, and the person goes on."""
    is_own = reading.of_browser(request.cookies.get(COOKIE, ""), proof)
    return await _back(request, session_id, is_own, _failed(major, minor))


@post("/eid/{session_id:uuid}/cancel", opt=PUBLIC)
async def web_cancel(
    request: Request[Any, Any, Any], ctx: Ctx, deployment: House, session_id: FromPath[UUID]
) -> Response[Any]:
    """Give it up, and go back to what was begun."""
    is_own = reading.of_visitor(request.cookies.get(COOKIE, ""))
    return see_other(request, await reading.give_up(deployment, ctx, session_id, is_own))


# --- both ---------------------------------------------------------------------------------------------------------


def _failed(major: str, minor: str) -> str:
    """How an AusweisApp says that it ended without success; empty where it says nothing of the kind."""
    return (minor or major) if major.endswith("error") else ""


async def _back(request: Request[Any, Any, Any], session_id: UUID, is_own: IsOwn, failed: str) -> Response[Any]:
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    found: Back = await reading.come_back(deployment, ctx, services_of(request), session_id, is_own, failed=failed)
    if found.path and found.trouble is None:
        return see_other(request, found.path)
    proof = request.query_params.get("proof", "")
    here = f"{place_of(request)}/eid/{session_id}"
    again = f"{here}/back?{urlencode({'proof': proof})}" if proof else f"{here}/back"
    if found.trouble is None:
        return _page(request, "eid/waiting.html", here=here, again=again)
    what, then = card.TROUBLES[found.trouble]
    return _page(
        request,
        "eid/trouble.html",
        status=200 if found.is_over or "hx-request" in request.headers else 503,
        what=what,
        then=then,
        again="" if found.is_over else again,
        here=here,
        back=found.path,
    )


HANDLERS = (
    to_the_reader,
    at_terminal,
    hand_over,
    terminal_back,
    terminal_cancel,
    on_web,
    tc_token,
    web_back,
    web_cancel,
)
