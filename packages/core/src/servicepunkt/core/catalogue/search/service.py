"""Search in a tenant's published catalogue; an index is built once for each revision, beside whoever asks meanwhile."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from servicepunkt.core.catalogue.search.documents import documents
from servicepunkt.core.catalogue.search.index import Answer, Index
from servicepunkt.core.catalogue.search.synonyms import Thesaurus, shipped
from servicepunkt.core.catalogue.service import Published

KEPT_INDEXES = 256
SPARE = 10  # services that are found beyond what is asked for, should the last index know some that are gone
Key = tuple[str, bool, tuple[str, ...]]  # digest of a revision, with what is for staff alone, words of the town


class CatalogueSearch:
    """The indexes of the catalogues that were asked for last. One for a process."""

    def __init__(self, thesaurus: Thesaurus | None = None) -> None:
        self._thesaurus = thesaurus
        self._kept: OrderedDict[Key, asyncio.Task[Index]] = OrderedDict()
        self._last: dict[tuple[int, bool], Key] = {}  # by tenant

    async def search(self, published: Published, query: str, *, limit: int = 20, for_staff: bool = False) -> Answer:
        """The services that were meant, the best first. Whatever was typed is a question, never a fault.

        While the index of a new revision is built, the one before answers of what is still there.
        """
        index = await self._index(published, for_staff)
        answer = index.search(query, limit=limit + SPARE)
        there = {one.id for one in published.catalogue.services if for_staff or one.visibility == "public"}
        return Answer([one for one in answer.found if one.id in there][:limit], answer.meant)

    async def _index(self, published: Published, for_staff: bool) -> Index:
        # Most catalogues hold nothing for staff alone: then one index serves both.
        is_apart = for_staff and any(one.visibility != "public" for one in published.catalogue.services)
        key, whose = (published.digest, is_apart, published.synonyms), (published.tenant, is_apart)
        building = self._kept.get(key)
        if building is None or (building.done() and (building.cancelled() or building.exception())):
            building = asyncio.create_task(asyncio.to_thread(self._build, published, is_apart))
            self._kept[key] = building
            while len(self._kept) > KEPT_INDEXES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        if not building.done() and (last := self._kept.get(self._last.get(whose, key))) is not None and last.done():
            return last.result()
        # Who goes away does not end the work that others wait for.
        index = await asyncio.shield(building)
        self._last[whose] = key
        if len(self._last) > 2 * KEPT_INDEXES:
            self._last = {whose: key for whose, key in self._last.items() if key in self._kept}
        return index

    def _build(self, published: Published, for_staff: bool) -> Index:
        if self._thesaurus is None:
            self._thesaurus = shipped()
        thesaurus = shipped(*published.synonyms) if published.synonyms else self._thesaurus
        return Index(documents(published.catalogue, for_staff=for_staff), thesaurus)
