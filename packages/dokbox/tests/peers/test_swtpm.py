"""The vault in a TPM against swtpm, a TPM 2.0 that nobody here wrote, by way of tpm2-tools."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from servicepunkt.dokbox.controller.anchor import STARTED
from servicepunkt.dokbox.errors import OutOfOrderError, VaultError
from servicepunkt.dokbox.testing import Bench
from servicepunkt.dokbox.vault.tools import Tpm
from servicepunkt.dokbox.vault.tpm import COUNTER, PEPPERS, ROOT, TpmVault

NUMBER, D1 = "+4915112345678", "01980000-0000-7000-8000-000000000001"

if missing := [name for name in ("swtpm", "tpm2_nvdefine") if not shutil.which(name)]:
    if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
        raise RuntimeError(f"{', '.join(missing)} missing")
    pytest.skip("swtpm or tpm2-tools is not installed (Debian: swtpm tpm2-tools)", allow_module_level=True)


class Chip:
    """One TPM with its state in a folder; it can lose its power."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tcti = f"swtpm:path={folder}/socket"
        self._start()

    def _start(self) -> None:
        command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}"]
        command += ["--server", f"type=unixio,path={self.folder}/socket"]
        command += ["--ctrl", f"type=unixio,path={self.folder}/socket.ctrl"]
        command += ["--flags", "not-need-init,startup-clear"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not (self.folder / "socket").exists():
            assert time.monotonic() < deadline
            assert self._process.poll() is None
            time.sleep(0.01)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def power_cycle(self) -> None:
        self.stop()
        for name in ("socket", "socket.ctrl"):
            (self.folder / name).unlink(missing_ok=True)
        self._start()

    def tool(self, *command: str) -> bytes:
        done = subprocess.run(
            [f"tpm2_{command[0]}", *command[1:]],
            env={"PATH": os.environ["PATH"], "TPM2TOOLS_TCTI": self.tcti},
            capture_output=True,
            check=True,
        )
        return done.stdout

    def vault(self) -> TpmVault:
        return TpmVault(Tpm(self.tcti, "sha256:7"), secrets.token_bytes)


@pytest.fixture
def chip() -> Iterator[Chip]:
    # The name of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="tpm-") as folder:
        made = Chip(Path(folder))
        yield made
        made.stop()


def test_the_keys_stay_over_a_power_cut(chip: Chip) -> None:
    one = chip.vault()
    chip.power_cycle()
    two = chip.vault()
    assert one.public_key == two.public_key
    assert one.signing_key == two.signing_key
    assert (one.locator_key, one.pepper("1")) == (two.locator_key, two.pepper("1"))
    assert len({one.locator_key, one.pepper("1"), one.derived("x"), one.public_key}) == 4


def test_another_system_on_this_computer_gets_nothing(chip: Chip) -> None:
    """Register 7 is another one as soon as Secure Boot is switched off, or other keys are trusted."""
    chip.vault()
    chip.tool("pcrextend", "7:sha256=" + "1" * 64)
    with pytest.raises(VaultError, match="0x99d"):
        chip.vault()
    for index in (ROOT, PEPPERS + 1):
        with pytest.raises(subprocess.CalledProcessError):
            chip.tool("nvread", hex(index), "-C", "o", "-s", "32")
    chip.power_cycle()
    chip.vault()


def test_an_erased_pepper_is_gone_from_the_chip(chip: Chip) -> None:
    vault = chip.vault()
    vault.rotate()
    assert (vault.kid, vault.kids) == ("2", {"1", "2"})
    vault.erase("1")
    again = chip.vault()
    assert (again.kid, again.kids) == ("2", {"2"})
    with pytest.raises(VaultError):
        again.pepper("1")
    assert hex(PEPPERS + 1).encode() not in chip.tool("getcap", "handles-nv-index").lower()


def test_the_counter_never_goes_back(chip: Chip) -> None:
    counter = chip.vault().counter
    assert counter.fresh
    before = counter.value()
    counter.step()
    chip.power_cycle()
    again = chip.vault().counter
    assert not again.fresh
    assert again.value() == before + 1
    chip.tool("nvundefine", hex(COUNTER), "-C", "o")
    renewed = chip.vault().counter
    assert renewed.value() > before + 1, "a counter that was removed and made again goes on above"


@pytest.mark.parametrize("index", [ROOT, PEPPERS + 1])
def test_an_area_that_the_power_cut_left_unwritten_is_made_again(chip: Chip, index: int) -> None:
    Tpm(chip.tcti, "sha256:7").define(index, 32)
    assert chip.vault().ready


def test_nothing_stays_loaded_without_a_resource_manager(chip: Chip) -> None:
    for _ in range(3):
        chip.vault().rotate()
    assert chip.tool("getcap", "handles-transient").strip() == b""
    assert chip.tool("getcap", "handles-loaded-session").strip() == b""


def test_no_secret_is_left_in_a_file_or_an_argument(chip: Chip, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bytes] = []
    run = subprocess.run

    def listen(command: list[str], **options: object) -> object:
        said.append(" ".join(command).encode())
        return run(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", listen)
    vault = chip.vault()
    assert len(said) > 10
    assert not any(vault.pepper("1").hex().encode() in command for command in said)
    assert all(command.startswith(b"tpm2_") for command in said)
    memory = Path("/dev/shm")
    assert not list(memory.glob("servicepunkt-*/policy"))


def test_a_chip_that_is_away_is_an_error(chip: Chip) -> None:
    chip.stop()
    with pytest.raises(VaultError):
        chip.vault()


async def test_a_disk_that_is_set_back_is_noticed_by_the_chip(chip: Chip, tmp_path: Path) -> None:
    bench = Bench(tmp_path / "box", vault=chip.vault)
    bench.controller.ledger.note(STARTED)
    await bench.look()
    _, code = await bench.load(D1)
    bench.journal.close()
    shutil.copytree(tmp_path / "box", tmp_path / "image")
    await bench.restart()
    bench.controller.ledger.note(STARTED)
    assert bench.controller.troubles == ()
    visit = await bench.controller.present(NUMBER, code)
    await bench.controller.confirm(visit.token, "old_document", answer=True)
    await bench.controller.release(visit.token)
    await bench.opened(7)
    await bench.close(7, item=False)
    bench.journal.close()
    shutil.rmtree(tmp_path / "box")
    shutil.copytree(tmp_path / "image", tmp_path / "box")
    chip.power_cycle()
    await bench.restart()
    assert bench.controller.troubles == ("distrusted",)
    with pytest.raises(OutOfOrderError):
        await bench.controller.present(NUMBER, code)
    bench.put_away()
