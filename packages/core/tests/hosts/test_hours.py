"""A host's own hours: typed, looked at, published; they outlive the town's file and touch no other house."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.editing import publishing
from servicepunkt.core.catalogue.model import Catalogue, Host, OtherHours
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.hosts.hours import model, service
from servicepunkt.core.hosts.hours.model import Draft, NotHoursError, Stretch, Week
from servicepunkt.core.hours.model import Calendar
from servicepunkt.core.tenancy.model import TenantContext

TODAY = date(2026, 11, 21)
LATE = Week(tuple(model.read_times(one) for one in (*["9:30-20"] * 3, "9:30-22", *["9:30-20"] * 2, "")))
CLOSED = OtherHours(first=date(2026, 12, 1), last=date(2026, 12, 2), reason={"de": "Inventur"})
STRETCH = Stretch(Calendar("Europe/Berlin", "HE"), TODAY)


PublishFiles = Callable[..., Any]


@pytest.fixture
def store(houses: Catalogue) -> Host:
    return houses.hosts[0]


# --- typed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "times"),
    [
        ("", ()),
        ("9:30-20:00", ((570, 1200),)),
        (" 9.30 – 13, 14 bis 20 Uhr ", ((570, 780), (840, 1200))),
        ("0-24", ((0, 1440),)),
    ],
)
def test_hours_are_typed_as_people_do(typed: str, times: model.Times) -> None:
    assert model.read_times(typed) == times
    assert model.read_times(model.written_times(times)) == times


@pytest.mark.parametrize("typed", ["9", "25-26", "9:60-10", "20-9", "9-12, 11-13", "9-9", "9-24:30", "off", "9-10; x"])
def test_what_are_no_hours_is_refused(typed: str) -> None:
    with pytest.raises(NotHoursError):
        model.read_times(typed)


ENDS = st.lists(st.integers(0, 96), max_size=4, unique=True).map(sorted)
TIMES = ENDS.map(lambda ends: tuple((a * 15, b * 15) for a, b in zip(ends[::2], ends[1::2], strict=False)))


@given(days=st.tuples(*[TIMES] * 7), holidays=st.one_of(st.sampled_from(["closed", "as usual"]), TIMES.filter(bool)))
def test_a_week_survives_its_expression(days: tuple[model.Times, ...], holidays: model.Holidays) -> None:
    read = model.week_of(model.expression_of_week(Week(days, holidays)), TODAY)
    assert read.days == days
    assert read.whole
    if any(days):
        assert read.holidays == ("as usual" if days == (holidays,) * 7 else holidays)


def test_what_a_form_cannot_show_stays_until_other_hours_are_typed(store: Host) -> None:
    host = msgspec.structs.replace(store, hours='Mo-Sa 09:30-20:00; PH off; Dec 24 09:30-14:00 "Heiligabend"')
    week = model.week_of(host.hours, TODAY)
    assert not week.whole
    assert model.changed(host, host, Draft(week=week), TODAY) == host
    assert model.changed(host, host, Draft(week=LATE), TODAY).hours == "Mo-We,Fr-Sa 09:30-20:00; Th 09:30-22:00; PH off"


def test_exceptions_that_are_over_go_with_the_next_change(store: Host) -> None:
    past = OtherHours(first=date(2026, 11, 1))
    host = msgspec.structs.replace(store, exceptions=(past, *store.exceptions))
    assert model.changed(host, host, Draft(week=LATE), TODAY).exceptions == host.exceptions
    assert model.changed(host, host, Draft(add=CLOSED), TODAY).exceptions == (*store.exceptions, CLOSED)
    assert model.changed(host, host, Draft(remove=frozenset({1})), TODAY).exceptions == ()


# --- looked at ------------------------------------------------------------------------------------------------


def changes_of(houses: Catalogue, draft: Draft) -> dict[tuple[str, ...], list[date]]:
    store = houses.hosts[0]
    after = model.with_host(houses, model.changed(store, store, draft, TODAY))
    return {
        tuple(f"{one.kind} {one.id} {one.service}".strip() for one in found.subjects): [day.date for day in found.days]
        for found in model.changes(houses, after, "store", STRETCH)
    }


def test_a_closure_changes_what_is_open_on_its_days_and_nothing_else(houses: Catalogue) -> None:
    everything = ("host store", "point first", "point ground")
    days = [date(2026, 12, 1), date(2026, 12, 2)]
    found = changes_of(houses, Draft(add=CLOSED))
    assert found == {everything: days, ("staff first", "offer first stamp"): days, ("offer first card",): days}


def test_a_longer_evening_changes_only_who_stays_for_it(houses: Catalogue) -> None:
    found = changes_of(houses, Draft(week=LATE))
    assert list(found) == [("host store", "point first", "point ground")]
    (days,) = found.values()
    assert {day.weekday() for day in days} == {3}
    assert len(days) == 8
    assert date(2026, 11, 26) in days


def test_a_special_sunday_opens_the_house_and_who_has_no_hours_of_his_own(houses: Catalogue) -> None:
    sunday = OtherHours(first=date(2026, 11, 29), hours="13:00-18:00")
    assert changes_of(houses, Draft(add=sunday)) == {("host store", "point first", "point ground"): [sunday.first]}


# --- published ------------------------------------------------------------------------------------------------


async def publish(deployment: Deployment, ctx: TenantContext, draft: Draft, **more: object) -> int | None:
    async with deployment.database.tenant(ctx) as tx:
        seen = (await service.sight(tx, "store")).mark
        said = {"key": uuid4(), "seen": seen, "actor": "account:host", **more}
        return await service.publish(tx, "store", draft, **said)  # type: ignore[arg-type]


async def in_force(deployment: Deployment, ctx: TenantContext) -> dict[str, Host]:
    async with deployment.database.tenant(ctx) as tx:
        return {host.id: host for host in (await catalogues.newest(tx)).hosts}


async def test_a_host_changes_its_own_house_and_nothing_else(
    deployment: Deployment, town: TenantContext, houses: Catalogue
) -> None:
    changed = msgspec.structs.replace(houses, services=(*houses.services[:1],), offers=houses.offers[:1])
    async with deployment.database.tenant(town) as tx:
        await importing.put_files(tx, changed, at=tx.now())  # taken over, and published by nobody
    revision = await publish(deployment, town, Draft(week=LATE, add=CLOSED))
    async with deployment.database.tenant(town) as tx:
        now = await catalogues.newest(tx)
        last = [one async for one in audit_store.entries(tx)][-1]
    assert now == model.with_host(
        houses, model.changed(houses.hosts[0], houses.hosts[0], Draft(week=LATE, add=CLOSED), TODAY)
    )
    assert (last.action, last.subject, last.actor) == ("host.hours", "host:store", "account:host")
    assert last.details["revision"] == revision


async def test_the_same_form_twice_is_published_once(deployment: Deployment, town: TenantContext) -> None:
    key = uuid4()
    async with deployment.database.tenant(town) as tx:
        seen = (await service.sight(tx, "store")).mark
    assert await publish(deployment, town, Draft(add=CLOSED), key=key, seen=seen)
    assert await publish(deployment, town, Draft(add=CLOSED), key=key, seen=seen) is None
    assert len((await in_force(deployment, town))["store"].exceptions) == 2
    with pytest.raises(ConflictError):
        await publish(deployment, town, Draft(week=LATE), seen=seen)


async def test_applying_the_towns_file_again_leaves_what_the_host_says(
    deployment: Deployment, town: TenantContext, houses: Catalogue, publish_files: PublishFiles
) -> None:
    store = houses.hosts[0]
    await publish(deployment, town, Draft(week=LATE))
    late = (await in_force(deployment, town))["store"]
    await publish_files(deployment, town, houses)
    assert (await in_force(deployment, town))["store"] == late
    other = msgspec.structs.replace(store, name="Neues Kaufhaus", hours="Mo-Sa 10:00-18:00")
    await publish_files(deployment, town, model.with_host(houses, other))
    assert (await in_force(deployment, town))["store"] == msgspec.structs.replace(late, name="Neues Kaufhaus")
    async with deployment.database.tenant(town) as tx:
        sight = await service.sight(tx, "store")
    assert sight.is_asked
    assert sight.below.hours == "Mo-Sa 10:00-18:00"
    await publish(deployment, town, Draft(as_below=True))
    assert (await in_force(deployment, town))["store"] == other
    await publish_files(deployment, town, houses)
    assert (await in_force(deployment, town))["store"] == store


async def test_exceptions_of_the_file_are_taken_away_for_good(
    deployment: Deployment, town: TenantContext, houses: Catalogue, publish_files: PublishFiles
) -> None:
    await publish(deployment, town, Draft(remove=frozenset({0})))
    await publish_files(deployment, town, houses)
    assert (await in_force(deployment, town))["store"].exceptions == ()


async def test_editors_publish_it_along(deployment: Deployment, town: TenantContext) -> None:
    await publish(deployment, town, Draft(week=LATE))
    late = await in_force(deployment, town)
    async with deployment.database.tenant(town) as tx:
        preview = await publishing.preview(tx)
        assert preview.composed.origins["hosts", "store"]["hours"] == "hosts"
        await publishing.publish(tx, actor="account:editor")
    assert await in_force(deployment, town) == late


async def test_an_earlier_revision_that_was_brought_back_stays_so(
    deployment: Deployment, town: TenantContext, houses: Catalogue, publish_files: PublishFiles
) -> None:
    await publish_files(deployment, town, msgspec.structs.replace(houses, services=houses.services[:1], offers=()))
    async with deployment.database.tenant(town) as tx:
        await catalogues.roll_back(tx, 1, at=tx.now(), actor="account:editor")
    await publish(deployment, town, Draft(week=LATE))
    async with deployment.database.tenant(town) as tx:
        assert len((await catalogues.newest(tx)).services) == 2
        assert await catalogues.store.restored(tx) == 1


@pytest.mark.parametrize(
    "draft", [Draft(), Draft(week=model.week_of("Mo-Sa 09:30-20:00; PH off", TODAY)), Draft(as_below=True)]
)
async def test_what_changes_nothing_is_not_published(deployment: Deployment, town: TenantContext, draft: Draft) -> None:
    with pytest.raises(InvalidInputError, match="change anything"):
        await publish(deployment, town, draft)


async def test_what_does_not_hold_together_is_not_published(
    deployment: Deployment, town: TenantContext, houses: Catalogue
) -> None:
    reversed_days = OtherHours(first=date(2026, 12, 9), last=date(2026, 12, 1))
    with pytest.raises(InvalidInputError, match="exceptions"):
        await publish(deployment, town, Draft(add=reversed_days))
    async with deployment.database.tenant(town) as tx:
        with pytest.raises(NotFoundError):
            await service.preview(tx, "nowhere", Draft(week=LATE))
    assert await in_force(deployment, town) == {host.id: host for host in houses.hosts}
