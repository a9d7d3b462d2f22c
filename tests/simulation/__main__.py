"""`python -m simulation --years N --seeds A..B`: runs worlds, looks for violations, says what they were like.

`--mutants` plants every known fault and wants each found; `--plant NAME` runs one of them. Needs `tests` on the path.
"""

from __future__ import annotations

import argparse
import sys

from . import mutants, planting

SEEDS = "1..4"


def seeds(text: str) -> range:
    """`A..B`, both included, or one number."""
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="simulate", description=__doc__)
    made.add_argument("--years", type=float, default=1.0, help="box-years of each seed (%(default)s)")
    made.add_argument("--seeds", type=seeds, default=seeds(SEEDS), help=f"A..B, both included ({SEEDS})")
    made.add_argument("--profile", choices=("rough", "year"), default="rough", help="bad luck, or a city's year")
    made.add_argument("--documents", type=int, default=20_000, help="of the year (%(default)s)")
    made.add_argument("--dwell-days", type=float, default=5.0, help="of the year, mean (%(default)s)")
    made.add_argument("--jobs", type=int, default=1, help="processes at once (%(default)s)")
    made.add_argument("--json", action="store_true", help="one JSON document on standard output")
    made.add_argument("--mutants", action="store_true", help="plant every fault, one after the other")
    made.add_argument("--plant", choices=sorted(mutants.BY_NAME), default="", help="plant one fault")
    return made


def main(arguments: list[str]) -> int:
    """0 when nothing was violated, or, with `--mutants`, when every fault was found."""
    given = parser().parse_args(arguments)
    if given.plant:
        planting.plant(mutants.BY_NAME[given.plant])
    # Imported late: a fault has to be planted before the product is.
    from . import campaign

    return campaign.find_mutants(given) if given.mutants else campaign.simulate_seeds(given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
