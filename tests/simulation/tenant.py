"""The tenant file: it is changed while documents lie in the box, and the box hears of it when it asks."""

from __future__ import annotations

from .faults import moments
from .kinds import changed
from .world import World


async def changes(world: World) -> None:
    async for _ in moments(world, world.profile.new_files_a_year):
        wanted = changed(world.chance, world.profile.hold_days)
        world.judge.note("tenant_file", kinds=",".join(policy.type for policy in wanted))
        world.centre.configure(wanted)


PARTS = (changes,)
