"""Who asks while an index is built is not kept waiting, and is told of nothing that is gone."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import msgspec
import pytest

from servicepunkt.core.catalogue.model import Catalogue, Service
from servicepunkt.core.catalogue.search.service import CatalogueSearch
from servicepunkt.core.catalogue.search.synonyms import Thesaurus
from servicepunkt.core.catalogue.service import Published
from servicepunkt.core.catalogue.settings import CatalogueSettings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def revision(number: int, *names: str, tenant: int = 1, hidden: tuple[str, ...] = ()) -> Published:
    services = tuple(
        Service(id=name, name={"de": f"Ausweis {name}"}, visibility="staff" if name in hidden else "public")
        for name in names
    )
    return Published(number, f"{tenant}-{number}", Catalogue(services=services), NOON, tenant)


def ids(answer: object) -> set[str]:
    return {one.id for one in answer.found}  # type: ignore[attr-defined]


async def test_the_index_before_answers_while_the_next_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    search, goes_on = CatalogueSearch(Thesaurus([])), threading.Event()
    assert ids(await search.search(revision(1, "a", "b", "c"), "Ausweis")) == {"a", "b", "c"}
    build = search._build

    def slow(*values: object) -> object:
        assert goes_on.wait(30)
        return build(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "_build", slow)
    after = revision(2, "b", "c", "d", hidden=("c",))
    try:
        assert ids(await search.search(after, "Ausweis")) == {"b"}, "a is gone, c is for staff alone now"
        other = asyncio.create_task(search.search(revision(1, "x", tenant=2), "Ausweis"))
        await asyncio.sleep(0.05)
        assert not other.done(), "another town's index answers nobody here"
    finally:
        goes_on.set()
    assert ids(await other) == {"x"}
    for _ in range(200):
        if "d" in ids(await search.search(after, "Ausweis")):
            break
        await asyncio.sleep(0.02)
    assert ids(await search.search(after, "Ausweis")) == {"b", "d"}
    assert ids(await search.search(after, "Ausweis", for_staff=True)) == {"b", "c", "d"}


async def test_a_town_has_its_own_words() -> None:
    search, published = CatalogueSearch(), revision(1, "a")
    assert ids(await search.search(published, "Xyqwv")) == set()
    own = msgspec.structs.replace(published, tenant=2, synonyms=("xyqwv > ausweis",))
    assert ids(await search.search(own, "Xyqwv")) == {"a"}
    assert ids(await search.search(published, "Xyqwv")) == set()


def test_a_line_of_synonyms_that_cannot_be_read_is_a_mistake_in_the_file() -> None:
    assert msgspec.convert({"synonyms": ["a > b"]}, CatalogueSettings).synonyms == ("a > b",)
    with pytest.raises(msgspec.ValidationError, match="line 2: words are joined"):
        msgspec.convert({"synonyms": ["a > b", "nur ein wort"]}, CatalogueSettings)
