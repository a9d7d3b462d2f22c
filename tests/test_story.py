"""`servicepunkt demo --story`: the story over HTTP against real processes, then again on the data that it left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from servicepunkt.tenants import files

WITH_STORY = [name for name, folder in files.installed_packs().items() if (folder / "story.toml").exists()]


@pytest.mark.skipif(not WITH_STORY, reason="no installed tenant pack has a story")
def test_the_story_holds_and_a_second_start_finds_its_data() -> None:
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home:
        first = tell(home)
        assert "✓ Door 7 opens for the clerk" in first
        assert first.count("✓") == 16, first
        entries = int(first.rsplit("The audit chain of ", 1)[1].split()[0])
        second = tell(home)
        assert int(second.rsplit("The audit chain of ", 1)[1].split()[0]) > entries
        assert left_over(home) == []


def tell(home: str) -> str:
    """Run the story; returns what it said. Its exit code is the verdict."""
    environment = {**os.environ, "SERVICEPUNKT_HOME": home, "COLUMNS": "200"}
    told = subprocess.run(
        [sys.executable, "-m", "servicepunkt.core", "demo", "--story", "--base-port", "0", "--tenant", WITH_STORY[0]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    logs = "\n".join(f"== {path.name}\n{path.read_text()[-1500:]}" for path in Path(home).glob("logs/*.log"))
    assert told.returncode == 0, told.stdout + told.stderr + logs
    return told.stdout


def left_over(home: str) -> list[str]:
    """Processes that still name the demonstration's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if home in line:
            found.append(line)
    return found
