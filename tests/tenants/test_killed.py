"""Whoever kills `tenant apply` finds the old state or the new one, never half of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.dokbox.settings import DokboxSettings
from servicepunkt.tenants import areas, service, starting

ROUNDS = 5
TOWN = areas.municipalities()["09473159"]


def write(folder: Path, compartments: int) -> None:
    """A file whose parts agree: the number stands in the box, in a host's name and in a service."""
    if not folder.exists():
        starting.write(folder, TOWN, {"compartments": "24", "host_name": "Haus 24"}, str)
    for path in folder.rglob("*.toml"):
        text = path.read_text("utf-8")
        for before in (24, 48):
            text = text.replace(f"compartments = {before}", f"compartments = {compartments}")
            text = text.replace(f'"Haus {before}"', f'"Haus {compartments}"')
        path.write_text(text, "utf-8")


async def state(running: Deployment, slug: str) -> tuple[int, str]:
    """What the row says, and what the catalogue says."""
    running.directory.forget()
    ctx = await running.directory.by_slug(slug)
    assert ctx is not None
    async with running.database.tenant(ctx) as tx:
        hosts = (await catalogue.newest(tx)).hosts
    return ctx.section("dokbox", DokboxSettings).boxes[0].compartments, next(h.name for h in hosts if h.id == "host")


async def test_killed_at_any_moment(running: Deployment, urls: Urls, tmp_path: Path) -> None:
    folder = tmp_path / "town"
    write(folder, 24)
    read = service.load(running, folder)
    await service.apply(running, read, actor="test")
    write(folder, 48)
    begin = time.monotonic()
    assert not apply_and_kill(folder, running, urls, delay=60.0)
    took = time.monotonic() - begin
    assert await state(running, read.tenant.slug) == (48, "Haus 48")
    number, killed = 48, 0
    for round_number in range(1, ROUNDS):
        write(folder, 72 - number)
        killed += apply_and_kill(folder, running, urls, delay=took * round_number / ROUNDS)
        found = await state(running, read.tenant.slug)
        assert found in {(24, "Haus 24"), (48, "Haus 48")}
        number = found[0]
    assert killed, "every one of them ended before it was killed"
    # Nothing stays locked, nothing is lost: the next one succeeds.
    write(folder, 48)
    await service.apply(running, service.load(running, folder), actor="test")
    assert await state(running, read.tenant.slug) == (48, "Haus 48")


def apply_and_kill(folder: Path, running: Deployment, urls: Urls, *, delay: float) -> bool:
    """Run the command and kill it after `delay` seconds, unless it ended before; whether it was killed."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SERVICEPUNKT_")},
        "SERVICEPUNKT_HOME": str(running.settings.home),
        "SERVICEPUNKT_DATABASE_URL": urls.application,
        "SERVICEPUNKT_OWNER_DATABASE_URL": urls.owner,
    }
    command = [sys.executable, "-m", "servicepunkt.core", "tenant", "apply", str(folder)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    _, said = process.communicate()
    if process.returncode > 0:
        pytest.fail(said.decode()[-500:])
    return process.returncode < 0
