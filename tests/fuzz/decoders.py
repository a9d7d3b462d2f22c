"""Coverage-guided fuzzing of the decoders of lock boards and of the online ID: `python3 noxfile.py -s fuzz`, or one of
them: `-- krcu16 eid-tlv`.

A run feeds a stream of up to 160 bytes (ten frames and more) to a fresh decoder, in pieces that the fuzzer chooses,
too. What must hold is in `targets`: nothing is raised; no byte is lost or made up; little is held back; what is read
belongs to the boards. Inputs that reach new code are kept in `corpus/`: a file for each kind, a line in hexadecimal
for each input.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["servicepunkt.dokbox.boards", "servicepunkt.eid"]):
    import eid_targets
    from targets import CUTS, keep, kept, target

    from servicepunkt.dokbox import boards
    from servicepunkt.dokbox.boards import Kind

INNER = "--inner"


def seeds(name: str) -> set[bytes]:
    """What is valid, so that the fuzzer begins with it: of a board the frames of its own table."""
    if name in eid_targets.TARGETS:
        return set(eid_targets.TARGETS[name].seeds())
    kind: Kind = boards.kinds()[name]
    frames = [bytes.fromhex(row.example) for row in kind.frames]
    return {bytes([which, *[0] * (CUTS - 1)]) + frame for frame in frames for which in range(4)}


def fuzz(name: str, folder: str, options: list[str]) -> None:
    run = eid_targets.run(name) if name in eid_targets.TARGETS else target(boards.kinds()[name])
    atheris.Setup([sys.argv[0], folder, *options], run)
    atheris.Fuzz()


def main() -> int:
    """The fuzzer ends its process when it is done, so it has one of its own; what it kept is written as text."""
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(sorted(kept(name) | seeds(name))):
            (Path(folder) / str(number)).write_bytes(data)
        done = subprocess.run([sys.executable, __file__, INNER, name, folder, *options], check=False)
        keep(name, {path.read_bytes() for path in Path(folder).iterdir()})
    return done.returncode


if __name__ == "__main__":
    if sys.argv[1] == INNER:
        fuzz(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        sys.exit(main())
