"""Requests whose address, form or JSON we or the framework would stumble over: refused as malformed before that."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.enums import RequestEncodingType, ScopeType
from litestar.exceptions import ClientException, PermissionDeniedException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Empty, Receive, Scope, Send
from litestar.utils.scope.state import ScopeState

from servicepunkt.web.forms import CSRF_FIELD

NUL = re.compile(rb"%00|\0")
FORMS = frozenset({RequestEncodingType.URL_ENCODED, RequestEncodingType.MULTI_PART})


class CarefulRequest(Request[Any, Any, Any]):
    """JSON that is nested deeper than the decoder can follow is malformed, not a fault of ours; forms are not kept."""

    async def form(self) -> FormMultiDict:
        """As the framework reads it, but past its cache: that holds the last thousand forms, with what people typed."""
        state = ScopeState.from_scope(self.scope)
        if state.form is Empty and self.content_type[0] == RequestEncodingType.URL_ENCODED:
            state.form = _form_of(await self.body())
        return await super().form()

    async def json(self) -> Any:
        try:
            return await super().json()
        except RecursionError:
            raise ClientException("the JSON is nested too deeply") from None


def _form_of(body: bytes) -> dict[str, Any]:
    """Names with their value, or with all values of a repeated one."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(body.decode("latin-1"), keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


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
