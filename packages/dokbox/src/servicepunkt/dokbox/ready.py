"""Whether boxes may take documents of citizens, and whether none is left in them when a tenant ends."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.rules import Broken, Term, rule
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import store
from servicepunkt.dokbox.health import BoxesSeen
from servicepunkt.dokbox.settings import settings_of
from servicepunkt.web.devices import service as devices
from servicepunkt.web.devices.model import TERMINAL

NOT_WELL = rule("SP3501", "{box!r}: {why}")
NOT_REHEARSED = rule("SP3502", "nothing was ever collected from {box!r}", "Lay something in, collect it, and look.")
NO_TERMINAL = rule(
    "SP3505",
    "no terminal stands at {point!r}, and the step identify needs one beside {box!r}",
    "Enrol the terminal on the devices page.",
)
STILL_INSIDE = rule("SP3503", "{count} documents are in {box!r}", "Take them back first: staff → boxes → return.")
NOT_FINISHED = rule("SP3504", "{count} deposits of {box!r} are not finished", "Collect them, or take them back.")


class BoxesReady:
    """Each box of the file reports, a hand-over was rehearsed from beginning to end, and a terminal stands beside it
    where documents need one."""

    title = "Boxes"

    def __init__(self, ctx: TenantContext) -> None:
        settings = settings_of(ctx)
        self._boxes = [box.id for box in settings.boxes]
        identifies = any("identify" in policy.steps for policy in settings.documents)
        self._beside_terminals = settings.boxes if identifies else ()

    async def look(self, tx: Transaction) -> Sequence[Broken]:
        found = []
        for box in self._boxes:
            well, sentence = await BoxesSeen(box).check(tx)
            if not well:
                found.append(NOT_WELL(box=box, why=Term(sentence)))
            if not await store.ever_handed_over(tx, box):
                found.append(NOT_REHEARSED(box=box))
        for beside in self._beside_terminals:
            if await devices.active(tx, TERMINAL.name, beside.point) is None:
                found.append(NO_TERMINAL(point=beside.point, box=beside.id))
        return found


class BoxesEmpty:
    """No document and no unfinished deposit in any box that the tenant ever had."""

    title = "Documents in boxes"

    async def look(self, tx: Transaction) -> Sequence[Broken]:
        found = []
        for box in await store.boxes(tx):
            inside = len(await store.inside(tx, box.id))
            unfinished = len(await store.unfinished(tx, box.id))
            if inside:
                found.append(STILL_INSIDE(count=inside, box=box.id))
            elif unfinished:
                found.append(NOT_FINISHED(count=unfinished, box=box.id))
        return found
