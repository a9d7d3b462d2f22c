"""The tutorial of the small town, followed word by word in an empty folder, ends in a rehearsal."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

README = Path(__file__).resolve().parents[2] / "examples" / "hohen_neuendorf" / "README.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVE = "servicepunkt serve\n"
DOCTOR = "servicepunkt tenant doctor"
PAGE = re.compile(r"http://127\.0\.0\.1:8600(/t/[a-z-]+/)")


def blocks() -> list[str]:
    return BLOCK.findall(README.read_text("utf-8"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Short, because PostgreSQL's socket lies below it.
    return tmp_path_factory.mktemp("t")


def script(lines: list[str]) -> str:
    return "set -euo pipefail\n" + "".join(lines)


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SERVICEPUNKT_")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "LANG": "C.UTF-8"}


@pytest.fixture(scope="module")
def followed(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Everything before the doctor, but for the server, which would not end."""
    lines = [block for block in blocks() if block != SERVE and not block.startswith(DOCTOR)]
    # PostgreSQL runs as a user of its own, who may not enter pytest's folders.
    lines.insert(0, "chmod 755 . ..\n")
    return subprocess.run(
        ["bash", "-c", script(lines)],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=400,
    )


def test_every_step_succeeds(followed: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert followed.returncode == 0, followed.stderr[-2000:]
    assert "The file is in order." in followed.stdout
    assert "values changed: 0" in followed.stdout, "the second time nothing changes"
    assert "erika can sign in" in followed.stdout
    assert (folder / "my-town.html").stat().st_size > 1_000_000
    assert (folder / "my-town" / "tenant.schema.json").stat().st_size > 10_000


@pytest.fixture
def served(followed: subprocess.CompletedProcess[str], folder: Path, environment: dict[str, str]) -> Iterator[str]:
    assert followed.returncode == 0
    port = free_port()
    assert SERVE in blocks()
    command = [*SERVE.split(), "--port", str(port)]
    home = {"SERVICEPUNKT_HOME": str(folder / "kept")}
    process = subprocess.Popen(command, cwd=folder, env={**environment, **home})
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def test_the_page_that_it_names_is_a_rehearsal(served: str) -> None:
    [path] = set(PAGE.findall(README.read_text("utf-8"))) - {"/t/staff/"}
    answer = None
    for _ in range(300):
        try:
            answer = httpx.get(served + path)
            break
        except httpx.TransportError:
            time.sleep(0.2)
    assert answer is not None
    assert answer.status_code == 200
    assert "Birkenwerder" in answer.text


def test_the_doctor_says_what_is_missing(
    followed: subprocess.CompletedProcess[str], folder: Path, environment: dict[str, str]
) -> None:
    assert followed.returncode == 0
    [block] = [block for block in blocks() if block.startswith(DOCTOR)]
    home = {"SERVICEPUNKT_HOME": str(folder / "kept")}
    ran = subprocess.run(
        ["bash", "-c", block], cwd=folder, env={**environment, **home}, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 1, "it may not go live yet"
    for code in ("SP1504", "SP1507", "SP3501"):
        assert code in ran.stdout
