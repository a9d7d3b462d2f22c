"""Words, stems, families and compounds of German."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.search.compounds import Splitter
from servicepunkt.core.catalogue.search.german import family, stem
from servicepunkt.core.catalogue.search.words import fold, words

PARTS = ("personal", "ausweis", "wasser", "rechnung", "kirche", "austritt", "haus", "halt", "bescheinigung", "kanal")
KNOWN = dict.fromkeys((*PARTS, "geschlecht", "eintrag", "schule"), 2)


def root(word: str) -> str | None:
    return family(fold(words(word)[0]))


@pytest.mark.parametrize(
    "spellings",
    [
        ("Führungszeugnis", "Fuehrungszeugnis", "Fuhrungszeugnis", "FÜHRUNGSZEUGNIS", "Fu\u0308hrungszeugnis"),
        ("Straße", "Strasse", "STRASSE", "Stra\u00adße"),
        ("Bürgerämter", "Buergeraemter", "Burgeramter"),
    ],
)
def test_spellings_of_one_word_are_one(spellings: tuple[str, ...]) -> None:
    assert len({stem(fold(words(one)[0])) for one in spellings}) == 1


@pytest.mark.parametrize("word", ["neue", "bauen", "Dauer", "Steuer", "quer", "Frauen"])
def test_an_e_after_a_vowel_is_no_umlaut_where_it_belongs_to_the_word(word: str) -> None:
    assert "e" in fold(word.casefold())


@pytest.mark.parametrize(
    "members",
    [
        ("verlieren", "verloren", "verlor", "Verlust"),
        ("umziehen", "umgezogen", "umzuziehen", "Umzug"),
        ("austreten", "ausgetreten", "Austritt"),
        ("anmelden", "angemeldet", "anzumelden", "Anmeldung"),
        ("abholen", "abgeholt", "Abholung"),
        ("gestohlen", "stehlen", "gestohlen"),
    ],
)
def test_a_verb_and_its_noun_are_one_family(members: tuple[str, ...]) -> None:
    assert len({root(one) for one in members}) == 1, [root(one) for one in members]


@pytest.mark.parametrize("word", ["personalausweis", "wasser", "115", "zug", "ab", ""])
def test_other_words_have_no_family_of_their_own(word: str) -> None:
    assert family(word) in (None, "zug")


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("personalausweis", ("personal", "ausweis")),
        ("personalausweise", ("personal", "ausweise")),
        ("wasserrechnung", ("wasser", "rechnung")),
        ("kirchenaustritt", ("kirche", "austritt")),
        ("haushaltsbescheinigung", ("haus", "halt", "bescheinigung")),
        ("geschlechtseintrags", ("geschlecht", "eintrags")),
        ("wasser", ()),
        ("kanalxyz", ()),
        ("w" * 400, ()),
    ],
)
def test_compounds_are_taken_apart_into_words_that_are_known(word: str, parts: tuple[str, ...]) -> None:
    assert Splitter(KNOWN).parts(word) == parts


@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    for word in words(text):
        folded = fold(word)
        stem(folded)
        family(folded)
        Splitter(KNOWN).parts(folded)
