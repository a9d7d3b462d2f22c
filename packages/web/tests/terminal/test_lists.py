"""A long list of services: by letters, at a terminal in pages, nothing lost on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue import service as catalogue_service
from servicepunkt.core.catalogue.model import Catalogue, Service, Theme
from servicepunkt.web.terminal.lists import LONG, ON_A_PAGE, Letter, listing

if TYPE_CHECKING:
    from conftest import Town, Visit

names = st.lists(st.text("abcÄéß1 „", min_size=1, max_size=4), max_size=LONG * 2)


def named(*found: str) -> list[Service]:
    return [Service(id=f"s{place}", name={"de": name}) for place, name in enumerate(found)]


def test_a_short_list_is_one() -> None:
    made = listing([], named(*"cba"), "de", in_pages=True)
    assert [(group.letter, len(group.entries)) for group in made.groups] == [("", 3)]
    assert (made.letters, made.pages) == ((), 1)
    assert listing([], [], "de").groups == ()


def test_a_long_list_begins_each_letter_with_its_heading() -> None:
    made = listing([], named(*["Zoo"] * 30, *["ähnlich"] * 5, *["Amt"] * 5, "„Berg“", "1000 Dinge"), "de")
    assert [(group.letter, len(group.entries)) for group in made.groups] == [("0–9", 1), ("A", 10), ("B", 1), ("Z", 30)]
    assert made.pages == 1


def test_a_letter_leads_to_the_page_on_which_it_begins() -> None:
    made = listing([], named(*["Amt"] * 20, *["Berg"] * 25), "de", page=3, in_pages=True)
    assert made.letters == (Letter("A", 1), Letter("B", 3))
    assert [(group.letter, len(group.entries)) for group in made.groups] == [("A", 4), ("B", 4)]
    assert (made.page, made.pages) == (3, 6)
    assert listing([], named(*["Amt"] * 45), "de", page=99, in_pages=True).page == 6


@given(names)
def test_the_pages_together_are_the_list(found: list[str]) -> None:
    services = named(*found)
    pages = listing([], services, "de", in_pages=True).pages
    shown: list[Any] = []
    for number in range(1, pages + 1):
        made = listing([], services, "de", page=number, in_pages=True)
        entries = [entry for group in made.groups for entry in group.entries]
        assert pages == 1 or len(entries) <= ON_A_PAGE
        for letter in made.letters:
            if letter.page == number:
                assert letter.letter in [group.letter for group in made.groups]
        shown += entries
    assert sorted(entry.service.id for entry in shown) == sorted(one.id for one in services)


async def many(town: Town, catalogue: Catalogue) -> None:
    more = tuple(
        Service(id=f"{letter}-{number}", name={"de": f"{letter.upper()}mt {number}"}, themes=("all",))
        for letter in "abz"
        for number in range(20)
    )
    themes = (*catalogue.themes, Theme(id="all", name={"de": "Alles"}, others=True))
    changed = msgspec.structs.replace(catalogue, services=(*catalogue.services, *more), themes=themes)
    async with town.deployment.database.tenant(town.alpha) as tx:
        await catalogue_service.publish(tx, changed, at=town.deployment.clock.now(), actor="test")


async def test_the_web_jumps_to_a_letter_and_a_terminal_turns_pages(
    here: Town, terminal: Visit, make_catalogue: Callable[[], Catalogue]
) -> None:
    await many(here, make_catalogue())
    web = (await terminal.get("/t/alpha/theme/all")).text
    assert len(re.findall(r"/service/[abz]-", web)) == 60
    assert [one in web for one in ('href="#letter-3"', 'id="letter-3"', "?page=")] == [True, True, False]
    first = (await terminal.get("/t/alpha/k/theme/all")).text
    assert len(re.findall(r"/service/a-", first)) == ON_A_PAGE
    assert "/service/z-" not in first
    assert 'href="/t/alpha/k/theme/all?page=6#letter-3"' in first
    assert "Seite 1 von 8" in first
    assert 'rel="prev"' not in first
    later = (await terminal.get("/t/alpha/k/theme/all?page=6")).text
    assert 'id="letter-3"' in later
    assert 'href="/t/alpha/k/theme/all?page=7"' in later
    assert 'name="next" value="/k/theme/all?page=6"' in later
    assert 'rel="next"' not in (await terminal.get("/t/alpha/k/theme/all?page=99")).text
    assert (await terminal.get("/t/alpha/k/theme/all?page=0")).status_code in (400, 422)
