"""Background jobs on real tables: they exist when their transaction does, hold ids, and survive a killed worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import procrastinate
import psycopg
import pytest

from servicepunkt.core import jobs
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.jobs import build_app, job, run_worker
from servicepunkt.core.metrics import JOB_FAILURES
from servicepunkt.core.plugins import PluginError
from servicepunkt.core.tenancy.model import TenantContext, current_slug
from servicepunkt.core.testing import empty_database, make_tenant, open_deployment

Ran = list[tuple[str | None, str, dict[str, Any]]]


class Work:
    """A plugin with a job of its own; remembers every run and lets a test wait for one."""

    def __init__(self) -> None:
        self.ran: Ran = []
        self.done = asyncio.Event()
        self.failures = 0
        self.single = job(plugin="demo", name="demo.single")(self.run)
        self.nightly = job(plugin="demo", name="demo.nightly", every="17 3 * * *")(self.run)

    async def run(self, deployment: Deployment, ctx: TenantContext, **ids: Any) -> None:
        self.ran.append((current_slug(), ctx.slug, ids))
        self.done.set()
        if self.failures:
            self.failures -= 1
            raise ValueError("CANARY")


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def running(urls: Urls, make_host: Any, work: Work, tmp_path: Path) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, make_host(demo={"jobs": lambda: (work.single, work.nightly)})) as made:
        yield made


@pytest.fixture
async def alpha(running: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(running, urls.owner, "alpha", plugins=["demo"])


@pytest.fixture
def rows(urls: Urls) -> Callable[[str], list[tuple[Any, ...]]]:
    def ask(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(conninfo(urls.owner), autocommit=True) as connection:
            answer = connection.execute(query)  # type: ignore[call-overload]
            return list(answer.fetchall()) if answer.description else []

    return ask


@asynccontextmanager
async def opened(running: Deployment) -> AsyncIterator[procrastinate.App]:
    app = build_app(running)
    async with app.open_async():
        yield app


def without_periodic(app: procrastinate.App) -> None:
    """Whatever the time of day is: a worker makes up for what was due in the last ten minutes."""
    app.periodic_registry.periodic_tasks.clear()


async def run_what_is_queued(running: Deployment) -> None:
    async with opened(running) as app:
        without_periodic(app)
        await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)


QUEUED = "SELECT task_name, args, lock, status::text FROM procrastinate_jobs ORDER BY id"


# --- deferring ------------------------------------------------------------------------------------------------


async def test_a_job_exists_only_after_its_transaction_has_committed(
    running: Deployment, alpha: TenantContext, work: Work, rows: Any
) -> None:
    async with running.database.tenant(alpha) as tx:
        await work.single.defer(tx)
        assert rows(QUEUED) == []
    assert len(rows(QUEUED)) == 1


async def test_a_job_vanishes_with_its_transaction(
    running: Deployment, alpha: TenantContext, work: Work, rows: Any
) -> None:
    async def interrupted() -> None:
        async with running.database.tenant(alpha) as tx:
            await work.single.defer(tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await interrupted()
    assert rows("SELECT count(*) FROM procrastinate_jobs") == [(0,)]
    assert rows("SELECT count(*) FROM procrastinate_events") == [(0,)]


async def test_arguments_are_the_tenant_and_ids(
    running: Deployment, alpha: TenantContext, work: Work, rows: Any
) -> None:
    notice = uuid4()
    async with running.database.tenant(alpha) as tx:
        await work.single.defer(tx, lock=f"case/{notice}", notice_id=notice, seq=7)
    arguments = {"tenant_id": alpha.id, "notice_id": str(notice), "seq": 7}
    assert rows(QUEUED) == [("demo.single", arguments, f"{alpha.id}/case/{notice}", "todo")]


async def test_locks_of_two_tenants_do_not_meet(
    running: Deployment, alpha: TenantContext, urls: Urls, work: Work, rows: Any
) -> None:
    beta = await make_tenant(running, urls.owner, "beta", plugins=["demo"])
    for ctx in (alpha, beta):
        async with running.database.tenant(ctx) as tx:
            await work.single.defer(tx, lock="same")
    assert [lock for _, _, lock, _ in rows(QUEUED)] == ["1/same", "2/same"]


async def test_a_job_may_wait(running: Deployment, alpha: TenantContext, work: Work, rows: Any) -> None:
    async with running.database.tenant(alpha) as tx:
        await work.single.defer(tx, in_seconds=3600)
    await run_what_is_queued(running)
    assert work.ran == []
    assert rows("SELECT scheduled_at > now() + interval '59 minutes' FROM procrastinate_jobs") == [(True,)]


# --- running --------------------------------------------------------------------------------------------------


async def test_a_job_runs_once_for_its_tenant_with_its_ids(
    running: Deployment, alpha: TenantContext, work: Work, rows: Any
) -> None:
    async with running.database.tenant(alpha) as tx:
        await work.single.defer(tx, seq=7)
    await run_what_is_queued(running)
    await run_what_is_queued(running)
    assert work.ran == [("alpha", "alpha", {"seq": 7})]
    assert [status for *_, status in rows(QUEUED)] == ["succeeded"]
    assert current_slug() is None


async def test_a_job_of_a_plugin_that_was_switched_off_does_nothing(
    running: Deployment, alpha: TenantContext, urls: Urls, work: Work, logged: Any
) -> None:
    async with running.database.tenant(alpha) as tx:
        await work.single.defer(tx)
    await make_tenant(running, urls.owner, "alpha", plugins=[])
    await run_what_is_queued(running)
    assert work.ran == []
    assert [line["event"] for line in logged()] == ["job_skipped"]


async def test_a_job_of_a_tenant_that_is_unknown_or_retired_does_nothing(
    running: Deployment, alpha: TenantContext, urls: Urls, work: Work, rows: Any
) -> None:
    async with running.database.tenant(alpha) as tx:
        await work.single.defer(tx)
        await work.single.defer(tx)
    first = "(SELECT min(id) FROM procrastinate_jobs)"
    rows(f"""UPDATE procrastinate_jobs SET args = '{{"tenant_id": 99}}' WHERE id = {first}""")
    with pytest.raises(LookupError):
        await make_tenant(running, urls.owner, "alpha", state="retired")
    await run_what_is_queued(running)
    assert work.ran == []
    assert [status for *_, status in rows(QUEUED)] == ["succeeded", "succeeded"]


async def test_a_job_that_fails_is_counted_and_tried_again_later(
    running: Deployment, alpha: TenantContext, work: Work, rows: Any, logged: Any
) -> None:
    before = JOB_FAILURES.labels(job="demo.single")._value.get()
    work.failures = 1
    async with running.database.tenant(alpha) as tx:
        await work.single.defer(tx)
    await run_what_is_queued(running)
    assert JOB_FAILURES.labels(job="demo.single")._value.get() == before + 1
    assert rows("SELECT status::text, attempts, scheduled_at > now() FROM procrastinate_jobs") == [("todo", 1, True)]
    failed = [line for line in logged() if line["event"] == "job_failed"]
    assert [(line["job"], line["error_type"]) for line in failed] == [("demo.single", "ValueError")]
    assert "CANARY" not in str(logged())
    rows("UPDATE procrastinate_jobs SET scheduled_at = now()")
    await run_what_is_queued(running)
    assert len(work.ran) == 2
    assert rows("SELECT status::text FROM procrastinate_jobs") == [("succeeded",)]


async def test_a_job_is_given_up_in_the_end(running: Deployment, alpha: TenantContext, work: Work, rows: Any) -> None:
    work.failures = 1
    async with running.database.tenant(alpha) as tx:
        await work.single.defer(tx)
    rows("UPDATE procrastinate_jobs SET attempts = 12")
    await run_what_is_queued(running)
    assert rows("SELECT status::text FROM procrastinate_jobs") == [("failed",)]


# --- jobs that run by themselves ------------------------------------------------------------------------------


async def test_a_job_with_a_time_is_registered_and_one_without_is_not(running: Deployment) -> None:
    tasks = {task.name: periodic.cron for (task, periodic) in periodic_tasks(build_app(running))}
    assert tasks == {
        "core.retention.erase:periodic": "17 2 * * *",
        "core.catalogue.publish:periodic": "3 * * * *",
        "core.catalogue.links:periodic": "23 3 * * 0",
        "core.operators.count:periodic": "23 */3 * * *",
        "demo.nightly:periodic": "17 3 * * *",
    }


def periodic_tasks(app: procrastinate.App) -> list[tuple[Any, Any]]:
    return [(periodic.task, periodic) for periodic in app.periodic_registry.periodic_tasks.values()]


async def test_at_its_time_a_job_is_queued_for_every_tenant_that_has_the_plugin(
    running: Deployment, alpha: TenantContext, urls: Urls, work: Work, rows: Any
) -> None:
    await make_tenant(running, urls.owner, "beta", plugins=[])
    await make_tenant(running, urls.owner, "gamma", plugins=["demo"])
    async with opened(running) as app:
        (task,) = [task for task, _ in periodic_tasks(app) if task.name == "demo.nightly:periodic"]
        await task.defer_async(timestamp=0)
    await run_what_is_queued(running)
    await run_what_is_queued(running)
    assert sorted(slug for _, slug, _ in work.ran) == ["alpha", "gamma"]


# --- a worker that was killed ---------------------------------------------------------------------------------


async def left_half_done(running: Deployment, ctx: TenantContext, work: Work, rows: Any, *, heartbeat: str) -> None:
    """What kill -9 leaves behind: a job that is being done by a worker whose last sign of life was then."""
    async with running.database.tenant(ctx) as tx:
        await work.single.defer(tx)
    rows(f"""WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)
                           VALUES (now() - interval '{heartbeat}') RETURNING id)
             UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)""")


@asynccontextmanager
async def working(running: Deployment) -> AsyncIterator[None]:
    async with opened(running) as app:
        without_periodic(app)
        worker = asyncio.create_task(run_worker(app, concurrency=1, look_again=0.01))
        try:
            yield
        finally:
            worker.cancel()
            await asyncio.wait([worker])


async def test_what_a_killed_worker_has_left_is_done_by_the_next_one(
    running: Deployment, alpha: TenantContext, work: Work, rows: Any
) -> None:
    await left_half_done(running, alpha, work, rows, heartbeat="1 hour")
    async with working(running):
        await asyncio.wait_for(work.done.wait(), 10)
    assert len(work.ran) == 1


async def test_a_worker_that_was_started_again_at_once_takes_the_job_up_when_the_other_one_stays_silent(
    running: Deployment, alpha: TenantContext, work: Work, rows: Any
) -> None:
    """At its start the dead worker still counts as alive: looking once would leave the job behind for ever."""
    await left_half_done(running, alpha, work, rows, heartbeat="5 seconds")
    async with working(running):
        async with running.database.tenant(alpha) as tx:
            await work.nightly.defer(tx)
        await asyncio.wait_for(work.done.wait(), 10)
        assert rows("SELECT status::text FROM procrastinate_jobs WHERE task_name = 'demo.single'") == [("doing",)]
        work.done.clear()
        rows(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute' WHERE id = "
            "(SELECT worker_id FROM procrastinate_jobs WHERE task_name = 'demo.single')"
        )
        await asyncio.wait_for(work.done.wait(), 10)
    assert len(work.ran) == 2


async def test_two_workers_that_find_the_same_job_do_not_stop_each_other(
    running: Deployment, alpha: TenantContext, work: Work, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await left_half_done(running, alpha, work, rows, heartbeat="1 hour")
    async with opened(running) as app:
        stalled = await app.job_manager.get_stalled_jobs()

        async def same_answer() -> Any:
            return stalled

        monkeypatch.setattr(app.job_manager, "get_stalled_jobs", same_answer)
        await jobs.take_up_stalled(app)
        await jobs.take_up_stalled(app)
    assert rows("SELECT status::text, attempts FROM procrastinate_jobs") == [("todo", 1)]


async def test_a_job_that_says_it_is_of_another_plugin_is_refused(
    urls: Urls, make_host: Any, work: Work, tmp_path: Path
) -> None:
    """By that name its tenants are asked: one that says `core` would run where its plugin is off."""
    foreign = job(plugin="core", name="core.smuggled")(work.run)
    async with open_deployment(urls, tmp_path, make_host(demo={"jobs": lambda: (foreign,)})) as deployment:
        with pytest.raises(PluginError, match=r"plugin demo: the job core.smuggled says it is of 'core'"):
            build_app(deployment)
