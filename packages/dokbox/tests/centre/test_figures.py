"""What a host may know of the box: how many documents were handed over on a day, at the point of the box."""

from __future__ import annotations

from datetime import date, timedelta

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock
from servicepunkt.dokbox import store
from servicepunkt.dokbox.model import State


async def journal(deployment: Deployment, ctx: TenantContext, clock: FixedClock, *entries: tuple[float, State]) -> None:
    """Entries of the box so many hours before now, with the state of the deposit after each."""
    async with deployment.database.tenant(ctx) as tx:
        for seq, (hours, state) in enumerate(entries, start=1):
            at = clock.now() - timedelta(hours=hours)
            said = {"event": "closed_empty", "deposit": str(seq), "compartment": 1, "state": str(state), "data": {}}
            chain = {"previous": "", "hash": "", "received_at": at}
            values = {"tenant_id": ctx.id, "box": "box-1", "seq": seq, "at": at, **said, **chain}
            await tx.execute(store.box_event.insert().values(values))


async def test_hand_overs_are_counted_by_the_day_of_the_place(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, clock: FixedClock
) -> None:
    """It is 19:40 on 21 November there, an hour less in UTC: 19 hours before it was the same day there alone."""
    await journal(
        deployment, tenant, clock,
        (1, State.DONE), (19, State.DONE), (20, State.DONE), (21, State.RETURNED), (400, State.DONE),
    )  # fmt: skip
    await journal(deployment, other, clock, (1, State.DONE))
    since, until = clock.now() - timedelta(days=7), clock.now()
    async with deployment.database.tenant(tenant) as tx:
        found = await store.DocumentsHandedOver().per_day(tx, since, until)
        box = await store.find_box(tx, "box-1")
    assert box is not None
    point = box.point
    assert found == {(point, date(2026, 11, 21)): 2, (point, date(2026, 11, 20)): 1}
