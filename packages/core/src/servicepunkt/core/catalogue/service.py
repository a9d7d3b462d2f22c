"""Publish a revision of the catalogue, and read the newest one from memory."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import checks, store
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.db.session import Database, Transaction
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext

FRESH_SECONDS = 1.0
KEPT_TENANTS = 512


class Published(msgspec.Struct, frozen=True):
    """A revision as it is read: its number, its digest (for ETags) and its content."""

    revision: int
    digest: str
    catalogue: Catalogue


async def publish(tx: Transaction, catalogue: Catalogue, *, at: datetime, actor: str) -> int:
    """Write a new revision unless the newest one is the same; returns the revision that is in force.

    Raises InvalidInputError with every broken reference; then nothing is written.
    """
    if found := checks.mistakes(catalogue):
        raise InvalidInputError(found)
    body = msgspec.json.encode(catalogue)
    digest = hashlib.sha256(body).hexdigest()
    await tx.lock("catalogue")
    newest = await store.newest(tx)
    if newest is not None and newest[1] == digest:
        return newest[0]
    revision = newest[0] + 1 if newest else 1
    await store.insert(tx, revision, body, digest=digest, at=at, by=actor)
    await audit.record(
        tx, at=at, actor=actor, action="catalogue.publish", subject=f"catalogue:{revision}", digest=digest
    )
    return revision


async def newest(tx: Transaction) -> Catalogue:
    """What is in force in this transaction; empty while nothing has been published."""
    found = await store.newest(tx)
    body = await store.content(tx, found[0]) if found else None
    return msgspec.json.decode(body, type=Catalogue) if body else Catalogue()


class CatalogueReader:
    """The newest revision of each tenant, looked up again when it is older than `FRESH_SECONDS`."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._kept: OrderedDict[int, tuple[float, Published]] = OrderedDict()

    async def current(self, ctx: TenantContext) -> Published:
        """Raises NotFoundError while nothing has been published."""
        now = self._monotonic()
        kept = self._kept.get(ctx.id)
        if kept is not None and now - kept[0] < FRESH_SECONDS:
            return kept[1]
        async with self._database.tenant(ctx) as tx:
            newest = await store.newest(tx)
            if newest is None:
                raise NotFoundError("nothing has been published yet")
            if kept is not None and kept[1].digest == newest[1]:
                published = msgspec.structs.replace(kept[1], revision=newest[0])
            else:
                body = await store.content(tx, newest[0])
                published = Published(newest[0], newest[1], msgspec.json.decode(body or b"{}", type=Catalogue))
        self._kept[ctx.id] = (now, published)
        self._kept.move_to_end(ctx.id)
        while len(self._kept) > KEPT_TENANTS:
            self._kept.popitem(last=False)
        return published
