"""`/api/v1/catalogue`: the published revision for programs, with its ETag, open to everybody, without cookies."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, Parameter

from servicepunkt.core.catalogue.search.service import CatalogueSearch
from servicepunkt.core.catalogue.service import CatalogueReader, Published
from servicepunkt.core.errors import NotFoundError
from servicepunkt.web import access
from servicepunkt.web.catalogue.encoded import Found, SearchAnswer, description, encoded

OPEN = {"public": True, "exclude_from_csrf": True}
#: A moment in which a crowd asks once; whoever keeps the ETag asks again for nothing.
CACHE = "public, max-age=5, stale-while-revalidate=60"
Words = Annotated[str, Parameter(max_length=4096)]
Limit = Annotated[int, Parameter(ge=1, le=60)]


async def published(request: Request[Any, Any, Any]) -> Published:
    """Raises NotFoundError while nothing is published."""
    reader: CatalogueReader = request.app.state["catalogue"]
    return await reader.current(access.tenant_of(request))


def answer(request: Request[Any, Any, Any], body: bytes, etag: str) -> Response[bytes]:
    """The bytes, or that they are the same as those that the program has."""
    headers = {"etag": etag, "cache-control": CACHE, "access-control-allow-origin": "*"}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if etag in known or "*" in known:
        return Response(b"", status_code=304, headers=headers, media_type="application/json")
    return Response(body, headers=headers, media_type="application/json")


@get("/api/v1/catalogue", opt=OPEN)
async def whole(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The whole published revision."""
    found = encoded(await published(request))
    return answer(request, found.whole, found.etag)


@get("/api/v1/catalogue/services/{service:str}", opt=OPEN)
async def one_service(request: Request[Any, Any, Any], service: FromPath[str]) -> Response[bytes]:
    """One service of the published revision. Raises NotFoundError."""
    found = encoded(await published(request))
    if (body := found.services.get(service)) is None:
        raise NotFoundError
    return answer(request, body, found.etag)


@get("/api/v1/catalogue/search", opt=OPEN)
async def search(request: Request[Any, Any, Any], q: Words, limit: Limit = 10) -> Response[bytes]:
    """Services by the words of citizens."""
    current = await published(request)
    finder: CatalogueSearch = request.app.state["search"]
    result = await finder.search(current, q, limit=limit)
    names = {service.id: service.name for service in current.catalogue.services}
    found = [Found(id=one.id, score=round(one.score, 3), name=names[one.id]) for one in result.found]
    body = msgspec.json.encode(SearchAnswer(revision=current.revision, found=found, meant=result.meant))
    return answer(request, body, encoded(current).etag)


@get("/api/v1/openapi.json", opt=OPEN, sync_to_thread=False)
def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The interface as OpenAPI."""
    body = description()
    return answer(request, body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


HANDLERS = (whole, one_service, search, openapi)
