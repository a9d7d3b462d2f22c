"""The whole server: to a moment, up to the last acknowledged entry, and never half."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest
from click.testing import CliRunner

from servicepunkt.core import cli
from servicepunkt.core.audit import service as audit
from servicepunkt.core.backup import rehearsal, store, whole
from servicepunkt.core.backup.model import BackupError
from servicepunkt.core.clock import SystemClock
from servicepunkt.core.db.cluster import Cluster, programs_of
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls, urls_at
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import SettingsError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import TEST_POSTGRES, wait_for_disk

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def durable(urls: Urls) -> Iterator[None]:
    """What the server acknowledges is on the disk: only then does a receiver confirm it."""
    wait_for_disk(urls, True)
    yield
    wait_for_disk(urls, False)


@pytest.fixture(scope="module")
def folder(durable: None) -> Iterator[Path]:
    """Not below pytest's own folder, which is closed to the account that runs PostgreSQL for root."""
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "backups"


@pytest.fixture(scope="module")
def source(urls: Urls, folder: Path) -> whole.Source:
    folder.mkdir(exist_ok=True)
    return whole.source_of(urls.superuser, os.environ.get(TEST_POSTGRES, ""))


@pytest.fixture(scope="module")
def followed(urls: Urls, source: whole.Source, folder: Path) -> Iterator[Path]:
    """A folder with a copy, into which the log of writes is received."""
    with following(urls, folder):
        whole.take(source, folder, CLOCK)
        yield folder
    with psycopg.connect(conninfo(urls.superuser), autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot(%s)", (whole.SLOT,))


@contextmanager
def following(urls: Urls, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "SERVICEPUNKT_HOME": str(folder / "home"),
        "SERVICEPUNKT_DATABASE_URL": urls.application,
        "SERVICEPUNKT_BACKUP_DATABASE_URL": urls.superuser,
        "SERVICEPUNKT_POSTGRES_PROGRAMS": os.environ.get(TEST_POSTGRES, ""),
        "SERVICEPUNKT_PLUGINS": "core",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "servicepunkt.core", "backup", "follow", str(folder)], env=environment
    )
    try:
        assert whole.received(urls.superuser, store.mark(urls.owner), wait=60)
        yield process
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture
async def filled(deployment: Deployment, tenant: TenantContext, other: TenantContext) -> Deployment:
    for ctx in (tenant, other):
        await write(deployment, ctx, 4)
        async with deployment.database.tenant(ctx) as tx:
            await deployment.keyring.signing_public_key(tx)
    return deployment


async def write(deployment: Deployment, ctx: TenantContext, entries: int) -> None:
    for number in range(entries):
        async with deployment.database.tenant(ctx) as tx:
            await audit.record(tx, at=tx.now(), actor="test", action="thing.do", subject=f"thing:{number}")


def settings_of(deployment: Deployment, urls: Urls) -> Settings:
    return msgspec.structs.replace(
        deployment.settings, backup_database_url=urls.superuser, postgres_programs=os.environ.get(TEST_POSTGRES, "")
    )


async def test_a_rehearsal_finds_everything_that_was_acknowledged_while_others_write(
    filled: Deployment, tenant: TenantContext, urls: Urls, followed: Path
) -> None:
    """What is written during the rehearsal is neither missing nor too much."""
    going = True

    async def writing() -> int:
        count = 0
        while going:
            await write(filled, tenant, 1)
            count += 1
        return count

    writer = asyncio.create_task(writing())
    try:
        found = await asyncio.to_thread(rehearse_outside, settings_of(filled, urls), followed)
    finally:
        going = False
    assert await writer > 10
    assert found.differences == ()
    assert found.sound
    assert (found.tenants, found.audit_entries >= 8, found.rows > 8) == (2, True, True)
    assert 0 <= found.rpo_seconds < 10
    assert 0 < found.rto_seconds < 120
    assert not (followed / ".rehearsal").exists()


def rehearse_outside(settings: Settings, folder: Path) -> rehearsal.Rehearsed:
    return rehearsal.rehearse(settings, folder)


