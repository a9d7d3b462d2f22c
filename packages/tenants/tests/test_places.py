"""Every key and value of a document has its place, and the place is where it stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core import toml
from servicepunkt.tenants import files
from servicepunkt.tenants.places import Path, Place, nearest, places

DOCUMENT = """\
schema = 1
title.de = "a # no comment"   # a comment

[tenant]
 slug = 'x'
"a b".c = 1
lines = '''
[not] a = "table"
'''

[[points]]
id = "one"  # [[points]]
hours = ["Mo", { days = [1,
    2], open = true }, ]

[points.address]
street = "A"

[[points.doors]]
n = 1
[[points.doors]]
n = 2
[points.doors.lock]
kind = "x"
[[points]]
id = "two"
text = \"\"\"
x = 1 \\\"\"\" y
\"\"\"\"
end = 2026-11-22
"""


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def test_every_key_and_value_has_its_place() -> None:
    found = places(DOCUMENT)
    assert set(paths(tomllib.loads(DOCUMENT))) == set(found)
    assert found["schema",] == Place(1, 1)
    assert found["title", "de"] == Place(2, 7)
    assert found["tenant", "slug"] == Place(5, 2)
    assert found["tenant", "a b", "c"] == Place(6, 7)
    assert found["points", 0] == Place(11, 1)
    assert found["points", 0, "hours", 1, "days", 1] == Place(14, 5)
    assert found["points", 0, "doors", 1, "lock", "kind"] == Place(24, 1)
    assert found["points", 1, "end"] == Place(30, 1)


def test_what_does_not_stand_there_is_named_where_it_would() -> None:
    found = places(DOCUMENT)
    assert nearest(found, ("points", 1, "hours")) == Place(25, 1)
    assert nearest(found, ("nothing",)) == Place(1, 1)


@pytest.mark.parametrize("pack", sorted(files.installed_packs()))
def test_the_files_of_the_installed_packs(pack: str) -> None:
    folder: File = files.installed_packs()[pack]
    for path in (folder / "tenant.toml", *folder.glob("catalogue/*.toml")):
        text = path.read_text("utf-8")
        found = places(text)
        assert set(paths(tomllib.loads(text))) == set(found), path.name
        lines = text.split("\n")
        for where, place in found.items():
            stands = lines[place.line - 1][place.column - 1 :]
            assert stands.startswith("[") or isinstance(where[-1], int) or where[-1] in stands, (path.name, where)


TRIPLE = "''' and \"\"\""
KEYS = st.text(max_size=4) | st.sampled_from(["id", "a.b", 'q"', "'", "\n"])
SCALARS = st.text(max_size=12) | st.booleans() | st.integers(-9, 99) | st.sampled_from([TRIPLE, "\\", "a\nb", "]"])
VALUES = st.recursive(SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(KEYS, some, max_size=3))


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_a_document_says(said: dict[str, Any]) -> None:
    text = "\n".join(line for key, value in said.items() for line in toml.assignment(toml.key_of(key), value))
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(paths(read)) == set(places(text))
