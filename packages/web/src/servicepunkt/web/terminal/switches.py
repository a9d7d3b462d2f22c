"""Language and view: chosen by hand, kept in cookies that end with the browser or with the visit to a terminal."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency

from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import CONTRAST_COOKIE, LANGUAGE_COOKIE
from servicepunkt.web.navigation import cookie, see_other

PUBLIC = {"public": True}
VIEWS = ("contrast", "large")
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
    answer.set_cookie(cookie(request, LANGUAGE_COOKIE, form.language))
    return answer


@post("/view", opt=PUBLIC)
async def choose_view(request: Request[Any, Any, Any]) -> Response[Any]:
    """Switch high contrast or large text on or off, or both off; the page stays the same."""
    form = convert(await typed(request), ViewForm, SENTENCES)
    answer = see_other(request, form.next)
    answer.set_cookie(cookie(request, CONTRAST_COOKIE, toggled(request.cookies.get(CONTRAST_COOKIE, ""), form.view)))
    return answer


def toggled(before: str, wish: str) -> str:
    """The cookie's new value, such as `contrast-large`."""
    on = {view for view in VIEWS if view in before}
    after = set() if wish == "plain" else on ^ {wish}
    return "-".join(view for view in VIEWS if view in after)


HANDLERS = (choose_language, choose_view)
