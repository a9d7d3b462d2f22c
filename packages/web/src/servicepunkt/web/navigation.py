"""Addresses and cookies below a tenant's prefix: redirects stay there, cookies are sent only there."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from servicepunkt.web.access import deployment_of
from servicepunkt.web.frame import local_path
from servicepunkt.web.tenancy import PREFIX_KEY

# What a browser sends as a name goes back into a header only when it is a plain one.
COOKIE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def prefix_of(request: Request[Any, Any, Any]) -> str:
    return str(request.scope.get(PREFIX_KEY, ""))


def see_other(request: Request[Any, Any, Any], path: str, *, fallback: str = "/") -> Redirect:
    """Go on with a GET of `path`, a path within the tenant; anything else becomes `fallback`."""
    target = local_path(path, fallback=fallback)
    # Where no prefix stands before it, such a path would lead to another tenant.
    return Redirect(prefix_of(request) + (fallback if target.startswith("/t/") else target), status_code=303)


def came_from(request: Request[Any, Any, Any]) -> str:
    """The path within the tenant that led here, as the browser says it; empty where that is no address."""
    try:
        return urlsplit(request.headers.get("referer", "")).path.removeprefix(prefix_of(request))
    except ValueError:
        return ""


def cookie(
    request: Request[Any, Any, Any],
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    samesite: Literal["strict", "lax"] = "strict",
) -> Cookie:
    """A cookie that only this tenant's pages get and no script reads; without `max_age` it ends with the browser.

    A `lax` one is there, too, when a link of another site leads here, such as one of the box's own pages.
    """
    return Cookie(
        key=name,
        value=value,
        max_age=max_age,
        path=prefix_of(request) or "/",
        httponly=True,
        samesite=samesite,
        secure=deployment_of(request).settings.secure_cookies,
    )


def forget_cookies(request: Request[Any, Any, Any], answer: Response[Any], *, keep: str) -> None:
    """Delete every cookie that the browser sent, wherever below the tenant it was set, except `keep`."""
    prefix = prefix_of(request)
    for name in request.cookies:
        if name != keep and COOKIE_NAME.fullmatch(name):
            for path in dict.fromkeys(("/", prefix or "/", f"{prefix}/k")):
                answer.delete_cookie(name, path=path)


def origin_at(public_url: str, own_host: str) -> str:
    """Scheme, host and port under which people reach a tenant.

    `own_host`: a host name of the tenant; empty where its address has a prefix.
    """
    public = urlsplit(public_url)
    return f"{public.scheme}://{own_host or public.hostname or ''}{f':{public.port}' if public.port else ''}"


def origin_of(request: Request[Any, Any, Any]) -> str:
    """The same for the tenant of a request: it was found by its host name, which therefore is one of its own, and
    nothing was found by the port, which therefore is not believed."""
    own = "" if prefix_of(request) else request.headers.get("host", "").partition(":")[0].lower()
    return origin_at(deployment_of(request).settings.public_url, own)


def public_address(request: Request[Any, Any, Any], path: str) -> str:
    """The address under which people outside reach `path` of this tenant."""
    return f"{origin_of(request)}{prefix_of(request)}{path}"
