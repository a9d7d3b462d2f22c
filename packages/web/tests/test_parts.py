"""Parts of pages that are kept: never another town's, language's, place's, hour's or revision's, and nothing of a
visitor."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import msgspec
import pytest
from litestar.testing import RequestFactory
from markupsafe import Markup

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.catalogue import service as catalogue_service
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.testing import FixedClock
from servicepunkt.core.texts import Texts
from servicepunkt.web.frame import Frame
from servicepunkt.web.parts import Part, Parts

if TYPE_CHECKING:
    from conftest import Town, Visit

PAGES = ("/theme/energy", "/service/contract")
ENGLISH = {"cookie": "sp_language=en"}


def test_the_part_that_was_asked_for_longest_ago_makes_room() -> None:
    parts, made = Parts(most=10), []

    def get(name: str) -> None:
        def make() -> Part:
            made.append(name)
            return Part(Markup("12345"))

        parts.get((name,), make)

    for name in "abacab":
        get(name)
    assert made == ["a", "b", "c", "b"]


def test_a_part_that_is_larger_than_all_together_is_shown_and_not_kept() -> None:
    parts, made = Parts(most=3), []

    def make() -> Part:
        made.append(1)
        return Part(Markup("12345"))

    assert [parts.get(("a",), make).html for _ in range(2)] == ["12345", "12345"]
    assert len(made) == 2


@pytest.mark.parametrize("name", ["csrf", "nonce", "visitor", "view", "path", "ctx", "legal", "bar"])
def test_a_part_that_asks_for_something_of_its_reader_fails(tmp_path: Path, name: str) -> None:
    (tmp_path / "part.html").write_text("{{ " + name + " }}")
    frame = Frame({"web": tmp_path}, {}, Texts([core_plugin.texts()]))
    with pytest.raises(jinja2.UndefinedError):
        frame.part(RequestFactory().get("/"), "web/part.html", (), dict)


def main_of(page: str) -> str:
    found = re.search(r"<main.*</main>", page, re.DOTALL)
    assert found
    return found[0]


@pytest.mark.parametrize("page", PAGES)
async def test_each_town_language_and_place_has_its_own(here: Town, visit: Visit, terminal: Visit, page: str) -> None:
    async def seen(path: str, who: Visit = visit, **headers: str) -> str:
        return main_of((await who.get(path, headers=headers)).text)

    found = [
        await seen(f"/t/alpha{page}"),
        await seen(f"/t/beta{page}"),
        await seen(f"/t/alpha{page}", **ENGLISH),
        await seen(f"/t/alpha/k{page}", terminal),
    ]
    assert len(set(found)) == 4
    assert found[0] == await seen(f"/t/alpha{page}"), "and the first is still the first's"
    assert "/t/alpha/" not in found[1]
    async with here.client("http://alpha.example.org") as outside:
        assert "/t/" not in await seen(page, outside)


@pytest.mark.parametrize("page", PAGES)
async def test_the_hour_and_the_day_are_those_of_now(visit: Visit, clock: FixedClock, page: str) -> None:
    async def seen() -> str:
        return main_of((await visit.get(f"/t/alpha{page}")).text)

    now = await seen()
    assert "Jetzt möglich. Geöffnet bis" in now
    clock.forward(hours=1)
    later = await seen()
    assert "Jetzt nicht möglich. Geschlossen. Öffnet am Montag" in later
    clock.forward(days=1)
    assert "Öffnet am Montag" in await seen()
    clock.instant -= timedelta(days=1, hours=1)
    assert await seen() == now


async def test_a_new_revision_is_seen_at_once_and_the_old_one_again(
    here: Town, make_catalogue: Callable[[str], Catalogue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_service, "FRESH_SECONDS", 0.0)
    found = make_catalogue(here.alpha.name)
    renamed = tuple(msgspec.structs.replace(one, name={"de": "Neuer Name"}) for one in found.services)
    async with here.client() as visit:

        async def seen(changed: Catalogue | None) -> list[bool]:
            if changed is not None:
                async with here.deployment.database.tenant(here.alpha) as tx:
                    await catalogue_service.publish(tx, changed, at=here.deployment.clock.now(), actor="test")
            return ["Neuer Name" in main_of((await visit.get(f"/t/alpha{page}")).text) for page in PAGES]

        assert await seen(None) == [False, False]
        assert await seen(msgspec.structs.replace(found, services=renamed)) == [True, True]
        assert await seen(found) == [False, False]


@pytest.mark.parametrize("page", PAGES)
async def test_every_visitor_has_tokens_of_his_own(here: Town, page: str) -> None:
    tokens, policies = set(), set()
    for _ in range(3):
        async with here.client() as visit:
            answer = await visit.get(f"/t/alpha{page}")
            (token,) = set(re.findall(r'name="_csrf_token" value="([^"]+)"', answer.text))
            tokens.add(token)
            policies.add(answer.headers["content-security-policy"])
    assert (len(tokens), len(policies)) == (3, 3)
