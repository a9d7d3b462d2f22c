"""What every answer carries: a strict content policy with a nonce of its own, and no leak to other sites."""

from __future__ import annotations

import secrets
import time
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from servicepunkt.core.metrics import REQUESTS

NONCE_KEY = "servicepunkt_nonce"
STATIC = "/static/"
FORM_KEY = "servicepunkt_form"


def allow_form(connection: ASGIConnection[Any, Any, Any, Any], origin: str) -> None:
    """A form of this answer's page may be sent to `origin`, too."""
    connection.scope[FORM_KEY] = origin  # type: ignore[literal-required]


class SecurityHeaders:
    """Outermost: headers for every answer, whatever goes wrong inside, and the request's duration by route."""

    def __init__(self, app: ASGIApp, *, secure: bool, form_targets: tuple[str, ...] = ()) -> None:
        self._app = app
        self._secure = secure
        self._form_targets = " ".join(form_targets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope[NONCE_KEY] = nonce  # type: ignore[literal-required]
        path, started, status = scope["path"], time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                extra = [
                    (name, value)
                    for name, value in self._headers(
                        nonce, str(scope.get(FORM_KEY, "")), static=path.startswith(STATIC)
                    )
                    if name not in present
                ]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            # The template of the route, never the raw path: that may hold what a person typed.
            route = str(scope.get("path_template") or "unmatched")
            REQUESTS.labels(method=scope["method"], route=route, status=str(status)).observe(
                time.perf_counter() - started
            )

    def _headers(self, nonce: str, form_target: str, *, static: bool) -> list[tuple[bytes, bytes]]:
        policy = (
            "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; connect-src 'self'; "
            f"form-action 'self' {self._form_targets} {form_target}; "
            f"script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
            "media-src 'self'; manifest-src 'self'"
        )
        headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
        ]
        if not static:
            headers.append((b"cache-control", b"no-store"))
        if self._secure:
            headers.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
        return headers
