"""The schema for editors takes what is right, and refuses what `tenant check` refuses in the schema."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from servicepunkt.tenants import files
from servicepunkt.tenants.cli.tenant import tenant

PACKS = sorted(files.installed_packs())


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(CliRunner().invoke(tenant, ["schema"]).output)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def document(pack: str) -> dict[str, Any]:
    """As an editor sees it: days and times are texts."""
    text = (files.installed_packs()[pack] / "tenant.toml").read_text("utf-8")
    return dict(json.loads(json.dumps(tomllib.loads(text), default=str)))


@pytest.mark.parametrize("pack", PACKS)
def test_the_packs_fit(validator: jsonschema.Draft202012Validator, pack: str) -> None:
    assert [error.message for error in validator.iter_errors(document(pack))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"tennant": {}}, {"hosts": [{"id": "x"}]}, {"hosts": [{"id": 1}]}, {"themes": {}},
        {"dokbox": {"boxes": [{"id": "x", "point": "y", "name": {}, "compartments": 0}]}}, {"theme": {"action": "red"}},
    ],
)  # fmt: skip
def test_what_is_wrong_does_not(validator: jsonschema.Draft202012Validator, change: dict[str, Any]) -> None:
    assert list(validator.iter_errors(document(PACKS[0]) | change))
