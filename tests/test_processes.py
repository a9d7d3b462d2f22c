"""Processes end in order: nothing is left running, and the exit code says how it went."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest

from servicepunkt.tenants.demo.supervisor import keep_alone


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_of(home: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if home in line and "postgres" in line:
            found.append(line)
    return found


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
