"""The examples of the README run with what the package alone brings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text("utf-8"), re.DOTALL)
SAID = [
    ["pin 2 None", "can 1 wrong_pin", "pin 1 None", "the service knows more: https://eid.example/done?refID=5f3a"],
    ["ERIKA"],
]


@pytest.mark.parametrize(("example", "said"), [*zip(EXAMPLES, SAID, strict=True)], ids=["AusweisApp", "virtual card"])
def test_an_example_runs(example: str, said: list[str]) -> None:
    found = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.splitlines() == said
