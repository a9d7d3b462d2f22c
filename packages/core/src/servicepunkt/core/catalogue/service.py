"""Publish a revision of the catalogue, and read the newest one from memory."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from servicepunkt.core import quotas
from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import checks, store
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.settings import settings_of
from servicepunkt.core.catalogue.sharing import share_texts
from servicepunkt.core.catalogue.sources import current
from servicepunkt.core.catalogue.sources.composition import Composed
from servicepunkt.core.db.replica import Replica
from servicepunkt.core.db.session import Database, Transaction
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext

FRESH_SECONDS = 1.0
Origins = Mapping[tuple[str, str], Mapping[str, str]]
KEPT_TENANTS = 512


class Published(msgspec.Struct, frozen=True):
    """A revision as it is read: its number, its digest (for ETags), its content, when it was published, whose it is
    (id of the tenant), and the words of that town for the search."""

    revision: int
    digest: str
    catalogue: Catalogue
    at: datetime
    tenant: int = 0
    synonyms: tuple[str, ...] = ()


async def lock(tx: Transaction) -> None:
    """Whoever puts together what will be published takes the tenant's lock before anything is read.

    Otherwise what somebody else publishes meanwhile would be lost. Of three locks the editors' comes first
    (`editing.steps`), then this one, then the audit chain's.
    """
    await tx.lock("catalogue")


async def publish(
    tx: Transaction, catalogue: Catalogue, *, at: datetime, actor: str, origins: Origins | None = None
) -> int:
    """Write a new revision unless the newest one is the same; returns the revision that is in force.

    Over one that was brought back a new one is always written: from then on publication goes on by itself again.
    `origins`: from where each value of each entry came, by (kind, id) and path.
    Raises InvalidInputError with every broken reference, QuotaError for more points or offers than the tenant may
    have; then nothing is written.
    """
    for what, entries in (("points", catalogue.points), ("offers", catalogue.offers)):
        quotas.keep_within(tx.ctx, what, len(entries))
    if found := checks.mistakes(catalogue):
        raise InvalidInputError(found)
    body = msgspec.json.encode(catalogue)
    said = {f"{kind}/{name}": paths for (kind, name), paths in (origins or {}).items()}
    return await _publish(tx, body, msgspec.json.encode(said), at=at, actor=actor)


async def publish_sources(tx: Transaction, *, at: datetime, actor: str) -> tuple[int, Composed]:
    """Put together what all sources say, and publish it. Raises as `publish`."""
    await lock(tx)
    found = await current.composed(tx)
    return await publish(tx, found.catalogue, at=at, actor=actor, origins=found.origins), found


async def exchange(tx: Transaction, catalogue: Catalogue, origins: Origins, *, actor: str) -> int:
    """Publish what is in force with a part of it exchanged; returns the revision. `origins`: of the entries exchanged.

    What sources or editors say by now and nobody has published stays unpublished, and an earlier revision that was
    brought back stays so. Whoever makes `catalogue` took the lock before reading. Raises InvalidInputError.
    """
    if found := checks.mistakes(catalogue):
        raise InvalidInputError(found)
    newest = await store.newest(tx)
    known = (await store.origins(tx, newest[0]) if newest else None) or b"{}"
    said = msgspec.json.decode(known) | {f"{kind}/{name}": paths for (kind, name), paths in origins.items()}
    body, restores = msgspec.json.encode(catalogue), await store.restored(tx)
    return await _publish(tx, body, msgspec.json.encode(said), at=tx.now(), actor=actor, restores=restores)


async def roll_back(tx: Transaction, revision: int, *, at: datetime, actor: str) -> int:
    """Publish an earlier revision once more; returns the new number. Raises NotFoundError.

    Sources keep what they say: the next publication brings it back. Until somebody publishes, none happens by itself
    (`editing.publishing.publish_due`).
    """
    await lock(tx)
    body, said = await store.content(tx, revision), await store.origins(tx, revision)
    if body is None:
        raise NotFoundError(f"there is no revision {revision}")
    return await _publish(tx, body, said or b"", at=at, actor=actor, restores=revision)


async def _publish(
    tx: Transaction, body: bytes, origins: bytes, *, at: datetime, actor: str, restores: int | None = None
) -> int:
    digest = hashlib.sha256(body).hexdigest()
    await lock(tx)
    newest = await store.newest(tx)
    goes_on = restores is None and await store.restored(tx) is not None
    if newest is not None and newest[1] == digest and not goes_on:
        return newest[0]
    revision = newest[0] + 1 if newest else 1
    await store.insert(tx, revision, body, digest=digest, at=at, by=actor, origins=origins, restores=restores)
    details = {"digest": digest} if restores is None else {"digest": digest, "restores": restores}
    await audit.record(tx, at=at, actor=actor, action="catalogue.publish", subject=f"catalogue:{revision}", **details)
    return revision


async def newest(tx: Transaction) -> Catalogue:
    """What is in force in this transaction; empty while nothing has been published."""
    found = await store.newest(tx)
    body = await store.content(tx, found[0]) if found else None
    return msgspec.json.decode(body, type=Catalogue) if body else Catalogue()


class CatalogueReader:
    """The newest revision of each tenant, looked up again when it is older than `FRESH_SECONDS`.

    Which one is the newest only the database itself knows; what stands in it is asked of the `replica` first.
    """

    def __init__(
        self,
        database: Database,
        *,
        replica: Replica | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._replica = replica
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
            published = msgspec.structs.replace(kept[1], revision=newest[0], at=newest[2])
        else:
            found = msgspec.json.decode(await self._content(ctx, newest[0], newest[1]), type=Catalogue)
            share_texts(found)
            published = Published(newest[0], newest[1], found, newest[2], ctx.id)
        # Another tenant file changes them without a new revision.
        published = msgspec.structs.replace(published, synonyms=settings_of(ctx).synonyms)
        self._kept[ctx.id] = (now, published)
        self._kept.move_to_end(ctx.id)
        while len(self._kept) > KEPT_TENANTS:
            self._kept.popitem(last=False)
        return published

    async def _content(self, ctx: TenantContext, revision: int, digest: str) -> bytes:
        """A revision never changes, so that a copy is as good; the digest says that it is one."""

        async def copied(tx: Transaction) -> bytes | None:
            body = await store.content(tx, revision)
            return body if body and hashlib.sha256(body).hexdigest() == digest else None

        if self._replica and (body := await self._replica.ask(ctx, copied)):
            return body
        async with self._database.tenant(ctx) as tx:
            return await store.content(tx, revision) or b"{}"
