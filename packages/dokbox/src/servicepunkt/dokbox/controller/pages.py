"""The box's own pages: collecting a document at the terminal beside the doors, with or without the centre.

What a person types lives in the memory of this process for one visit, never in a URL, a log or a file.
"""

from __future__ import annotations

import re
from collections.abc import Container
from contextlib import suppress
from datetime import date
from typing import Any, Literal

import msgspec
import structlog
from litestar import Litestar, Response, get, post
from litestar.config.csrf import CSRFConfig
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from litestar.types import ASGIApp, Receive, Scope, Send

from servicepunkt.core.clock import Clock
from servicepunkt.core.errors import InvalidInputError, ServicepunktError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox.controller import origin
from servicepunkt.dokbox.controller.frame import (
    IDLE_CONTENT,
    IDLE_FORM,
    IDLE_RESULT,
    BoxFrame,
    BoxPages,
    Connected,
    WebRequest,
)
from servicepunkt.dokbox.controller.screens import COOKIE, Screen
from servicepunkt.dokbox.controller.service import Controller
from servicepunkt.dokbox.controller.visits import Visit
from servicepunkt.dokbox.errors import ClosedError, DokboxError, OutOfOrderError, RefusedError, VisitOverError
from servicepunkt.dokbox.model import State
from servicepunkt.web import assets
from servicepunkt.web.forms import PersonalForm, convert, typed
from servicepunkt.web.frame import CONTRAST_COOKIE, LANGUAGE_COOKIE, language, local_path
from servicepunkt.web.problems import Problems
from servicepunkt.web.requests import CarefulRequest, PlainTokens
from servicepunkt.web.security import SecurityHeaders
from servicepunkt.web.tenancy import TENANT_KEY
from servicepunkt.web.terminal import switches

log = structlog.get_logger("servicepunkt.dokbox")

#: What a scanner reads from the QR code of a message: pick-up number, full stop, code.
SCANNED = re.compile(r"\s*(\d{5})\.(\d{6,9})\s*")
AT_THE_DOOR = frozenset({State.RELEASING, State.TAKING})
ASKED = frozenset({State.PRESENTED, State.CONFIRMING})
QUESTIONS = {
    "in_person": (
        "Is it your own document?",
        "Only the person to whom a document belongs can collect it here.",
    ),
    "removal": (
        "Have you taken your document?",
        "The door is closed, and no sensor can see what lies behind it.",
    ),
    "old_document": (
        "Have you handed in your old document?",
        "You get the new document in exchange for the old one.",
    ),
    "pin_letter": (
        "Have you received the letter with your PIN?",
        "You got it by post. Without the letter the identity card may not be handed over here.",
    ),
}


class NumberForm(PersonalForm, frozen=True, kw_only=True):
    """What is typed is not judged field by field: every combination that opens nothing gets the same words."""

    number: str = ""


class CodeForm(PersonalForm, frozen=True, kw_only=True):
    code: str = ""


class ProofForm(PersonalForm, frozen=True, kw_only=True):
    """What is typed besides the code."""

    step: Literal["birth_date", "fresh_code"]
    value: str = ""


class AnswerForm(msgspec.Struct, frozen=True, kw_only=True):
    step: str
    answer: Literal["yes", "no"]


def pages_of(request: WebRequest) -> BoxPages:
    found: BoxPages = request.app.state["pages"]
    return found


@get("/")
async def start(request: WebRequest) -> Response[Any]:
    """Open or closed, and the way to a document. Who comes from the terminal keeps language and view."""
    pages = pages_of(request)
    config = pages.controller.config
    arrived = origin.arrived(request, config.languages if config else ())
    if arrived is not None:
        await pages.leave(request)
        answer = _left(None)
        _forget(answer, but=arrived)
        origin.keep(answer, arrived, secure=pages.secure)
        return answer
    open_now, sentence = pages.hours_line(language(request))
    # Nobody has to be warned where nothing would be forgotten and nothing lies behind this page.
    back = origin.from_terminal(request) and pages.link.connected
    touched = CONTRAST_COOKIE in request.cookies or LANGUAGE_COOKIE in request.cookies
    return pages.page(
        request,
        "dokbox/box_start.html",
        idle=IDLE_CONTENT if back or touched else 0,
        open_now=open_now,
        hours=sentence,
        healthy=pages.controller.healthy,
    )


