"""The files in deploy/ are what systemd, the box and the reader themselves can read."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from servicepunkt.dokbox.cli import box_run
from servicepunkt.dokbox.controller.environment import read_environment
from servicepunkt.eid.cli import eid_run

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
BOX = DEPLOY / "box"
UNIT = BOX / "servicepunkt-box.service"
READER = DEPLOY / "reader" / "servicepunkt-reader.service"
AUSWEISAPP = DEPLOY / "reader" / "servicepunkt-ausweisapp.service"
WORST = 2.0  # exposure as systemd counts it, of 10


def service(path: Path = UNIT) -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text())
    return unit["Service"]


def variables(path: Path = BOX / "box.env") -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {name: shlex.split(value)[0] for name, _, value in (line.partition("=") for line in lines)}


def test_the_command_of_the_unit_is_one_that_the_box_has() -> None:
    program, *words = shlex.split(service()["ExecStart"])
    assert Path(program).name == "servicepunkt"
    assert words[:2] == ["box", "run"]
    filled = [variables().get(word.strip("${}"), word) for word in words[2:]]
    with click.Context(box_run) as context:
        box_run.parse_args(context, filled)
    assert context.params["centre"] == variables()["CENTRE"]


def test_the_command_of_the_reader_is_one_that_there_is() -> None:
    known = variables(READER.with_name("reader.env"))
    program, *words = shlex.split(service(READER)["ExecStart"])
    assert Path(program).name == "servicepunkt"
    assert words[:2] == ["eid", "run"]
    with click.Context(eid_run) as context:
        eid_run.parse_args(context, [known.get(word.strip("${}"), word) for word in words[2:]])
    assert (context.params["centre"], context.params["url"]) == (known["CENTRE"], known["URL"])


def test_the_ausweisapp_writes_no_log_and_listens_on_this_computer_alone() -> None:
    words = shlex.split(service(AUSWEISAPP)["ExecStart"])
    assert "--no-logfile" in words
    assert words[words.index("--address") + 1] == "127.0.0.1"


def test_the_environment_is_one_that_the_box_takes() -> None:
    assert read_environment(variables()).vault == "tpm"


def test_the_watchdog_is_patient_enough_for_the_slowest_step() -> None:
    """A security chip may take two time limits of ten seconds in one step."""
    assert service()["Type"] == "notify"
    assert int(service()["WatchdogSec"]) > 3 * 10


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", [UNIT, READER, AUSWEISAPP], ids=lambda unit: unit.stem)
def test_systemd_takes_the_unit_and_finds_its_sandbox_tight(tmp_path: Path, unit: Path) -> None:
    # Without user and programs of the point's computer, which this machine does not have.
    here = [line for line in unit.read_text().splitlines() if not line.startswith(("User", "Group", "Supplementary"))]
    text = "\n".join(here).replace("/opt/servicepunkt/bin/servicepunkt", "/bin/true")
    text = text.replace("/usr/bin/AusweisApp2", "/bin/true")
    copy = tmp_path / unit.name
    copy.write_text(text)
    environment = {"PATH": os.environ["PATH"], "SYSTEMD_LOG_LEVEL": "warning"}
    checked = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, env=environment)
    assert (checked.returncode, checked.stderr) == (0, "")
    judged = ["systemd-analyze", "security", "--offline=true", f"--threshold={int(WORST * 10)}", str(unit)]
    subprocess.run(judged, capture_output=True, check=True, env=environment)
