"""The kernel's own commands, from the command line to a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import click
import procrastinate
import psycopg
import pytest
from click.testing import CliRunner, Result

from servicepunkt.core import cli, jobs
from servicepunkt.core import deployment as deployments
from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Point
from servicepunkt.core.catalogue.service import publish
from servicepunkt.core.commands import tenant_or_refuse
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError, PluginOffError, ServicepunktError, SettingsError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import empty_database, make_tenant, open_deployment, wait_for_disk

pytestmark = pytest.mark.usefixtures("environment")

CATALOGUE = Catalogue(
    hosts=(Host(id="shop", name="Shop", kind="shop", hours="Mo-Sa 09:30-20:00; PH off"),),
    points=(
        Point(
            id="point",
            name={"de": "Punkt"},
            host="shop",
            address=Address(street="Weg 1", postcode="00000", town="Ort"),
        ),
    ),
)
Run = Callable[..., Result]


@pytest.fixture
def run(plugins: PluginHost) -> Run:
    """A command from the root; a refusal of the product is an exception here, and `main` makes sentences of it."""
    return lambda *arguments: CliRunner().invoke(cli.root(plugins), arguments)


@pytest.fixture
def filled(urls: Urls, plugins: PluginHost, tmp_path: Path) -> None:
    """Tenant alpha with a published catalogue and five entries in its audit chain; tenant beta with nothing."""

    async def fill(deployment: Deployment) -> None:
        alpha = await make_tenant(deployment, urls.owner, "alpha", plugins=["missing"])
        await make_tenant(deployment, urls.owner, "beta", plugins=[])
        async with deployment.database.tenant(alpha) as tx:
            await publish(tx, CATALOGUE, at=deployment.clock.now(), actor="test")
            for number in range(4):
                await audit.record(
                    tx, at=deployment.clock.now(), actor="test", action="thing.do", subject=f"thing:{number}"
                )

    empty_database(urls.owner)
    with_deployment(urls, plugins, tmp_path, fill)


def with_deployment(urls: Urls, plugins: PluginHost, home: Path, work: Callable[[Deployment], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_deployment(urls, home, plugins) as deployment:
            await work(deployment)

    asyncio.run(run())


def refusal(result: Result, kind: type[ServicepunktError]) -> str:
    assert isinstance(result.exception, kind), result.exception
    assert result.exit_code == 1
    return result.exception.staff_sentence


# --- audit ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("filled")
def test_an_exported_chain_verifies_without_a_database(
    run: Run, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "chain.jsonl"
    assert run("audit", "export", "--tenant", "alpha", "--output", str(file)).exit_code == 0
    environment.setenv("SERVICEPUNKT_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    result = run("audit", "verify", str(file))
    assert (result.exit_code, result.output) == (0, "5 entries, 0 faults.\n")
    verdict = json.loads(run("audit", "verify", str(file), "--json").output)
    assert (verdict["entries"], verdict["faults"], verdict["head"]["seq"]) == (5, [], 5)


@pytest.mark.usefixtures("filled")
def test_a_chain_that_was_touched_ends_with_one_and_says_where(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "chain.jsonl"
    run("audit", "export", "--tenant", "alpha", "--output", str(file))
    file.write_bytes(file.read_bytes().replace(b"thing:2", b"thing:7"))
    result = run("audit", "verify", str(file))
    assert result.exit_code == 1
    assert "entry 4: was changed after it was written" in result.output
    as_json = run("audit", "verify", str(file), "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.output)["faults"] == [{"seq": 4, "reason": "was changed after it was written"}]


@pytest.mark.usefixtures("filled")
def test_a_chain_can_be_exported_to_standard_output(run: Run) -> None:
    lines = run("audit", "export", "--tenant", "beta").stdout_bytes.splitlines()
    assert [json.loads(line) for line in lines] == [{"head": {"tenant_id": 2, "seq": 0, "hash": ""}}]


@pytest.mark.usefixtures("filled")
def test_a_tenant_that_does_not_exist_is_refused_with_those_that_do_and_leaves_no_file(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "chain.jsonl"
    result = run("audit", "export", "--tenant", "gamma", "--output", str(file))
    assert refusal(result, NotFoundError) == "there is no tenant 'gamma'; known are: alpha, beta"
    assert not file.exists()


def test_a_file_that_is_no_chain_ends_with_one_and_a_missing_one_with_two(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert run("audit", "verify", str(tmp_path / "empty")).exit_code == 1
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 10)
    assert run("audit", "verify", str(tmp_path / "noise")).exit_code == 1
    assert run("audit", "verify", str(tmp_path / "absent")).exit_code == 2


# --- db -------------------------------------------------------------------------------------------------------


@pytest.fixture
def durable(urls: Urls) -> Iterator[None]:
    """The server as one that is not a test's own."""
    wait_for_disk(urls, True)
    yield
    wait_for_disk(urls, False)


@pytest.mark.usefixtures("durable")
def test_a_sound_database_passes(run: Run) -> None:
    result = run("db", "check")
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        ["Revision: newest", "Every tenant table is protected; roles and server are sound."],
    )
    assert json.loads(run("db", "check", "--json").output) == {"at_head": True, "violations": []}


def test_a_server_that_forgets_fails_the_check(run: Run) -> None:
    result = run("db", "check")
    assert result.exit_code == 1
    named = [line.rpartition(": ")[2] for line in result.output.splitlines() if "may be lost" in line]
    assert sorted(named) == ["fsync", "full_page_writes", "synchronous_commit"]


