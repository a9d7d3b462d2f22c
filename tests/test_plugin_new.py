"""What `plugin new` writes is installed with pip, passes its own test, and keeps every rule of plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.plugins.new import NewPluginError, patterns, write

HOST = PluginHost()
HOST.load_installed()
ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    known = os.pathsep.join([str(path), *sys.path])
    environment = {**os.environ, "PYTHONPATH": known, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for name in [name for name in environment if name.startswith("SERVICEPUNKT_")]:
        del environment[name]
    program = [sys.executable, "-m", *map(str, command)]
    return subprocess.run(program, env=environment, cwd=cwd, check=False, capture_output=True, text=True)


#: Installing each kind takes half a minute; all of them are installed by `nox -s patterns`.
EVERY_KIND = sorted(patterns(HOST))
TRIED = EVERY_KIND if os.environ.get("SERVICEPUNKT_TEST_PATTERNS") == "all" else ["partner", "table"]


@pytest.mark.parametrize("kind", TRIED)
def test_what_is_written_installs_passes_its_test_and_keeps_the_rules(kind: str, tmp_path: Path) -> None:
    package = write(HOST, kind, "glass_house", tmp_path)
    installed = tmp_path / "installed"
    pip = ("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", installed)
    done = run(*pip, package, path=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tests = run("pytest", "-q", "-p", "no:cacheprovider", package / "tests", path=installed, cwd=package)
    assert tests.returncode == 0, tests.stdout[-3000:]
    checked = run("servicepunkt.core", "plugin", "check", package, "--json", path=installed, cwd=tmp_path)
    report = json.loads(checked.stdout.splitlines()[-1])
    assert (checked.returncode, report["plugin"], report["ok"]) == (0, "glass_house", True), checked.stdout
    # On a busy machine a hook may be interrupted for longer than it may take.
    assert [one for one in report["findings"] if one["state"] != "passed" and one["rule"] != "quick"] == []
    by_name = run("servicepunkt.core", "plugin", "list", "--json", path=installed, cwd=tmp_path)
    listed = {one["plugin"]: one for one in json.loads(by_name.stdout.splitlines()[-1])}
    if kind != "board":
        assert listed["glass_house"]["distribution"] == "servicepunkt-glass-house"


@pytest.mark.parametrize("kind", patterns(HOST))
def test_what_is_written_keeps_the_style_of_the_house(kind: str, tmp_path: Path) -> None:
    package = write(HOST, kind, "glass_house", tmp_path)
    rules = ("--config", ROOT / "pyproject.toml", "--no-cache", package / "src")
    # In what order it imports is a matter of its own repository, to which ours is one of many libraries.
    for check in (("ruff", "check", "--ignore", "I001"), ("ruff", "format", "--check")):
        done = run(*check, *rules, path=tmp_path, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
    assert not [path for path in package.rglob("*") if path.is_file() and "${" in path.read_text("utf-8")]


def test_every_kind_says_what_it_is_and_brings_a_test() -> None:
    assert {"partner", "tile", "board", "identity", "notice", "source", "table"} <= set(patterns(HOST))
    for pattern in patterns(HOST).values():
        assert list(pattern.folder.glob("tests/test_NAME.py.txt")), pattern.kind
        assert pattern.about
        assert pattern.then.endswith(".")


@pytest.mark.parametrize(
    "name", ["", "ab", "Glass", "glass-house", "1glass", "class", "glass__house", "a/house", "ööö"]
)
def test_what_is_no_name_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(NewPluginError, match="is no name"):
        write(HOST, "tile", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_a_kind_that_is_none_and_a_folder_that_is_there_are_refused(tmp_path: Path) -> None:
    for name in ("core", "web", "dokbox"):
        with pytest.raises(NewPluginError, match=f"there is already a plugin '{name}'"):
            write(HOST, "tile", name, tmp_path)
    with pytest.raises(NewPluginError, match=r"no kind 'tiles'; known are: board, identity, notice"):
        write(HOST, "tiles", "glass_house", tmp_path)
    write(HOST, "tile", "glass_house", tmp_path)
    with pytest.raises(NewPluginError, match="is already there"):
        write(HOST, "partner", "glass_house", tmp_path)
