"""The simulator as a program of its own: starts, says where it is, keeps its state, stops when told to."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

import pytest
import serial

from servicepunkt.dokbox import simulator
from servicepunkt.dokbox.simulator import KINDS

SOURCES = str(Path(simulator.__file__).parents[3])
PROGRAM = """
{first}
from servicepunkt.dokbox.simulator.command import run
sys.exit(run(kind={kind!r}, compartments={compartments}, link={link!r}, host="127.0.0.1", port={port}, baud={baud},
             state_file={state_file!r}))
"""
MODULE = """
from servicepunkt.dokbox.__main__ import main
sys.exit(main({arguments!r}))
"""
COMMAND = """
from servicepunkt.dokbox.cli import box
box({arguments!r})
"""
needs_pages = pytest.mark.skipif(
    find_spec("litestar") is None,
    reason="litestar is not installed: the pages need servicepunkt-dokbox[service]",
)
UNLOCK_1 = bytes.fromhex("02 00 31 03 36")
STATUS_OF_0 = bytes.fromhex("02 00 30 03 35")


@contextmanager
def program(
    link: Path,
    *,
    kind: str = "krcu16",
    compartments: int = 16,
    baud: int | None = 0,
    port: int | None = None,
    state_file: Path | None = None,
    first: str = "",
) -> Iterator[subprocess.Popen[str]]:
    kept = str(state_file) if state_file else None
    code = PROGRAM.format(
        kind=kind, link=str(link), compartments=compartments, port=port, baud=baud, state_file=kept, first=first
    )
    with running(code) as started:
        yield started


@contextmanager
def running(code: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", f"import sys\n{code}"],
        env={**os.environ, "PYTHONPATH": SOURCES},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def first_line(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline()


def stop(started: subprocess.Popen[str], sign: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    started.send_signal(sign)
    output, errors = started.communicate(timeout=20)
    return started.returncode, output, errors


def status(link: Path, before: bytes = b"") -> str:
    return asked(link, before + STATUS_OF_0, 9)


def asked(link: Path, request: bytes, size: int) -> str:
    with serial.Serial(str(link), 19200, timeout=5) as port:
        port.write(request)
        return bytes(port.read(size)).hex(" ").upper()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_line_only_needs_no_web_framework(tmp_path: Path, sign: signal.Signals) -> None:
    link = tmp_path / "dokbox"
    without = "sys.modules.update(dict.fromkeys(['litestar', 'uvicorn']))"
    with program(link, first=without) as started:
        assert first_line(started) == f"simulated cabinet: 16 compartments, line {link}\n"
        assert status(link) == "02 00 35 FF FF 00 00 03 38"
        assert stop(started, sign) == (0, "", "")
    assert not link.is_symlink()


@needs_pages
def test_pages_and_line_show_one_cabinet(tmp_path: Path) -> None:
    """It stops cleanly although somebody still watches the events."""
    link = tmp_path / "dokbox"
    with program(link, port=0) as started:
        line = first_line(started)
        where = re.fullmatch(r"simulated cabinet: .*, pages http://127\.0\.0\.1:(\d+)/\n", line)
        assert where is not None, line
        assert status(link, before=UNLOCK_1) == "02 00 35 FE FF 00 00 03 37"
        watching = http.client.HTTPConnection("127.0.0.1", int(where[1]), timeout=20)
        watching.request("GET", "/events")
        events = watching.getresponse()
        assert events.readline() == b"event: state\r\n"
        assert b'"number":1,"closed":false' in events.readline()
        assert stop(started) == (0, "", "")
        assert events.read().strip() == b""
        watching.close()
    assert not link.is_symlink()


@needs_pages
def test_doors_and_items_survive_a_kill(tmp_path: Path) -> None:
    link, kept = tmp_path / "dokbox", tmp_path / "state.json"
    with program(link, port=0, state_file=kept) as started:
        port = int(first_line(started).rstrip("/\n").rpartition(":")[2])
        status(link, before=UNLOCK_1)
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for path, body in [
            ("/compartments/1/put", None),
            ("/compartments/1/close", None),
            ("/compartments/16/force", None),
            ("/faults", '{"faults": [{"kind": "reversed_polarity"}]}'),
        ]:
            asking.request("POST", path, body)
            answer = asking.getresponse()
            answer.read()
            assert answer.status == 200
        asking.close()
        started.kill()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("state")] == ["state.json"]
    assert json.loads(kept.read_text())[0]["item"] is True
    with program(link, state_file=kept) as started:
        first_line(started)
        assert status(link) == "02 00 35 FF 7F 01 00 03 B9"
        assert stop(started)[0] == 0


@pytest.mark.parametrize(
    "content",
    [
        "{broken",
        '[{"number": 17}]',
        '[{"number": 1, "closed": false}]',
        '[{"number": "one"}]',
    ],
)
def test_an_unfit_state_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    link, kept = tmp_path / "dokbox", tmp_path / "state.json"
    kept.write_text(content)
    with program(link, state_file=kept) as started:
        output, errors = started.communicate(timeout=20)
    assert (started.returncode, output) == (1, "")
    assert re.fullmatch(r"simulated cabinet: .+\n", errors)
    assert kept.read_text() == content


def test_a_file_where_the_link_should_be_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "dokbox"
    link.write_text("precious")
    with program(link) as started:
        _, errors = started.communicate(timeout=20)
    assert started.returncode == 1
    assert "exists and is not a link" in errors
    assert link.read_text() == "precious"


@needs_pages
def test_a_taken_port_is_refused_and_the_line_goes_with_it(tmp_path: Path) -> None:
    link = tmp_path / "dokbox"
    with program(tmp_path / "other", port=0) as other:
        port = int(first_line(other).rstrip("/\n").rpartition(":")[2])
        with program(link, port=port) as started:
            _, errors = started.communicate(timeout=20)
        assert started.returncode == 1
        assert "in use" in errors
        assert not link.is_symlink()
        assert stop(other)[0] == 0


STATES = {
    "krcu16": ("02 00 30 03 35", "02 00 35 FF FF 00 00 03 38"),
    "xor8a": ("80 01 00 33 B2", "80 01 00 FF FF 33 B2"),
    "cu48": ("02 00 00 60 03 65", "02 00 00 75 06 FF FF 00 00 00 00 7B"),
    "modbus": ("01 02 00 00 00 10 79 C6", "01 02 02 FF FF B8 08"),
    "modbus-cu48": ("01 05 00 00 FF 00 8C 3A", "01 05 00 00 FF 00 8C 3A"),
}
"""By kind: a query that the boards of 16 shut compartments answer, and the answer."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("entry", [MODULE, pytest.param(COMMAND, marks=needs_pages)], ids=["module", "command"])
def test_every_kind_can_be_chosen(tmp_path: Path, entry: str, kind: str) -> None:
    """At the pace that the kind comes with."""
    link = tmp_path / "dokbox"
    request, answer = STATES[kind]
    arguments = ["simulate", "--link", str(link), "--compartments", "16"]
    arguments += [] if kind == "krcu16" else ["--kind", kind]
    with running(entry.format(arguments=arguments)) as started:
        first_line(started)
        assert asked(link, bytes.fromhex(request), len(bytes.fromhex(answer))) == answer
        assert stop(started) == (0, "", "")


