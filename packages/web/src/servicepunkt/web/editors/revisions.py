"""Revisions of the catalogue: what each changed, and the way back."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue import store
from servicepunkt.core.catalogue.editing import difference
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.editors import seen
from servicepunkt.web.editors.changes import PAGE
from servicepunkt.web.editors.pages import READING, WRITING, Start
from servicepunkt.web.editors.seen import Readers, editors_page, readers
from servicepunkt.web.editors.tasks import HREF
from servicepunkt.web.frame import LANGUAGE_NAMES
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor

Number = Annotated[int, Parameter(ge=0, le=2_000_000_000)]


class RevisionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A revision in a list; `by` is a name or a message id."""

    revision: int
    when: str
    by: str
    restores: int | None
    before: int | None


@get(f"{HREF}/revisions", guards=READING)
async def revisions(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """What was published, the newest first."""
    async with deployment.database.tenant(ctx) as tx:
        rows, reader = await store.revisions(tx), await readers(tx, request)
    found = [
        RevisionSeen(
            revision=row.revision,
            when=reader.moment(row.published_at),
            by=reader.actor(row.published_by),
            restores=row.restores,
            before=row.revision - 1 or None,
        )
        for row in rows
    ]
    return await editors_page(request, visitor, "web/editors_revisions.html", revisions=found)


async def _content(tx: Transaction, revision: int) -> Catalogue:
    """Raises NotFoundError."""
    body = await store.content(tx, revision)
    if body is None:
        raise NotFoundError
    return msgspec.json.decode(body, type=Catalogue)


@get(f"{HREF}/revisions/compare", guards=READING)
async def compare(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    before: Number = 0,
    after: Number = 0,
    start: Start = 0,
) -> Response[str]:
    """What differs between two revisions."""
    async with deployment.database.tenant(ctx) as tx:
        found = difference.changes(await _content(tx, before), await _content(tx, after))
        reader = await readers(tx, request)
    return await editors_page(
        request,
        visitor,
        "web/editors_compare.html",
        before=before,
        after=after,
        restores=None,
        **_part(found, reader, start),
    )


def _part(found: list[difference.EntryChange], reader: Readers, start: int) -> dict[str, Any]:
    return {
        "changes": [seen.change(one, reader) for one in found[start : start + PAGE]],
        "count": len(found),
        "start": start,
        "page": PAGE,
        "language_names": LANGUAGE_NAMES,
    }


@get(f"{HREF}/revisions/{{revision:int}}/restore", guards=WRITING)
async def ask_restore(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    revision: FromPath[Number],
    start: Start = 0,
) -> Response[str]:
    """What would change if an earlier revision came back."""
    async with deployment.database.tenant(ctx) as tx:
        newest = await store.newest(tx)
        found = difference.changes(await catalogues.newest(tx), await _content(tx, revision))
        reader = await readers(tx, request)
    return await editors_page(
        request,
        visitor,
        "web/editors_compare.html",
        before=newest[0] if newest else 0,
        after=revision,
        restores=revision,
        **_part(found, reader, start),
    )


@post(f"{HREF}/revisions/{{revision:int}}/restore", guards=WRITING)
async def restore(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    revision: FromPath[Number],
) -> Response[Any]:
    """Publish an earlier revision once more."""
    async with deployment.database.tenant(ctx) as tx:
        await catalogues.roll_back(tx, revision, at=tx.now(), actor=visitor.actor)
    return see_other(request, f"{HREF}/revisions")


HANDLERS = (revisions, compare, ask_restore, restore)
