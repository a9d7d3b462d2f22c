"""The end of a tenant: its keys and rows are gone, and what proves it stays.

Keys first: what was sealed with them can never be read again, in no backup either, once the master key was changed.
The number of a tenant is never given out again, therefore an empty row keeps its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.schema import TENANT, metadata
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, NotFoundError
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.operators import store as operators
from servicepunkt.core.people.links import store as account_links
from servicepunkt.core.tenancy import store, terms
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.tenants.readiness import answers
from servicepunkt.tenants.service import NotReadyError, StateError, as_owner

CHAIN, PROOF = "audit.jsonl", "proof.json"


class Proof(msgspec.Struct, frozen=True):
    """What was there and what is left, table by table, and the last state of the audit chain beside it."""

    slug: str
    tenant_id: int
    at: datetime
    actor: str
    rows: Mapping[str, int]
    left: Mapping[str, int]
    keys: int
    jobs: int
    chain_sha256: str


async def delete(deployment: Deployment, slug: str, *, actor: str, folder: Path) -> Proof:
    """Erase a retired tenant. The audit chain and the proof are written to `folder`, which must not exist.

    Raises NotFoundError, StateError for one that is not retired, NotReadyError while something of anybody is left.
    """
    _make_sure_is_new(folder)
    async with as_owner(deployment, "delete a tenant") as (owner, connection):
        row = await store.by_slug(connection, slug)
        if row is None:
            raise NotFoundError(f"there is no tenant {slug!r}")
        if row["state"] != "retired":
            raise StateError(f"{slug} is {row['state']}; only a retired tenant is deleted")
        jobs = await _forget_jobs(connection, row["id"])
        await store.bury(connection, row["id"])
        await terms.forget(connection, row["id"])
        await operators.forget(connection, row["id"])
        await account_links.forget(connection, row["id"])
        ctx = TenantContext(id=row["id"], slug=slug, name=row["name"], plugins=frozenset(row["plugins"]))
        async with owner.within(connection, ctx) as tx:
            if blocking := [one for one in await answers(deployment, tx, "retirement_checks") if one.blocks]:
                raise NotReadyError(blocking)
            now = deployment.clock.now()
            await audit.record(tx, at=now, actor=actor, action="tenant.delete", subject=f"tenant:{ctx.id}")
            chain = b"".join([line async for line in audit.export(tx)])
            # On disk before the rows are gone: a crash in between leaves both.
            _keep(folder, chain)
            rows = await _erase(tx)
    left = await _left(deployment, ctx)
    proof = Proof(slug, ctx.id, now, actor, rows, left, rows[data_key.name], jobs, hashlib.sha256(chain).hexdigest())
    (folder / PROOF).write_bytes(msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n")
    return proof


def _make_sure_is_new(folder: Path) -> None:
    if folder.exists():
        raise ConflictError(f"{folder} exists; name a folder that does not")


def _keep(folder: Path, chain: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / CHAIN).write_bytes(chain)


def tenant_tables() -> list[Table]:
    """The tables of all installed packages in which rows belong to tenants, the keys first, children before parents."""
    found = [table for table in reversed(metadata.sorted_tables) if table.info.get("tenant")]
    return sorted(found, key=lambda table: table is not data_key)


async def _erase(tx: Transaction) -> dict[str, int]:
    counted = {}
    for table in tenant_tables():
        result = await tx.execute(sa.delete(table).where(table.c[TENANT] == tx.tenant_id))
        counted[table.name] = int(result.rowcount)
    return counted


async def _forget_jobs(connection: AsyncConnection, tenant_id: int) -> int:
    """Jobs name their tenant and nobody else; they would be skipped, and need not lie there."""
    statement = sa.text("DELETE FROM procrastinate_jobs WHERE (args->>'tenant_id')::int = :tenant AND status = 'todo'")
    return int((await connection.execute(statement.bindparams(tenant=tenant_id))).rowcount)


async def _left(deployment: Deployment, ctx: TenantContext) -> dict[str, int]:
    """Counted anew, by the application's role, after everything was committed."""
    counted = {}
    async with deployment.database.tenant(ctx) as tx:
        for table in tenant_tables():
            query = sa.select(sa.func.count()).select_from(table).where(table.c[TENANT] == tx.tenant_id)
            counted[table.name] = int(await tx.scalar(query))
    return counted
