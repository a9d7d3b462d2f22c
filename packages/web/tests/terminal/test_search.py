"""Search at a terminal and on the web: what is found, in which order, and what is never taken for a query language."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from servicepunkt.core.testing import FixedClock
from servicepunkt.web.terminal.search import BACK, KEYS, SPACE, pressed

if TYPE_CHECKING:
    from conftest import Town, Visit

K = "/t/alpha/k/search"
NAME = re.compile(r'/service/([a-z]+)">')


def names(text: str) -> list[str]:
    return NAME.findall(text)


async def test_the_words_of_citizens_lead_to_the_service(terminal: Visit) -> None:
    for typed, service in (("perso", "card"), ("Strom", "contract"), ("umziehen", "moving"), ("identity card", "card")):
        assert names((await terminal.get(K, params={"q": typed})).text)[0] == service, typed


async def test_nothing_is_asked_yet(terminal: Visit) -> None:
    text = (await terminal.get(K)).text
    assert names(text) == []
    assert "Nichts gefunden" not in text
    assert 'name="key" value="q"' in text


async def test_what_is_not_found_leads_to_the_themes_and_to_people(terminal: Visit) -> None:
    text = (await terminal.get(K, params={"q": "xqzwkj"})).text
    assert "Nichts gefunden." in text
    assert "fragen Sie unser Personal" in text
    assert "/k/theme/energy" in text


async def test_a_slip_is_put_right_and_said(terminal: Visit) -> None:
    text = (await terminal.get(K, params={"q": "Personalausweiz"})).text
    assert "Meinten Sie „personalausweis“?" in text
    assert names(text)[0] == "card"


async def test_what_is_possible_elsewhere_only_says_so(terminal: Visit) -> None:
    text = (await terminal.get(K, params={"q": "Bergführung"})).text
    assert names(text) == ["tour"]
    said = " ".join(text.split())
    assert "Das wird hier nicht angeboten. Wenden Sie sich an: Servicepunkt am Berg</span></p>" in said
    assert "Jetzt" in (await terminal.get("/t/alpha/search", params={"q": "Bergführung"})).text


async def test_what_is_over_comes_last(terminal: Visit) -> None:
    text = (await terminal.get(K, params={"q": "Stromvertrag Heizungsbonus"})).text
    assert names(text)[-1] == "bonus"


async def test_filters_leave_what_fits_and_say_how_much(terminal: Visit, clock: FixedClock) -> None:
    asked = {"q": "Bergführung Personalausweis Monatskarte Umzug"}
    everything = names((await terminal.get(K, params=asked)).text)
    for name, value in (("theme", "mobility"), ("here", "yes"), ("now", "yes")):
        some = names((await terminal.get(K, params=asked | {name: value})).text)
        assert set(some) < set(everything), name
    clock.instant = datetime(2026, 12, 25, 11, 0, tzinfo=UTC)
    assert names((await terminal.get(K, params={"q": "Personalausweis", "now": "yes"})).text) == []


@pytest.mark.parametrize(
    ("typed", "key", "then"),
    [
        ("per", "s", "pers"),
        ("", "ü", "ü"),
        ("pers", BACK, "per"),
        ("", BACK, ""),
        ("per", SPACE, "per "),
        ("", SPACE, ""),
        ("per", "<script>", "per"),
        ("per", "ab", "per"),
        ("per", "!", "per"),
        ("per", "", "per"),
    ],
)
def test_a_key_changes_what_stands_in_the_field(typed: str, key: str, then: str) -> None:
    assert pressed(typed, key) == then


def test_every_letter_of_a_german_word_has_a_key() -> None:
    assert set("abcdefghijklmnopqrstuvwxyzäöüß0123456789-") == set("".join(KEYS))


STRANGE = ['"', "AND OR NOT (", "\x1b[31m", "a" * 4000, "name:x^9 [a TO b] {", "<b>x</b>", "%00", "\u202e", "🚗"]


@pytest.mark.parametrize("typed", STRANGE, ids=range(len(STRANGE)))
async def test_no_query_is_a_fault(terminal: Visit, typed: str) -> None:
    answer = await terminal.get(K, params={"q": typed})
    assert answer.status_code == 200
    assert "<b>x</b>" not in answer.text


async def test_filters_are_called_by_what_they_do(terminal: Visit) -> None:
    asked = {"q": "Bergführung Personalausweis Monatskarte Umzug"}
    assert "Auswahl eingrenzen" in (await terminal.get(K, params=asked)).text
    await terminal.submit("/t/alpha/k", "/t/alpha/language", language="en", next="/k")
    assert "Narrow the selection" in (await terminal.get(K, params=asked)).text


async def test_a_query_without_end_is_refused(terminal: Visit) -> None:
    assert (await terminal.get(K, params={"q": "a" * 5000})).status_code == 422


async def test_what_several_do_not_find_is_shown_to_editors(here: Town, terminal: Visit, clock: FixedClock) -> None:
    for _ in range(3):
        await terminal.get(K, params={"q": "Xqzwkj"})
        await terminal.get(K, params={"q": "Erika Mustermann 0151 5551234"})
        await terminal.get(K, params={"q": "Xqzw"}, headers={"hx-request": "true"})
        clock.forward(minutes=11)
    async with here.client() as editor:
        await editor.sign_in("editor")
        page = "/t/alpha/staff/catalogue/misses"
        text = (await editor.get(page)).text
        assert "xqzwkj" in text
        assert "mustermann" not in text
        assert "<strong>xqzw</strong>" not in text
        assert (await editor.submit(page, page, words="xqzwkj")).status_code == 303
        assert "Nach nichts wurde vergeblich gesucht." in (await editor.get(page)).text
        assert (await editor.submit(page, page, words="")).status_code == 422


async def test_only_editors_see_what_is_not_found(here: Town) -> None:
    async with here.client() as guide:
        await guide.sign_in("guide")
        assert (await guide.get("/t/alpha/staff/catalogue/misses")).status_code == 403


async def test_a_language_and_no_appointment_can_be_asked_for(terminal: Visit) -> None:
    text = (await terminal.get(K, params={"q": "Ausweis", "spoken": "tr"})).text
    assert 'name="spoken" value="tr" checked' in text
    assert "Türkisch" in text
    assert "card" in names(text)
    assert names((await terminal.get(K, params={"q": "Ausweis", "walk_in": "yes"})).text) != names(
        (await terminal.get(K, params={"q": "Ausweis"})).text
    )


async def test_another_language_asks_the_same_once_more(terminal: Visit) -> None:
    text = (await terminal.get(K, params={"q": "Perso & Co", "here": "yes"})).text
    assert 'name="next" value="/k/search?q=Perso+%26+Co&amp;here=yes"' in text
    text = (await terminal.get("/t/alpha/k/service/card/authority", params={"place": "Ort"})).text
    assert 'name="next" value="/k/service/card/authority?place=Ort"' in text
