"""`python -m servicepunkt.eid`: the card at this computer, without the rest of the house."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence

import msgspec

from servicepunkt.eid import console
from servicepunkt.eid.errors import EidError


def main(arguments: Sequence[str] | None = None) -> int:
    """0 done, 1 refused with reasons, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m servicepunkt.eid", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    reader_help = f"the beginning of its name; {console.PRACTICE}: a virtual card in this process"
    for name, what in (
        ("status", "how the PIN of the card is"),
        ("change-pin", "choose a new PIN"),
        ("identify", "practise identifying with the virtual card"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("--reader", default="", help=reader_help)
        command.add_argument("--json", action="store_true", help="write JSON")
    given = parser.parse_args(arguments)
    try:
        return run(given.command, given.reader, as_json=given.json)
    except (EidError, ValueError) as error:
        print(console.refused(error), file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print("Aborted.", file=sys.stderr)
        return 1


def run(command: str, reader: str, *, as_json: bool) -> int:
    """Raises EidError, ValueError."""

    def say(text: str) -> None:
        print(text, file=sys.stderr if as_json else sys.stdout)

    match command:
        case "status":
            found = console.status(reader)
            print(msgspec.json.encode(found).decode() if as_json else console.tries_left_of(found))
        case "change-pin":
            console.change_pin(reader, getpass.getpass, say)
            say("The new PIN is set.")
        case _:
            if reader != console.PRACTICE:
                raise ValueError(
                    "only the virtual card is read here (--reader practice): a real one is read by the AusweisApp, "
                    "for a service that has a certificate"
                )
            person = console.identify(getpass.getpass, say)
            if as_json:
                print(msgspec.json.encode(person).decode())
            else:
                print("\n".join(console.lines_of(person)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
