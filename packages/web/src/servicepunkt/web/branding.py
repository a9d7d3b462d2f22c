"""What a tenant's pages look like: its own style sheet and its logo, from its settings."""

from __future__ import annotations

import hashlib
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.theme import SECTION, ThemeSettings

# The address carries the digest of what is there: it may be kept, and a change has another address.
KEPT = "public, max-age=86400"
#: Shown as a picture nothing runs in it; opened by its address, nothing may either.
PICTURE_ONLY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def branding_of(ctx: TenantContext | None) -> dict[str, str]:
    """What a page needs: addresses below the tenant's prefix, empty where the tenant has none."""
    theme = ctx.section(SECTION, ThemeSettings) if ctx else ThemeSettings()
    return {
        "css": f"/theme.css?v={_digest(theme.css())}" if theme.action else "",
        "logo": f"/logo.svg?v={_digest(theme.logo)}" if theme.logo else "",
        "logo_text": theme.logo_text,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _answer(request: Request[Any, Any, Any], text: str, kind: str, **headers: str) -> Response[str]:
    if not text:
        raise NotFoundError
    etag = f'"{_digest(text)}"'
    kept = {"etag": etag, "cache-control": KEPT, **headers}
    if request.headers.get("if-none-match") == etag:
        return Response("", status_code=304, headers=kept, media_type=kind)
    return Response(text, headers=kept, media_type=kind)


OPEN = {"public": True, "closed_too": True, "exclude_from_csrf": True}


@get("/theme.css", opt=OPEN, include_in_schema=False)
async def theme_css(request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext]) -> Response[str]:
    """The tenant's colours. Raises NotFoundError where it has none of its own."""
    return _answer(request, ctx.section(SECTION, ThemeSettings).css(), "text/css")


@get("/logo.svg", opt=OPEN, include_in_schema=False)
async def logo(request: Request[Any, Any, Any], ctx: NamedDependency[TenantContext]) -> Response[str]:
    """The tenant's logo. Raises NotFoundError where it has none."""
    picture = ctx.section(SECTION, ThemeSettings).logo
    return _answer(request, picture, "image/svg+xml", **{"content-security-policy": PICTURE_ONLY})


HANDLERS = (theme_css, logo)
