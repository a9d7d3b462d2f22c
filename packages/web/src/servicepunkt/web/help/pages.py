"""Help at a terminal: a button, then the word that somebody is coming; and the list of calls for staff."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import Frame, terminal_bar
from servicepunkt.web.help import service
from servicepunkt.web.navigation import came_from, see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import calls_seen
from servicepunkt.web.terminal.pages import sight_of

# A page of the terminal; the last part of an address may be a number that belongs to somebody, so it is left out.
TOPIC = re.compile(r"/k(?:/[a-z-]{1,40}){0,3}")
WAITING_SECONDS = 600
PERMISSION = "help.answer"
GUARDS = [access.permission(PERMISSION, per_unit=True)]
Seen = Annotated[str, QueryParameter(max_length=80)]


class CallForm(msgspec.Struct, frozen=True, kw_only=True):
    topic: Annotated[str, msgspec.Meta(max_length=512)] = "/k"


class AnswerForm(msgspec.Struct, frozen=True, kw_only=True):
    to: Literal["coming", "closed"]


def topic_of(path: str) -> str:
    """Where help is wanted, as a page of the terminal without anything that a person entered."""
    found = TOPIC.match(path)
    return found.group() if found else "/k"


@get("/k/help", guards=[access.terminal])
async def help_at_terminal(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    device: NamedDependency[Device],
    seen: Seen = "",
) -> Response[str]:
    """The button, or how the call stands. A poll that would show the same again gets 204."""
    call = await service.of_device(deployment, ctx, device)
    state = call.state if call else "none"
    if seen == state:
        return Response("", status_code=204)
    frame: Frame = request.app.state["frame"]
    sight = await sight_of(request, device)
    return frame.page(
        request,
        "web/help.html",
        state=state,
        topic=topic_of(came_from(request)),
        point=sight.point,
        point_name=sight.point.name if sight.point else "",
        bar=terminal_bar(request, idle=WAITING_SECONDS if call else 60),
    )


@post("/k/help", guards=[access.terminal])
async def call_help(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    device: NamedDependency[Device],
) -> Response[Any]:
    """Call a person to this terminal."""
    form = convert(await typed(request), CallForm, {})
    await service.call(deployment, ctx, device, topic=topic_of(form.topic))
    return see_other(request, "/k/help")


@get("/staff/help", guards=GUARDS)
async def calls(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    seen: Seen = "",
) -> Response[str]:
    """Who waits where. A poll that would show the same again gets 204."""
    waiting = await service.waiting(deployment, ctx, points=visitor.units(PERMISSION))
    digest = hashlib.sha256(repr([(call.id, call.state) for call in waiting]).encode()).hexdigest()
    if seen == digest:
        return Response("", status_code=204)
    return await staff_page(
        request, visitor, "web/staff_help.html", calls=await calls_seen(request, waiting), digest=digest
    )


@post("/staff/help/{call_id:uuid}", guards=GUARDS)
async def answer_call(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    call_id: FromPath[UUID],
) -> Response[Any]:
    """Say that one is on the way, or that the call is done."""
    form = convert(await typed(request), AnswerForm, {})
    await service.answer(deployment, ctx, call_id, to=form.to, points=visitor.units(PERMISSION))
    return see_other(request, "/staff/help")


HANDLERS = (help_at_terminal, call_help, calls, answer_call)
