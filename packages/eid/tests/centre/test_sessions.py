"""An identification at the centre: one a key, one ticket, given out once, forgotten with every end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError
from servicepunkt.core.identification import IdentityWish
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock
from servicepunkt.eid.model import Answers, Attributes, Identity, Level, PartialDate, Place
from servicepunkt.eid.sessions import model, service, store
from servicepunkt.eid.sessions.model import LIFE, TICKET, IdentificationGoneError, Session

if TYPE_CHECKING:
    from conftest import Listener

WISH = IdentityWish(
    key=UUID(int=5),
    purpose={"de": "Für das Führungszeugnis"},
    required=("family_names",),
    optional=("address",),
    return_path="/k/apply/certificate/back",
    device=UUID(int=9),
)
IDENTITY = Identity(
    origin="card",
    level=Level.HIGH,
    at=FixedClock().now(),
    proof="session-7",
    attributes=Attributes(
        family_names="Mustermann",
        given_names="Erika",
        date_of_birth=PartialDate(1964, 8, 12),
        address=Place(street="Heidestraße 17", zip_code="51147", city="Köln", country="D"),
    ),
    answers=Answers(old_enough=True),
)
PERSON = model.identified(IDENTITY, WISH, "card")


async def begun(deployment: Deployment, tx: Transaction, wish: IdentityWish = WISH) -> Session:
    return await service.begin(deployment, tx, "card", wish, point="north")


async def claimed(deployment: Deployment, tx: Transaction) -> Session:
    ticket = await service.new_ticket(deployment, tx, await begun(deployment, tx))
    return await service.claim(tx, ticket, point="north")


async def keys_of(tx: Transaction) -> list[str]:
    """The purposes of the tenant's keys but for its own."""
    query = sa.select(data_key.c.purpose).where(data_key.c.tenant_id == tx.tenant_id, data_key.c.purpose == "case")
    return list((await tx.execute(query)).scalars())


def test_only_what_was_asked_for_goes_on() -> None:
    assert PERSON.attributes == {"family_names": "Mustermann", "address": "Heidestraße 17, 51147 Köln, D"}
    assert (PERSON.level, PERSON.proof, PERSON.old_enough, PERSON.lives_there) == (3, "session-7", None, None)


async def test_it_is_given_out_once(deployment: Deployment, town: TenantContext, listener: Listener) -> None:
    async with deployment.database.tenant(town) as tx:
        own = await claimed(deployment, tx)
        assert await service.take(deployment, tx, "card", WISH.key) is None
        await service.found(deployment, tx, own, PERSON)
        assert b"Mustermann" not in (await service.live(tx, own.id, "card")).found  # type: ignore[operator]
        assert await service.take(deployment, tx, "wallet", WISH.key) is None
        assert await service.take(deployment, tx, "card", WISH.key) == PERSON
        assert await service.take(deployment, tx, "card", WISH.key) is None
        assert await keys_of(tx) == []
    assert listener.told == [(WISH.key, "identified")]


async def test_another_town_has_none_of_it(deployment: Deployment, town: TenantContext, other: TenantContext) -> None:
    async with deployment.database.tenant(town) as tx:
        own = await begun(deployment, tx)
        ticket = await service.new_ticket(deployment, tx, own)
    async with deployment.database.tenant(other) as tx:
        with pytest.raises(IdentificationGoneError):
            await service.live(tx, own.id, "card")
        with pytest.raises(IdentificationGoneError):
            await service.claim(tx, ticket, point="north")
        await begun(deployment, tx)  # the same key is free here
        assert await service.take(deployment, tx, "card", WISH.key) is None


async def test_a_ticket_is_good_once_here_and_for_a_minute(
    deployment: Deployment, town: TenantContext, clock: FixedClock
) -> None:
    async with deployment.database.tenant(town) as tx:
        own = await begun(deployment, tx)
        old = await service.new_ticket(deployment, tx, own)
        ticket = await service.new_ticket(deployment, tx, own)
        for wrong, point in ((old, "north"), (ticket, "south"), ("0" * 64, "north")):
            with pytest.raises(IdentificationGoneError):
                await service.claim(tx, wrong, point=point)
        assert (await service.claim(tx, ticket, point="north")).state == "reading"
        with pytest.raises(IdentificationGoneError):
            await service.claim(tx, ticket, point="north")
        again = await begun(deployment, tx)
        late = await service.new_ticket(deployment, tx, again)
    clock.instant += TICKET
    async with deployment.database.tenant(town) as tx:
        with pytest.raises(IdentificationGoneError):
            await service.claim(tx, late, point="north")


