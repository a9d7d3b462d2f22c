"""Rules of the repository as a whole. They read files; they import nothing of the product."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = sorted(
    path.parent
    for pattern in ("packages/*", "reference_kassel/partners/*", "reference_kassel", "examples/*")
    for path in ROOT.glob(f"{pattern}/pyproject.toml")
)
ROOMS = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml") if (path.parent / "src").is_dir())
# Tests in packages/ that need a city's name, for example to show that it is nowhere else.
NEED_A_CITYS_NAME: frozenset[str] = frozenset()
# One character in brackets, so that this file does not find itself.
CITY = re.compile(r"kasse[l]|hohen[ _-]?neuendor[f]", re.IGNORECASE)
REGISTRY_HOST = re.compile(r"registry\.npmj[s]|registry\.yarnpk[g]|pypi\.or[g]|pythonhoste[d]\.org", re.IGNORECASE)
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:root|work|home)/(?=\w)")
PAGE = re.compile(r"\"/(?:staff|k)(?:/|\")")


def each_project() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)


def pyproject(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))


def texts(under: str = ".") -> Iterator[tuple[str, str]]:
    """Path and text of every file that is, or would be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", under],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert names, f"git lists no file under {under}"
    for name in names:
        content = (ROOT / name).read_bytes()
        if b"\0" not in content:
            yield name, content.decode("utf-8")


def places(pattern: re.Pattern[str], under: str = ".") -> list[str]:
    """Where a pattern occurs in the repository's files, as path:line: text."""
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts(under)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_the_namespace_has_no_init_file() -> None:
    """One such file in one package hides the other packages."""
    assert not list(ROOT.glob("*/**/src/servicepunkt/__init__.py"))


@pytest.mark.parametrize("name", ["constraints.txt", "requirements.lock", "packages/web/package-lock.json"])
def test_locks_name_no_host(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert len(text.splitlines()) > 10, f"{name} looks empty"
    assert "://" not in text


def test_no_file_names_a_package_registry() -> None:
    assert places(REGISTRY_HOST) == []


def test_no_file_holds_a_path_of_a_machine() -> None:
    assert places(MACHINE_PATH) == []


def test_packages_name_no_city() -> None:
    """A city is a tenant: a configuration and plugins, outside of packages/."""
    assert [place for place in places(CITY, "packages") if place.partition(":")[0] not in NEED_A_CITYS_NAME] == []


def test_the_kernel_names_no_page() -> None:
    """Pages belong to the shell and the areas; the kernel's hooks show examples alone."""
    assert [place for place in places(PAGE, "packages/core/src") if "Example: " not in place] == []


@each_project()
def test_every_package_has_licence_readme_and_types(project: Path) -> None:
    """Real copies of the licence, because a wheel is built from its own folder alone."""
    assert not (project / "LICENSE").is_symlink()
    assert (project / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (project / "README.md").read_text("utf-8").startswith(f"# {pyproject(project)['project']['name']}\n")
    if (project / "src").is_dir():
        assert list(project.glob("src/servicepunkt/*/py.typed")) or list(project.glob("src/servicepunkt_*/py.typed"))


def test_all_packages_have_one_version_and_one_python() -> None:
    tables = [pyproject(project)["project"] for project in PROJECTS]
    assert {table["version"] for table in tables} == {tables[0]["version"]}
    assert {table["requires-python"] for table in tables} == {">=3.11"}
    assert {table["license"] for table in tables} == {"EUPL-1.2"}


@each_project()
def test_siblings_are_pinned(project: Path) -> None:
    table = pyproject(project)["project"]
    extras = table.get("optional-dependencies", {}).values()
    requirements = [*table.get("dependencies", ()), *(entry for extra in extras for entry in extra)]
    for requirement in requirements:
        if requirement.startswith("servicepunkt"):
            assert requirement.endswith(f"=={table['version']}"), requirement


@each_project()
def test_dependencies_have_a_lower_bound(project: Path) -> None:
    """The oldest versions of the matrix are these bounds; without one there would be nothing to test."""
    for requirement in pyproject(project)["project"].get("dependencies", ()):
        assert re.search(r">=|==", requirement), requirement


def test_every_room_is_known_to_the_tools() -> None:
    """A new package has to be added to the import contracts, to mypy's path and to the matrix."""
    tool = pyproject(ROOT)["tool"]
    assert ROOMS
    for room in ROOMS:
        assert f"servicepunkt.{room}" in tool["importlinter"]["root_packages"]
        assert any(f"servicepunkt.{room}" in layer for layer in tool["importlinter"]["contracts"][0]["layers"])
        assert f"packages/{room}/src" in tool["mypy"]["mypy_path"].split(":")
        assert room in tool["tox"]["env_list"][0]["product"][0]


def test_every_partner_is_known_to_the_tools() -> None:
    """A partner's plugin knows the kernel alone; the tenant's package brings it along."""
    tool = pyproject(ROOT)["tool"]
    partners = [project for project in PROJECTS if project.parent == ROOT / "reference_kassel" / "partners"]
    needed = pyproject(ROOT / "reference_kassel")["project"]["dependencies"]
    assert len(partners) > 6
    for project in partners:
        (module,) = (path.name for path in (project / "src").iterdir())
        name = pyproject(project)["project"]["name"]
        assert module in tool["importlinter"]["root_packages"]
        assert module in tool["importlinter"]["contracts"][0]["layers"][1].split(" | ")
        assert module in tool["importlinter"]["contracts"][2]["source_modules"]
        assert f"-e ./reference_kassel/partners/{project.name}" in tool["tox"]["env_base"]["partners"]["deps"]
        assert tool["uv"]["sources"][name] == {"workspace": True}
        assert any(entry.startswith(f"{name}==") for entry in needed)


def test_rooms_import_each_other_only_downwards() -> None:
    """The contracts of pyproject.toml, checked by import-linter."""
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]


def test_browser_libraries_have_exact_versions_and_hashes() -> None:
    web = ROOT / "packages" / "web"
    wanted = json.loads((web / "package.json").read_text("utf-8"))["dependencies"]
    locked = json.loads((web / "package-lock.json").read_text("utf-8"))["packages"]
    assert wanted == locked[""]["dependencies"]
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} {version} is not one exact version"
        assert locked[f"node_modules/{name}"]["version"] == version
    for name, entry in locked.items():
        assert name == "" or entry["integrity"].startswith("sha512-"), name
