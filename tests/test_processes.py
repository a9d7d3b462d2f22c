"""Processes end in order: nothing is left running, and the exit code says how it went; what falls is picked up."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from servicepunkt.tenants import files
from servicepunkt.tenants.demo.supervisor import keep_alone

Found = TypeVar("Found")
PACKS = sorted(files.installed_packs())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command_lines() -> dict[int, str]:
    """The command line of every process by its id."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def postgres_of(home: str) -> list[str]:
    return [line for line in command_lines().values() if home in line and "postgres" in line]


def children_of(parent: int) -> dict[str, int]:
    """What a demonstration runs: the first words of each command after the program, and its process id."""
    found = {}
    for pid, line in command_lines().items():
        try:
            state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(state[1]) == parent and "servicepunkt.core" in line:
            found[" ".join(line.partition("servicepunkt.core ")[2].split()[:2]).partition(" --")[0]] = pid
    return found


def until(look: Callable[[], Found | None], seconds: float = 60) -> Found:
    """What `look` finds at last; an HTTP fault is as if it had found nothing."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_stops_the_embedded_postgresql(number: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home:
        port = free_port()
        environment = {**os.environ, "SERVICEPUNKT_HOME": home, "SERVICEPUNKT_SECURE_COOKIES": "false"}
        serving = subprocess.Popen(
            [sys.executable, "-m", "servicepunkt.core", "serve", "--port", str(port)], env=environment
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=1)
                    break
                except httpx.HTTPError:
                    assert time.monotonic() < deadline
                    assert serving.poll() is None
                    time.sleep(0.1)
            assert postgres_of(home)
            serving.send_signal(number)
            assert serving.wait(30) == 0
            assert postgres_of(home) == []
        finally:
            if serving.poll() is None:
                serving.kill()
                serving.wait()


def test_two_demonstrations_do_not_share_a_folder(tmp_path: Path) -> None:
    keep_alone(tmp_path)
    second = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; "
            "from servicepunkt.tenants.demo.supervisor import keep_alone; keep_alone(Path(sys.argv[1]))",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "already running" in second.stderr


@pytest.mark.skipif(not PACKS, reason="no tenant pack is installed")
def test_a_demonstration_picks_up_what_was_killed_and_makes_no_second_device(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home, (tmp_path / "said").open("wb") as said:
        environment = {**os.environ, "SERVICEPUNKT_HOME": home, "COLUMNS": "80"}
        command = [sys.executable, "-m", "servicepunkt.core", "demo", "--base-port", "0", "--tenant", PACKS[0]]
        demo = subprocess.Popen(command, env=environment, stdout=said, stderr=said)

        def told() -> str:
            assert demo.poll() is None, (tmp_path / "said").read_text()
            return (tmp_path / "said").read_text()

        try:
            until(lambda: "Ctrl-C ends everything." in told(), 120)
            web = whole_address(told(), r"/t/[a-z-]+/")
            terminal = whole_address(told(), r"/terminal/[a-z-]+/[a-z-]+")
            codes = {httpx.get(terminal).headers["location"] for _ in range(3)}
            assert len(codes) == 1, "the code that nobody has used is handed out again"

            before = children_of(demo.pid)
            assert {"serve", "worker", "box simulate", "box run"} <= set(before)
            for name in ("serve", "worker"):
                os.kill(before[name], signal.SIGKILL)
                until(lambda name=name: f"{name} had ended and was started again." in told())
            assert until(lambda: httpx.get(web)).status_code == 200
            after = until(lambda: found if {"serve", "worker"} <= set(found := children_of(demo.pid)) else None)
            assert all(after[name] != before[name] for name in ("serve", "worker"))
            assert after["box run"] == before["box run"]

            desk = httpx.get(terminal.partition("/terminal")[0]).text
            assert "bei einem Sprung von mehr als 30 Minuten abgemeldet" in desk
        finally:
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0
        assert [line for line in command_lines().values() if home in line] == []


def whole_address(said: str, path: str) -> str:
    """The address with this path, which stands whole in a line of its own."""
    found = re.search(rf"^\s*(http://127\.0\.0\.1:\d+{path})$", said, re.MULTILINE)
    assert found, said
    return found[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no-such-command"], 2, "No such command"),
        (["tenant", "apply", "/nowhere"], 1, "SP0003"),
        (["serve", "--port", "many"], 2, "Invalid value"),
        (["audit", "verify", "/nowhere"], 2, "does not exist"),
    ],
)
def test_exit_codes(words: list[str], code: int, said: str) -> None:
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home:
        ended = subprocess.run(
            [sys.executable, "-m", "servicepunkt.core", *words],
            env={**os.environ, "SERVICEPUNKT_HOME": home},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