async def test_nobody_comes_through_before_the_reader_has_it_or_twice(
    deployment: Deployment, town: TenantContext
) -> None:
    async with deployment.database.tenant(town) as tx:
        own = await begun(deployment, tx)
        with pytest.raises(ConflictError):
            await service.found(deployment, tx, own, PERSON)
        reading = await service.go(tx, own)
        await service.found(deployment, tx, reading, PERSON)
        with pytest.raises(ConflictError):
            await service.go(tx, await service.live(tx, own.id, "card"))
        with pytest.raises(IdentificationGoneError):
            await service.new_ticket(deployment, tx, await service.live(tx, own.id, "card"))


async def test_beginning_anew_ends_what_was(deployment: Deployment, town: TenantContext, listener: Listener) -> None:
    async with deployment.database.tenant(town) as tx:
        first = await claimed(deployment, tx)
        await service.found(deployment, tx, first, PERSON)
        second = await begun(deployment, tx)
        assert await service.take(deployment, tx, "card", WISH.key) is None
        with pytest.raises(IdentificationGoneError):
            await service.live(tx, first.id, "card")
        assert (await service.live(tx, second.id, "card")).way_back == f"/k/apply/certificate/back?key={WISH.key}"
    assert listener.told == [(WISH.key, "cancelled")]


async def test_what_nobody_ends_expires(
    deployment: Deployment, town: TenantContext, clock: FixedClock, listener: Listener
) -> None:
    async with deployment.database.tenant(town) as tx:
        own = await claimed(deployment, tx)
        await service.found(deployment, tx, own, PERSON)
    clock.instant += LIFE
    async with deployment.database.tenant(town) as tx:
        assert await service.take(deployment, tx, "card", WISH.key) is None
        with pytest.raises(IdentificationGoneError):
            await service.live(tx, own.id, "card")
    await service.expire.function(deployment, town, session_id=str(own.id))
    await service.expire.function(deployment, town, session_id=str(own.id))
    assert listener.told == [(WISH.key, "expired")]


async def test_what_no_job_ended_is_erased(deployment: Deployment, town: TenantContext, clock: FixedClock) -> None:
    async with deployment.database.tenant(town) as tx:
        own = await begun(deployment, tx, IdentityWish(key=uuid4(), purpose={}))
        await service.keep(deployment, tx, own, WISH)
    clock.instant += timedelta(days=2)
    await erase_expired.function(deployment, town)
    async with deployment.database.tenant(town) as tx:
        assert await store.by_id(tx, own.id) is None
        assert await keys_of(tx) == []


async def test_of_a_refusal_only_its_code_is_left_and_it_is_told_once(
    deployment: Deployment, town: TenantContext, listener: Listener
) -> None:
    async with deployment.database.tenant(town) as tx:
        own = await claimed(deployment, tx)
        await service.keep(deployment, tx, own, WISH)
        await service.found(deployment, tx, own, PERSON)
        await service.refuse(deployment, tx, await service.live(tx, own.id, "card"), "SP4333")
        with pytest.raises(IdentificationGoneError):
            await service.live(tx, own.id, "card")
        left = await service.shown(tx, own.id, "card")
        assert (left.state, left.refused_by, left.kept, left.found) == ("refused", "SP4333", None, None)
        assert await service.take(deployment, tx, "card", WISH.key) is None
        assert await keys_of(tx) == []
        with pytest.raises(ConflictError):
            await service.refuse(deployment, tx, left, "SP4333")
        await begun(deployment, tx)
    await service.expire.function(deployment, town, session_id=str(own.id))
    assert listener.told == [(WISH.key, "refused")]
