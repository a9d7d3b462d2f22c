"""What ended long ago is erased with everything of its case, and what was ever handed over is known: for one tenant."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.ids import new_id
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock
from servicepunkt.dokbox import store
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.plugin import erase_finished
from servicepunkt.dokbox.store import DepositRow

BOX = "box-1"


async def ended(deployment: Deployment, ctx: TenantContext, state: State, *, days_ago: int) -> UUID:
    """A deposit that came to this state so many days ago."""
    at = deployment.clock.now() - timedelta(days=days_ago)
    row = DepositRow(
        id=new_id(),
        box=BOX,
        reference=new_id().hex[-8:],
        kind="passport",
        state=str(state),
        document_index=b"",
        personal=None,
        locale="de",
        created_by="test",
        created_at=at,
        updated_at=at,
    )
    async with deployment.database.tenant(ctx) as tx:
        await store.insert_deposit(tx, row)
    return row.id


async def kept(deployment: Deployment, ctx: TenantContext) -> set[UUID]:
    async with deployment.database.tenant(ctx) as tx:
        return {row.id for row in await store.deposits(tx)}


async def test_deposits_that_ended_before_are_erased_and_only_the_tenants_own(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, clock: FixedClock
) -> None:
    await ended(deployment, tenant, State.DONE, days_ago=40)
    stay = {
        await ended(deployment, tenant, State.DONE, days_ago=10),
        await ended(deployment, tenant, State.NOTIFIED, days_ago=40),
    }
    theirs = await ended(deployment, other, State.DONE, days_ago=40)
    async with deployment.database.tenant(tenant) as tx:
        assert await erase_finished(tx, clock.now() - timedelta(days=30)) == 1
    assert await kept(deployment, tenant) == stay
    assert await kept(deployment, other) == {theirs}


async def test_whether_a_box_ever_handed_over_is_asked_of_the_tenants_own_box(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, clock: FixedClock
) -> None:
    event = {"box": BOX, "seq": 1, "at": clock.now(), "event": "closed_empty", "deposit": "", "state": str(State.DONE)}
    chain = {"data": {}, "previous": "", "hash": "", "received_at": clock.now()}
    async with deployment.database.tenant(other) as tx:
        await tx.execute(store.box_event.insert().values(tenant_id=other.id, **event, **chain))
        assert await store.ever_handed_over(tx, BOX)
    async with deployment.database.tenant(tenant) as tx:
        assert not await store.ever_handed_over(tx, BOX)
