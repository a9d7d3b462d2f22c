"""The example of the README runs with what the package alone brings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_example_of_the_readme_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    found = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.splitlines() == [
        "pin 2 None",
        "can 1 wrong_pin",
        "pin 1 None",
        "the service knows more: https://eid.example/done?refID=5f3a",
    ]
