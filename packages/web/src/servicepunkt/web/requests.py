"""Requests whose address, form or JSON we or the framework would stumble over: refused as malformed before that."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType, ScopeType
from litestar.exceptions import ClientException, PermissionDeniedException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from servicepunkt.web.forms import CSRF_FIELD

NUL = re.compile(rb"%00|\0")
FORMS = frozenset({RequestEncodingType.URL_ENCODED, RequestEncodingType.MULTI_PART})


class CarefulRequest(Request[Any, Any, Any]):
    """JSON that is nested deeper than the decoder can follow is malformed, not a fault of ours."""

    async def json(self) -> Any:
        try:
            return await super().json()
        except RecursionError:
            raise ClientException("the JSON is nested too deeply") from None


class PlainAddresses(ASGIMiddleware):
    """Refuses an address that holds a NUL, in its path or in its query: no database column takes one."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if "\0" in scope["path"] or NUL.search(scope["query_string"]):
            raise ClientException("the address holds a NUL")
        await next_app(scope, receive, send)


class PlainTokens(ASGIMiddleware):
    """Refuses form tokens that are a file or not ASCII: the framework's comparison raises TypeError for them."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, config: CSRFConfig) -> None:
        self._config = config

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request: Request[Any, Any, Any] = CarefulRequest(scope, receive, send)
        if request.method not in self._config.safe_methods:
            tokens: list[object] = [
                request.headers.get(self._config.header_name, ""),
                request.cookies.get(self._config.cookie_name, ""),
            ]
            if request.content_type[0] in FORMS:
                tokens.append((await request.form()).get(CSRF_FIELD, ""))
            for token in tokens:
                if isinstance(token, UploadFile):
                    await token.close()
            if not all(isinstance(token, str) and token.isascii() for token in tokens):
                raise PermissionDeniedException("CSRF token verification failed")
        await next_app(scope, receive, send)
