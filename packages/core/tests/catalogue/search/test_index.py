"""What is found for what is typed, in a handful of services that everybody knows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicepunkt.core.catalogue.search.index import Document, Index
from servicepunkt.core.catalogue.search.synonyms import SynonymError, Thesaurus, read, shipped

SERVICES = (
    Document(id="id-card", name="Personalausweis beantragen", keywords=("ID card",), summary="Der Ausweis für Sie."),
    Document(id="id-lost", name="Personalausweis: Verlust oder Diebstahl", body="Melden Sie es gleich."),
    Document(id="car", name="Neufahrzeug zulassen", summary="Fahrzeuge bekommen ein Kennzeichen."),
    Document(id="business", name="Gewerbe anmelden", body="Wer ein Gewerbe beginnt, meldet es an."),
    Document(id="record", name="Führungszeugnis beantragen", summary="Auszug aus dem Register."),
    Document(id="church", name="Kirchenaustritt", body="Erklärung vor dem Standesamt."),
    Document(id="home", name="Wohnsitz anmelden oder ummelden", body="Nach dem Umzug, binnen zwei Wochen."),
    Document(id="waste", name="Sperrmüll abholen lassen", body="Möbel und anderes."),
    Document(id="water", name="Wasserzähler: Stand melden", body="Für die Rechnung."),
    Document(id="move", name="Umziehen: Was ist wann zu tun?"),
)


@pytest.fixture(scope="module")
def thesaurus() -> Thesaurus:
    return shipped()


@pytest.fixture(scope="module")
def index(thesaurus: Thesaurus) -> Index:
    return Index(SERVICES, thesaurus)


@pytest.mark.parametrize(
    ("query", "service"),
    [
        ("Perso verloren", "id-lost"),
        ("Ausweis geklaut", "id-lost"),
        ("Auto anmelden", "car"),
        ("KFZ zulassen", "car"),
        ("führungszeugniss", "record"),
        ("Fuehrungszeugnis", "record"),
        ("fuhrungszeugnis", "record"),
        ("Wasserrechnung", "water"),
        ("Sperrmüll", "waste"),
        ("altes Sofa", "waste"),
        ("umgezogen", "move"),
        ("aus der Kirche austreten", "church"),
        ("Firma gründen", "business"),
        ("identity card", "id-card"),
        ("ich möchte bitte meinen Ausweis beantragen", "id-card"),
    ],
)
def test_the_service_that_is_meant_comes_first(index: Index, query: str, service: str) -> None:
    assert index.search(query).found[0].id == service


def test_a_known_word_is_never_corrected(index: Index) -> None:
    assert index.search("Gewerbe").meant == {}
    answer = index.search("Gewerbbe")
    assert answer.meant == {"gewerbbe": "gewerbe"}
    assert answer.found[0].id == "business"


def test_a_word_that_nothing_is_like_finds_nothing(index: Index) -> None:
    assert index.search("xqzzkjw").found == []


def test_as_many_are_given_as_were_asked_for(index: Index) -> None:
    assert len(index.search("anmelden", limit=1).found) == 1


STRANGE = [
    "",
    " ",
    '"' * 500,
    "'; DROP TABLE",
    "AND OR NOT",
    "name:ausweis^9 +perso -verloren ~2 [a TO z] {x} (y",
    "\x00\x01\x1b",
    "a" * 10_000,
    "ausweis " * 2_000,
    "\u202eausweis",
    "🚗🚗🚗",
    "ÄÖÜẞ",
    "ﬁschen",
    "*",
    "?",
    "\\",
    "/.*/",
    "der die das",
]


@pytest.mark.parametrize("query", STRANGE, ids=range(len(STRANGE)))
def test_whatever_is_typed_is_a_question(index: Index, query: str) -> None:
    index.search(query)


@settings(max_examples=200, deadline=None)
@given(query=st.text(max_size=250))
def test_no_text_is_a_fault(query: str) -> None:
    ONE.search(query)


ONE = Index(SERVICES[:3], Thesaurus(["auto = kfz = fahrzeug"]))


def test_words_that_say_nothing_are_searched_when_there_is_nothing_else(thesaurus: Thesaurus) -> None:
    found = Index([Document(id="where", name="Wo ist was?")], thesaurus).search("wo ist was").found
    assert [one.id for one in found] == ["where"]


def test_an_empty_catalogue_is_searched_in_vain(thesaurus: Thesaurus) -> None:
    assert Index([], thesaurus).search("Ausweis").found == []


@pytest.mark.parametrize(
    ("query", "service"),
    [("melde bestätigung", "home"), ("wischbeantragen", "record"), ("entrümpelumg", "waste")],
    ids=["two words that are one", "parts that mean something else", "a slip in a word that only means something"],
)
def test_words_are_put_together_and_taken_apart(query: str, service: str) -> None:
    meanings = ["wisch > führungszeugnis", "meldebestätigung = wohnsitz", "entrümpelung > sperrmüll"]
    index = Index(SERVICES, Thesaurus(meanings))
    assert index.search(query).found[0].id == service


def test_what_one_word_may_mean_does_not_mean_the_word() -> None:
    index = Index(
        [Document(id="sofa", name="Sofa"), Document(id="waste", name="Sperrmüll")], Thesaurus(["sofa > sperrmüll"])
    )
    assert {one.id for one in index.search("Sofa").found} == {"sofa", "waste"}
    assert {one.id for one in index.search("Sperrmüll").found} == {"waste"}


@pytest.mark.parametrize("line", ["nur ein wort", "a > ", " = b", "a b c d e f = x", "a > b,,c"])
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(SynonymError, match="line 2"):
        read(f"# words\n{line}\n")
