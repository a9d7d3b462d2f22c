"""The cabinet in the browser: picture, state as JSON, acts and faults as requests, changes as they come.

A small application of its own for one cabinet, for loopback or a shop window, without sign-in and cookies.
Addresses within the page are relative, so that it may be mounted anywhere.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import CacheControlHeader, MutableScopeHeaders, State
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.plugins.problem_details import ProblemDetailsConfig, ProblemDetailsPlugin
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler, Message, Scope

from servicepunkt.dokbox.simulator.line import Line
from servicepunkt.dokbox.simulator.model import AnyFault, Cabinet, Compartment, ImpossibleActError, Refusal
from servicepunkt.dokbox.simulator.picture import Act, Language, draw_page

STATIC = Path(__file__).parent / "static"
STREAM_CHECK_SECONDS = 1.0
"""How often an idle event stream looks whether the line still runs, so that it does not hold up the end."""
NOT_KEPT = CacheControlHeader(no_store=True)
KEPT_FOR_GOOD = CacheControlHeader(public=True, max_age=31_536_000, immutable=True)
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Snapshot(msgspec.Struct, frozen=True):
    """All that can be seen and set of a simulated cabinet, of one moment."""

    compartments: tuple[Compartment, ...]
    faults: tuple[AnyFault, ...]
    plugged: bool


class FaultSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The faults that shall be present from now on; those not named are gone."""

    faults: list[AnyFault]


def create_simulator_app(cabinet: Cabinet, line: Line) -> Litestar:
    """The pages of one cabinet and its line; the line should be running."""
    content = b"".join(path.read_bytes() for path in sorted(STATIC.iterdir()))
    version = hashlib.sha256(content).hexdigest()[:12]
    return Litestar(
        [*_reading(cabinet, line, version), *_acting(cabinet, line), _static_files()],
        before_send=[_protect],
        exception_handlers={ImpossibleActError: _refuse},
        plugins=[ProblemDetailsPlugin(ProblemDetailsConfig(enable_for_all_http_exceptions=True))],
        openapi_config=None,
        logging_config=None,
    )


async def _protect(message: Message, _scope: Scope) -> None:
    """Put the headers on whatever leaves, files and problems included, which response_headers would not."""
    if message["type"] == "http.response.start":
        MutableScopeHeaders(message).update(HEADERS)


def _static_files() -> ControllerRouterHandler:
    """The page asks for them with the version of their content, so that browsers may keep them for good."""
    return create_static_files_router("/static", [STATIC], cache_control=KEPT_FOR_GOOD)


def _reading(cabinet: Cabinet, line: Line, version: str) -> list[ControllerRouterHandler]:
    @get("/", media_type=MediaType.HTML, cache_control=NOT_KEPT, sync_to_thread=False)
    def page(lang: FromQuery[Language] = "de", refused: FromQuery[Refusal | None] = None) -> str:
        return draw_page(cabinet, lang, refused=refused, version=version)

    @get("/state", cache_control=NOT_KEPT, sync_to_thread=False)
    def state() -> Snapshot:
        return _snapshot(cabinet)

    @get("/events", sync_to_thread=False)
    def events() -> ServerSentEvent:
        return ServerSentEvent(_changes(cabinet, line), headers={"Cache-Control": "no-store"})

    return [page, state, events]


def _acting(cabinet: Cabinet, line: Line) -> list[ControllerRouterHandler]:
    acts: dict[Act, Callable[..., None]] = {
        "open": cabinet.open,
        "close": cabinet.close,
        "put": cabinet.put_item,
        "take": cabinet.take_item,
        "force": cabinet.force,
    }

    @post("/compartments/{number:int}/{act:str}", status_code=200, sync_to_thread=False)
    def at_compartment(
        request: Request[Any, Any, State],
        number: FromPath[int],
        act: FromPath[Act],
        lang: FromQuery[Language] = "de",
    ) -> Response[Any]:
        acts[act](number, time=line.clock())
        return _done(request, cabinet, f"../../?lang={lang}#c{number}")

    @post("/line/plug", status_code=200, sync_to_thread=True)
    def plug(request: Request[Any, Any, State], lang: FromQuery[Language] = "de") -> Response[Any]:
        line.plug()
        return _done(request, cabinet, f"../?lang={lang}#line")

    @post("/line/unplug", status_code=200, sync_to_thread=True)
    def unplug(request: Request[Any, Any, State], lang: FromQuery[Language] = "de") -> Response[Any]:
        line.unplug()
        return _done(request, cabinet, f"../?lang={lang}#line")

    @post("/faults", status_code=200, sync_to_thread=False)
    def faults(data: JSONBody[FaultSetting]) -> Snapshot:
        cabinet.set_faults(*data.faults, time=line.clock())
        return _snapshot(cabinet)

    return [at_compartment, plug, unplug, faults]


def _snapshot(cabinet: Cabinet) -> Snapshot:
    return Snapshot(cabinet.compartments, cabinet.faults, cabinet.plugged)


def _wants_page(request: Request[Any, Any, Any]) -> bool:
    """A form sent by a browser says so; the script and programs get JSON."""
    return "text/html" in request.headers.get("accept", "")


def _done(request: Request[Any, Any, State], cabinet: Cabinet, page: str) -> Response[Any]:
    if _wants_page(request):
        return _see(page)
    return Response(_snapshot(cabinet))


def _see(page: str) -> Response[Any]:
    return Response(None, status_code=303, headers={"Location": page})


def _refuse(request: Request[Any, Any, Any], error: ImpossibleActError) -> Response[Any]:
    """409, or 404 if there is no such compartment, as problem+json; the page with the reason for a form."""
    if _wants_page(request):
        lang = "en" if request.query_params.get("lang") == "en" else "de"
        return _see(f"../../?lang={lang}&refused={error.refusal}")
    status = 404 if error.refusal is Refusal.NO_SUCH_COMPARTMENT else 409
    problem = {"type": "about:blank", "title": str(error), "status": status, "refusal": error.refusal}
    return Response(problem, status_code=status, media_type="application/problem+json")


async def _changes(cabinet: Cabinet, line: Line) -> AsyncIterator[ServerSentEventMessage]:
    """The state now and after every change; changes that come faster than they are sent are sent as one."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def note_change() -> None:
        loop.call_soon_threadsafe(changed.set)

    unwatch = cabinet.watch(note_change)
    changed.set()
    try:
        while line.running:
            if await _within(changed, STREAM_CHECK_SECONDS):
                changed.clear()
                yield ServerSentEventMessage(data=msgspec.json.encode(_snapshot(cabinet)).decode(), event="state")
    finally:
        unwatch()


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