async def test_a_rehearsal_notices_what_is_not_there(
    filled: Deployment, tenant: TenantContext, urls: Urls, followed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that the copy lacks, one that was changed under the chain, a master key that is another."""
    plain = whole._recover

    def spoilt(cluster: Cluster, *rest: object) -> None:
        plain(cluster, *rest)  # type: ignore[arg-type]
        with psycopg.connect(f"host={cluster.sockets} user=postgres dbname=servicepunkt") as connection:
            connection.execute("UPDATE audit_entry SET subject = 'thing:9' WHERE tenant_id = 2 AND seq = 2")
            connection.execute("DELETE FROM audit_entry WHERE tenant_id = 1 AND seq = 4")

    monkeypatch.setattr(whole, "_recover", spoilt)
    settings = msgspec.structs.replace(settings_of(filled, urls), master_key="env:OTHER")
    monkeypatch.setenv("OTHER", "11" * 32)
    found = await asyncio.to_thread(rehearse_outside, settings, followed)
    assert not found.sound
    assert [(each.tenant, each.table) for each in found.differences] == [
        ("alpha", "audit_entry"),
        ("beta", "audit_entry"),
    ]
    assert found.broken_chains == ("beta",)  # a chain that ends early is one; the sums tell
    assert found.closed_keys == ("alpha", "beta")


async def test_every_moment_can_be_brought_back(
    filled: Deployment, tenant: TenantContext, urls: Urls, followed: Path
) -> None:
    await write(filled, tenant, 1)
    moment = datetime.now(UTC)
    await write(filled, tenant, 3)
    assert await asyncio.to_thread(whole.received, urls.superuser, store.mark(urls.owner), wait=30)
    target = followed.parent / "data"
    programs = os.environ.get(TEST_POSTGRES, "")
    name = await asyncio.to_thread(lambda: whole.restore(followed, target, until=moment, programs=programs))
    assert (followed / "base" / name).is_dir()
    assert [path.name for path in followed.parent.iterdir() if "part" in path.name] == []
    with pytest.raises(BackupError, match="not empty"):
        whole.restore(followed, target, programs=programs)
    cluster = Cluster(followed.parent / "server", programs_of(int((target / "PG_VERSION").read_text()), programs))
    target.rename(cluster.data)
    with cluster.running(), psycopg.connect(conninfo(urls_at(cluster.sockets).owner)) as connection:
        store.bind(connection, tenant.id)
        query = "SELECT max(seq) FROM audit_entry WHERE tenant_id = 1"
        assert connection.execute(query).fetchone() == (5,)
        assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)


async def test_a_moment_that_the_log_does_not_reach_leaves_nothing(followed: Path, filled: Deployment) -> None:
    target = followed.parent / "too-late"
    programs = os.environ.get(TEST_POSTGRES, "")
    with pytest.raises(BackupError, match="does not reach 2099"):
        whole.restore(followed, target, until=datetime(2099, 1, 1, tzinfo=UTC), programs=programs)
    with pytest.raises(BackupError, match="no copy of that time"):
        whole.restore(followed, target, until=datetime(2001, 1, 1, tzinfo=UTC), programs=programs)
    assert not target.exists()


async def test_one_tenant_goes_back_to_a_moment_and_the_others_stay(
    filled: Deployment, tenant: TenantContext, urls: Urls, followed: Path, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SERVICEPUNKT_BACKUP_DATABASE_URL", urls.superuser)
    environment.setenv("SERVICEPUNKT_POSTGRES_PROGRAMS", os.environ.get(TEST_POSTGRES, ""))
    moment = datetime.now(UTC).isoformat()
    await write(filled, tenant, 3)
    assert await asyncio.to_thread(whole.received, urls.superuser, store.mark(urls.owner), wait=30)
    with store.at_rest(urls.owner) as (connection, _):
        before = store.sums(connection)
    command = ["restore", str(followed), "--tenant", "alpha", "--until", moment, "--replace"]
    result = await asyncio.to_thread(lambda: CliRunner().invoke(cli.root(filled.plugins), command))
    assert result.exit_code == 0, result.output
    with store.at_rest(urls.owner) as (connection, _):
        after = store.sums(connection)
    assert after["alpha", "audit_entry"].startswith("5:")  # four, and that it came back
    assert {key: value for key, value in after.items() if key[0] == "beta"} == {
        key: value for key, value in before.items() if key[0] == "beta"
    }


def test_without_a_receiver_the_rehearsal_says_what_is_missing(
    urls: Urls, source: whole.Source, folder: Path, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "RECEIVER", "nobody")
    with pytest.raises(BackupError, match="backup follow"):
        rehearsal.rehearse(settings_of(deployment, urls), folder, wait=0)


def test_a_copy_that_was_damaged_is_not_brought_back(followed: Path) -> None:
    (name,) = [path.name for path in (followed / "base").iterdir()]
    file = followed / "base" / name / "PG_VERSION"
    plain = file.read_bytes()
    file.write_bytes(plain + b" ")
    try:
        with pytest.raises(BackupError, match="damaged: PG_VERSION"):
            whole.restore(followed, followed.parent / "damaged")
    finally:
        file.write_bytes(plain)
    assert not (followed.parent / "damaged").exists()


TAKEN = """
import sys
from pathlib import Path
from servicepunkt.core.backup import whole
from servicepunkt.core.clock import SystemClock
whole.take(whole.source_of(sys.argv[1], sys.argv[2]), Path(sys.argv[3]), SystemClock())
"""


@pytest.mark.usefixtures("durable")
def test_killed_while_a_copy_is_taken_there_is_none_and_the_next_one_is_whole(
    urls: Urls, source: whole.Source, folder: Path
) -> None:
    place = folder / "killed"
    place.mkdir(parents=True)
    programs = os.environ.get(TEST_POSTGRES, "")
    taking = subprocess.Popen([sys.executable, "-c", TAKEN, urls.superuser, programs, str(place)])
    while not list(place.glob("base/.*.part/base")):
        assert taking.poll() is None
    taking.send_signal(signal.SIGKILL)
    taking.wait()
    with pytest.raises(BackupError, match="no copy in this folder"):
        whole.restore(place, folder / "nothing", programs=programs)
    name = whole.take(source, place, CLOCK)
    assert [path.name for path in (place / "base").iterdir() if not path.name.startswith(".")] == [name]
    assert whole.restore(place, folder / "whole", programs=programs) == name


def test_what_a_killed_restore_has_left_is_cleared_away_with_its_server(followed: Path, urls: Urls) -> None:
    left, programs = followed.parent / ".again.part", os.environ.get(TEST_POSTGRES, "")
    with whole.recovered(followed, left, programs=programs) as (_, running):
        survivor = running.data.joinpath("postmaster.pid").read_text().split()[0]
        assert whole.restore(followed, followed.parent / "again", programs=programs)
        end = time.monotonic() + 10  # its file goes a moment before it does
        while (said := Path("/proc", survivor, "cmdline")).exists() and said.read_bytes():
            assert time.monotonic() < end
    assert (followed.parent / "again" / "PG_VERSION").exists()


def test_the_password_is_no_argument(urls: Urls) -> None:
    with_password = urls.superuser.replace("postgres@", "postgres:CANARY@")
    found = whole.source_of(with_password, os.environ.get(TEST_POSTGRES, ""))
    assert found.password == "CANARY"
    assert "CANARY" not in found.conninfo


def test_what_came_back_is_looked_at_there_and_not_where_it_came_from(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "server", programs_of(18))
    asked = "postgresql+psycopg://servicepunkt_owner:CANARY@db.example.org:5433/servicepunkt?sslmode=verify-full"
    there = rehearsal.url_in(cluster, asked)
    assert there.partition("?")[0] == "postgresql+psycopg://servicepunkt_owner@/servicepunkt"
    assert str(cluster.sockets) in conninfo(there).replace("%2F", "/")


def test_commands_say_what_they_need(environment: pytest.MonkeyPatch, plugins: PluginHost, tmp_path: Path) -> None:
    run = CliRunner()
    result = run.invoke(cli.root(plugins), ["backup", "take", str(tmp_path / "b")])
    assert isinstance(result.exception, SettingsError)
    assert "SERVICEPUNKT_BACKUP_DATABASE_URL" in result.exception.staff_sentence
    assert run.invoke(cli.root(plugins), ["restore", str(tmp_path)]).exit_code == 2
    words = ["restore", str(tmp_path), "--tenant", "t", "--until", "yesterday"]
    assert "is no moment" in run.invoke(cli.root(plugins), words).output


@pytest.mark.usefixtures("filled")
async def test_the_rehearsal_can_be_read_by_a_program(
    filled: Deployment, urls: Urls, followed: Path, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SERVICEPUNKT_BACKUP_DATABASE_URL", urls.superuser)
    environment.setenv("SERVICEPUNKT_POSTGRES_PROGRAMS", os.environ.get(TEST_POSTGRES, ""))
    command = ["backup", "rehearse", str(followed)]
    result = await asyncio.to_thread(lambda: CliRunner().invoke(cli.root(filled.plugins), [*command, "--json"]))
    said = json.loads(result.output)
    assert (result.exit_code, said["sound"], said["tenants"], said["differences"]) == (0, True, 2, [])
