"""The online ID without human time: PACE against libeac3, a whole identification, secure messaging, and what the
package costs before anything is done with it.

PACE: the CPU time of the driver alone at the virtual card, against half of what libeac3 (OpenPACE, C, by ctypes) needs
to play both sides; in turns, one thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import _report as report

from servicepunkt import eid
from servicepunkt.eid import cvc
from servicepunkt.eid.card.apdu import Answer, Command
from servicepunkt.eid.card.card import Card
from servicepunkt.eid.card.messaging import SecureMessaging
from servicepunkt.eid.card.terminal import BIRTH, Terminal, auxiliary
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.rights import Chat, Right, reading
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip
from servicepunkt.eid.testing.chip.apdu import Command as ChipCommand
from servicepunkt.eid.testing.chip.messaging import Channel
from servicepunkt.eid.testing.person import PIN

PEER = Path(__file__).resolve().parent.parent / "packages" / "eid" / "tests" / "peers" / "libeac.py"
ROUNDS = 30
GROUPS = (4, 5, 8, 17)
RIGHTS = reading(*GROUPS) | {Right.AGE_VERIFICATION}
LONG = 16 * 1024
TODAY = datetime.now(UTC).date()


class Line:
    """The virtual card in this process, with the seconds that it took for itself."""

    def __init__(self, chip: Chip) -> None:
        self._chip, self.seconds, self.commands = chip, 0.0, 0

    def transmit(self, command: bytes) -> bytes:
        started = time.process_time()
        answer = self._chip.answer(command)
        self.seconds += time.process_time() - started
        self.commands += 1
        return answer

    def close(self) -> None:
        self._chip.power_off()


def pace(authorities: Authorities) -> float:
    """CPU seconds of the terminal's side."""
    line = Line(Chip(authorities.card()))
    card = Card(line)
    _ = card.infos
    line.seconds = 0.0
    started = time.process_time()
    card.open(Secrets.PIN, Secret(PIN))
    return time.process_time() - started - line.seconds


def identified(authorities: Authorities) -> tuple[float, float, int]:
    """(CPU seconds of the driver, of the card, commands) for names, birthday, address and age."""
    line = Line(Chip(authorities.card()))
    own = authorities.terminal(RIGHTS)
    chain = cvc.path([*authorities.chain, own.certificate], start=authorities.country.certificate.holder)
    terminal = Terminal(chain=chain, sign=lambda data: cvc.sign(own.key, data))
    started = time.process_time()
    with Card(line) as card:
        card.open(Secrets.PIN, Secret(PIN), chat=Chat.of(RIGHTS))
        compared = auxiliary(born_before=date(TODAY.year - 18, 1, 1))
        card.authenticate(terminal, compared=compared, trusted=[authorities.csca.certificate], at=datetime.now(UTC))
        assert len(card.read(GROUPS)) == len(GROUPS)
        assert card.verify([BIRTH])[BIRTH]
    return time.process_time() - started - line.seconds, line.seconds, line.commands


def messaging() -> float:
    """Bytes a CPU second of the driver: commands that are wrapped and answers that are unwrapped."""
    driver, card = (kind(bytes(16), bytes(range(16))) for kind in (SecureMessaging, Channel))
    data, spent = os.urandom(LONG), 0.0
    for _ in range(8):
        started = time.process_time()
        wrapped = driver.wrap(Command(0x00, 0xD6, 0x00, 0x00, data, 65_536))
        spent += time.process_time() - started
        card.unwrap(ChipCommand.parse(bytes(wrapped)))
        answer = card.wrap(data, 0x9000)
        started = time.process_time()
        driver.unwrap(Answer.decode(answer))
        spent += time.process_time() - started
    return 8 * 2 * LONG / spent


def libeac() -> Callable[[], float] | None:
    """CPU seconds of PACE where libeac3 plays the terminal, too; None where it is not installed."""
    code = (
        "import sys, time, importlib.util as u; s = u.spec_from_file_location('peer', sys.argv[1]); "
        "m = u.module_from_spec(s); sys.modules['peer'] = m; s.loader.exec_module(m); "
        "print(m.both_sides(int(sys.argv[2])))"
    )

    def measured() -> float:
        done = subprocess.run(
            [sys.executable, "-c", code, str(PEER), str(ROUNDS)], capture_output=True, text=True, check=True
        )
        return float(done.stdout)

    try:
        measured()
    except subprocess.CalledProcessError as error:
        report.say(f"NOT MEASURED: libeac3 ({error.stderr.strip().splitlines()[-1]})")
        return None
    return measured


def imported(names: str) -> float:
    """CPU seconds of a process that imports these and ends."""
    before = os.times()
    subprocess.run([sys.executable, "-c", f"import {names}"], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def measure(options: report.Options) -> report.Result:
    authorities, peer = Authorities.new(today=TODAY), libeac()
    ours: list[float] = []
    theirs: list[float] = []
    driver: list[float] = []
    card: list[float] = []
    speed: list[float] = []
    starts: dict[str, list[float]] = {"sys": [], "servicepunkt.eid.card.card": [], "servicepunkt.eid.sdk.client": []}
    for _ in range(options.runs):
        ours.append(report.median([pace(authorities) for _ in range(ROUNDS)]))
        if peer is not None:
            theirs.append(peer())
        whole = [identified(authorities) for _ in range(10)]
        driver.append(report.median([one for one, _, _ in whole]))
        card.append(report.median([one for _, one, _ in whole]))
        speed.append(messaging())
        for names, spent in starts.items():
            spent.append(imported(names))
    rows = [["the driver's side of PACE", milliseconds(ours), ""]]
    figures = {"PACE, CPU ms": 1e3 * report.median(ours), "identification, CPU ms": 1e3 * report.median(driver)}
    if theirs:
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        rows.append(["one side of libeac3", milliseconds(theirs, ",.2f"), report.spread(ratios, ",.1f")])
        figures["PACE / libeac3"] = report.median(ratios)
    rows.append(["a whole identification, the driver", milliseconds(driver), ""])
    rows.append([f"the card's part of it, {whole[0][2]} commands", milliseconds(card), ""])
    rows.append(["secure messaging, MB a CPU second", report.spread([one / 1e6 for one in speed], ",.1f"), ""])
    empty = report.median(starts.pop("sys"))
    for names, spent in starts.items():
        rows.append([f"import {names}", milliseconds([one - empty for one in spent], ",.0f"), ""])
    rows.append(["the package without `testing`, KiB of source", f"{kibibytes():,.0f}", ""])
    columns = ["what", "CPU ms, median (min to max)", "ours / libeac3"]
    note = f"{options.runs} rounds; PACE {ROUNDS} times in each; {len(GROUPS)} groups and the age are read."
    return report.Result([report.Table("The online ID", columns, rows, note)], figures)


def milliseconds(seconds: list[float], form: str = ",.1f") -> str:
    return report.spread([1e3 * one for one in seconds], form)


def kibibytes() -> float:
    folder = Path(eid.__file__).parent
    return sum(path.stat().st_size for path in folder.rglob("*.py") if "testing" not in path.parts) / 1024


if __name__ == "__main__":
    report.main("eid", measure, runs=5)
