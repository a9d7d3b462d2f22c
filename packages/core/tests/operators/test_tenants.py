"""The list of tenants: one statement a page, paged by the last row, in whatever order; and counters that stay small."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from servicepunkt.core.audit import store as audit
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.migrate import conninfo
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.operators import health, service, store, tenants
from servicepunkt.core.operators.meters import OTHERS, Meters, Used
from servicepunkt.core.operators.store import Process
from servicepunkt.core.operators.tenants import Wanted
from servicepunkt.core.tenancy.model import TenantContext

MANY = 11_000


@pytest.fixture
def many(deployment: Deployment, urls: Urls) -> None:
    """Eleven thousand tenants with counts, an hour of use in two processes, and jobs of some."""
    now = deployment.clock.now()
    with psycopg.connect(conninfo(urls.owner)) as owner:
        owner.execute(
            """INSERT INTO tenant SELECT n, 'town-' || lpad(n::text, 5, '0'), 'Town ' || n %% 97,
               (ARRAY['live', 'rehearsal', 'paused'])[1 + n %% 3], '{}', '{web}', 'de', '{de}', 'Europe/Berlin', 'HE',
               '{}', n, %s - n * interval '1 second' FROM generate_series(1, %s) n""",
            (now, MANY),
        )
        owner.execute(
            """INSERT INTO tenant_count SELECT n, jsonb_build_object('account', n %% 50, 'deposit', n %% 7), %s
               FROM generate_series(1, %s) n""",
            (now, MANY),
        )
        owner.execute(
            """INSERT INTO tenant_usage SELECT %s - m * interval '1 minute', n, p, n %% 100, n * 0.001, 0.1,
               n %% 2, 1, 0
               FROM generate_series(0, 9) m, generate_series(1, %s) n,
                    unnest(ARRAY[gen_random_uuid(), gen_random_uuid()]) p""",
            (now, MANY),
        )
        owner.execute(
            """INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)
               SELECT 'default', 'x', jsonb_build_object('tenant_id', n * 10), %s - n * interval '1 second'
               FROM generate_series(1, 1000) n""",
            (now,),
        )
        owner.execute("ANALYZE")


@pytest.mark.usefixtures("many")
async def test_a_page_of_eleven_thousand_is_one_statement(deployment: Deployment) -> None:
    said: list[str] = []
    engine = deployment.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _x, statement, *_: said.append(statement))
    for sort in tenants.SORTS:
        said.clear()
        page = await service.page(deployment, Wanted(sort=sort, down=True))
        assert len(page.tenants) == tenants.PAGE
        assert page.next
        assert len(said) == 1, said


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("sort", ["slug", "name", "state", "updated_at", "account", "requests", "seconds", "oldest"])
async def test_the_pages_together_are_all_tenants_once_and_in_order(
    deployment: Deployment, sort: str, down: bool
) -> None:
    found: list[Any] = []
    wanted = Wanted(sort=sort, down=down, q="town-000")
    async with deployment.database.platform("test") as connection:
        for _ in range(20):
            page = await tenants.page(connection, wanted, now=deployment.clock.now(), size=7)
            found += page.tenants
            if not page.next:
                break
            wanted = Wanted(sort=sort, down=down, q="town-000", after=page.next)
    assert len(found) == 99
    assert len({one.id for one in found}) == 99
    keys = {"account": lambda one: one.counts["account"], "oldest": lambda one: one.oldest or deployment.clock.now()}
    key = keys.get(sort) or (lambda one: getattr(one.used, sort, None) or getattr(one, sort))
    values = [key(one) for one in found]
    assert values == sorted(values, reverse=down)


@pytest.mark.usefixtures("many")
async def test_what_a_row_says(deployment: Deployment) -> None:
    one = await service.one(deployment, "town-00050", minutes=5)
    assert (one.waiting, one.oldest) == (1, deployment.clock.now() - timedelta(seconds=5))
    assert one.counts == {"account": 0, "deposit": 1}
    assert one.used.requests == 50 * 5 * 2
    assert 0 < one.shares["seconds"] < 0.001


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        (Wanted(state="live"), "town-00003"),
        (Wanted(plugin="web"), "town-00001"),
        (Wanted(plugin="dokbox"), None),
        (Wanted(q="TOWN 5", sort="name"), "town-00005"),
        (Wanted(q="town-00050", state="paused", plugin="web"), "town-00050"),
        (Wanted(q="%"), None),
    ],
)
async def test_filters(deployment: Deployment, wanted: Wanted, first: str | None) -> None:
    found = (await service.page(deployment, wanted)).tenants
    assert (found[0].slug if found else None) == first


def test_counters_are_bounded() -> None:
    meters = Meters(most=3)
    for tenant in range(1, 10):
        meters.answered(tenant, 0.5)
    taken = meters.take()
    assert set(taken) == {1, 2, 3, OTHERS}
    assert taken[OTHERS].requests == 6
    assert taken[OTHERS].seconds == 3.0
    meters.answered(1, 0.5)
    meters.give_back(taken)
    assert meters.take()[1] == Used(requests=2, seconds=1.0)


async def test_use_is_written_once_and_thinned_out(deployment: Deployment, tenant: TenantContext) -> None:
    now = deployment.clock.now()
    me = Process(id=service.new_id(), kind="worker", version="1", started_at=now, seen_at=now)
    for _ in range(2):  # twice in a minute: one row
        deployment.meters.of(tenant.id).jobs += 2
        await service.write_usage(deployment, me)
    assert (await service.one(deployment, tenant.slug)).used.jobs == 4
    assert [one.id for one in (await health.look(deployment)).processes] == [me.id]
    deployment.clock.forward(hours=25)
    other = Process(id=service.new_id(), kind="serve", version="1", started_at=now, seen_at=now)
    await service.write_usage(deployment, other)
    async with deployment.database.platform("test") as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(store.tenant_usage)) == 0
        assert [one.id for one in await store.processes(connection, now)] == [other.id]


async def test_what_cannot_be_written_waits(deployment: Deployment, tenant: TenantContext, urls: Urls) -> None:
    now = deployment.clock.now()
    me = Process(id=service.new_id(), kind="nonsense", version="1", started_at=now, seen_at=now)
    deployment.meters.take()
    deployment.meters.of(tenant.id).jobs = 3
    await service.write_usage(deployment, me)
    assert deployment.meters.take()[tenant.id].jobs == 3


async def test_a_job_of_each_tenant_counts_its_own_rows(deployment: Deployment, tenant: TenantContext) -> None:
    await service.slow_down(deployment, tenant.slug, 3.0, actor="account:x", reason="flood")
    await service.count.function(deployment, tenant)
    one = await service.one(deployment, tenant.slug)
    assert one.counts["audit_entry"] == 1
    assert one.counts["account"] == 0
    async with deployment.database.tenant(tenant) as tx:
        (line,) = [entry async for entry in audit.entries(tx)]
    assert line.details == {"reason": "flood", "requests": "3"}
