"""The reference is what the code says: every page is up to date, every hook has its heading and its test."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from servicepunkt.core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"


def load_generator() -> ModuleType:
    sys.path.insert(0, str(ROOT / "docs"))
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = load_generator()
HOOKS: dict[str, FunctionType] = generate.hooks.hooks()


def page(name: str) -> str:
    return (REFERENCE / name).read_text("utf-8")


# --- the generator --------------------------------------------------------------------------------------------


def test_the_pages_are_what_the_code_says() -> None:
    """When this fails: python docs/generate.py."""
    for name, content in generate.pages().items():
        assert page(name) == (generate.NOTE if name.endswith(".md") else "") + content, name


def test_another_process_with_another_hash_seed_would_write_the_same() -> None:
    program = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    result = subprocess.run(program, env=environment, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_page_that_was_changed_is_missing_or_is_left_over_is_noticed_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "reference"
    shutil.copytree(REFERENCE, copy)
    monkeypatch.setattr(generate, "FOLDER", copy)
    (copy / "hooks.md").write_text("Nothing.\n")
    (copy / "errors.md").unlink()
    (copy / "gone.svg").write_text("<svg/>")
    assert generate.main(["--check"]) == 1
    named = re.findall(r"docs/reference/(\S+) is not", capsys.readouterr().out)
    assert named == ["errors.md", "gone.svg", "hooks.md"]
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert not (copy / "gone.svg").exists()
    assert generate.main(["--chekc"]) == 2


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    for path in REFERENCE.glob("*.md"):
        assert f"\nreference/{path.stem}\n" in index


# --- hooks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_its_heading_with_its_exact_signature(name: str) -> None:
    assert f"\n### `{generate.hooks.signature(HOOKS[name])}`\n" in page("hooks.md")


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_what_it_is_for_when_it_is_called_and_since_when(name: str) -> None:
    what, when, example = (HOOKS[name].__doc__ or "").strip().split("\n\n")
    assert re.match(r"[A-Z].*\.$", what, re.DOTALL)
    assert re.match(r" +Called .*\. Since \d+\.\d+\.$", when, re.DOTALL)
    assert re.match(r" +Example: `return .*`$", example, re.DOTALL)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_belongs_to_one_family(name: str) -> None:
    """The context comes first where there is a tenant, and is not there where there is none."""
    parameters = HOOKS[name].__code__.co_varnames[: HOOKS[name].__code__.co_argcount]
    assert parameters == () or parameters[0] == "ctx"


def test_every_hook_is_named_by_a_test() -> None:
    every = (*ROOT.glob("packages/*/tests/**/test_*.py"), *ROOT.glob("tests/**/test_*.py"))
    tests = "\n".join(path.read_text("utf-8") for path in every)
    tested = set(re.findall(r"def test_hook_(\w+)\(", tests))
    assert tested == set(HOOKS)


# --- errors ---------------------------------------------------------------------------------------------------


def test_no_two_errors_have_the_same_code() -> None:
    repeated = [code for code, count in Counter(kind.code for kind in generate.errors.errors()).items() if count > 1]
    assert repeated == []


def test_every_error_has_a_code_of_its_own_of_the_known_form() -> None:
    kinds = generate.errors.errors()
    assert len(kinds) > 25
    for kind in kinds:
        assert re.fullmatch(r"SP\d{4}", vars(kind).get("code", "")), kind


def test_every_error_is_explained() -> None:
    for kind in generate.errors.errors():
        assert f"\n## {kind.code} {kind.__name__}\n" in page("errors.md")


# --- states, commands, settings -------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", generate.states.MACHINES, ids=lambda machine: machine.name)
def test_every_state_and_every_move_is_in_the_picture_and_in_the_table(machine: object) -> None:
    name, states, moves = machine.name, machine.states, machine.moves  # type: ignore[attr-defined]
    picture, table = page(f"{name}.svg"), page("states.md")
    for state in states:
        assert f">{state}</text>" in picture
    drawn = picture.count("marker-end=")
    assert drawn == len({(state, to) for state, _, to in moves if state != to})
    for state, event, to in moves:
        cells = [state or "(nothing)", *([event] if event else []), to]
        assert "| " + " | ".join(f"`{cell}`" for cell in cells) + " |" in table
    assert {to for _, _, to in moves} == set(states), "a state that no move leads to"


def test_every_command_is_explained() -> None:
    found = list(generate.commands.commands(generate.own_plugins()))
    assert len(found) > 15
    for path, command in found:
        assert command.help, path
        assert re.search(rf"\n##+ `{path}`\n", page("commands.md"))


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_every_setting_is_explained_and_read_somewhere(name: str) -> None:
    """A setting that nothing reads lets an operator believe that something is protected."""
    assert re.search(rf"\n\| `SERVICEPUNKT_{name.upper()}` \| [A-Z]", page("settings.md"))
    sources = [path.read_text("utf-8") for path in ROOT.glob("packages/*/src/**/*.py")]
    read = re.compile(rf"(?:settings|self|made|configured)\.{name}\b|PREFIX}}{name.upper()}\b")
    assert any(read.search(source) for source in sources)
