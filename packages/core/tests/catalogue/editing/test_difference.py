"""What differs: entry by entry, value by value, word by word; nothing of either text is lost."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.editing import difference
from servicepunkt.core.catalogue.editing.difference import Piece, changes, plain_text, words
from servicepunkt.core.catalogue.editing.languages import lacks
from servicepunkt.core.catalogue.model import Catalogue, DocumentNeed, Module, Service, Theme


def test_a_text_is_compared_word_by_word() -> None:
    assert words("Der alte Ausweis.", "Der neue Ausweis.") == [
        Piece("same", "Der "),
        Piece("removed", "alte"),
        Piece("added", "neue"),
        Piece("same", " Ausweis."),
    ]


@given(st.text("ab \n.", max_size=60), st.text("ab \n.", max_size=60), st.sampled_from([0, 6, 2000]))
def test_both_texts_stand_in_the_comparison(before: str, after: str, most: int) -> None:
    kept, difference.MOST_WORDS = difference.MOST_WORDS, most
    try:
        pieces = words(before, after)
    finally:
        difference.MOST_WORDS = kept
    assert "".join(piece.text for piece in pieces if piece.kept != "added") == before
    assert "".join(piece.text for piece in pieces if piece.kept != "removed") == after


def test_entries_come_go_and_change_services_first() -> None:
    card = Service(id="card", name={"de": "Ausweis"})
    before = Catalogue(services=(card, Service(id="old", name={"de": "Alt"})))
    after = Catalogue(
        services=(msgspec.structs.replace(card, summary={"de": "Kurz"}), Service(id="new", name={"de": "Neu"})),
        themes=(Theme(id="a", name={"de": "A"}),),
    )
    found = [(one.kind, one.id, one.sign) for one in changes(before, after)]
    assert found == [
        ("services", "card", "changed"),
        ("services", "new", "added"),
        ("services", "old", "removed"),
        ("themes", "a", "added"),
    ]
    assert changes(before, after)[0].values() == [("summary/de", None, "Kurz")]
    assert changes(before, before) == []


def test_lists_are_read_line_by_line() -> None:
    links = [{"kind": "page", "url": "https://a.example", "name": {"de": "A"}, "areas": ""}]
    assert plain_text("links", links) == "kind: page · url: https://a.example · name: de: A"
    assert plain_text("modules/11/000/de", ("So", True)) == "So"
    assert plain_text("keywords", ["a", "b"]) == "a\nb"
    assert plain_text("fees", None) == ""


def test_what_is_missing_in_a_language_is_known_field_by_field() -> None:
    full = {"de": "x", "en": "x"}
    catalogue = Catalogue(
        services=(
            Service(
                id="card",
                name=full,
                summary={"de": "x", "en": ""},
                modules=(Module(code="11", text=full, translated=("en",)), Module(code="08", text={"de": "x"})),
                documents=(DocumentNeed(text=full, when={"de": "x"}), DocumentNeed(text={"de": "x"})),
            ),
            Service(id="hidden", name={"de": "x"}, visibility="staff"),
            Service(id="whole", name=full),
        )
    )
    (found,) = lacks(catalogue, ("de", "en"))
    assert (found.service, found.language) == ("card", "en")
    assert found.missing == ("summary", "modules/08/000", "documents")
    assert found.by_machine == ("modules/11/000",)
    assert [lack.language for lack in lacks(catalogue, ("de-x-leicht",))] == ["de-x-leicht"] * 2