@get("/start")
async def back_to_start(request: WebRequest) -> Redirect:
    """Back to the terminal's themes, in the language and view of this visit; without the centre to the box's start."""
    pages = pages_of(request)
    await pages.leave(request)
    return _left(pages.to_terminal(request, "/k", switches.choices(request)))


@get("/connection")
async def connection(request: WebRequest) -> Response[None]:
    """Asked by a start page that waits for the centre: nothing, or the order to go back to the terminal."""
    pages = pages_of(request)
    there = pages.to_terminal(request, "/k", switches.choices(request)) is not None
    return Response(None, status_code=204, headers={"hx-redirect": "/start"} if there else None)


@get("/stay", status_code=204)
async def stay(request: WebRequest) -> None:
    """Somebody touched the screen: the visit goes on. Raises VisitOverError."""
    pages = pages_of(request)
    if (screen := pages.screens.of(request)).visit:
        pages.controller.visit(screen.visit)


@get("/number")
async def ask_number(request: WebRequest) -> Response[Any]:
    """Ask for the mobile number, while the place is open and the doors can be seen."""
    pages = pages_of(request)
    try:
        pages.controller.require_open()
    except (ClosedError, OutOfOrderError):
        return Redirect("/", status_code=303)
    return pages.page(request, "dokbox/box_number.html", idle=IDLE_FORM, finds_by=pages.finds_by)


@post("/number", status_code=303)
async def take_number(request: WebRequest) -> Response[Any]:
    """Keep what was typed in memory. It is not judged here: an unknown number looks like a known one."""
    pages = pages_of(request)
    form = convert(await typed(request), NumberForm, {})
    await pages.leave(request)
    name, screen = pages.screens.new()
    scanned = SCANNED.fullmatch(form.number)
    screen.number = scanned.group(1) if scanned else form.number[:40]
    answer = await _present(request, screen, scanned.group(2)) if scanned else Redirect("/code", status_code=303)
    answer.set_cookie(key=COOKIE, value=name, httponly=True, samesite="strict", secure=pages.secure, path="/")
    return answer


@get("/code")
async def ask_code(request: WebRequest) -> Response[Any]:
    pages = pages_of(request)
    pages.screens.of(request)
    return pages.code_page(request, refused=False)


@post("/code", status_code=303)
async def take_code(request: WebRequest) -> Response[Any]:
    """Number and code together: a visit, or the one refusal."""
    pages = pages_of(request)
    form = convert(await typed(request), CodeForm, {})
    screen = pages.screens.of(request)
    if screen.visit:
        with suppress(VisitOverError):
            pages.controller.visit(screen.visit)
            return Redirect("/confirm", status_code=303)  # pressed twice: the first press was the one
    return await _present(request, screen, "".join(form.code[:20].split()))


async def _present(request: WebRequest, screen: Screen, code: str) -> Response[Any]:
    """Number and code are there: a visit, or the one refusal."""
    pages = pages_of(request)
    try:
        screen.visit = (await pages.controller.present(screen.number, code)).token
    except RefusedError:
        return pages.code_page(request, refused=True)
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
    if visit.state not in ASKED:
        return Redirect("/door", status_code=303)
    pages = pages_of(request)
    config = pages.controller.config
    shown: dict[str, Any] = {"idle": IDLE_FORM, "visit": visit, "policy": config.policy(visit.kind) if config else None}
    step = visit.next_question
    if step is None:
        return pages.page(request, "dokbox/box_open.html", **shown)
    if step not in QUESTIONS:
        return pages.page(request, f"dokbox/box_{step}.html", **shown)
    question, reason = QUESTIONS[step]
    return pages.page(request, "dokbox/box_question.html", step=step, question=question, reason=reason, **shown)


