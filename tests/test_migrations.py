"""Every migration of the repository: the version before can go on while it is done."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from servicepunkt.core.db.steps import faults, statements

ROOT = Path(__file__).resolve().parent.parent
PATHS = sorted(ROOT.glob("packages/*/src/servicepunkt/*/migrations/*.py"))
# Before the first release there was no version before.
BEFORE_THE_FIRST_RELEASE = {
    "dokbox_0002": {"checks all rows"},
    "dokbox_0005": {"changes a primary key", "forbids what was allowed"},
}


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_migrations_to_look_at() -> None:
    assert len(PATHS) > 10


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_version_before_goes_on_while_it_is_done(path: Path) -> None:
    """What takes away names the earlier revision of its package since which nothing needs it (`contracts`)."""
    migration = load(path)
    found = {reason for reason, _ in faults(statements(migration))}
    if since := getattr(migration, "contracts", None):
        earlier = [other.stem for other in PATHS if other.parent == path.parent and other.stem < path.stem]
        assert since in earlier[:-1], "what is taken away was still needed by the version before"
    else:
        assert found == BEFORE_THE_FIRST_RELEASE.get(migration.revision, set())


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_its_name_says_package_and_number(path: Path) -> None:
    """By its name a version knows a revision that came after it (`migrate.at_head`)."""
    package = path.parents[1].name
    assert re.fullmatch(rf"{package}_\d{{4}}", path.stem)
    assert load(path).revision == path.stem
