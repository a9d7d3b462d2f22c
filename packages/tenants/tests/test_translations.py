"""Translations in files of their own stand beside what they translate; what does not fit is named where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from servicepunkt.core import deployment as deployments
from servicepunkt.core.settings import Settings
from servicepunkt.tenants import model
from servicepunkt.tenants.checking import check
from servicepunkt.tenants.translations import translated

STEPS = [{"text": {"de": "Kommen"}}, {"text": {"de": "Gehen"}}]
TOWN = {
    "services": [{"id": "move", "name": {"de": "Umziehen"}, "steps": STEPS}],
    "offers": [{"service": "move", "point": "corner", "non_digital": {"de": "Im Rathaus"}}],
}


def put(texts: Any, file: str = "texts/en.toml") -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The town with a translation, and (path, code) of what does not fit."""
    done, found = translated({"tenant.toml": TOWN, file: texts})
    assert list(done) == ["tenant.toml"]
    assert {name for name, _, _ in found} <= {file}
    return done["tenant.toml"], [(".".join(map(str, path)), said.rule.code) for _, path, said in found]


def test_texts_stand_beside_what_they_translate() -> None:
    town, found = put(
        {
            "services": {"move": {"name": "Move house", "steps": [{"text": "Come"}, {"text": "Go"}]}},
            "offers": {"move@corner": {"non_digital": "At the town hall"}},
        }
    )
    assert found == []
    assert town["services"][0]["name"] == {"de": "Umziehen", "en": "Move house"}
    assert [step["text"]["en"] for step in town["services"][0]["steps"]] == ["Come", "Go"]
    assert town["offers"][0]["non_digital"]["en"] == "At the town hall"
    assert "'en'" not in str(TOWN["services"]), "what was read stays as it was"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"service": {}}, ("service", "SP1069")),
        ({"services": "x"}, ("services", "SP1069")),
        ({"services": {"moove": {"name": "x"}}}, ("services.moove", "SP1069")),
        ({"services": {"move": "x"}}, ("services.move", "SP1069")),
        ({"services": {"move": {"nam": "x"}}}, ("services.move.nam", "SP1070")),
        ({"services": {"move": {"id": "x"}}}, ("services.move.id", "SP1070")),
        ({"services": {"move": {"name": 7}}}, ("services.move.name", "SP1070")),
        ({"services": {"move": {"name": ["x"]}}}, ("services.move.name", "SP1070")),
        ({"services": {"move": {"steps": [{}, {}, {"text": "x"}]}}}, ("services.move.steps", "SP1070")),
        ({"services": {"move": {"name": {"fr": "x"}}}}, ("services.move.name.fr", "SP1070")),
    ],
)
def test_what_does_not_fit_is_named_and_the_rest_is_read(texts: Any, expected: tuple[str, str]) -> None:
    texts = {**texts, "offers": {"move@corner": {"non_digital": "At the town hall"}}}
    town, found = put(texts)
    assert found == [expected]
    assert town["offers"][0]["non_digital"]["en"] == "At the town hall"


def test_no_text_is_written_over() -> None:
    assert put({"services": {"move": {"name": "Anders"}}}, "texts/de.toml")[1] == [("services.move.name", "SP1071")]


def test_a_file_is_named_by_its_language() -> None:
    assert put({}, "texts/Englisch!.toml")[1] == [("", "SP1068")]


def test_a_folder_with_translations_is_read_and_checked(tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text('schema = 1\n[[themes]]\nid = "home"\nname.de = "Wohnen"\n', "utf-8")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.toml").write_text('[themes.home]\nname = "Home"\nnam = "Home"\n', "utf-8")
    found = check(deployments.without_database(Settings(home=tmp_path)), tmp_path).findings
    assert ("SP1070", "texts/en.toml", 3, "name") in [(one.code, one.file, one.line, one.near) for one in found]


def test_without_translations_nothing_is_copied() -> None:
    documents = {model.MAIN: TOWN}
    assert translated(documents)[0][model.MAIN] is TOWN
