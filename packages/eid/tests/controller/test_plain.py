"""The reader's pages in Leichte Sprache: short sentences, and nothing that no page says."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.pofile import read_po

from servicepunkt.core import plugin as core
from servicepunkt.core.texts import Texts
from servicepunkt.eid import plugin
from servicepunkt.web import plugin as web

FOLDER = plugin.HERE / "locale"
PLACE = re.compile(r"{\w+}")
#: Rules of the network Leichte Sprache: one thought a sentence.
MOST_WORDS = 12


def entries(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file, locale="de") if one.id}


def test_every_sentence_is_one_of_the_pages_and_short() -> None:
    known = {
        sentence
        for module in (plugin, web, core)
        for sentence in entries(Path(str(module.__file__)).parent / "locale" / "de.po")
    }
    plain = entries(FOLDER / "de-x-leicht.po")
    assert plain.keys() - known == set()
    for message, text in plain.items():
        assert PLACE.findall(message) == PLACE.findall(text)
        assert all(len(sentence.split()) <= MOST_WORDS for sentence in re.split(r"[.!?:]", text)), text


def test_what_is_not_in_leichte_sprache_is_in_german() -> None:
    texts = Texts([FOLDER])
    assert texts.translate("de-x-leicht", "Take your card") == "Nehmen Sie Ihren Ausweis"
    assert texts.translate("de-x-leicht", "The PUK was wrong.") == "Die PUK war falsch."
    assert texts.translate("de-x-leicht", "The card cannot be read.") == texts.translate(
        "de", "The card cannot be read."
    )
