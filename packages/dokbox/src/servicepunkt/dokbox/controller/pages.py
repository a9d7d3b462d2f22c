"""The box's own pages: collecting a document at the terminal beside the doors, with or without the centre.

What a person types lives in the memory of this process for one visit, never in a URL, a log or a file.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from typing import Annotated, Any, Protocol

import msgspec
import structlog
from litestar import Litestar, Request, Response, get, post
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import Cookie
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.params import Body
from litestar.response import Redirect
from litestar.types import ASGIApp, Receive, Scope, Send

from servicepunkt.core.clock import Clock
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.hours import model as hours_model
from servicepunkt.core.hours.words import describe
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import Texts
from servicepunkt.dokbox.controller.service import Controller, Visit
from servicepunkt.dokbox.errors import ClosedError, DokboxError, OutOfOrderError, RefusedError, VisitOverError
from servicepunkt.dokbox.model import State
from servicepunkt.web import assets
from servicepunkt.web.frame import CONTRAST_COOKIE, LANGUAGE_COOKIE, Frame, build_frame, language, local_path
from servicepunkt.web.problems import Problems
from servicepunkt.web.security import SecurityHeaders
from servicepunkt.web.tenancy import TENANT_KEY

log = structlog.get_logger("servicepunkt.dokbox")

COOKIE = "sp_box_visit"
SCREEN_SECONDS = 300
MAX_SCREENS = 200
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
WebRequest = Request[Any, Any, Any]
QUESTIONS = {
    "old_document": (
        "Do you hand in your old document now?",
        "The old document is taken in when the new one is handed over. Please have it ready.",
    ),
    "pin_letter": (
        "Have you received the letter with your PIN?",
        "You got it by post. Without the letter the identity card may not be handed over here.",
    ),
}


class Connected(Protocol):
    connected: bool


class Screen(msgspec.Struct):
    """One person in front of the screen: what was typed so far, and the visit once the code was right."""

    number: str = ""
    visit: str = ""
    used: float = 0.0


class Screens:
    """Screens by the random name in their cookie; bounded, and forgotten after a while."""

    def __init__(self) -> None:
        self._open: dict[str, Screen] = {}

    def new(self) -> tuple[str, Screen]:
        now = time.monotonic()
        for name in [name for name, screen in self._open.items() if now - screen.used > SCREEN_SECONDS]:
            del self._open[name]
        if len(self._open) >= MAX_SCREENS:
            del self._open[next(iter(self._open))]
        name, screen = secrets.token_hex(16), Screen(used=now)
        self._open[name] = screen
        return name, screen

    def of(self, request: WebRequest) -> Screen:
        """Raises VisitOverError."""
        screen = self._open.get(request.cookies.get(COOKIE, ""))
        if screen is None or time.monotonic() - screen.used > SCREEN_SECONDS:
            raise VisitOverError
        screen.used = time.monotonic()
        return screen

    def forget(self, request: WebRequest) -> Screen | None:
        return self._open.pop(request.cookies.get(COOKIE, ""), None)


class BoxPages:
    """What the handlers below share."""

    def __init__(self, controller: Controller, frame: Frame, clock: Clock, link: Connected, *, secure: bool) -> None:
        self.controller = controller
        self.frame = frame
        self.clock = clock
        self.link = link
        self.secure = secure
        self.screens = Screens()

    def page(self, request: WebRequest, template: str, *, status: int = 200, **values: Any) -> Response[str]:
        config = self.controller.config
        bar = {"start": "/", "help": "/help", "end": "/end", "idle": 60, "warn": 30}
        name = config.point_name if config else {}
        return self.frame.page(
            request,
            template,
            status=status,
            terminal=True,
            bar=bar,
            point_name=name,
            config=config,
            online=self.link.connected,
            **values,
        )

    def hours_line(self, locale: str) -> tuple[bool, str]:
        """(open, sentence); closed without a sentence while nothing is known."""
        config = self.controller.config
        if config is None:
            return False, ""
        calendar = hours_model.Calendar(config.zone, config.subdivision)
        rule: hours_model.Hours = msgspec.json.decode(config.hours, type=hours_model.Hours)
        now = self.clock.now()
        state = hours_model.state(rule, calendar, now)
        return state.open, describe(state, calendar, now, texts=self.frame.texts, locale=locale)


def pages_of(request: WebRequest) -> BoxPages:
    found: BoxPages = request.app.state["pages"]
    return found


@get("/")
async def start(request: WebRequest) -> Response[str]:
    """Open or closed, and the way to a document."""
    pages = pages_of(request)
    open_now, sentence = pages.hours_line(language(request))
    return pages.page(
        request, "dokbox/box_start.html", open_now=open_now, hours=sentence, healthy=pages.controller.healthy
    )


@get("/number")
async def ask_number(request: WebRequest) -> Response[Any]:
    """Ask for the mobile number, while the place is open and the doors can be seen."""
    pages = pages_of(request)
    try:
        pages.controller.require_open()
    except (ClosedError, OutOfOrderError):
        return Redirect("/", status_code=303)
    return pages.page(request, "dokbox/box_number.html")


@post("/number", status_code=303)
async def take_number(request: WebRequest, data: Form) -> Response[Any]:
    """Keep what was typed in memory. It is not judged here: an unknown number looks like a known one."""
    pages = pages_of(request)
    name, screen = pages.screens.new()
    screen.number = data.get("number", "")[:40]
    cookie = Cookie(key=COOKIE, value=name, httponly=True, samesite="strict", secure=pages.secure, path="/")
    return Redirect("/code", status_code=303, cookies=[cookie])


@get("/code")
async def ask_code(request: WebRequest) -> Response[Any]:
    pages = pages_of(request)
    pages.screens.of(request)
    return pages.page(request, "dokbox/box_code.html", refused=False)


@post("/code", status_code=303)
async def take_code(request: WebRequest, data: Form) -> Response[Any]:
    """Number and code together: a visit, or the one refusal."""
    pages = pages_of(request)
    screen = pages.screens.of(request)
    if screen.visit:
        with suppress(VisitOverError):
            pages.controller.visit(screen.visit)
            return Redirect("/confirm", status_code=303)  # pressed twice: the first press was the one
    code = "".join(data.get("code", "")[:20].split())
    try:
        screen.visit = (await pages.controller.present(screen.number, code)).token
    except RefusedError:
        return pages.page(request, "dokbox/box_code.html", status=422, refused=True)
    except (ClosedError, OutOfOrderError):
        return Redirect("/", status_code=303)
    return Redirect("/confirm", status_code=303)


def visit_of(request: WebRequest) -> Visit:
    """Raises VisitOverError."""
    pages = pages_of(request)
    return pages.controller.visit(pages.screens.of(request).visit)


@get("/confirm")
async def ask_question(request: WebRequest) -> Response[Any]:
    """One question a page; then the door."""
    visit = visit_of(request)
    if visit.state is not State.PRESENTED:
        return Redirect("/door", status_code=303)
    config = pages_of(request).controller.config
    policy = config.policy(visit.kind) if config else None
    step = visit.next_question
    if step is None:
        return pages_of(request).page(request, "dokbox/box_open.html", visit=visit, policy=policy)
    question, reason = QUESTIONS[step]
    return pages_of(request).page(
        request, "dokbox/box_question.html", visit=visit, step=step, question=question, reason=reason, policy=policy
    )


@post("/confirm", status_code=303)
async def answer_question(request: WebRequest, data: Form) -> Response[Any]:
    pages = pages_of(request)
    visit = visit_of(request)
    step, answer = visit.next_question, data.get("answer", "")
    if step is None or data.get("step") != step or answer not in ("yes", "no"):
        return Redirect("/confirm", status_code=303)
    await pages.controller.confirm(visit.token, step, answer=answer == "yes")
    if answer == "no":
        pages.screens.forget(request)
        return pages.page(request, "dokbox/box_declined.html", step=step)
    return Redirect("/confirm", status_code=303)


@post("/open", status_code=303)
async def open_door(request: WebRequest) -> Response[Any]:
    """Spend the code and open. Pressed twice it opens once."""
    pages = pages_of(request)
    visit = visit_of(request)
    with suppress(VisitOverError):
        await pages.controller.release(visit.token)
    return Redirect("/door", status_code=303)


@get("/door")
async def door(request: WebRequest) -> Response[Any]:
    """What the door does, until it is closed again."""
    visit = visit_of(request)
    if visit.state is State.PRESENTED:
        return Redirect("/confirm", status_code=303)
    return pages_of(request).page(request, "dokbox/box_door.html", visit=visit, state=str(visit.state))


@post("/end", status_code=303)
async def end(request: WebRequest) -> Redirect:
    """Forget everything that was typed."""
    pages = pages_of(request)
    screen = pages.screens.forget(request)
    if screen is not None and screen.visit:
        await pages.controller.leave(screen.visit)
    gone = [Cookie(key=name, value="", max_age=0, path="/") for name in (COOKIE, LANGUAGE_COOKIE, CONTRAST_COOKIE)]
    return Redirect("/", status_code=303, cookies=gone)


@get("/help")
async def help_page(request: WebRequest) -> Response[str]:
    return pages_of(request).page(request, "dokbox/box_help.html")


@post("/language", status_code=303)
async def choose_language(request: WebRequest, data: Form) -> Redirect:
    return _remember(request, LANGUAGE_COOKIE, data.get("language", ""), data.get("next", "/"))


@post("/view", status_code=303)
async def choose_view(request: WebRequest, data: Form) -> Redirect:
    return _remember(request, CONTRAST_COOKIE, data.get("view", ""), data.get("next", "/"))


def _remember(request: WebRequest, name: str, value: str, target: str) -> Redirect:
    plain = value if len(value) < 20 and value.replace("-", "").replace("_", "").isalnum() else ""
    cookie = Cookie(key=name, value=plain, httponly=True, samesite="strict", secure=pages_of(request).secure, path="/")
    return Redirect(local_path(target), status_code=303, cookies=[cookie])


@get("/health/live", opt={"exclude_from_csrf": True})
async def live() -> dict[str, str]:
    return {"status": "ok"}


HANDLERS = (
    start,
    ask_number,
    take_number,
    ask_code,
    take_code,
    ask_question,
    answer_question,
    open_door,
    door,
    end,
    help_page,
    choose_language,
    choose_view,
    live,
)


class OneTenant:
    """Puts the box's tenant into the scope, as far as the last configuration tells it."""

    def __init__(self, app: ASGIApp, controller: Controller) -> None:
        self._app = app
        self._controller = controller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        config = self._controller.config
        if config is not None and str(scope["type"]) == "http":
            scope[TENANT_KEY] = TenantContext(  # type: ignore[literal-required]
                id=config.tenant, slug="", name=config.tenant_name, languages=config.languages, zone=config.zone
            )
        await self._app(scope, receive, send)


