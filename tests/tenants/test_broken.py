"""Hundreds of broken tenant files, each answered with exactly the codes that stand beside it, at the right line."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from servicepunkt.core import deployment as deployments
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.settings import Settings
from servicepunkt.tenants import files
from servicepunkt.tenants.checking import check
from servicepunkt.tenants.files import MAX_FILE
from servicepunkt.tenants.findings import Finding

CASES = Path(__file__).parent / "broken" / "cases.tsv"
PACKS = files.installed_packs()


def cases() -> list[dict[str, str]]:
    with CASES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return deployments.without_database(Settings(home=tmp_path_factory.mktemp("home")))


def changed(folder: Path, case: dict[str, str]) -> Path:
    """A copy of the pack with one line changed."""
    town = folder / "town"
    shutil.copytree(PACKS[case["pack"]], town)
    path = town / case["file"]
    lines = path.read_text("utf-8").split("\n")
    lines[int(case["line"]) - 1] = case["new"]
    path.write_text("\n".join(lines), "utf-8")
    return town


def test_there_are_enough() -> None:
    found = cases()
    assert len(found) >= 200
    assert len({case["kind"] for case in found}) >= 20
    assert {case["pack"] for case in found} == {"kassel", "hohen-neuendorf"}


@pytest.mark.skipif(len(PACKS) < 2, reason="the packs are not installed")
@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case['kind']}-{case['pack']}-{case['line']}")
def test_a_broken_file(deployment: Deployment, tmp_path: Path, case: dict[str, str]) -> None:
    checked = check(deployment, changed(tmp_path, case))
    assert checked.file is None
    errors = [one for one in checked.findings if one.level == "error"]
    assert {one.code for one in errors} == set(case["codes"].split()), [one.where for one in errors]
    assert any(is_near(one, case) for one in errors), [one.where for one in errors]


def is_near(one: Finding, case: dict[str, str]) -> bool:
    """What is missing is named at its table; what is there at its line, or where the parser noticed it."""
    line = int(case["line"])
    return one.file == case["file"] and line - 40 <= one.line <= line + 3


# --- what is no tenant file at all --------------------------------------------------------------------------------

Answer = Callable[[bytes], list[str]]


@pytest.fixture
def codes(deployment: Deployment, tmp_path: Path) -> Answer:
    def ask(content: bytes) -> list[str]:
        (tmp_path / "tenant.toml").write_bytes(content)
        return [one.code for one in check(deployment, tmp_path).errors]

    return ask


def test_what_is_too_large_or_no_text(codes: Answer) -> None:
    assert codes(b"#" * (50 * 1024 * 1024)) == ["SP1004"]
    assert codes(b"#" * MAX_FILE) == ["SP1011", *codes(b"schema = 1")]
    assert codes("name = 'ä'".encode("latin-1")) == ["SP1005"]
    assert codes("schema = 1".encode("utf-16")) == ["SP1005"]
    assert codes(b"a = " + b"[" * 100_000) == ["SP1007"]
    assert codes(b"a" + b".a" * 1_000 + b" = 1") == ["SP1007"]
    assert "SP1006" in codes(b"\x00")


def test_a_theme_with_a_script_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    shutil.copytree(PACKS["kassel"], tmp_path / "town")
    (tmp_path / "town" / "theme").mkdir()
    logo = tmp_path / "town" / "theme" / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    assert {one.code for one in check(deployment, tmp_path / "town").errors} == {"SP1203", "SP1204"}
    logo.unlink()
    logo.symlink_to("/etc/passwd")
    assert [one.code for one in check(deployment, tmp_path / "town").errors] == ["SP1003"]
