"""What wallets call (OpenID4VP 1.0): the request, once, and the answer, once. Nobody is signed in, no cookie is set.

Whatever is refused is answered with JSON that names its code, and nothing else of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import FromPath, QueryParameter

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.sessions import wallet
from servicepunkt.eid.wallet.errors import DeclinedError, UnknownSessionError
from servicepunkt.eid.wallet.request import MEDIA_TYPE
from servicepunkt.web import access
from servicepunkt.web.devices.attempts import Attempts
from servicepunkt.web.navigation import public_address

OPEN = {"public": True, "exclude_from_csrf": True}
Here = Annotated[Literal["", "1"], QueryParameter()]


@get("/eid/wallet/{token:str}/request", opt=OPEN)
async def request_by_get(request: Request[Any, Any, Any], token: FromPath[str], here: Here = "") -> Response[Any]:
    """The signed request for the first wallet that asks."""
    return await _request(request, token, None, here)


@post("/eid/wallet/{token:str}/request", opt=OPEN, status_code=200)
async def request_by_post(request: Request[Any, Any, Any], token: FromPath[str], here: Here = "") -> Response[Any]:
    """The same, with the wallet's nonce in it."""
    return await _request(request, token, await _form(request), here)


async def _request(request: Request[Any, Any, Any], token: str, body: bytes | None, here: str) -> Response[Any]:
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    try:
        signed = await wallet.request_for(deployment, ctx, token, body=body, is_here=bool(here))
    except EidError as error:
        return _refused(request, error)
    return Response(signed, media_type=MEDIA_TYPE)


@post("/eid/wallet/{token:str}/response", opt=OPEN, status_code=200)
async def response(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[Any]:
    """What the wallet shows of its holder, or that they declined."""
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    try:
        path = await wallet.receive(deployment, ctx, token, await _form(request))
    except DeclinedError:
        # It was read and taken note of, which is all that a wallet wants to hear (§8.2).
        return Response({})
    except EidError as error:
        return _refused(request, error)
    return Response({"redirect_uri": public_address(request, path)} if path else {})


async def _form(request: Request[Any, Any, Any]) -> bytes:
    """What was posted; nothing where it is no form as wallets send it."""
    return await request.body() if request.content_type[0] == RequestEncodingType.URL_ENCODED else b""


def _refused(request: Request[Any, Any, Any], error: EidError) -> Response[dict[str, str]]:
    """Raises TooManyRequestsError for who tries addresses."""
    is_unknown = isinstance(error, UnknownSessionError)
    if is_unknown:
        attempts: Attempts = request.app.state.setdefault("wallet_attempts", Attempts())
        address = request.client.host if request.client else ""
        attempts.count(access.tenant_of(request).id, address, access.deployment_of(request).clock.now())
    said = {"error": "invalid_request", "error_description": error.sentence, "code": error.code}
    return Response(said, status_code=404 if is_unknown else 400)


HANDLERS = (request_by_get, request_by_post, response)
