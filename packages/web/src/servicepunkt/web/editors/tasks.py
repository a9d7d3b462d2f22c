"""What of the catalogue waits for editors, for their overview."""

from __future__ import annotations

from servicepunkt.core.catalogue import links
from servicepunkt.core.catalogue import store as revisions
from servicepunkt.core.catalogue.editing import service, store
from servicepunkt.core.catalogue.sources import store as sources
from servicepunkt.core.db.session import Transaction

HREF = "/staff/catalogue"


class WaitsForApproval:
    title = "Changes that wait for approval"
    href = f"{HREF}/changes?show=waiting"

    async def count(self, tx: Transaction) -> int:
        return await store.count(tx, ("proposed",))


class NotPublished:
    """Edits whose day has come and with which the catalogue would not hold together."""

    title = "Changes that could not be published"
    href = f"{HREF}/changes?show=refused"

    async def count(self, tx: Transaction) -> int:
        return await store.count(tx, ("approved",), with_reason=True)


class EarlierRevisionHolds:
    """Somebody has brought an earlier revision back: nothing is published by itself until somebody publishes."""

    title = "An earlier revision was brought back: look, and publish"
    href = f"{HREF}/publish"

    async def count(self, tx: Transaction) -> int:
        return int(await revisions.restored(tx) is not None)


class SourcesHaveChanged:
    title = "Texts whose source has changed"
    href = f"{HREF}/questions"

    async def count(self, tx: Transaction) -> int:
        return len(await service.conflicts(tx))


class LinksAreDead:
    title = "Links that lead nowhere"
    href = f"{HREF}/links"

    async def count(self, tx: Transaction) -> int:
        return await links.count_dead(tx)


class SourcesHaveFailed:
    """Sources whose newest run ended before its time: what they said before holds."""

    title = "Sources that could not be read"
    href = f"{HREF}/sources"

    async def count(self, tx: Transaction) -> int:
        return len(await sources.failing(tx))


TASKS = (
    WaitsForApproval(),
    NotPublished(),
    EarlierRevisionHolds(),
    SourcesHaveChanged(),
    SourcesHaveFailed(),
    LinksAreDead(),
)
