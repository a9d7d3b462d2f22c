"""The reader's own pages: who asks what, the numbers, the card, and how it ended.

What a person types lives in the memory of this process until the AusweisApp has it, never in a URL, a log or a file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
import structlog
from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect
from litestar.types import ASGIApp

from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.eid.controller import words
from servicepunkt.eid.controller.desk import Desk
from servicepunkt.eid.controller.errors import VisitOverError
from servicepunkt.eid.controller.frame import ReaderPages, name_of
from servicepunkt.eid.controller.link import Link
from servicepunkt.eid.controller.model import Kind, Screen
from servicepunkt.eid.controller.visit import Visit, plain_digits
from servicepunkt.eid.errors import BlockedError, EidError, TransportPinError
from servicepunkt.eid.sdk.errors import OwnPinNeededError, UnreachableError
from servicepunkt.eid.sdk.messages import AccessRight
from servicepunkt.eid.sdk.steps import Mistake
from servicepunkt.web.forms import FOREIGN_FIELD, PersonalForm, convert, typed
from servicepunkt.web.frame import CONTRAST_COOKIE, LANGUAGE_COOKIE
from servicepunkt.web.local import origin
from servicepunkt.web.local.app import create_local_app
from servicepunkt.web.local.frame import IDLE_CONTENT, LocalFrame, WebRequest
from servicepunkt.web.local.pages import arrived, left
from servicepunkt.web.terminal import switches

LOOPBACK = ("localhost", "127.0.0.1")
log = structlog.get_logger("servicepunkt.eid")
Step = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
RIGHT = "right-"
#: The template of a screen; those that are missing here only wait.
TEMPLATES = {
    Screen.RIGHTS: "rights",
    Screen.CARD: "card",
    Screen.GONE: "card",
    Screen.UNKNOWN: "card",
    Screen.OFF: "card",
    Screen.BADLY: "badly",
    Screen.PIN: "number",
    Screen.CAN: "number",
    Screen.PUK: "number",
    Screen.NEW_PIN: "number",
    Screen.AGAIN: "number",
    Screen.KEYPAD: "keypad",
    Screen.TAKE: "take",
    Screen.CHECKED: "checked",
    Screen.DONE: "done",
    Screen.FAILED: "failed",
}


class StepForm(msgspec.Struct, frozen=True, kw_only=True):
    """`step`: the screen that was answered."""

    step: Step


class NumberForm(PersonalForm, frozen=True, kw_only=True):
    step: Step
    number: str = ""


class CardForm(msgspec.Struct, frozen=True, kw_only=True):
    """At practising the card is laid on and taken away by pressing."""

    card: Literal["lay", "take"]


def pages_of(request: WebRequest) -> ReaderPages:
    found: ReaderPages = request.app.state["pages"]
    return found


def _touched(request: WebRequest) -> Visit:
    """The visit of whoever pressed something. Raises VisitOverError."""
    visit = pages_of(request).visit(request)
    visit.touch()
    return visit


# ---- to begin -----------------------------------------------------------------------------------------------


@get("/")
async def start(request: WebRequest) -> Response[Any]:
    """What can be done here. Who comes from the terminal keeps language and view."""
    if (sent := await arrived(request)) is not None:
        return sent
    pages = pages_of(request)
    pages.desk.leave(name_of(request))
    back = origin.from_terminal(request) and pages.frame.connected()
    touched = CONTRAST_COOKIE in request.cookies or LANGUAGE_COOKIE in request.cookies
    idle = IDLE_CONTENT if back or touched else 0
    return pages.page(request, "eid/reader_start.html", idle=idle, seen=pages.desk.seen)


@get("/identify")
async def identify(request: WebRequest, ticket: FromQuery[str] = "") -> Response[Any]:
    """The terminal sends somebody to identify. A ticket works once, so that the way back is not this address."""
    pages = pages_of(request)
    pages.desk.require_free(name_of(request))
    claimed = await pages.link.claim(ticket)
    answer = pages.begun(pages.desk.begin(Kind.IDENTIFY, before=name_of(request), claimed=claimed))
    sent = {origin.TERMINAL_COOKIE: "1", **switches.brought(request, pages.tenant.languages)}
    origin.keep(answer, sent, secure=pages.secure)
    return answer


def _explained(request: WebRequest, kind: Kind) -> Response[Any]:
    pages = pages_of(request)
    letter = request.query_params.get("for", "")
    reason = letter if letter in ("letter", "puk") else ""
    return pages.page(
        request, "eid/reader_begin.html", idle=IDLE_CONTENT, kind=str(kind), reason=reason, seen=pages.desk.seen
    )


def _begin(request: WebRequest, kind: Kind) -> Response[Any]:
    """In place of the visit of this browser; what the terminal wanted of that one is not lost."""
    pages = pages_of(request)
    try:
        back = pages.visit(request).back
    except VisitOverError:
        back = ""
    return pages.begun(pages.desk.begin(kind, before=name_of(request), back=back if kind is Kind.PIN else ""))


@get("/pin")
async def explain_pin(request: WebRequest) -> Response[Any]:
    return _explained(request, Kind.PIN)


@post("/pin", status_code=303)
async def begin_pin(request: WebRequest) -> Response[Any]:
    """Choose, change or unblock the PIN."""
    return _begin(request, Kind.PIN)


@get("/check")
async def explain_check(request: WebRequest) -> Response[Any]:
    return _explained(request, Kind.CHECK)


@post("/check", status_code=303)
async def begin_check(request: WebRequest) -> Response[Any]:
    """How the card is; nothing is read of the person."""
    return _begin(request, Kind.CHECK)


@get("/practice")
async def explain_practice(request: WebRequest) -> Response[Any]:
    return _explained(request, Kind.PRACTICE)


@post("/practice", status_code=303)
async def begin_practice(request: WebRequest) -> Response[Any]:
    """The same pages with a card that does not exist."""
    return _begin(request, Kind.PRACTICE)


# ---- a visit ------------------------------------------------------------------------------------------------


@get("/visit")
async def show_visit(request: WebRequest) -> Response[Any]:
    """The screen of this moment; who has identified goes back to the centre."""
    pages = pages_of(request)
    visit = pages.visit(request)
    centre = pages.centre_address(request, visit)
    if visit.screen is Screen.DONE and visit.kind is Kind.IDENTIFY and centre:
        if not await pages.link.reaches():
            return pages.shown(request, "eid/reader_away.html", visit)
        # The visit stays until the centre has answered; meanwhile the page before asks nothing that would lead away.
        visit.leaving = True
        return Redirect(centre, status_code=303)
    template = f"eid/reader_{TEMPLATES.get(visit.screen, 'wait')}.html"
    return pages.shown(request, template, visit, centre=centre, **_said(visit))


def _said(visit: Visit) -> dict[str, Any]:
    """Words of the screen, as message ids."""
    request, question = visit.request, visit.question
    named = [(name, _named(name)) for name in request.required] if request else []
    chosen = [(name, _named(name)) for name in request.optional] if request else []
    what, then = words.words_for(visit.error) if visit.error else ("", "")
    return {
        "required": named,
        "optional": chosen,
        "waiting": words.WAITING.get(visit.screen, ""),
        "wrong": words.DIFFERENT if visit.different else words.MISTAKES.get(visit.mistake, "") if visit.mistake else "",
        "tries": words.TRIES.get(question.tries or 0, "") if question and visit.mistake is Mistake.WRONG_PIN else "",
        "letter": visit.mistake is Mistake.LETTER,
        "what": what,
        "then": then,
        "code": visit.error.code if visit.error else "",
        "own_pin": isinstance(visit.error, OwnPinNeededError | TransportPinError | BlockedError),
        "attributes": [(words.ATTRIBUTES.get(name, name), value) for name, value in visit.found],
    }


def _named(name: str) -> tuple[str, dict[str, str]]:
    """A right in plain words; one that is newer than this program by its own name."""
    if name in set(AccessRight):
        return words.RIGHTS[AccessRight(name)], {}
    return words.OTHER_RIGHT, {"name": name[:60]}


@get("/changed")
async def changed(request: WebRequest, seen: FromQuery[int]) -> Response[None]:
    """Asked by every page of a visit: nothing, or the order to show the next screen."""
    visit = pages_of(request).visit(request)
    visit.heard()
    is_new = visit.step != seen and not visit.leaving
    return Response(None, status_code=204, headers={"hx-redirect": "/visit"} if is_new else None)


@get("/stay", status_code=204)
async def stay(request: WebRequest) -> None:
    """Somebody touched the screen: the visit goes on. Raises VisitOverError."""
    _touched(request)


@post("/rights", status_code=303)
async def agree(request: WebRequest) -> Redirect:
    """These may be read, and the others not."""
    visit = _touched(request)
    values = await typed(request)
    given = {name.removeprefix(RIGHT) for name in values if name.startswith(RIGHT)}
    form = convert({name: value for name, value in values.items() if not name.startswith(RIGHT)}, StepForm, {})
    offered = visit.request.optional if visit.request else ()
    if given - set(offered) and form.step == visit.step:
        raise InvalidInputError([("", FOREIGN_FIELD)])
    visit.agree(form.step, tuple(name for name in offered if name in given))
    return Redirect("/visit", status_code=303)


@post("/decline", status_code=303)
async def decline(request: WebRequest) -> Redirect:
    """The person does not agree; there is another way."""
    visit = _touched(request)
    visit.decline(convert(await typed(request), StepForm, {}).step)
    return Redirect("/visit", status_code=303)


@post("/number", status_code=303)
async def take_number(request: WebRequest) -> Redirect:
    """PIN, CAN or PUK, whatever is asked; on to the AusweisApp with it. A new PIN is compared here."""
    visit = _touched(request)
    form = convert(await typed(request), NumberForm, {})
    secret = plain_digits(form.number)
    if secret is not None:
        visit.enter(form.step, secret)
    return Redirect("/visit", status_code=303)


@post("/position", status_code=303)
async def lies_well(request: WebRequest) -> Redirect:
    """The card lies well now."""
    visit = _touched(request)
    visit.lies_well(convert(await typed(request), StepForm, {}).step)
    return Redirect("/visit", status_code=303)


@post("/card", status_code=303)
async def lay_card(request: WebRequest) -> Redirect:
    """Lay the card of the practice on, or take it away."""
    visit = _touched(request)
    form = convert(await typed(request), CardForm, {})
    pages_of(request).desk.lay(visit, taken=form.card == "take")
    return Redirect("/visit", status_code=303)


@get("/back")
async def back_to_centre(request: WebRequest) -> Redirect:
    """Away to where the terminal's pages go on; without the centre to the start page here."""
    pages = pages_of(request)
    visit = pages.visit(request)
    centre = pages.centre_address(request, visit)
    pages.desk.leave(visit.name)
    return left(Redirect(centre, status_code=303) if centre else None)