@post("/confirm", status_code=303)
async def answer_question(request: WebRequest) -> Response[Any]:
    pages = pages_of(request)
    visit = visit_of(request)
    form = convert(await typed(request), AnswerForm, {"answer": "Choose Yes or No."})
    step = visit.next_question
    if step is None or form.step != step:
        return Redirect("/confirm", status_code=303)
    await pages.controller.confirm(visit.token, step, answer=form.answer == "yes")
    if step == "removal":
        return Redirect("/result", status_code=303)
    if form.answer == "no":
        with suppress(VisitOverError):  # something else may take the step's place
            pages.controller.visit(visit.token)
            return Redirect("/confirm", status_code=303)
        return pages.declined(request, step, visit)
    return Redirect("/confirm", status_code=303)


@post("/proof", status_code=303)
async def take_proof(request: WebRequest) -> Response[Any]:
    """What was typed besides the code; wrong ones are counted like wrong codes."""
    pages = pages_of(request)
    visit = visit_of(request)
    form = convert(await typed(request), ProofForm, {})
    value = day_of_birth(form.value) if form.step == "birth_date" else "".join(form.value[:20].split())
    try:
        await pages.controller.prove(visit.token, form.step, value)
    except RefusedError:
        try:
            pages.controller.visit(visit.token)
        except VisitOverError:
            return pages.declined(request, "locked", visit)
    return Redirect("/confirm", status_code=303)


@post("/fresh", status_code=303)
async def send_fresh(request: WebRequest) -> Redirect:
    """Send a code that is good for minutes."""
    with suppress(VisitOverError):
        await pages_of(request).controller.send_fresh(visit_of(request).token)
    return Redirect("/confirm", status_code=303)


@post("/slot", status_code=303)
async def hand_in(request: WebRequest) -> Redirect:
    """The old document lies in the slot: read it, and keep it."""
    with suppress(VisitOverError):
        await pages_of(request).controller.hand_in(visit_of(request).token)
    return Redirect("/confirm", status_code=303)


@post("/staff", status_code=303)
async def call_staff(request: WebRequest) -> Redirect:
    """Ask staff to come and look."""
    with suppress(VisitOverError):
        await pages_of(request).controller.call_staff(visit_of(request).token)
    return Redirect("/confirm", status_code=303)


def day_of_birth(text: str) -> str:
    """Eight digits, day, month and year, as YYYY-MM-DD; empty for anything else."""
    digits = re.sub(r"[\s./-]", "", text[:20])
    try:
        return date(int(digits[4:]), int(digits[2:4]), int(digits[:2])).isoformat() if len(digits) == 8 else ""
    except ValueError:
        return ""


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
    if visit.state not in AT_THE_DOOR:
        return Redirect("/confirm" if visit.state in ASKED else "/result", status_code=303)
    return pages_of(request).page(request, "dokbox/box_door.html", idle=IDLE_FORM, visit=visit, state=str(visit.state))


@get("/result")
async def result(request: WebRequest) -> Response[Any]:
    """How it ended, on a page of its own: it waits less long for a touch than the door does."""
    visit = visit_of(request)
    if visit.state in AT_THE_DOOR | ASKED:
        return Redirect("/door", status_code=303)
    done = visit.state is State.DONE
    return pages_of(request).page(
        request,
        "dokbox/box_result.html",
        idle=IDLE_RESULT if done else IDLE_CONTENT,
        visit=visit,
        state=str(visit.state),
    )


@post("/end", status_code=303)
async def end(request: WebRequest) -> Redirect:
    """Forget everything that was typed or chosen; the terminal's pages begin in the usual language and view again."""
    pages = pages_of(request)
    await pages.leave(request)
    ctx: TenantContext | None = request.scope.get(TENANT_KEY)  # type: ignore[assignment]
    usual = {"lang": ctx.locale if ctx else "de", "view": switches.PLAIN}
    answer = _left(pages.to_terminal(request, "/k", usual))
    _forget(answer)
    return answer


