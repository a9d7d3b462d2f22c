"""The demonstration: what it prints can be copied, and what falls too often is left lying."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from servicepunkt.tenants.demo import processes, supervisor
from servicepunkt.tenants.demo.processes import Process
from servicepunkt.tenants.demo.supervisor import BoxPlace, ReaderPlace

TERMINAL = "http://127.0.0.1:8601/terminal/a-town-with-a-long-name/a-point-with-a-long-name"


def demo(home: str = "/somewhere/" + "deep/" * 20) -> Any:
    """As much of a demonstration as its addresses need."""
    place = BoxPlace(
        "box-1", "a-point-with-a-long-name", 4, "http://127.0.0.1:8610", "http://127.0.0.1:8611", Path(), Path()
    )
    town = SimpleNamespace(slug="a-town-with-a-long-name", name="Stadt [bold]Seeburg")
    reader = ReaderPlace(
        "reader-1", "a-point-with-a-long-name", "http://localhost:8612", "http://127.0.0.1:8613", 8614, 8615, Path()
    )
    stage = SimpleNamespace(ctx=town, boxes=[place], readers=[reader], passwords={"clerk": "0000-1111-2222-3333"})
    return SimpleNamespace(desk="http://127.0.0.1:8601", centre="http://127.0.0.1:8600", home=home, stages=[stage])


def printed(monkeypatch: pytest.MonkeyPatch, width: int) -> str:
    said = io.StringIO()
    monkeypatch.setattr(supervisor, "out", Console(file=said, width=width))
    supervisor._print_addresses(demo())
    return said.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80, 100])
def test_in_a_narrow_terminal_every_address_is_whole_in_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    lines = [line.strip() for line in printed(monkeypatch, width).splitlines()]
    for _, rows in supervisor.addresses(demo()):
        for _, address in rows:
            assert address in lines
    assert TERMINAL in lines
    assert f"Ctrl-C ends everything. Data stays in {demo().home}" in lines
    assert "Stadt [bold]Seeburg" in lines


def test_in_a_wide_terminal_they_stand_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    said = printed(monkeypatch, 180)
    row = next(line for line in said.splitlines() if TERMINAL in line)
    assert "terminal at a-point-with-a-long-name" in row
    assert "…" not in said


def test_what_falls_is_picked_up_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "MAX_REVIVALS", 2)
    process = Process("broken", ["no-such-command"], environment={}, log=tmp_path / "log")
    assert not process.fallen, "nobody has started it"
    process.start()
    for _ in range(2):
        ended(process)
        assert process.fallen
        assert process.revive()
    ended(process)
    assert not process.revive()
    assert not process.fallen, "it is said once"


def test_what_was_switched_off_has_not_fallen(tmp_path: Path) -> None:
    for switch in (Process.kill, Process.stop):
        process = Process("long", ["worker", "--help"], environment={}, log=tmp_path / "log")
        process.start()
        switch(process)
        assert not process.alive
        assert not process.fallen


def ended(process: Process) -> None:
    assert process._running is not None
    process._running.wait(60)
