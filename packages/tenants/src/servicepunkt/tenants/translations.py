"""Texts in another language that stand in a file of their own, for whoever translates: `texts/en.toml`. Pure.

    [services.passport]
    name = "Passport"
    [offers."passport@corner"]
    non_digital = "At the town hall"

A text is put beside the one that it translates; lists go in their order. What is not there in any other language is
no translation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from servicepunkt.core.catalogue.checks import LANGUAGE
from servicepunkt.core.catalogue.records import ENTRIES
from servicepunkt.core.rules import Broken, closest, rule
from servicepunkt.tenants.places import Path

FOLDER = "texts"
Found = Iterator[tuple[str, Path, Broken]]

NOT_OF_A_LANGUAGE = rule("SP1068", "the file is not named by a language: {name!r}", "Such as en.toml or fr.toml.")
NO_ENTRY = rule("SP1069", "there is no entry {name!r} that could be translated")
NO_TEXT = rule("SP1070", "no text of this name stands there in another language: {name}")
TWICE = rule("SP1071", "this stands there in {language} already")


def translated(documents: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], list[tuple[str, Path, Broken]]]:
    """The documents with every translation at its place and without the files of translations; what does not fit."""
    files = {name: content for name, content in documents.items() if name.startswith(f"{FOLDER}/")}
    others = {name: content for name, content in documents.items() if name not in files}
    if not files:
        return others, []
    others = deepcopy(others)
    entries = dict(_entries(others))
    found = [one for name, content in files.items() for one in _of_file(name, content, entries)]
    return others, found


def _entries(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for content in documents.values():
        for kind in ENTRIES:
            values = content.get(kind)
            for one in values if isinstance(values, list) else ():
                if isinstance(one, dict):
                    yield (kind, _name(kind, one)), one


def _name(kind: str, entry: Mapping[str, Any]) -> str:
    return f"{entry.get('service')}@{entry.get('point')}" if kind == "offers" else str(entry.get("id"))


def _of_file(file: str, content: Mapping[str, Any], entries: Mapping[tuple[str, str], dict[str, Any]]) -> Found:
    language = file.removeprefix(f"{FOLDER}/").removesuffix(".toml")
    if not LANGUAGE.match(language):
        yield file, (), NOT_OF_A_LANGUAGE(name=language)
        return
    for kind, of_kind in content.items():
        if kind not in ENTRIES or not isinstance(of_kind, dict):
            yield file, (kind,), NO_ENTRY(name=kind, near=closest(kind, ENTRIES))
            continue
        for name, texts in of_kind.items():
            entry = entries.get((kind, name))
            if entry is None or not isinstance(texts, dict):
                known = [known for of, known in entries if of == kind]
                yield file, (kind, name), NO_ENTRY(name=name, near=closest(name, known))
                continue
            yield from ((file, path, said) for path, said in _put(texts, entry, language, (kind, name)))


def _put(given: Any, there: Any, language: str, path: Path) -> Iterator[tuple[Path, Broken]]:
    """Put what is given beside what is there, table by table and item by item."""
    if isinstance(given, dict) and isinstance(there, dict):
        for key, value in given.items():
            if key in there:
                yield from _put(value, there[key], language, (*path, key))
            else:
                yield (*path, key), NO_TEXT(name=key, near=closest(key, sorted(map(str, there))))
    elif isinstance(given, list) and isinstance(there, list) and len(given) <= len(there):
        for number, value in enumerate(given):
            yield from _put(value, there[number], language, (*path, number))
    elif not isinstance(given, str) or not _is_text(there):
        yield path, NO_TEXT(name=path[-1])
    elif language in there:
        yield path, TWICE(language=language)
    else:
        there[language] = given


def _is_text(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(one, str) for one in value.values())
