"""Where a visit to a computer's own pages came from: the terminal beside it, which wants it back, or nowhere.

The terminal's link carries language and view (`/?lang=en&view=large`), and so does the way back to its pages.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Request, Response

from servicepunkt.web.terminal import switches

TERMINAL_COOKIE = "sp_local_terminal"
WebRequest = Request[Any, Any, Any]


def arrived(request: WebRequest, languages: tuple[str, ...]) -> dict[str, str] | None:
    """The cookies of a visit that a terminal sends here, None for any other; what it does not offer is ignored."""
    if not {"lang", "view"} & set(request.query_params):
        return None
    return {TERMINAL_COOKIE: "1", **switches.brought(request, languages)}


def from_terminal(request: WebRequest) -> bool:
    return request.cookies.get(TERMINAL_COOKIE) == "1"


def terminal_address(centre_url: str, path: str, *, lang: str, view: str) -> str:
    """Where `path` of the terminal's pages lies at the centre; empty while the centre has not said where it is."""
    if not centre_origin(centre_url):
        return ""
    joint = "&" if "?" in path else "?"
    return f"{centre_url}{path}{joint}{urlencode({'lang': lang, 'view': view or switches.PLAIN})}"


def centre_origin(centre_url: str) -> str:
    """Scheme and host of the centre, to which a form may lead on; empty while it is unknown."""
    parts = urlsplit(centre_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") and parts.netloc else ""


def keep(answer: Response[Any], cookies: dict[str, str], *, secure: bool) -> None:
    """Set cookies that also come along when the terminal's page, which may be another site, leads here."""
    for name, value in cookies.items():
        answer.set_cookie(name, value, httponly=True, samesite="lax", secure=secure, path="/")
