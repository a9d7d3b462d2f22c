"""A kind of somebody else's: an installed distribution names it, and everything else finds it."""

import importlib
import os
import subprocess
import sys
import textwrap
import threading
import tty
from pathlib import Path

import pytest

HERE = Path(__file__).parent

PROGRAM = """
import asyncio, sys
from servicepunkt.dokbox.cabinet import open_cabinet
from servicepunkt.dokbox.events import DoorOpened, Snapshot

async def main():
    async with asyncio.timeout(20), open_cabinet(f"invented:{sys.argv[1]}?boards=2&compartments=12") as cabinet:
        events = cabinet.events()
        first = await anext(events)
        while not isinstance(first, Snapshot):  # the second board is silent
            first = await anext(events)
        assert sorted(first.readings) == list(range(1, 9)), first
        unlocked = await cabinet.unlock(3)
        async for event in events:
            if isinstance(event, DoorOpened):
                print(unlocked.frame, event.compartment, len(cabinet.compartments))
                return

asyncio.run(main())
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder as an installer leaves it: the module, and the metadata that names its kind."""
    (tmp_path / "invented.py").write_text((HERE / "invented.py").read_text())
    metadata = tmp_path / "invented_boards-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: invented-boards\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[servicepunkt.boards]\ninvented = invented:KIND\n")
    return tmp_path


class Far:
    """The first of the two boards, at the other end of a pty; the second is not there."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self.locks = 0xFF
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while len(frame := os.read(self.master, 5)) == 5:
            if frame[1:3] == b"\x01\x01":
                self.locks &= ~(1 << frame[3] - 1)
            elif frame[1:3] == b"\x01\x02":
                head = bytes([0xAA, 1, 0x82, self.locks])
                os.write(self.master, head + bytes([~sum(head) & 0xFF]))


def test_installed_kind_is_a_cabinet_like_any_other(installed: Path) -> None:
    far = Far()
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), far.path],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "aa01010350 3 12\n", "")


def test_its_table_is_true(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(installed))
    invented = importlib.import_module("invented")
    for row in invented.KIND.frames:
        example = bytes.fromhex(row.example)
        assert invented.encode(*example[1:4]) == example