def test_a_replica_is_looked_at_where_there_is_one(run: Run, urls: Urls, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SERVICEPUNKT_REPLICA_DATABASE_URL", urls.application)
    assert "replica that is no replica" in run("db", "check").output
    environment.setenv("SERVICEPUNKT_REPLICA_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    assert "replica that does not answer" in run("db", "check").output


@pytest.mark.usefixtures("durable")
def test_an_unprotected_table_fails_the_check_and_is_named(run: Run, urls: Urls) -> None:
    def owner(statement: str) -> None:
        with psycopg.connect(conninfo(urls.owner)) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    owner("CREATE VIEW leak AS SELECT * FROM notice")
    try:
        result = run("db", "check")
        assert result.exit_code == 1
        assert "view without security_invoker: leak" in result.output
        violations = json.loads(run("db", "check", "--json").output)["violations"]
        assert violations == [{"rule": "view without security_invoker", "name": "leak"}]
    finally:
        owner("DROP VIEW leak")


def test_an_upgrade_can_be_repeated(run: Run) -> None:
    for _ in range(2):
        result = run("db", "upgrade")
        assert (result.exit_code, result.output) == (0, "The database is at the newest revision.\n")


def test_an_upgrade_needs_the_role_that_owns_the_tables(run: Run, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SERVICEPUNKT_OWNER_DATABASE_URL")
    assert "SERVICEPUNKT_OWNER_DATABASE_URL" in refusal(run("db", "upgrade"), SettingsError)


# --- plugin ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("filled")
def test_plugins_are_listed_in_the_order_in_which_they_are_asked(run: Run) -> None:
    (core, *left_out) = json.loads(run("plugin", "list", "--json").output)
    assert (core["plugin"], core["distribution"], core["api"], core["state"]) == (
        *("core", "servicepunkt-core", "1", "installed"),
    )
    assert {"commands", "jobs", "health_checks"} <= set(core["hooks"])
    assert {(one["state"], one["reason"]) for one in left_out} <= {("off", "excluded")}
    found = json.loads(run("plugin", "list", "--tenant", "alpha", "--json").output)
    assert [(one["plugin"], one["state"], one["reason"]) for one in (found[0], found[-1])] == [
        ("core", "on", "always"),
        ("missing", "off", "not-installed"),
    ]
    table = run("plugin", "list", "--tenant", "alpha").output
    assert "always on" in " ".join(table.split())
    assert "missing" in table
    assert "known are: alpha, beta" in refusal(run("plugin", "list", "--tenant", "gamma"), NotFoundError)


def test_naming_plugins_that_are_not_installed_is_refused(run: Run, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SERVICEPUNKT_PLUGINS", "core, locker")
    assert "not installed: locker" in refusal(run("plugin", "list"), SettingsError)


@pytest.mark.usefixtures("filled")
def test_a_command_refuses_a_tenant_that_has_its_plugin_off(make_host: Any, environment: pytest.MonkeyPatch) -> None:
    """Also in a group, and whatever the command would do with the tenant; the kernel's own commands work on."""
    reached = []

    @click.command()
    @click.option("--tenant", required=True)
    def count(tenant: str) -> None:
        """Count doors."""
        with deployments.configured() as settings:
            asyncio.run(work(settings, tenant))

    async def work(settings: Settings, slug: str) -> None:
        async with deployments.running(settings, make_host()) as deployment:
            reached.append(await tenant_or_refuse(deployment, slug))

    root = cli.root(make_host(missing={"commands": lambda: (click.Group("doors", commands=[count]),)}))
    assert CliRunner().invoke(root, ["doors", "count", "--tenant", "alpha"]).exit_code == 0
    sentence = refusal(CliRunner().invoke(root, ["doors", "count", "--tenant", "beta"]), PluginOffError)
    assert sentence == "the plugin 'missing' is off for the tenant 'beta'"
    assert [ctx.slug for ctx in reached] == ["alpha"]
    assert CliRunner().invoke(root, ["audit", "export", "--tenant", "beta"]).exit_code == 0


# --- worker ---------------------------------------------------------------------------------------------------


def test_the_worker_runs_the_jobs_of_all_plugins(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[set[str], int]] = []

    async def work(app: procrastinate.App, *, concurrency: int, **_: Any) -> None:
        await app.check_connection_async()
        seen.append(({name for name in app.tasks if name.startswith("core.")}, concurrency))

    monkeypatch.setattr(jobs, "run_worker", work)
    result = run("worker", "--concurrency", "2")
    assert (result.exit_code, result.exception) == (0, None)
    periodic = {"core.retention.erase", "core.catalogue.publish", "core.catalogue.links", "core.operators.count"}
    asked = {"core.notice.deliver", "core.notice.receipt", "core.orders.expire", "core.orders.tell",
             "core.applications.forward", "core.applications.end"}  # fmt: skip
    own = asked | periodic | {f"{name}:periodic" for name in periodic}
    assert seen == [(own, 2)]


# --- operator -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("filled")
def test_an_operator_reads_the_list_of_tenants_and_how_the_platform_is(run: Run) -> None:
    found = json.loads(run("operator", "tenants", "--sort", "requests", "--down", "--json").output)
    assert [(one["slug"], one["plugins"], one["used"]["requests"]) for one in found["tenants"]] == [
        ("alpha", ["missing"], 0),
        ("beta", [], 0),
    ]
    assert [
        one["slug"] for one in json.loads(run("operator", "tenants", "--q", "bet", "--json").output)["tenants"]
    ] == ["beta"]
    assert "alpha" in run("operator", "tenants").output
    assert run("operator", "tenants", "--sort", "settings").exit_code == 2
    health = json.loads(run("operator", "health", "--json").output)
    assert (health["current"], health["has_replica"], health["waiting"], health["processes"]) == (True, False, 0, [])
    assert "server" in run("operator", "health").output