@pytest.mark.parametrize("entry", [MODULE, pytest.param(COMMAND, marks=needs_pages)], ids=["module", "command"])
def test_a_kind_that_does_not_exist_is_wrong_usage(tmp_path: Path, entry: str) -> None:
    with running(entry.format(arguments=["simulate", "--link", str(tmp_path / "x"), "--kind", "osdp"])) as started:
        _, errors = started.communicate(timeout=20)
    assert started.returncode == 2
    assert all(kind in errors for kind in KINDS)


@pytest.mark.parametrize(
    ("kind", "compartments", "reason"),
    [("osdp", 16, "no boards 'osdp', only krcu16, xor8a"), ("cu48", 481, "10 boards, this cabinet needs 11")],
)
def test_boards_that_cannot_be_are_refused(tmp_path: Path, kind: str, compartments: int, reason: str) -> None:
    with program(tmp_path / "dokbox", kind=kind, compartments=compartments) as started:
        output, errors = started.communicate(timeout=20)
    assert (started.returncode, output) == (1, "")
    assert reason in errors


@pytest.mark.parametrize(("baud", "least"), [(None, 15 / 960), (200, 0.75), (0, 0.0)])
def test_the_pace_is_the_kinds_own_unless_one_is_given(tmp_path: Path, baud: int | None, least: float) -> None:
    """15 bytes to and fro; a slower machine takes longer, none is faster than the line."""
    link = tmp_path / "dokbox"
    with program(link, kind="modbus", baud=baud) as started:
        first_line(started)
        begun = monotonic()
        asked(link, bytes.fromhex(STATES["modbus"][0]), 7)
        assert monotonic() - begun >= least
        assert stop(started)[0] == 0