@get("/help")
async def help_page(request: WebRequest) -> Response[Any]:
    """Call somebody on the terminal's page; where that cannot be reached, a telephone number and words."""
    pages = pages_of(request)
    if (away := pages.to_terminal(request, "/k/help", switches.choices(request))) is not None:
        await pages.leave(request)
        return _left(away)
    return pages.page(request, "dokbox/box_help.html", idle=IDLE_CONTENT)


@post("/language", status_code=303)
async def choose_language(request: WebRequest) -> Redirect:
    form = convert(await typed(request), switches.LanguageForm, switches.SENTENCES)
    ctx: TenantContext | None = request.scope.get(TENANT_KEY)  # type: ignore[assignment]
    if ctx is None or form.language not in ctx.languages:
        raise InvalidInputError([("language", switches.SENTENCES["language"])])
    return _remember(request, LANGUAGE_COOKIE, form.language, form.next)


@post("/view", status_code=303)
async def choose_view(request: WebRequest) -> Redirect:
    form = convert(await typed(request), switches.ViewForm, switches.SENTENCES)
    before = request.cookies.get(CONTRAST_COOKIE, "")
    return _remember(request, CONTRAST_COOKIE, switches.toggled(before, form.view), form.next)


def _remember(request: WebRequest, name: str, value: str, target: str) -> Redirect:
    answer = Redirect(local_path(target), status_code=303)
    origin.keep(answer, {name: value}, secure=pages_of(request).secure)
    return answer


def _left(away: Redirect | None) -> Redirect:
    """The answer to somebody who leaves: away to the terminal, or the box's own start page."""
    return away or Redirect("/", status_code=303)


def _forget(answer: Response[Any], *, but: Container[str] = ()) -> None:
    """Delete what was typed and chosen, `but` some; that this screen is a terminal stays true."""
    for name in (COOKIE, LANGUAGE_COOKIE, CONTRAST_COOKIE):
        if name not in but:
            answer.delete_cookie(name, path="/")


@get("/health/live", opt={"exclude_from_csrf": True})
async def live() -> dict[str, str]:
    return {"status": "ok"}


HANDLERS = (
    start,
    back_to_start,
    connection,
    stay,
    ask_number,
    take_number,
    ask_code,
    take_code,
    ask_question,
    answer_question,
    take_proof,
    send_fresh,
    hand_in,
    call_staff,
    open_door,
    door,
    result,
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


class Headers:
    """The headers of every answer. Where the centre is comes with the configuration, so it is asked each time."""

    def __init__(self, app: ASGIApp, pages: BoxPages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pages = self._pages
        headers = SecurityHeaders(self._app, secure=pages.secure, form_targets=pages.form_targets())
        await headers(scope, receive, send)


def create_box_app(controller: Controller, *, clock: Clock, link: Connected, secure_cookies: bool) -> ASGIApp:
    """The ASGI application of a box: its own pages and static files, nothing else."""
    plugins = PluginHost()
    plugins.load_installed()
    frame = BoxFrame(plugins, controller, link)
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

    csrf = CSRFConfig(
        # The same after a restart: a browser keeps its token, and the framework would not replace it.
        secret=controller.form_secret,
        cookie_name="sp_box_csrf",
        cookie_path="/",
        cookie_secure=secure_cookies,
        cookie_httponly=True,
        cookie_samesite="strict",
    )
    app = Litestar(
        route_handlers=[*HANDLERS, assets.static_file],
        exception_handlers={
            DokboxError: start_again,
            ServicepunktError: problems.known,
            HTTPException: problems.framework,
            Exception: problems.unknown,
        },
        csrf_config=csrf,
        middleware=[PlainTokens(csrf)],
        request_class=CarefulRequest,
        request_max_body_size=16 * 1024,
        on_startup=[startup],
        openapi_config=None,
        logging_config=None,
    )
    return Headers(OneTenant(app, controller), pages)
