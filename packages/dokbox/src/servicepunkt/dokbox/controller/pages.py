"""The box's own pages: collecting a document at the terminal beside the doors, with or without the centre.

What a person types lives in the memory of this process for one visit, never in a URL, a log or a file.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
import structlog
from litestar import Response, get, post
from litestar.params import QueryParameter
from litestar.response import Redirect
from litestar.types import ASGIApp

from servicepunkt.core.clock import Clock
from servicepunkt.core.plugins import PluginHost
from servicepunkt.dokbox.controller.frame import BoxPages, Connected
from servicepunkt.dokbox.controller.screens import COOKIE, Screen
from servicepunkt.dokbox.controller.service import Controller
from servicepunkt.dokbox.controller.visits import Visit
from servicepunkt.dokbox.errors import ClosedError, DokboxError, OutOfOrderError, RefusedError, VisitOverError
from servicepunkt.dokbox.model import State
from servicepunkt.web.forms import PersonalForm, convert, typed
from servicepunkt.web.frame import CONTRAST_COOKIE, LANGUAGE_COOKIE, language
from servicepunkt.web.local import origin
from servicepunkt.web.local.app import create_local_app
from servicepunkt.web.local.frame import IDLE_CONTENT, IDLE_FORM, IDLE_RESULT, LocalFrame, WebRequest
from servicepunkt.web.local.pages import arrived
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
    if (sent := await arrived(request)) is not None:
        return sent
    pages = pages_of(request)
    open_now, sentence = pages.hours_line(language(request))
    # Nobody has to be warned where nothing would be forgotten and nothing lies behind this page.
    back = origin.from_terminal(request) and pages.frame.connected()
    touched = CONTRAST_COOKIE in request.cookies or LANGUAGE_COOKIE in request.cookies
    return pages.page(
        request,
        "dokbox/box_start.html",
        idle=IDLE_CONTENT if back or touched else 0,
        open_now=open_now,
        hours=sentence,
        healthy=pages.controller.healthy,
    )


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
    # Not strict: who identifies comes back from the terminal's pages, which may be another site.
    answer.set_cookie(key=COOKIE, value=name, httponly=True, samesite="lax", secure=pages.secure, path="/")
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
async def ask_question(request: WebRequest, sent: Annotated[bool, QueryParameter()] = False) -> Response[Any]:
    """One question a page; then the door. `sent`: the terminal's pages have led back here, an answer is on its way."""
    screen = pages_of(request).screens.of(request)
    try:
        visit = visit_of(request)
    except VisitOverError:
        if screen.identifies:
            return pages_of(request).declined(request, "identify_ended")
        raise
    if visit.state not in ASKED:
        return Redirect("/door", status_code=303)
    pages = pages_of(request)
    config = pages.controller.config
    shown: dict[str, Any] = {"idle": IDLE_FORM, "visit": visit, "policy": config.policy(visit.kind) if config else None}
    step = visit.next_question
    screen.identifies = step == "identify" and screen.identifies
    if step == "identify":
        shown |= {"sent": sent, "can_identify": _to_identify(request, "") is not None, "way_out": pages.way_out(visit)}
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
        return pages.declined(request, step, visit.kind)
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
            return pages.declined(request, "locked", visit.kind)
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


@post("/identify", status_code=303)
async def identify(request: WebRequest) -> Redirect:
    """Over to the terminal's pages, where the person identifies."""
    with suppress(VisitOverError):
        if _to_identify(request, "") is not None:
            visit = visit_of(request)
            call = await pages_of(request).controller.begin_identifying(visit.token)
            pages_of(request).screens.of(request).identifies = True
            return _to_identify(request, call.ticket) or Redirect("/confirm", status_code=303)
    return Redirect("/confirm", status_code=303)


def _to_identify(request: WebRequest, ticket: str) -> Redirect | None:
    """The way to the terminal's page where one identifies; None where no terminal or no centre is there."""
    pages = pages_of(request)
    config = pages.controller.config
    path = f"/k/box/{config.box}/identify?ticket={ticket}" if config else ""
    return pages.to_terminal(request, path, switches.choices(request)) if path else None


@get("/identified")
async def identified(request: WebRequest, sent: Annotated[bool, QueryParameter()] = False) -> Redirect:
    """Back from the terminal's pages; language and view may have changed there."""
    pages = pages_of(request)
    answer = Redirect("/confirm?sent=1" if sent else "/confirm", status_code=303)
    languages = pages.tenant.languages if pages.tenant else ()
    origin.keep(answer, origin.arrived(request, languages) or {}, secure=pages.secure)
    return answer


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


HANDLERS = (
    start,
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
    identify,
    identified,
    call_staff,
    open_door,
    door,
    result,
)


def start_again(request: WebRequest, error: DokboxError) -> Response[Any]:
    """Over, closed or out of order: the start page says which."""
    del request
    log.info("visit_ended", code=error.code)
    return Redirect("/", status_code=303)


def create_box_app(controller: Controller, *, clock: Clock, link: Connected, secure_cookies: bool) -> ASGIApp:
    """The ASGI application of a box: its own pages and static files, nothing else."""
    plugins = PluginHost()
    plugins.load_installed()
    frame = LocalFrame(plugins, config=lambda: controller.config, connected=lambda: link.connected)
    pages = BoxPages(controller, frame, clock, secure=secure_cookies)
    return create_local_app(pages, HANDLERS, form_secret=controller.form_secret, refusals={DokboxError: start_again})
