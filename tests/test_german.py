"""Every word that a person reads has its German: what templates, tables of words and errors say.

What errors say to programs (`staff`) stays English.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Formatter
from types import ModuleType

import pytest
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

import servicepunkt
from servicepunkt.core.applications import connectors as application_connectors
from servicepunkt.core.applications import model as application_model
from servicepunkt.core.applications import papers as application_papers
from servicepunkt.core.catalogue import links
from servicepunkt.core.catalogue import model as catalogue_model
from servicepunkt.core.catalogue.editing import model as edit_model
from servicepunkt.core.catalogue.editing import publishing
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.model import MODULES
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.hosts.hours import model as host_hours
from servicepunkt.core.hosts.hours import service as host_hours_service
from servicepunkt.core.hosts.incidents import model as incident_model
from servicepunkt.core.hosts.space import model as space_model
from servicepunkt.core.hours import words as hours_words
from servicepunkt.core.rules import RULES, Rule, Term
from servicepunkt.core.texts import Texts
from servicepunkt.dokbox import health, identify_pages, identifying
from servicepunkt.dokbox.controller import pages as box_pages
from servicepunkt.dokbox.staff import words
from servicepunkt.eid.controller import words as reader_words
from servicepunkt.eid.reader import words as card_words
from servicepunkt.eid.sessions import card as card_door
from servicepunkt.eid.sessions import readers as card_readers
from servicepunkt.eid.sessions import wallet as wallet_door
from servicepunkt.eid.sessions import words as identification_words
from servicepunkt.web.applications import seen as applications_seen
from servicepunkt.web.editors import changes as editor_changes
from servicepunkt.web.editors import forms as editor_forms
from servicepunkt.web.editors import seen as editor_pages
from servicepunkt.web.editors import tasks as editor_tasks
from servicepunkt.web.editors import words as editor_words
from servicepunkt.web.hosts import hours as host_pages
from servicepunkt.web.hosts import house
from servicepunkt.web.hosts import space as space_pages
from servicepunkt.web.hosts import words as host_words
from servicepunkt.web.operators import consents as operator_consents
from servicepunkt.web.operators import seen as operators_seen
from servicepunkt.web.operators import tenant as operator_tenant
from servicepunkt.web.orders import seen as orders_seen
from servicepunkt.web.terminal import content, figures

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {path.parents[1].name: path.parents[1] for path in ROOT.glob("packages/*/src/servicepunkt/*/locale/de.po")}
#: (package that says it, place, sentence)
Said = tuple[str, str, str]


@functools.cache
def german(package: str) -> frozenset[str]:
    """What is translated wherever this package serves people: by itself and by those that it needs for that."""
    project = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text("utf-8"))["project"]
    found: set[str] = set()
    if package in PACKAGES:
        with (PACKAGES[package] / "locale" / "de.po").open("rb") as file:
            found |= {str(message.id) for message in read_po(file) if message.id and message.string}
    extras = project.get("optional-dependencies", {})
    for needed in (*project["dependencies"], *extras.get("service", ())):
        if other := re.match(r"servicepunkt-([a-z0-9]+)", needed):
            found |= german(other[1])
    return frozenset(found)


def in_templates() -> Iterator[Said]:
    for name, package in sorted(PACKAGES.items()):
        for path in sorted(package.rglob("templates/**/*.html")):
            with path.open("rb") as file:
                for _, _, message, _ in babel_extract(file, ("_",), (), {"encoding": "utf-8"}):
                    # With values for its places a message comes as a tuple, its text first.
                    text = message if isinstance(message, str) else message[0] if message else None
                    if isinstance(text, str):
                        yield name, str(path.relative_to(ROOT)), text


def in_tables() -> Iterator[Said]:
    seen = (orders_seen, applications_seen, operators_seen)
    for module in (words, health, hours_words, editor_words, host_words, *seen):
        for name, table in vars(module).items():
            if isinstance(table, dict) and name.isupper() and name != "BADGES":
                yield from ((package_of(module), name, said) for said in table.values() if isinstance(said, str))
    for module, said in {
        words: (words.NEEDS_YOU, words.WAITS_FOR_YOU),
        health: (health.DISPUTED,),
        catalogue_model: [heading for code, heading in MODULES.items() if code not in ("02", "03")],
        links: links.WORDS.values(),
        edit_model: [
            *(sentence for _, sentence in edit_model.SAID),
            edit_model.DOES_NOT_FIT,
            edit_model.MISSING_OWN_NAME,
        ],
        editing: (editing.CHANGED_MEANWHILE, editing.NEEDS_REASON),
        publishing: (publishing.NO_SOURCES, publishing.HELD, publishing.GONE),
        host_hours: (host_hours.NOT_READ, host_hours.OVERLAP),
        host_hours_service: (host_hours_service.NOTHING_CHANGES, host_hours_service.TOO_MANY),
        incident_model: [*incident_model.KINDS.values(), *sentences(incident_model)],
        space_model: [*space_model.NOISE.values(), *sentences(space_model)],
        host_pages: (host_pages.NO_DAY, host_pages.NO_REASON),
        house: (house.KEY,),
        space_pages: (space_pages.NO_MOMENT, space_pages.TAKEN),
        editor_tasks: [task.title for task in editor_tasks.TASKS],
        editor_forms: [
            *(column.label for columns in editor_forms.ROWS.values() for column in columns),
            editor_forms.OVER,
            editor_forms.NO_DAY,
        ],
        editor_changes: (editor_changes.TOO_LONG_REMARK, editor_changes.UNKNOWN, editor_changes.LOOK_AGAIN),
        editor_pages: editor_pages.TITLES,
        operator_consents: [*operator_consents.SENTENCES.values(), *operator_consents.STATES.values()],
        operator_tenant: operator_tenant.SENTENCES.values(),
        operators_seen: [title for _, title in (*operators_seen.COLUMNS, *operators_seen.USE_COLUMNS)],
        application_connectors: (application_connectors.SUBJECT, application_connectors.BODY),
        application_model: sentences(application_model),
        application_papers: [
            *application_papers.LINES.values(),
            *application_papers.YES_NO.values(),
            *application_papers.LEVEL_WORDS.values(),
            application_papers.GIVEN,
            application_papers.UNNAMED,
        ],
        applications_seen: (applications_seen.CONSENT_NEEDED, applications_seen.CHANGED),
        figures: [sentence for pair in figures.UNITS.values() for sentence in pair],
        content: [*content.CAPABILITIES.values(), *content.CHANNELS.values()],
        identifying: (identifying.PURPOSE,),
        identify_pages: identify_pages.NOTES.values(),
        box_pages: [sentence for pair in box_pages.QUESTIONS.values() for sentence in pair],
        reader_words: [
            *(said for name, table in vars(reader_words).items() if name.isupper() for said in flat(table)),
        ],
        card_words: [sentence for pair in card_words.WORDS.values() for sentence in pair],
        card_door: [
            *(sentence for pair in card_door.TROUBLES.values() for sentence in pair),
            card_door.CardDoor.title,
            card_door.CardDoor.text,
        ],
        card_readers: (card_readers.NOT_ENROLLED, card_readers.SILENT, card_readers.WELL),
        identification_words: [
            *identification_words.ATTRIBUTES.values(),
            *(sentence for pair in identification_words.REFUSALS.values() for sentence in pair),
            *identification_words.REFUSED,
        ],
        wallet_door: (wallet_door.WalletDoor.title, wallet_door.WalletDoor.text),
    }.items():
        yield from ((package_of(module), module.__name__, sentence) for sentence in said)


def sentences(module: ModuleType) -> list[str]:
    """The constants of a module that are sentences."""
    return [said for name, said in vars(module).items() if name.isupper() and isinstance(said, str)]


def flat(said: str | dict[object, str | tuple[str, ...]]) -> list[str]:
    """A sentence, or those of a table with one or several a row."""
    rows = said.values() if isinstance(said, dict) else (said,)
    return [sentence for row in rows for sentence in ((row,) if isinstance(row, str) else row)]


def package_of(module: ModuleType) -> str:
    return module.__name__.split(".")[1]


def in_errors() -> Iterator[Said]:
    for found in pkgutil.walk_packages(servicepunkt.__path__, "servicepunkt."):
        if "osdp" not in found.name and not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    kinds = [ServicepunktError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("servicepunkt."):
            said = [sentence for sentence in (kind.citizen, kind.next_step) if sentence]
            yield from ((kind.__module__.split(".")[1], kind.__name__, sentence) for sentence in said)


def in_rules() -> Iterator[Said]:
    """Rules that files can break, and the terms in their sentences."""
    list(in_errors())  # imports everything
    for name, module in sorted(sys.modules.items()):
        if not name.startswith("servicepunkt.") or name == "servicepunkt.core.rules":
            continue
        for found in vars(module).values():
            if found is RULES:
                continue
            every = found.values() if isinstance(found, dict) else found if isinstance(found, tuple) else (found,)
            for one in every:
                if isinstance(one, Rule):
                    yield from ((package_of(module), one.code, said) for said in (one.sentence, one.advice) if said)
                elif isinstance(one, Term):
                    yield package_of(module), name, str(one)


def in_readiness() -> Iterator[Said]:
    """What was looked at before a tenant goes live."""
    list(in_errors())  # imports everything
    for name, module in sorted(sys.modules.items()):
        if name.startswith("servicepunkt.") and name.endswith(".ready"):
            for found in vars(module).values():
                if isinstance(found, type) and found.__module__ == name and isinstance(vars(found).get("title"), str):
                    yield package_of(module), found.__name__, vars(found)["title"]


def test_the_german_of_a_rule_has_the_places_of_the_rule() -> None:
    texts = Texts(package / "locale" for package in PACKAGES.values())
    for code, rule in RULES.items():
        wanted = sorted(field for _, field, _, _ in Formatter().parse(rule.sentence) if field)
        said = texts.translate("de", rule.sentence)
        assert sorted(field for _, field, _, _ in Formatter().parse(said) if field) == wanted, code


@pytest.mark.parametrize(
    "source", [in_templates, in_tables, in_errors, in_rules, in_readiness], ids=lambda source: source.__name__
)
def test_everything_has_its_german(source: Callable[[], Iterator[Said]]) -> None:
    missing = {(place, sentence) for package, place, sentence in source() if sentence not in german(package)}
    assert not missing
