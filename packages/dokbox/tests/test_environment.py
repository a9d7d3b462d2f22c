"""The settings of the box's computer, and its signs of life."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from servicepunkt.core.errors import SettingsError
from servicepunkt.dokbox.controller.environment import BoxEnvironment, open_vault, read_environment
from servicepunkt.dokbox.errors import VaultError
from servicepunkt.dokbox.vault import FileVault, RemoteVault
from servicepunkt.web.local.watchdog import Watchdog


def test_without_settings_the_keys_lie_in_files() -> None:
    assert read_environment({"PATH": "/bin", "SERVICEPUNKT_HOME": "x"}) == BoxEnvironment()
    assert BoxEnvironment().vault == "file"


def test_settings_are_read() -> None:
    found = read_environment({"SERVICEPUNKT_BOX_VAULT": "tpm", "SERVICEPUNKT_BOX_ROTATE_DAYS": "30"})
    assert (found.vault, found.pepper_life.days, found.tpm_pcrs) == ("tpm", 30, "sha256:7")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VAULT", "cloud"),
        ("ROTATE_DAYS", "0"),
        ("ROTATE_DAYS", "soon"),
        ("TPM_PCRS", "sha256:7; reboot"),
        ("TPM_PCRS", "md5:7"),
        ("VALUT", "tpm"),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError):
        read_environment({f"SERVICEPUNKT_BOX_{name}": value})


def test_the_setting_chooses_the_vault(tmp_path: Path) -> None:
    assert isinstance(open_vault(BoxEnvironment(vault="file"), tmp_path / "a", bytes), FileVault)
    assert isinstance(open_vault(BoxEnvironment(vault="centre"), tmp_path / "b", bytes), RemoteVault)
    with pytest.raises(VaultError):
        open_vault(BoxEnvironment(vault="tpm", tpm=f"device:{tmp_path}/none"), tmp_path / "c", bytes)
    assert not (tmp_path / "c").exists(), "no key is left in a file where a chip was asked for"


@pytest.mark.parametrize("abstract", [False, True])
async def test_systemd_hears_of_a_box_that_lives_and_not_of_one_that_hangs(tmp_path: Path, abstract: bool) -> None:
    name = f"@servicepunkt-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    heard, hanging, pauses = [], asyncio.Event(), []

    async def alive() -> None:
        if len(pauses) == 2:
            await hanging.wait()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        systemd.settimeout(2)
        watchdog = asyncio.create_task(Watchdog({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000"}, sleep).run(alive))
        for _ in range(20):
            await asyncio.sleep(0)
        watchdog.cancel()
        for _ in range(3):
            heard.append(systemd.recv(100).decode())
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
    assert heard == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
    assert pauses == [10.0, 10.0]


async def test_without_systemd_nothing_is_said() -> None:
    watchdog = asyncio.create_task(Watchdog({}, asyncio.sleep).run(asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert not watchdog.done()
    watchdog.cancel()
