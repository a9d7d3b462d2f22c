"""Slots of a space: never two at one time, whoever asks at the same moment; the host may say no until they begin."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.hosts.space import model, service, store
from servicepunkt.core.hosts.space.model import MOVES, QUARTER, Slot, SlotBegunError, SpaceTakenError, Wish
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock

NOON = FixedClock().instant.replace(hour=11, minute=0) + timedelta(days=7)
TALK = Wish(
    key=UUID(int=7),
    host="store",
    space="lounge",
    organisation="Polizei",
    purpose="Sicher im Netz",
    begins_at=NOON,
    ends_at=NOON + timedelta(hours=2),
)


async def ask(deployment: Deployment, ctx: TenantContext, **more: Any) -> Slot:
    wanted = msgspec.structs.replace(TALK, **{"key": uuid4(), **more})
    async with deployment.database.tenant(ctx) as tx:
        return await service.ask(tx, wanted, actor="account:guide")


async def decide(deployment: Deployment, ctx: TenantContext, slot: Slot, event: str, reason: str = "") -> Slot:
    async with deployment.database.tenant(ctx) as tx:
        return await service.decide(tx, slot.id, event, actor="account:host", reason=reason)


async def slots(deployment: Deployment, ctx: TenantContext) -> list[Slot]:
    async with deployment.database.tenant(ctx) as tx:
        return await store.listed(tx, ending_after=FixedClock().instant)


async def test_of_many_who_ask_at_the_same_moment_one_gets_the_space(
    deployment: Deployment, town: TenantContext
) -> None:
    """Each wish overlaps each other one at noon, and begins and ends at another time."""
    wishes = [
        ask(deployment, town, begins_at=NOON - number * QUARTER, ends_at=NOON + (9 - number) * QUARTER)
        for number in range(8)
    ]
    found = await asyncio.gather(*wishes, return_exceptions=True)
    (won,) = [one for one in found if isinstance(one, Slot)]
    assert [type(one) for one in found if one is not won] == [SpaceTakenError] * 7
    assert await slots(deployment, town) == [won]


async def test_what_only_touches_does_not_overlap(deployment: Deployment, town: TenantContext) -> None:
    await ask(deployment, town)
    after = await ask(deployment, town, begins_at=TALK.ends_at, ends_at=TALK.ends_at + QUARTER)
    await ask(deployment, town, space="hall")
    await ask(deployment, town, host="bank")
    assert len(await slots(deployment, town)) == 4
    for begins, ends in ((NOON - QUARTER, NOON + QUARTER), (NOON + QUARTER, NOON + 2 * QUARTER)):
        with pytest.raises(SpaceTakenError):
            await ask(deployment, town, begins_at=begins, ends_at=ends)
    with pytest.raises(SpaceTakenError):
        await ask(deployment, town, begins_at=after.begins_at, ends_at=after.ends_at)


@pytest.mark.parametrize("event", ["veto", "withdraw"])
async def test_what_is_given_up_is_free_again(deployment: Deployment, town: TenantContext, event: str) -> None:
    slot = await ask(deployment, town)
    assert (await decide(deployment, town, slot, "approve")).state == "approved"
    with pytest.raises(SpaceTakenError):
        await ask(deployment, town)
    await decide(deployment, town, slot, event, "Zu laut vor elf")
    assert (await ask(deployment, town)).state == "asked"


async def test_a_veto_needs_a_reason(deployment: Deployment, town: TenantContext) -> None:
    slot = await ask(deployment, town)
    for reason in ("", "x" * 501):
        with pytest.raises(InvalidInputError):
            await decide(deployment, town, slot, "veto", reason)
    assert (await decide(deployment, town, slot, "veto", "Umbau")).reason == "Umbau"
    with pytest.raises(NotFoundError):
        await decide(deployment, town, msgspec.structs.replace(slot, id=uuid4()), "approve")


async def test_a_slot_that_has_begun_stays(deployment: Deployment, town: TenantContext, clock: FixedClock) -> None:
    slot = await ask(deployment, town)
    clock.instant = NOON
    for event in ("approve", "veto", "withdraw"):
        with pytest.raises(SlotBegunError):
            await decide(deployment, town, slot, event, "Zu spät")
    assert model.events(slot, NOON) == []
    assert model.events(slot, NOON - QUARTER) == ["approve", "veto", "withdraw"]


@pytest.mark.parametrize("state", model.STATES)
@pytest.mark.parametrize("event", ["approve", "veto", "withdraw"])
def test_only_the_moves_of_the_table(state: str, event: str) -> None:
    more = {"id": uuid4(), "asked_by": "", "changed_by": "", "created_at": NOON, "changed_at": NOON, "state": state}
    slot = Slot(**msgspec.structs.asdict(TALK), **more)
    if (state, event) in MOVES:
        assert model.move(slot, event, NOON - QUARTER) == MOVES[state, event]
    else:
        with pytest.raises(ConflictError):
            model.move(slot, event, NOON - QUARTER)


async def test_the_same_form_twice_is_one_slot(deployment: Deployment, town: TenantContext) -> None:
    found = await asyncio.gather(*(ask(deployment, town, key=TALK.key) for _ in range(4)))
    assert len({one.id for one in found}) == 1
    with pytest.raises(ConflictError):
        await ask(deployment, town, key=TALK.key, purpose="Anderes")


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"space": "cellar"}, "space"),
        ({"noise": "thunder"}, "noise"),
        ({"organisation": ""}, "organisation"),
        ({"purpose": "x" * 501}, "purpose"),
        ({"equipment": "x" * 501}, "equipment"),
        ({"begins_at": NOON + timedelta(minutes=7)}, "begins"),
        ({"begins_at": NOON - timedelta(days=8), "ends_at": NOON - timedelta(days=7)}, "begins"),
        ({"begins_at": NOON + timedelta(days=400), "ends_at": NOON + timedelta(days=400, hours=1)}, "begins"),
        ({"ends_at": NOON}, "ends"),
        ({"ends_at": NOON + timedelta(days=4)}, "ends"),
        ({"ends_at": NOON + timedelta(minutes=50)}, "ends"),
    ],
)
async def test_what_is_wrong_is_named(
    deployment: Deployment, town: TenantContext, wrong: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await ask(deployment, town, **wrong)
    assert [one for one, _ in refused.value.mistakes] == [place]


async def test_slots_are_deleted_long_after_their_end(
    deployment: Deployment, town: TenantContext, clock: FixedClock
) -> None:
    await ask(deployment, town)
    clock.forward(days=371)
    await erase_expired.function(deployment, town)
    assert len(await slots(deployment, town)) == 1
    clock.forward(days=2)
    await erase_expired.function(deployment, town)
    assert await slots(deployment, town) == []
