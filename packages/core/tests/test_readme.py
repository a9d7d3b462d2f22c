"""The example in the README runs and says what the README says it does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_example_runs(tmp_path: Path) -> None:
    program = tmp_path / "lockers.py"
    program.write_text(block("python"), "utf-8")
    result = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == (block("text"), "")