HANDLERS = (
    start,
    identify,
    explain_pin,
    begin_pin,
    explain_check,
    begin_check,
    explain_practice,
    begin_practice,
    show_visit,
    changed,
    stay,
    agree,
    decline,
    take_number,
    lies_well,
    lay_card,
    back_to_centre,
)


def start_again(request: WebRequest, error: VisitOverError) -> Response[Any]:
    """Over: the start page."""
    del request, error
    return Redirect("/", status_code=303)


def refused(request: WebRequest, error: EidError) -> Response[Any]:
    """Nothing has begun: a page with what to do."""
    log.info("refused", code=error.code)
    what, then = words.words_for(error)
    status = 503 if isinstance(error, UnreachableError) else 409
    return pages_of(request).page(
        request, "eid/reader_refused.html", idle=IDLE_CONTENT, status=status, what=what, then=then, code=error.code
    )


def create_reader_app(desk: Desk, link: Link, *, form_secret: str, secure_cookies: bool, url: str = "") -> ASGIApp:
    """The ASGI application of a card reader: its own pages and static files, nothing else. `url`: as the terminal's
    browser calls them."""
    plugins = PluginHost()
    plugins.load_installed()
    frame = LocalFrame(plugins, config=lambda: link.config, connected=lambda: link.connected)
    pages = ReaderPages(desk, link, frame, secure=secure_cookies)
    return create_local_app(
        pages,
        HANDLERS,
        form_secret=form_secret,
        refusals={VisitOverError: start_again, EidError: refused},
        hosts=[*LOOPBACK, *filter(None, [urlsplit(url).hostname])],
    )
