"""Incidents: reported once for each form, answered along the table, deleted when they are old."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.hosts.incidents import model, service, store
from servicepunkt.core.hosts.incidents.model import Incident, Report
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock

LIFT = Report(key=UUID(int=1), host="store", point="first", kind="access", place="Aufzug", words="Steht seit neun Uhr.")


async def report(deployment: Deployment, ctx: TenantContext, houses: Catalogue, **more: Any) -> Incident:
    wanted = msgspec.structs.replace(LIFT, **{"key": uuid4(), **more})
    async with deployment.database.tenant(ctx) as tx:
        return await service.report(tx, houses, wanted, actor="account:host")


async def answer(deployment: Deployment, ctx: TenantContext, incident: Incident, to: str) -> Incident:
    async with deployment.database.tenant(ctx) as tx:
        return await service.answer(tx, incident.id, to=to, actor="account:guide")


async def test_the_same_form_twice_is_one_incident(
    deployment: Deployment, town: TenantContext, houses: Catalogue
) -> None:
    first, second = [await report(deployment, town, houses, key=LIFT.key) for _ in range(2)]
    assert first == second
    async with deployment.database.tenant(town) as tx:
        assert await store.listed(tx, host="store") == [first]
    with pytest.raises(ConflictError):
        await report(deployment, town, houses, key=LIFT.key, host="bank", point="lobby")
    with pytest.raises(ConflictError):
        await report(deployment, town, houses, key=LIFT.key, words="Das Licht ist aus.")


async def test_it_is_answered_along_the_table_and_audited_without_its_words(
    deployment: Deployment, town: TenantContext, houses: Catalogue
) -> None:
    made = await report(deployment, town, houses)
    assert (await answer(deployment, town, made, "acknowledged")).state == "acknowledged"
    closed = await answer(deployment, town, made, "closed")
    assert (closed.state, closed.changed_by, closed.reported_by) == ("closed", "account:guide", "account:host")
    with pytest.raises(ConflictError):
        await answer(deployment, town, made, "acknowledged")
    async with deployment.database.tenant(town) as tx:
        said = [one async for one in audit_store.entries(tx)][-3:]
    assert [one.action for one in said] == ["incident.reported", "incident.acknowledged", "incident.closed"]
    assert "Aufzug" not in repr(said)
    with pytest.raises(NotFoundError):
        await answer(deployment, town, msgspec.structs.replace(made, id=uuid4()), "closed")


async def test_each_point_sees_its_own_the_open_ones_first(
    deployment: Deployment, town: TenantContext, houses: Catalogue, clock: FixedClock
) -> None:
    old = await report(deployment, town, houses)
    clock.forward(hours=1)
    done = await answer(deployment, town, await report(deployment, town, houses), "closed")
    other = await report(deployment, town, houses, point="ground")
    async with deployment.database.tenant(town) as tx:
        assert await store.listed(tx, points={"first"}) == [old, done]
        assert await store.listed(tx, points={"first", "ground"}) == [other, old, done]
        assert await store.listed(tx, points=set()) == []
        assert await store.listed(tx, host="bank") == []


def test_every_mistake_is_named_at_once() -> None:
    wrong = msgspec.structs.replace(LIFT, point="lobby", kind="people", place="", words="x" * 501)
    with pytest.raises(InvalidInputError) as refused:
        model.check(wrong, frozenset({"first"}))
    assert [place for place, _ in refused.value.mistakes] == ["point", "kind", "place", "words"]


async def test_it_is_deleted_when_nobody_has_spoken_of_it_for_long(
    deployment: Deployment, town: TenantContext, houses: Catalogue, clock: FixedClock
) -> None:
    await report(deployment, town, houses)
    clock.forward(days=100)
    kept = await report(deployment, town, houses)
    clock.forward(seconds=timedelta(days=81).total_seconds())
    await erase_expired.function(deployment, town)
    async with deployment.database.tenant(town) as tx:
        assert await store.listed(tx) == [kept]
