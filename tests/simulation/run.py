"""One run from a seed to its outcome; two runs of one seed are the same to the byte."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import msgspec
import structlog

from . import clockwork
from .invariants import Violation
from .profile import Profile
from .world import World

SHOWN = 60  # lines of a deposit's history, and of all, that a violation shows


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A violation, with what led to it."""

    invariant: str
    detail: str
    step: int
    day: float
    deposit: str
    history: list[str]
    last: list[str]
    repeat: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was. `seconds` are real ones and the only thing that differs between two runs of a seed."""

    profile: str
    seed: int
    days: float
    digest: str
    steps: int
    counts: dict[str, int]
    dwell_days: list[float]
    occupancy: list[int]
    compartments: int
    seconds: float
    finding: Finding | None = None


def simulate(profile: Profile, seed: int, days: float, *, mutant: str = "") -> Outcome:
    """Run one world to its end or to its first violation. `mutant` is the fault that is planted, for the report."""
    # Whatever the product logs is not judged here, and a million lines of it would be slow.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    started = time.process_time()
    with tempfile.TemporaryDirectory(prefix="servicepunkt-simulation-") as folder:
        worlds: list[World] = []

        async def main(loop: clockwork.VirtualLoop) -> None:
            worlds.append(World(loop, Path(folder), profile, seed, days))
            await worlds[0].run()

        found: Violation | None = None
        try:
            clockwork.run(main)
        except Violation as violation:
            found = violation
    world = worlds[0]
    return Outcome(
        profile=profile.name,
        seed=seed,
        days=round(world.clocks.seconds / clockwork.DAY, 3) if found else days,
        digest=world.trace.digest(),
        steps=world.trace.step,
        counts=dict(sorted(world.trace.counts.items())),
        dwell_days=[round(seconds / clockwork.DAY, 3) for seconds in world.dwell],
        occupancy=world.occupancy,
        compartments=profile.compartments,
        seconds=time.process_time() - started,
        finding=finding(world, found, profile, seed, days, mutant) if found else None,
    )


def finding(world: World, found: Violation, profile: Profile, seed: int, days: float, mutant: str) -> Finding:
    """The violation with the history of its deposit and the command that repeats it."""
    years = f"{days / 365:.4f}".rstrip("0").rstrip(".")
    command = f"python3 noxfile.py -s simulate -- --years {years} --seeds {seed}..{seed}"
    command += f" --profile {profile.name}" if profile.name != "rough" else ""
    command += f" --plant {mutant}" if mutant else ""
    return Finding(
        invariant=found.name,
        detail=found.detail,
        step=found.step,
        day=round(found.seconds / clockwork.DAY, 3),
        deposit=found.deposit,
        history=world.trace.of.get(found.deposit, [])[-SHOWN:],
        last=world.trace.last[-SHOWN // 3 :],
        repeat=command,
    )
