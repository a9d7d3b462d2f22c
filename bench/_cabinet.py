"""A simulated cabinet as a process of its own: the product's simulator on a line paced at 19200 baud.

Tells each unlock pulse on standard output as "number seconds"; the seconds are those of the machine's monotonic clock,
which all processes share. Each line "number" on standard input is a hand that takes the document and shuts the door.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from servicepunkt.dokbox.simulator import Cabinet, Compartment, KrCu16Boards, Line, What


def main(link: str, compartments: int, full: list[int]) -> None:
    restored = [Compartment(number, item=True) for number in full]
    cabinet = Cabinet(compartments, restored=restored)
    told = 0

    def tell() -> None:
        nonlocal told
        history = cabinet.history
        for happening in history[told:]:
            if happening.what is What.PULSE:
                print(happening.compartment, happening.time, flush=True)
        told = len(history)

    with Line(KrCu16Boards(cabinet, random.Random(1)), link=Path(link)) as line:
        unwatch = cabinet.watch(tell)
        print("ready", flush=True)
        for wish in sys.stdin:
            cabinet.take_item(int(wish), time=line.clock())
            cabinet.close(int(wish), time=line.clock())
        unwatch()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [int(number) for number in sys.argv[3:]])
