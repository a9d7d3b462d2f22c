"""Search in a tenant's published catalogue; an index is built once for each revision, beside whoever waits for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from servicepunkt.core.catalogue.search.documents import documents
from servicepunkt.core.catalogue.search.index import Answer, Index
from servicepunkt.core.catalogue.search.synonyms import Thesaurus, shipped
from servicepunkt.core.catalogue.service import Published

KEPT_INDEXES = 256


class CatalogueSearch:
    """The indexes of the catalogues that were asked for last. One for a process."""

    def __init__(self, thesaurus: Thesaurus | None = None) -> None:
        self._thesaurus = thesaurus
        self._kept: OrderedDict[tuple[str, bool], asyncio.Task[Index]] = OrderedDict()

    async def search(self, published: Published, query: str, *, limit: int = 20, for_staff: bool = False) -> Answer:
        """The services that were meant, the best first. Whatever was typed is a question, never a fault."""
        index = await self._index(published, for_staff)
        return index.search(query, limit=limit)

    async def _index(self, published: Published, for_staff: bool) -> Index:
        # Most catalogues hold nothing for staff alone: then one index serves both.
        is_apart = for_staff and any(one.visibility != "public" for one in published.catalogue.services)
        key = (published.digest, is_apart)
        building = self._kept.get(key)
        if building is None or (building.done() and (building.cancelled() or building.exception())):
            building = asyncio.create_task(asyncio.to_thread(self._build, published, is_apart))
            self._kept[key] = building
            while len(self._kept) > KEPT_INDEXES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        # Who goes away does not end the work that others wait for.
        return await asyncio.shield(building)

    def _build(self, published: Published, for_staff: bool) -> Index:
        if self._thesaurus is None:
            self._thesaurus = shipped()
        return Index(documents(published.catalogue, for_staff=for_staff), self._thesaurus)
