"""Pages that are the same at every computer of a point: start, end, help, language and view."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect

from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import CONTRAST_COOKIE, LANGUAGE_COOKIE, local_path
from servicepunkt.web.local import origin
from servicepunkt.web.local.frame import IDLE_CONTENT, LocalPages, WebRequest
from servicepunkt.web.tenancy import TENANT_KEY
from servicepunkt.web.terminal import switches


def pages_of(request: WebRequest) -> LocalPages:
    found: LocalPages = request.app.state["pages"]
    return found


async def arrived(request: WebRequest) -> Redirect | None:
    """The answer to somebody whom a terminal sends to the start page: language and view are kept, the rest is not."""
    pages = pages_of(request)
    config = pages.frame.config()
    cookies = origin.arrived(request, config.languages if config else ())
    if cookies is None:
        return None
    await pages.leave(request)
    answer = left(None)
    forget(request, answer, but=cookies)
    origin.keep(answer, cookies, secure=pages.secure)
    return answer


@get("/start")
async def back_to_start(request: WebRequest) -> Redirect:
    """Back to the terminal's themes, in the language and view of this visit; without the centre to the start here."""
    pages = pages_of(request)
    await pages.leave(request)
    return left(pages.to_terminal(request, "/k", switches.choices(request)))


@get("/connection")
async def connection(request: WebRequest) -> Response[None]:
    """Asked by a start page that waits for the centre: nothing, or the order to go back to the terminal."""
    pages = pages_of(request)
    there = pages.to_terminal(request, "/k", switches.choices(request)) is not None
    return Response(None, status_code=204, headers={"hx-redirect": "/start"} if there else None)


@post("/end", status_code=303)
async def end(request: WebRequest) -> Redirect:
    """Forget everything that was typed or chosen, here and at the centre, whose pages begin as usual again."""
    pages = pages_of(request)
    await pages.leave(request)
    ctx: TenantContext | None = request.scope.get(TENANT_KEY)  # type: ignore[assignment]
    usual = {"lang": ctx.locale if ctx else "de", "view": switches.PLAIN}
    answer = left(pages.to_terminal(request, "/k/left", usual))
    forget(request, answer)
    return answer


@get("/help")
async def help_page(request: WebRequest) -> Response[Any]:
    """Call somebody on the terminal's page; where that cannot be reached, a telephone number and words."""
    pages = pages_of(request)
    if (away := pages.to_terminal(request, "/k/help", switches.choices(request))) is not None:
        await pages.leave(request)
        return left(away)
    return pages.page(request, pages.help, idle=IDLE_CONTENT)


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


@get("/health/live", opt={"exclude_from_csrf": True})
async def live() -> dict[str, str]:
    return {"status": "ok"}


def _remember(request: WebRequest, name: str, value: str, target: str) -> Redirect:
    answer = Redirect(local_path(target), status_code=303)
    origin.keep(answer, {name: value}, secure=pages_of(request).secure)
    return answer


def left(away: Redirect | None) -> Redirect:
    """The answer to somebody who leaves: away to the terminal, or the start page here."""
    return away or Redirect("/", status_code=303)


def forget(request: WebRequest, answer: Response[Any], *, but: Container[str] = ()) -> None:
    """Delete what was typed and chosen, `but` some; that this screen is a terminal stays true."""
    for name in (pages_of(request).cookie, LANGUAGE_COOKIE, CONTRAST_COOKIE):
        if name not in but:
            answer.delete_cookie(name, path="/")


HANDLERS = (back_to_start, connection, end, help_page, choose_language, choose_view, live)
