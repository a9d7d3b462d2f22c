"""Long texts from outside: nothing is shown that may not be, and there is one way to write each text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.html import blocks, clean, is_address, is_html, markup, plain

NEVER = ["<script", "onclick", "onerror", "onload", "javascript", "<svg", "<iframe", "<img", "<style", "data:", "<form"]
TAGS = [
    "p",
    "/p",
    "b",
    "/b",
    "ul",
    "li",
    "/li",
    "/ul",
    "br",
    "h1",
    "/h1",
    "script",
    "/script",
    "table",
    "tr",
    "td",
    "/td",
    "/tr",
    "/table",
    "div",
    "/a",
]
PIECES = st.sampled_from(
    [*(f"<{tag}>" for tag in TAGS), "<a href='https://example.org'>", "text", " ", "&lt;b&gt;", "&amp;", "\n"]
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<br>two</p>", "one\ntwo"),
        ("a &amp; b", "a & b"),
        ("&lt;b&gt;", "<p>&lt;b&gt;</p>"),
        ("one <b>two</b>", "<p>one <strong>two</strong></p>"),
        ("<h1>T</h1><div>x</div>", "<h3>T</h3><p>x</p>"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a\n\nb"),
        ("<p style='x' class='y'>a</p>", "a"),
        ("", ""),
        ("<p> </p><ul><li></li></ul>", ""),
    ],
)
def test_a_text_is_kept_in_its_one_form(given: str, kept: str) -> None:
    assert clean(given) == kept


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>x",
        "<p onclick='alert(1)'>x</p>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href=' java\nscript:alert(1)'>x</a>",
        "<svg onload=alert(1)>x",
        "<iframe src='https://example.org'></iframe>x",
        "<img src=x onerror=alert(1)>x",
        "<style>p{background:url(x)}</style>x",
        "<p><scr<script>ipt>alert(1)</script>x</p>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>x",
        "<a href='data:text/html,x'>x</a>",
        "<form action='https://example.org'><input>x</form>",
    ],
)
def test_nothing_runs_and_nothing_leads_astray(attack: str) -> None:
    shown = markup(clean(attack)).casefold()
    assert [one for one in NEVER if one in shown] == []


@pytest.mark.parametrize(
    "target",
    [
        *("//evil.example", "/staff/sign-out", "../../staff", "?x", "#x", "x", "", "https:", "https:///x", "http:/x"),
        *(
            "https://bund.de@evil.example/",
            "https://bund.de:x@evil.example/",
            "https:\\evil.example",
            "https://[",
            "mailto:",
        ),
        *("tel:", "/\t/evil.example", "https://bund.de\\@evil.example/", "ftp://example.org"),
    ],
)
def test_a_link_without_an_absolute_target_keeps_its_words(target: str) -> None:
    assert clean(f'<p>Hier <a href="{target}">steht <strong>es</strong></a>.</p>') == (
        "<p>Hier steht <strong>es</strong>.</p>"
    )


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("https://example.org/a?b=c&amp;d=@e", "https://example.org/a?b=c&amp;d=@e"),
        ("HTTP://example.org", "HTTP://example.org"),
        (" https://example.org/a b.pdf ", "https://example.org/a%20b.pdf"),
        ("mailto:stadt@example.org", "mailto:stadt@example.org"),
        ("tel:115", "tel:115"),
    ],
)
def test_an_absolute_target_stays(target: str, kept: str) -> None:
    made = clean(f'<p><a href="{target}">Hier</a></p>')
    assert made == f'<p><a href="{kept}">Hier</a></p>'
    assert clean(made) == made


def test_no_address_names_a_user() -> None:
    assert is_address("https://example.org/@town")
    assert not is_address("https://example.org@evil.example/")


@given(st.lists(PIECES, max_size=12).map("".join))
def test_what_was_cleaned_stays_as_it_is(given: str) -> None:
    once = clean(given)
    assert not is_html(once) or clean(once) == once
    assert clean(markup(once)) == once


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=40))
def test_plain_text_stays_plain(said: str) -> None:
    said = " ".join(said.split())
    if not is_html(said) and "\u200b" not in said:
        assert clean(markup(said)) == said
    assert "<" not in plain("<p>a <strong>b</strong></p>")


def test_blocks_of_a_plain_text_are_its_paragraphs() -> None:
    assert [(one.kind, one.text) for one in blocks("Eins.\nZwei.\n\n\nDrei.")] == [
        ("paragraph", "Eins.\nZwei."),
        ("paragraph", "Drei."),
    ]


def test_blocks_of_html_are_paragraphs_headings_and_items() -> None:
    text = (
        "<h3>Was gilt</h3><p>Ein <strong>Foto</strong>,<br>neu &amp; scharf</p><ul><li>Pass<ul><li>alt</li></ul></li>"
        '<li><p>Geld</p><p>bar</p></li></ul><ol><li>Gehen</li><li><a href="https://example.org/a">Lesen</a></li></ol>'
        '<p><a href="mailto:a@example.org">a@example.org</a></p>'
    )
    assert [(one.kind, one.text, one.depth, one.number) for one in blocks(text)] == [
        ("heading", "Was gilt", 0, None),
        ("paragraph", "Ein Foto,\nneu & scharf", 0, None),
        ("item", "Pass", 1, None),
        ("item", "alt", 2, None),
        ("item", "Geld", 1, None),
        ("paragraph", "bar", 1, None),
        ("item", "Gehen", 1, 1),
        ("item", "Lesen (example.org/a)", 1, 2),
        ("paragraph", "a@example.org", 0, None),
    ]


@given(st.lists(PIECES, max_size=20).map("".join))
def test_blocks_hold_every_word_and_no_tag(markup_: str) -> None:
    text = clean(markup_)
    said = "".join("".join(one.text.split()) for one in blocks(text))
    # On paper the address of a link stands behind its words, also where the next letter touches them.
    words = re.sub(r"\(example\.org[^()]*\)", "", said)
    assert all(word in words for word in plain(text).split())
    if is_html(text):
        assert "<p>" not in said
        assert "</" not in said
