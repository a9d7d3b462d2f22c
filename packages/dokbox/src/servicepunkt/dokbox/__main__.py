"""`python -m servicepunkt.dokbox`: what works without the rest of the house: simulate a cabinet, verify a journal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from servicepunkt.dokbox.commissioning import run_at_keyboard
from servicepunkt.dokbox.simulator.kinds import DEFAULT_KIND, KINDS, describe_kinds
from servicepunkt.dokbox.verify import verify_journal


def main(arguments: Sequence[str] | None = None) -> int:
    """0 done, 1 refused with reasons, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m servicepunkt.dokbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    simulate = commands.add_parser("simulate", help="simulate a cabinet on a serial line")
    simulate.add_argument("--kind", choices=list(KINDS), default=DEFAULT_KIND, help=describe_kinds())
    simulate.add_argument("--link", required=True, help="path of the serial line")
    simulate.add_argument("--compartments", type=int, default=48)
    simulate.add_argument("--baud", type=int, default=None, help="default: the kind's own; 0 for as fast as it goes")
    simulate.add_argument("--state-file", default=None, help="keeps doors and documents over a restart")
    walk = commands.add_parser("commission", help="walk through every door of a cabinet and write its wiring")
    walk.add_argument("address", help="the boards, as in krcu16:/dev/ttyUSB0?boards=3")
    walk.add_argument("--write", type=Path, required=True, help="the wiring file")
    verify = commands.add_parser("verify", help="verify a journal")
    verify.add_argument("journal", type=Path)
    given = parser.parse_args(arguments)
    if given.command == "commission":
        return run_at_keyboard(given.address, given.write, print)
    if given.command == "verify":
        verdict = verify_journal(given.journal)
        sys.stdout.write(msgspec.json.encode(verdict).decode() + "\n")
        return 1 if verdict.fault else 0
    from servicepunkt.dokbox.simulator.command import run

    return run(
        kind=given.kind,
        compartments=given.compartments,
        link=given.link,
        host="127.0.0.1",
        port=None,
        baud=given.baud,
        state_file=given.state_file,
    )


if __name__ == "__main__":
    sys.exit(main())
