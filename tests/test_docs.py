"""The reference is what the code says: every page is up to date, every hook has its heading and its test."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import click
import msgspec
import pytest
import sqlalchemy as sa

from servicepunkt.core import declarations
from servicepunkt.core.catalogue.formats.model import Format
from servicepunkt.core.conformance import Rule
from servicepunkt.core.identification import Identified
from servicepunkt.core.jobs import job
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.plugins.new import Pattern
from servicepunkt.core.plugins.shapes import shape
from servicepunkt.core.protocols import Retention
from servicepunkt.core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"


def load(name: str, path: Path) -> ModuleType:
    sys.path.insert(0, str(ROOT / "docs"))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = load("docs_generate", ROOT / "docs" / "generate.py")
promise = load("hook_api_promise", ROOT / "tests" / "promise.py")
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


@pytest.mark.parametrize("name", HOOKS)
def test_the_example_of_every_hook_runs_and_is_an_answer(name: str) -> None:
    """Names that an example takes from somebody's plugin are here; what it returns is looked at as the host does."""
    example = re.search(r"Example: `(return .*)`$", (HOOKS[name].__doc__ or "").strip(), re.DOTALL)
    assert example is not None
    namespace: dict[str, Any] = {**of_a_plugin(), "__file__": __file__}
    exec(f"def hook():\n    {example[1]}", namespace)
    assert shape(name).read(namespace["hook"]()) is not None


def of_a_plugin() -> dict[str, Any]:
    """What stands around an example in its own package."""

    class Doors:
        """Everything that hooks return to be asked later."""

        name = title = href = kind = service = provider = text = "doors"
        level = 0

        def __init__(self, host: str = "") -> None:
            self.host = host

        async def check(self, *_: Any) -> Any: ...

        count = applied = settled = undelivered = send = erase = look = choices = quote = place = cancel = check
        per_day = begin = take = forget = closed = check

    async def work(deployment: Any, ctx: Any) -> None: ...

    table = sa.Table("locker", sa.MetaData())
    return {
        **vars(declarations),
        **{kind.__name__: kind for kind in (Format, NoticeTemplate, Path, Pattern, Retention, Rule)},
        "click": click,
        "identified": Identified(
            provider="doors", level=0, at=datetime(2026, 11, 21, tzinfo=UTC), proof="", attributes={}
        ),
        **dict.fromkeys(("CardDoor", "WalletDoor", "EndTheSession", "Register"), Doors),
        "list_lockers": click.Command("list"),
        "store": SimpleNamespace(deposit=table, box=table),
        "send_reminder": job(plugin="locker", name="locker.remind")(work),
        "DokboxSettings": msgspec.defstruct("DokboxSettings", []),
        "read": lambda files, limits: iter(()),
        "open_doors": lambda bench: [],
        "erase_old_deposits": Doors().erase,
        **dict.fromkeys(("DepositPages", "BoxApi", "DepositsInTrouble", "SmtpChannel", "DepositNotices"), Doors),
        **dict.fromkeys(("BoxesSeen", "BoxesReady", "BoxesEmpty", "SyncBoxes", "Tickets", "Tours", "HandOvers"), Doors),
    }


# --- the promise of version 1 ---------------------------------------------------------------------------------


def test_what_version_1_promises_is_kept() -> None:
    """When this fails, a plugin of somebody else would break: add beside what is there instead of changing it.

    What is new in version 1 is written into the file: it is promised from then on.
    """
    promised = json.loads((ROOT / "tests" / "hook_api_1.json").read_text("utf-8"))
    now = promise.hook_api()
    assert promise.broken(promised, now) == []
    assert now == promised, "write what was added with: python tests/promise.py"


@pytest.mark.parametrize(
    ("place", "change", "says"),
    [
        (("hooks", "staff_entries"), None, "hooks.staff_entries is gone"),
        (("hooks", "staff_entries", "arguments"), ["ctx"], "hooks.staff_entries.arguments lacks permissions"),
        (("hooks", "staff_entries", "returns"), "Sequence[str]", "hooks.staff_entries.returns is Sequence[str]"),
        (("structs", "StaffEntry", "fields"), ["title"], "structs.StaffEntry.fields lacks href, order"),
        (("structs", "StaffEntry", "required"), ["title", "href", "colour"], "StaffEntry.required has colour"),
        (("protocols", "StaffTask"), ["title", "href", "count", "colour"], "protocols.StaffTask has colour"),
        (("protocols", "StaffTask"), ["title", "href"], "protocols.StaffTask lacks count"),
    ],
)
def test_what_would_break_the_promise_is_said(place: tuple[str, ...], change: Any, says: str) -> None:
    promised, now = promise.hook_api(), promise.hook_api()
    at: Any = now
    for name in place[:-1]:
        at = at[name]
    if change is None:
        del at[place[-1]]
    else:
        at[place[-1]] = change
    assert any(says in sentence for sentence in promise.broken(promised, now))


def test_what_plugin_new_writes_needs_nothing_but_what_is_public() -> None:
    public = {f"{room}.{name}" for room, names in generate.hooks.PUBLIC.items() for name in names}
    used = re.compile(r"^from (servicepunkt\.[\w.]+) import ([\w, ]+)", re.MULTILINE)
    found = [
        (module, name)
        for path in ROOT.glob("packages/*/src/**/patterns/**/*.py.txt")
        for module, names in used.findall(path.read_text("utf-8"))
        for name in names.split(", ")
    ]
    assert len(found) > 40
    foreign = [
        (module, name)
        for module, name in found
        if f"{module}.{name.partition(' as ')[0]}" not in public
        and not any(module == one or module.startswith(f"{one}.") for one in public)
    ]
    assert foreign == []


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
