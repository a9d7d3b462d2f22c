"""Every word that a person reads has its German: what templates, tables of words and errors say.

What errors say to programs (`staff`) stays English.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

import servicepunkt
from servicepunkt.core.catalogue import links
from servicepunkt.core.catalogue.editing import model as edit_model
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.model import MODULES
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.hours import words as hours_words
from servicepunkt.dokbox import health
from servicepunkt.dokbox.controller.pages import QUESTIONS
from servicepunkt.dokbox.staff import words
from servicepunkt.web.editors import changes as editor_changes
from servicepunkt.web.editors import forms as editor_forms
from servicepunkt.web.editors import seen as editor_pages
from servicepunkt.web.editors import words as editor_words
from servicepunkt.web.editors.tasks import TASKS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [path.parent.parent for path in sorted(ROOT.glob("packages/*/src/servicepunkt/*/locale/de.po"))]


@pytest.fixture(scope="module")
def german() -> set[str]:
    found = set()
    for package in PACKAGES:
        with (package / "locale" / "de.po").open("rb") as file:
            found |= {str(message.id) for message in read_po(file) if message.id and message.string}
    return found


def in_templates() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted(package.rglob("templates/**/*.html")):
            with path.open("rb") as file:
                for _, _, message, _ in babel_extract(file, ("_",), (), {"encoding": "utf-8"}):
                    # With values for its places a message comes as a tuple, its text first.
                    text = message if isinstance(message, str) else message[0] if message else None
                    if isinstance(text, str):
                        yield str(path.relative_to(ROOT)), text


def in_tables() -> Iterator[tuple[str, str]]:
    tables = (words, health, hours_words, editor_words)
    for name, table in [entry for module in tables for entry in vars(module).items()]:
        if isinstance(table, dict) and name.isupper():
            yield from ((name, sentence) for sentence in table.values() if isinstance(sentence, str))
    yield from (("words", sentence) for sentence in (words.NEEDS_YOU, words.WAITS_FOR_YOU, health.DISPUTED))
    yield from (("MODULES", heading) for code, heading in MODULES.items() if code not in ("02", "03"))
    yield from (("links", sentence) for sentence in links.WORDS.values())
    yield from (("editing", sentence) for _, sentence in edit_model.SAID)
    yield from (("editing", sentence) for sentence in (editing.NO_SOURCES, editing.GONE, editing.CHANGED_MEANWHILE))
    yield from (("editing", sentence) for sentence in (edit_model.DOES_NOT_FIT, editing.NEEDS_REASON))
    yield from (("TASKS", task.title) for task in TASKS)
    yield from (("ROWS", column.label) for columns in editor_forms.ROWS.values() for column in columns)
    yield from (("editors", sentence) for sentence in (editor_forms.OVER, editor_forms.NO_DAY))
    yield from (("editors", sentence) for sentence in (editor_changes.TOO_LONG_REMARK, editor_changes.UNKNOWN))
    yield from (("editors", title) for title in editor_pages.TITLES)
    yield from (("QUESTIONS", sentence) for pair in QUESTIONS.values() for sentence in pair)


def in_errors() -> Iterator[tuple[str, str]]:
    for found in pkgutil.walk_packages(servicepunkt.__path__, "servicepunkt."):
        if "osdp" not in found.name and not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    kinds = [ServicepunktError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("servicepunkt."):
            yield from ((kind.__name__, sentence) for sentence in (kind.citizen, kind.next_step) if sentence)


@pytest.mark.parametrize("source", [in_templates, in_tables, in_errors], ids=lambda source: source.__name__)
def test_everything_has_its_german(source: object, german: set[str]) -> None:
    missing = {(place, sentence) for place, sentence in source() if sentence not in german}  # type: ignore[operator]
    assert not missing
