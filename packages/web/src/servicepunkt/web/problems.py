"""Errors as answers: problem+json (RFC 9457) for programs, a page with the same words for people."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Redirect

from servicepunkt.core.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    ServicepunktError,
    TooLargeError,
)
from servicepunkt.web.forms import DOES_NOT_FIT, sentence_of
from servicepunkt.web.frame import Frame, language, local_path, place_of
from servicepunkt.web.gate import is_hidden
from servicepunkt.web.sessions.demand import SET_UP, SecondFactorDemandedError
from servicepunkt.web.sessions.model import NotSignedInError
from servicepunkt.web.tenancy import PREFIX_KEY

log = structlog.get_logger("servicepunkt.web")
ADDRESS_DOES_NOT_FIT = "The address of this page holds something that does not fit."
PROBLEM = "application/problem+json"
API = re.compile(r"(/t/[^/]*)?/api(/|$)")


class MethodError(ServicepunktError):
    code = "SP0008"
    status = 405
    citizen = "This page cannot be used in this way."
    staff = "This method is not allowed here."
    next_step = "Go back to the start page."


class MalformedError(ServicepunktError):
    code = "SP0009"
    status = 400
    citizen = "The request could not be read."
    staff = "The request could not be read."
    next_step = "Go back and try again."


class FormExpiredError(ServicepunktError):
    """The proof that a form comes from our own page is missing."""

    code = "SP0014"
    status = 403
    citizen = "This form is no longer valid."
    staff = "The form's token is missing or belongs to another session."
    next_step = "Go back, load the page again and send the form once more."


def from_http(error: HTTPException, *, page: bool) -> ServicepunktError:
    """Our error for one of the framework's; on a page in our words, to programs with the library's exact ones."""
    if isinstance(error, ValidationException):
        extra = error.extra if isinstance(error.extra, list) else []
        mistakes = [_mistake(item, page=page) for item in extra if isinstance(item, dict)]
        return InvalidInputError(mistakes or [("", DOES_NOT_FIT if page else error.detail)])
    match error.status_code:
        case 404:
            return NotFoundError()
        case 405:
            return MethodError()
        case 413:
            return TooLargeError()
        case 403 if "CSRF" in error.detail:
            return FormExpiredError()
        case 401 | 403:
            return ForbiddenError()
        case status if status < 500:
            return MalformedError()
        case _:
            return ServicepunktError()


def _mistake(item: dict[str, Any], *, page: bool) -> tuple[str, str]:
    """(place, sentence) of what the framework found in the address, a header or the body."""
    place, said = str(item.get("key", "")), str(item.get("message", ""))
    if not page:
        return place, said
    return place, sentence_of(said) if item.get("source") == "body" else ADDRESS_DOES_NOT_FIT


class Problems:
    """Exception handlers of the application."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def known(self, request: Request[Any, Any, Any], error: ServicepunktError) -> Response[Any]:
        if isinstance(error, NotSignedInError) and not wants_json(request):
            prefix = str(request.scope.get(PREFIX_KEY, ""))
            target = local_path(request.scope["path"]) if request.method == "GET" else "/staff"
            return Redirect(f"{prefix}/staff/sign-in?next={quote(target)}", status_code=303)
        if isinstance(error, SecondFactorDemandedError) and not wants_json(request) and request.method == "GET":
            return Redirect(f"{request.scope.get(PREFIX_KEY, '')}{SET_UP}", status_code=303)
        if error.status >= 500:
            log.error("request_failed", code=error.code, status=error.status)
        return self._answer(request, error)

    def framework(self, request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
        hidden = error.status_code == 405 and is_hidden(request)
        return self.known(request, NotFoundError() if hidden else from_http(error, page=not wants_json(request)))

    def unknown(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        log.error("request_crashed", exc_info=error)
        return self._answer(request, ServicepunktError())

    def _answer(self, request: Request[Any, Any, Any], error: ServicepunktError) -> Response[Any]:
        locale = language(request)
        title, step = self._frame.texts.error(locale, error)
        mistakes = error.mistakes if isinstance(error, InvalidInputError) else []
        if wants_json(request):
            body = self._as_json(locale, error)
            if mistakes:
                body["errors"] = [{"place": place, "message": message} for place, message in mistakes]
            return Response(body, status_code=error.status, media_type=PROBLEM)
        return self._frame.page(
            request, "web/problem.html", status=error.status, title=title, step=step, code=error.code, mistakes=mistakes
        )

    def _as_json(self, locale: str, error: ServicepunktError) -> dict[str, Any]:
        title, step = self._frame.texts.error(locale, error)
        return {
            "type": f"urn:servicepunkt:error:{error.code}",
            "title": title,
            "status": error.status,
            "code": error.code,
            "detail": error.staff if isinstance(error, InvalidInputError) else error.staff_sentence,
            "next_step": step,
        }

    def kept(self, request: Request[Any, Any, Any], kind: type[ServicepunktError]) -> tuple[bytes, str]:
        """(body, media type) of an answer that costs next to nothing: for refusals before anything is looked up."""
        locale, error = language(request), kind()
        if wants_json(request):
            return msgspec.json.encode(self._as_json(locale, error)), PROBLEM
        prefix, (title, step) = str(request.scope.get(PREFIX_KEY, "")), self._frame.texts.error(locale, error)
        values = {"title": title, "step": step, "code": error.code, "mistakes": ()}
        page = self._frame.kept_page("web/problem.html", locale, prefix, place_of(request), **values)
        return page.encode(), "text/html; charset=utf-8"


def wants_json(request: Request[Any, Any, Any]) -> bool:
    """Programs get JSON: everything below /api, and whoever asks for JSON and not for HTML.

    Where no tenant is served, the path still begins with what would name one.
    """
    accept = request.headers.get("accept", "")
    return API.match(request.scope["path"]) is not None or (
        MediaType.JSON.value in accept and MediaType.HTML.value not in accept
    )
