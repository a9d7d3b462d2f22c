"""The simulator stands alone: it shares no code with the driver that is tested against it."""

import ast
from pathlib import Path

import pytest

from servicepunkt.dokbox import simulator

FOLDER = Path(simulator.__file__).parent
MODULES = sorted(FOLDER.rglob("*.py"))


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert all(node.level == 0 for node in froms)
    return plain | {f"{node.module}.{alias.name}" for node in froms for alias in node.names}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_nothing_of_the_house_but_itself(path: Path) -> None:
    of_the_house = {name for name in imports(path) if name.startswith("servicepunkt")}
    assert {name for name in of_the_house if not name.startswith("servicepunkt.dokbox.simulator.")} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_only_the_pages_and_the_command_need_a_web_framework(path: Path) -> None:
    web = {name for name in imports(path) if name.partition(".")[0] in {"litestar", "uvicorn"}}
    assert not web or path.name in {"pages.py", "command.py"}


def test_all_that_is_promised_is_there() -> None:
    assert all(hasattr(simulator, name) for name in simulator.__all__)


def test_one_module_alone_calls_the_ciphers() -> None:
    found = [path for path in MODULES if any(name.startswith("cryptography") for name in imports(path))]
    assert [str(path.relative_to(FOLDER)) for path in found] == ["osdp/channel.py"]
