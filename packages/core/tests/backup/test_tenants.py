"""One tenant out and in: nothing of others, nothing half, and not where it does not fit."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import msgspec
import psycopg
import pytest
import sqlalchemy as sa

from servicepunkt.core.audit import service as audit
from servicepunkt.core.backup import model, store, tenants, whole
from servicepunkt.core.backup.model import BackupError, Manifest
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.tenancy.model import TenantContext

TENANT = "tenant"


async def fill(deployment: Deployment, ctx: TenantContext, entries: int = 5) -> bytes:
    """Audit entries and a sealed value of the tenant; the sealed value."""
    async with deployment.database.tenant(ctx) as tx:
        for number in range(entries):
            await audit.record(
                tx, at=tx.now(), actor="test", action="thing.do", subject=f"thing:{number}", said="ä\t\n"
            )
        return await deployment.keyring.seal(tx, CASE, "Straße 1".encode(), field="street")


CASE = uuid4()


async def bring_back(deployment: Deployment, urls: Urls, copy: Path, *, replace: bool = False) -> Manifest:
    owner = Database(urls.owner, clock=deployment.clock, pool_size=1)
    try:
        return await tenants.bring_back(owner, copy, replace=replace, at=deployment.clock.now(), actor="test")
    finally:
        await owner.close()
        deployment.directory.forget()


def now(urls: Urls) -> store.Sums:
    with store.at_rest(urls.owner) as (connection, _):
        return store.sums(connection)


def without(found: store.Sums, *tables: str) -> dict[tuple[str, str], str]:
    return {key: value for key, value in found.items() if key[1] not in tables}


async def verdict(deployment: Deployment, ctx: TenantContext) -> audit.Verdict:
    async with deployment.database.tenant(ctx) as tx:
        return audit.verify_export([line async for line in audit.export(tx)])


async def test_a_tenant_comes_back_as_it_was_and_no_other_is_touched(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, urls: Urls, tmp_path: Path
) -> None:
    sealed = await fill(deployment, tenant)
    await fill(deployment, other)
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    before = now(urls)
    async with deployment.database.tenant(tenant) as tx:
        await tx.execute(sa.delete(data_key).where(data_key.c.tenant_id == tenant.id))
        await audit.record(tx, at=tx.now(), actor="test", action="thing.undo", subject="thing:1")
    await bring_back(deployment, urls, copy, replace=True)
    assert without(now(urls), "audit_entry", "tenant") == without(before, "audit_entry", "tenant")
    found = await verdict(deployment, tenant)
    assert (found.entries, found.faults) == (6, [])
    async with deployment.database.tenant(tenant) as tx:
        last = [line async for line in audit.export(tx)][-2]
        assert b"tenant.restore" in last
        assert copy.name.encode() in last
        assert (await deployment.keyring.unseal(tx, CASE, sealed, field="street")).decode() == "Straße 1"


async def test_a_tenant_that_is_gone_comes_back_under_its_number(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, urls: Urls, tmp_path: Path
) -> None:
    await fill(deployment, tenant)
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    with psycopg.connect(conninfo(urls.owner)) as connection:
        store.bind(connection, tenant.id)
        for table in reversed(tenants.verified(copy).tables):
            key = "id" if table.name == TENANT else "tenant_id"
            connection.execute(f'DELETE FROM "{table.name}" WHERE {key} = {tenant.id}'.encode())
    deployment.directory.forget()
    assert await deployment.directory.by_slug("alpha") is None
    await bring_back(deployment, urls, copy)
    assert await deployment.directory.by_slug("alpha") == tenant


async def test_a_tenant_that_is_there_is_not_given_up_unasked(
    deployment: Deployment, tenant: TenantContext, urls: Urls, tmp_path: Path
) -> None:
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    before = now(urls)
    with pytest.raises(BackupError, match="--replace"):
        await bring_back(deployment, urls, copy)
    assert now(urls) == before


async def test_a_number_of_another_tenant_is_refused(
    deployment: Deployment, tenant: TenantContext, urls: Urls, tmp_path: Path
) -> None:
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    with psycopg.connect(conninfo(urls.owner)) as connection:
        connection.execute("UPDATE tenant SET slug = 'gamma'")
    with pytest.raises(BackupError, match="number 1 and the name gamma belong to another"):
        await bring_back(deployment, urls, copy, replace=True)


def changed(copy: Path, **values: object) -> None:
    manifest = msgspec.json.decode((copy / tenants.MANIFEST).read_bytes(), type=Manifest)
    (copy / tenants.MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, **values)))


async def test_a_copy_of_other_tables_or_of_another_format_is_refused(
    deployment: Deployment, tenant: TenantContext, urls: Urls, tmp_path: Path
) -> None:
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    changed(copy, revisions=("core_0001",))
    with pytest.raises(BackupError, match="of revision core_0001"):
        await bring_back(deployment, urls, copy, replace=True)
    changed(copy, format=2)
    with pytest.raises(BackupError, match="format 2"):
        await bring_back(deployment, urls, copy, replace=True)
    (copy / tenants.MANIFEST).write_bytes(b"{")
    with pytest.raises(BackupError, match="no manifest"):
        await bring_back(deployment, urls, copy, replace=True)


async def test_every_damaged_file_is_named_before_anything_is_done(
    deployment: Deployment, tenant: TenantContext, urls: Urls, tmp_path: Path
) -> None:
    await fill(deployment, tenant)
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    before = now(urls)
    (copy / "audit_entry.copy").write_bytes((copy / "audit_entry.copy").read_bytes().replace(b"thing:2", b"thing:7"))
    (copy / "account.copy").unlink()
    with pytest.raises(BackupError, match="damaged: account, audit_entry"):
        await bring_back(deployment, urls, copy, replace=True)
    assert now(urls) == before


async def test_rows_of_another_tenant_do_not_come_in_with_a_forged_copy(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, urls: Urls, tmp_path: Path
) -> None:
    """With hashes that fit: row-level security is asked last."""
    await fill(deployment, tenant)
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    before = now(urls)
    path = copy / "audit_entry.copy"
    path.write_bytes(path.read_bytes().replace(b"1\t5\t", b"2\t5\t", 1))
    tables = [
        msgspec.structs.replace(table, sha256=whole.sha256_of(path)) if table.name == "audit_entry" else table
        for table in msgspec.json.decode((copy / tenants.MANIFEST).read_bytes(), type=Manifest).tables
    ]
    changed(copy, tables=tuple(tables))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        await bring_back(deployment, urls, copy, replace=True)
    assert now(urls) == before


def test_a_tenant_that_does_not_exist_leaves_no_copy(urls: Urls, deployment: Deployment, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no tenant 'nobody'"):
        tenants.take(urls.owner, tmp_path, "nobody", deployment.clock)
    assert not (tmp_path / "tenants").exists()


async def test_a_copy_is_of_one_moment(
    deployment: Deployment, tenant: TenantContext, urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written while the copy is taken is not in any of its tables."""
    await fill(deployment, tenant)
    plain = tenants._take_table

    def slow(connection: psycopg.Connection, name: str, *rest: object) -> model.TableCopy:
        with psycopg.connect(conninfo(urls.owner)) as writer:
            store.bind(writer, tenant.id)
            writer.execute("INSERT INTO data_key VALUES (1, gen_random_uuid(), %s, 'x', NULL)", (name,))
        return plain(connection, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(tenants, "_take_table", slow)
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    (keys,) = [table for table in tenants.verified(copy).tables if table.name == "data_key"]
    assert keys.rows == 2  # the tenant's and the case's


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from servicepunkt.core.backup import tenants
from servicepunkt.core.clock import SystemClock
from servicepunkt.core.db.session import Database

url, copy, step, at = sys.argv[1:]
plain, calls = getattr(tenants, step), []

async def killing(*arguments, **named):
    calls.append(1)
    if len(calls) == int(at):
        os.kill(os.getpid(), signal.SIGKILL)
    await plain(*arguments, **named)
    if -len(calls) == int(at):
        os.kill(os.getpid(), signal.SIGKILL)

setattr(tenants, step, killing)
owner = Database(url, pool_size=1)
asyncio.run(tenants.bring_back(owner, Path(copy), replace=True, at=SystemClock().now(), actor="test"))
"""


@pytest.mark.parametrize(
    ("step", "at"), [("_put_table", 1), ("_put_table", 7), ("_record", 1), ("_record", -1), ("_record", 2)]
)
async def test_killed_at_any_step_the_tenant_is_the_old_or_the_new_one(
    deployment: Deployment, tenant: TenantContext, urls: Urls, tmp_path: Path, step: str, at: int
) -> None:
    """Before the first row, among the tables, before and after the last statement; at last to the end."""
    await fill(deployment, tenant)
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    await fill(deployment, tenant)
    old = now(urls)
    command = [sys.executable, "-c", KILLED, urls.owner, str(copy), step, str(at)]
    ended = await asyncio.to_thread(subprocess.run, command, check=False)
    if at == 2:
        assert ended.returncode == 0
        assert now(urls)["alpha", "audit_entry"].startswith("6:")
    else:
        assert ended.returncode == -signal.SIGKILL
        assert now(urls) == old
    assert (await verdict(deployment, tenant)).faults == []


async def test_whoever_is_killed_while_a_copy_is_taken_leaves_none(
    deployment: Deployment, tenant: TenantContext, urls: Urls, tmp_path: Path
) -> None:
    place = tmp_path / "tenants" / "alpha"
    (place / ".part").mkdir(parents=True)
    (place / ".part" / "notice.copy").write_text("half")
    with pytest.raises(BackupError, match="no copy"):
        model.newest(path.name for path in place.iterdir())
    copy = tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
    assert [path.name for path in place.iterdir()] == [copy.name]
    assert tenants.verified(copy).slug == "alpha"


def test_two_do_not_write_into_one_folder(deployment: Deployment, urls: Urls, tmp_path: Path) -> None:
    with whole.alone(tmp_path), pytest.raises(BackupError, match="somebody else"):
        tenants.take(urls.owner, tmp_path, "alpha", deployment.clock)
