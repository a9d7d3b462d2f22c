"""The desk of the demonstration: addresses, the telephone, the clock, and the plug of each box.

It listens on loopback only and steers example data; a real deployment has no such thing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.params import Body, FromPath, FromQuery, JSONBody
from litestar.response import Redirect
from litestar.types import ASGIApp

from servicepunkt.core.errors import InvalidInputError, NotFoundError, ServicepunktError
from servicepunkt.tenants.demo.phone import Incoming
from servicepunkt.web import assets
from servicepunkt.web.frame import build_frame
from servicepunkt.web.gate import show_all
from servicepunkt.web.problems import Problems
from servicepunkt.web.qr import qr_once
from servicepunkt.web.security import SecurityHeaders
from servicepunkt.web.sessions.model import IDLE

if TYPE_CHECKING:
    from servicepunkt.tenants.demo.supervisor import Demo

WebRequest = Request[Any, Any, Any]
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
MOST_MESSAGES = 50  # on the telephone's page
OPEN = {"public": True, "exclude_from_csrf": True}


def demo_of(request: WebRequest) -> Demo:
    found: Demo = request.app.state["demo"]
    return found


def _page(request: WebRequest, template: str, **values: Any) -> Response[str]:
    page: Response[str] = request.app.state["frame"].page(request, template, demo=demo_of(request), **values)
    return page


@get("/")
async def overview(request: WebRequest) -> Response[str]:
    """Everything that runs and where it is reached."""
    demo = demo_of(request)
    zone = demo.stages[0].ctx.zone_info if demo.stages else None
    return _page(
        request,
        "tenants/desk.html",
        now=demo.clock.now().astimezone(zone),
        shifted=bool(demo.clock.shift()),
        idle_minutes=IDLE // timedelta(minutes=1),
    )


@get("/phone")
async def telephone(request: WebRequest, seen: FromQuery[str] = "") -> Response[str]:
    """The messages that would have been sent, the newest at the bottom. A poll that would show the same gets 204."""
    demo = demo_of(request)
    newest_first = demo.phone.messages()
    newest = newest_first[0].reference if newest_first else "none"
    if seen == newest:
        return Response("", status_code=204)
    zone = demo.stages[0].ctx.zone_info if demo.stages else None
    shown = [
        (message, (message.shown or message.at).astimezone(zone), qr_once(message.qr) if message.qr else "")
        for message in newest_first[:MOST_MESSAGES]
    ]
    return _page(
        request,
        "tenants/phone.html",
        messages=shown[::-1],
        total=len(newest_first),
        newest=newest,
    )


@get("/phone/messages", opt=OPEN)
async def messages(request: WebRequest) -> list[dict[str, Any]]:
    """The same for programs."""
    return [msgspec.to_builtins(message) for message in demo_of(request).phone.messages()]


@post("/phone/messages", opt=OPEN, status_code=201)
async def receive(request: WebRequest, data: JSONBody[Incoming]) -> dict[str, bool]:
    """What the rehearsal channel posts."""
    demo = demo_of(request)
    return {"new": demo.phone.receive(data, shown=demo.clock.now())}


@post("/clock", status_code=303)
async def set_clock(request: WebRequest, data: Form) -> Redirect:
    """Make it another time for all processes; empty means the real time."""
    demo = demo_of(request)
    wanted = data.get("at", "")
    try:
        instant = datetime.fromisoformat(wanted) if wanted else None
    except ValueError:
        raise InvalidInputError([("at", "This is not a date with a time.")]) from None
    zone = demo.stages[0].ctx.zone_info
    demo.set_clock(instant.replace(tzinfo=zone) if instant else None)
    return Redirect("/", status_code=303)


@post("/plug", status_code=303)
async def plug(request: WebRequest, data: Form) -> Redirect:
    """Pull the plug of a box, or put it in again."""
    demo = demo_of(request)
    process = demo.processes.get(f"box/{data.get('box', '')}")
    if process is None:
        raise NotFoundError
    if data.get("state") == "out":
        process.kill()
    else:
        process.start()
    return Redirect("/", status_code=303)


@get("/terminal/{slug:str}/{point:str}")
async def terminal(request: WebRequest, slug: FromPath[str], point: FromPath[str]) -> Redirect:
    """Make this browser a terminal of the point."""
    demo = demo_of(request)
    stage = next((stage for stage in demo.stages if stage.ctx.slug == slug), None)
    if stage is None or point not in {place.point for place in stage.boxes}:
        raise NotFoundError
    return Redirect(await demo.terminal_address(stage, point), status_code=303)


def create_desk(demo: Demo) -> ASGIApp:
    """The ASGI application of the desk."""
    frame = build_frame(demo.deployment.plugins, demo.deployment.texts, gate=show_all)
    problems = Problems(frame)

    async def startup(app: Litestar) -> None:
        app.state["demo"] = demo
        app.state["frame"] = frame

    app = Litestar(
        route_handlers=[
            overview,
            telephone,
            messages,
            receive,
            set_clock,
            plug,
            terminal,
            assets.static_file,
        ],
        exception_handlers={
            ServicepunktError: problems.known,
            HTTPException: problems.framework,
            Exception: problems.unknown,
        },
        request_max_body_size=64 * 1024,
        on_startup=[startup],
        openapi_config=None,
        logging_config=None,
    )
    return SecurityHeaders(app, secure=False)
