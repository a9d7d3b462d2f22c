"""Language and view: chosen by hand, kept in cookies that end with the browser or with the visit to a terminal.

Where a terminal hands over to the box's own pages, and where these lead back to `/k`, both stand in the address:
`lang` is one of the tenant's languages, `view` one of `HANDED_VIEWS`.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency

from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.access import tenant_of
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import CONTRAST_COOKIE, LANGUAGE_COOKIE, is_terminal, language
from servicepunkt.web.navigation import cookie, see_other

PUBLIC = {"public": True, "closed_too": True}
VIEWS = ("contrast", "large")
PLAIN = "plain"
HANDED_VIEWS = (PLAIN, "contrast", "large", "contrast-large")
SENTENCES = {"language": "This language is not offered.", "view": "This view is not offered."}
Target = Annotated[str, msgspec.Meta(max_length=512)]


class LanguageForm(msgspec.Struct, frozen=True, kw_only=True):
    language: Annotated[str, msgspec.Meta(max_length=20)]
    next: Target = "/"


class ViewForm(msgspec.Struct, frozen=True, kw_only=True):
    view: Literal["contrast", "large", "plain"]
    next: Target = "/"


@post("/language", opt=PUBLIC)
async def choose_language(request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext]) -> Response[Any]:
    """Read on in another language, on the same page."""
    form = convert(await typed(request), LanguageForm, SENTENCES)
    if form.language not in ctx.languages:
        raise InvalidInputError([("language", SENTENCES["language"])])
    answer = see_other(request, form.next)
    answer.set_cookie(cookie(request, LANGUAGE_COOKIE, form.language, samesite="lax"))
    return answer


@post("/view", opt=PUBLIC)
async def choose_view(request: Request[Any, Any, Any]) -> Response[Any]:
    """Switch high contrast or large text on or off, or both off; the page stays the same."""
    form = convert(await typed(request), ViewForm, SENTENCES)
    answer = see_other(request, form.next)
    chosen = toggled(request.cookies.get(CONTRAST_COOKIE, ""), form.view)
    answer.set_cookie(cookie(request, CONTRAST_COOKIE, chosen, samesite="lax"))
    return answer


def toggled(before: str, wish: str) -> str:
    """The cookie's new value, such as `contrast-large`."""
    on = {view for view in VIEWS if view in before}
    after = set() if wish == PLAIN else on ^ {wish}
    return "-".join(view for view in VIEWS if view in after)


def with_choices(request: Request[Any, Any, Any], address: str) -> str:
    """`address` of pages beside the terminal, such as the box's own, with the language and view chosen here."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(choices(request))}"


def choices(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Language and view of this visit, as an address hands them on."""
    view = request.cookies.get(CONTRAST_COOKIE, "")
    return {"lang": language(request), "view": view if view in HANDED_VIEWS else PLAIN}


def brought(request: Request[Any, Any, Any], languages: Container[str]) -> dict[str, str]:
    """The cookies that the address asks for; a value that is not known is as if it were not there."""
    lang, view = request.query_params.get("lang"), request.query_params.get("view")
    cookies = {}
    if lang is not None and lang in languages:
        cookies[LANGUAGE_COOKIE] = lang
    if view in HANDED_VIEWS:
        cookies[CONTRAST_COOKIE] = "" if view == PLAIN else view
    return cookies


async def keep_choices(request: Request[Any, Any, Any]) -> Response[Any] | None:
    """Before any page of a terminal: what the address asks for (`with_choices`) is kept, and it is plain again."""
    if request.method != "GET" or not is_terminal(request):
        return None
    found = brought(request, tenant_of(request).languages)
    if not found:
        return None
    others = [(name, value) for name, value in request.query_params.multi_items() if name not in ("lang", "view")]
    path = request.scope["path"]
    answer = see_other(request, f"{path}?{urlencode(others)}" if others else path, fallback="/k")
    for name, value in found.items():
        answer.set_cookie(cookie(request, name, value, samesite="lax"))
    return answer


HANDLERS = (choose_language, choose_view)
