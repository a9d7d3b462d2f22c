"""Retention: what is older than its rule allows is erased, the erasure is counted and audited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa

from servicepunkt.core import hookimpl
from servicepunkt.core.audit import store as audit
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.protocols import Retention
from servicepunkt.core.retention import erase_expired, unruled
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, empty_database, make_tenant, open_deployment
from servicepunkt.core.testing.outage import frozen


class Rules:
    """A plugin's rules; each remembers for whom and since when it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, datetime]] = []
        self.counts = {"phone": 3, "name": 0}
        self.broken = ""

    def of(self, field: str) -> Any:
        async def erase(tx: Transaction, before: datetime) -> int:
            self.asked.append((tx.ctx.slug, field, before))
            if field == self.broken:
                await tx.execute(sa.delete(data_key).where(data_key.c.tenant_id == tx.tenant_id))
                raise ConnectionError("CANARY")
            return self.counts[field]

        return erase

    def rules(self, ctx: TenantContext) -> Mapping[str, Retention]:
        return {"phone": Retention(7, self.of("phone")), "name": Retention(30, self.of("name"))}


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
async def running(
    urls: Urls, make_host: Any, rules: Rules, clock: FixedClock, tmp_path: Path
) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    host = make_host(demo={"retention_rules": lambda ctx: rules.rules(ctx)})
    async with open_deployment(urls, tmp_path, host, clock=clock) as made:
        yield made


async def audited(deployment: Deployment, ctx: TenantContext) -> list[tuple[str, str, object]]:
    async with deployment.database.tenant(ctx) as tx:
        return [(entry.actor, entry.subject, entry.details) async for entry in audit.entries(tx)]


async def test_every_rule_is_applied_to_what_is_older_than_its_days(
    running: Deployment, urls: Urls, rules: Rules, clock: FixedClock
) -> None:
    ctx = await make_tenant(running, urls.owner, "alpha")
    await erase_expired.function(running, ctx)
    now = clock.now()
    assert rules.asked == [
        ("alpha", "phone", now - timedelta(days=7)),
        ("alpha", "name", now - timedelta(days=30)),
    ]


async def test_an_erasure_is_audited_as_a_count_and_nothing_is_said_about_none(
    running: Deployment, urls: Urls, rules: Rules
) -> None:
    ctx = await make_tenant(running, urls.owner, "alpha")
    await erase_expired.function(running, ctx)
    assert await audited(running, ctx) == [("job:retention", "field:phone", {"count": 3})]


async def test_rules_of_a_plugin_that_is_off_are_not_asked(running: Deployment, urls: Urls, rules: Rules) -> None:
    ctx = await make_tenant(running, urls.owner, "alpha", plugins=[])
    await erase_expired.function(running, ctx)
    assert rules.asked == []


async def test_a_rule_that_fails_stops_no_other_one_and_the_job_is_tried_again(
    running: Deployment, urls: Urls, rules: Rules, logged: Any
) -> None:
    ctx = await make_tenant(running, urls.owner, "alpha")
    async with running.database.tenant(ctx) as tx:
        row = {"tenant_id": ctx.id, "subject": uuid4(), "purpose": "case", "wrapped": b"x", "public": None}
        await tx.execute(sa.insert(data_key).values(**row))
    rules.broken, rules.counts["name"] = "phone", 2
    with pytest.raises(ConnectionError):
        await erase_expired.function(running, ctx)
    assert [field for _, field, _ in rules.asked] == ["phone", "name"]
    assert await audited(running, ctx) == [("job:retention", "field:name", {"count": 2})]
    async with running.database.tenant(ctx) as tx:
        mine = data_key.c.tenant_id == ctx.id
        assert await tx.scalar(sa.select(sa.func.count()).select_from(data_key).where(mine)) == 1
    assert "CANARY" not in str(logged())


def test_retention_runs_by_itself_every_night() -> None:
    assert erase_expired.every == "17 2 * * *"
    assert erase_expired.plugin == "core"


class Storing:
    """A plugin with three tables of a tenant, of which one has a rule and one says why its rows stay."""

    servicepunkt_api = "1"

    def __init__(self) -> None:
        info = {"tenant": True, "kept": ""}
        self.shown = [
            sa.Table("locker", sa.MetaData(), info=info),
            sa.Table("locker_key", sa.MetaData(), info={**info, "kept": "a thing"}),
            sa.Table("locker_note", sa.MetaData(), info=info),
            sa.Table("national", sa.MetaData(), info={"tenant": False}),
        ]

    @hookimpl
    def tables(self) -> list[sa.Table]:
        return self.shown

    @hookimpl
    def retention_rules(self) -> Mapping[str, Retention]:
        return {"locker.phone": Retention(7, Rules().of("phone"))}


def test_tables_without_a_rule_are_named_where_their_plugin_is_on() -> None:
    host = frozen(lockers=Storing())
    on = TenantContext(id=1, slug="on", name="On", plugins=frozenset({"lockers"}))
    assert list(unruled(host, on)) == [("lockers", "locker_note")]
    assert list(unruled(host, msgspec.structs.replace(on, plugins=frozenset()))) == []