def create_box_app(controller: Controller, *, clock: Clock, link: Connected, secure_cookies: bool) -> ASGIApp:
    """The ASGI application of a box: its own pages and static files, nothing else."""
    plugins = PluginHost()
    plugins.load_installed()
    frame = build_frame(plugins, Texts([answer.value for answer in plugins.startup("texts")]))
    problems = Problems(frame)
    pages = BoxPages(controller, frame, clock, link, secure=secure_cookies)

    def start_again(request: WebRequest, error: DokboxError) -> Response[Any]:
        """Over, closed or out of order: the start page says which."""
        del request
        log.info("visit_ended", code=error.code)
        return Redirect("/", status_code=303)

    async def startup(app: Litestar) -> None:
        app.state["frame"] = frame
        app.state["pages"] = pages

    app = Litestar(
        route_handlers=[*HANDLERS, assets.static_file],
        exception_handlers={
            DokboxError: start_again,
            ServicepunktError: problems.known,
            HTTPException: problems.framework,
            Exception: problems.unknown,
        },
        csrf_config=CSRFConfig(
            # The same after a restart: a browser keeps its token, and the framework would not replace it.
            secret=controller.form_secret,
            cookie_name="sp_box_csrf",
            cookie_path="/",
            cookie_secure=secure_cookies,
            cookie_httponly=True,
            cookie_samesite="strict",
        ),
        request_max_body_size=16 * 1024,
        on_startup=[startup],
        openapi_config=None,
        logging_config=None,
    )
    return SecurityHeaders(OneTenant(app, controller), secure=secure_cookies)
