"""German is complete: every text of core and web, taken from templates and code, has its translation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2.ext import babel_extract

import servicepunkt.core.texts as core_texts
import servicepunkt.web.plugin as web_plugin
from servicepunkt.core.texts import Texts

CORE = Path(core_texts.__file__).parent
WEB = Path(web_plugin.__file__).parent
# Constants that hold message ids, and calls whose argument of that number is one.
TABLES = {"SENTENCES", "CAPABILITIES", "ROLES"}
CALLS = {"translate": 1, "StaffEntry": 0, "DeviceKind": 1, "append": 0}


def in_templates(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("templates/*.html")):
        with path.open("rb") as file:
            for _, _, found, _ in babel_extract(file, ("_",), [], {}):
                texts = (found,) if isinstance(found, str) else found or ()
                yield from (text for text in texts[:1] if text)


def in_code(folder: Path) -> Iterator[str]:
    # What `plugin check` says is read by programmers, in English.
    for path in sorted(set(folder.rglob("*.py")) - {folder / "conformance.py"}):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield from filter(None, messages_of(node))


def messages_of(node: ast.AST) -> Iterator[str | None]:
    match node:
        case ast.ClassDef(body=body):
            for statement in body:
                if isinstance(statement, ast.Assign | ast.AnnAssign):
                    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
                    if isinstance(target, ast.Name) and target.id in ("citizen", "next_step"):
                        yield text_of(statement.value)
        case ast.Tuple(elts=[ast.Constant(value=str()), sentence]):
            yield sentence_of(sentence)
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=args) if len(args) > CALLS.get(name, 99):
            argument = args[CALLS[name]]
            yield sentence_of(argument) if name == "append" else text_of(argument)
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in TABLES and isinstance(value, ast.Dict):
            yield from map(text_of, value.values)
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.isupper():
            yield sentence_of(value)


def text_of(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def sentence_of(node: ast.expr | None) -> str | None:
    text = text_of(node)
    return text if text and text.endswith(".") and " " in text else None


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts([CORE / "locale", WEB / "locale"])


@pytest.mark.parametrize("folder", [CORE, WEB], ids=["core", "web"])
def test_every_text_is_there_in_german(texts: Texts, folder: Path) -> None:
    found = {*in_templates(folder), *in_code(folder)}
    assert len(found) > 20
    assert texts.missing("de", sorted(found)) == []


def test_the_search_finds_what_it_should() -> None:
    web = {*in_templates(WEB), *in_code(WEB)}
    assert {"End and delete", "Help calls", "Get advice", "This terminal is not ready yet.", "Enter your login."} <= web
    core = set(in_code(CORE))
    assert {"Open until {time}.", "The login is missing.", "The password needs at least 12 characters."} <= core


def test_translations_keep_the_places_for_values(texts: Texts) -> None:
    import re

    for message in {*in_templates(WEB), *in_code(WEB), *in_code(CORE)}:
        german = texts.translate("de", message)
        assert set(re.findall(r"\{\w+\}", german)) == set(re.findall(r"\{\w+\}", message)), message
