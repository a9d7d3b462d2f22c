"""The reader as a process: enrolled once, on loopback alone, and ended in order."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from servicepunkt.core.errors import SettingsError
from servicepunkt.core.settings import Settings
from servicepunkt.eid.controller.app import ReaderProcess, form_secret, run

COMMAND = "from servicepunkt.core.cli import main; main()"


def free_port() -> int:
    """Below those that the system gives to connections, of which there are many while tests run."""
    for port in random.sample(range(20_000, 30_000), 50):
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")


async def test_it_enrols_serves_and_ends(place: Any, tmp_path: Path) -> None:
    async with place() as here:
        port = free_port()
        options = ["--home", str(tmp_path / "reader"), "--centre", here.centre.url, "--enrol", "CODE"]
        options += ["--ausweisapp", here.ausweisapp.url, "--port", str(port)]
        fetched = here.centre.fetched
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", COMMAND, "eid", "run", *options, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
                for _ in range(300):
                    assert process.returncode is None, (await process.communicate())[1].decode()[-2000:]
                    try:
                        if (await client.get("/health/live")).status_code == 200 and here.centre.fetched > fetched:
                            break
                    except httpx.HTTPError:
                        pass
                    await asyncio.sleep(0.1)
                page = (await client.get("/")).text
                assert 'href="/practice"' in page
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            _, said = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0, said.decode()[-2000:]
        assert here.centre.enrolled[0]["kind"] == "reader"
        assert here.centre.enrolled[0]["info"] == {"url": f"http://localhost:{port}"}
        kept = tmp_path / "reader" / "token"
        assert kept.read_text() == "1.device.secret"
        assert kept.stat().st_mode & 0o077 == 0
        assert b"secret" not in said


def test_an_ausweisapp_elsewhere_is_refused(tmp_path: Path) -> None:
    reader = ReaderProcess(home=tmp_path, centre="http://127.0.0.1:9", ausweisapp="ws://192.0.2.1:24727/eID-Kernel")
    with pytest.raises(SettingsError):
        run(reader, Settings().clock)


def test_without_a_code_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--enrol"):
        run(ReaderProcess(home=tmp_path, centre="http://127.0.0.1:9"), Settings().clock)


def test_forms_stay_good_over_a_restart() -> None:
    assert form_secret("1.device.secret") == form_secret("1.device.secret") != form_secret("1.device.other")
