"""The rehearsal: bring everything back on a server beside, and compare it with what the database says now.

The database is looked at in a moment between two transactions. Everything that was acknowledged before has to be there
again: every row of every tenant, each audit chain without a fault, each tenant's key opened by the master key.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
from sqlalchemy import URL, make_url

from servicepunkt.core import deployment as deployments
from servicepunkt.core.audit import service as audit
from servicepunkt.core.backup import model, store, whole
from servicepunkt.core.backup.model import BackupError, Rehearsed
from servicepunkt.core.db.cluster import Cluster
from servicepunkt.core.settings import Settings

RECEIVE_SECONDS = 60.0


class _Inside(msgspec.Struct, frozen=True):
    audit_entries: int
    broken_chains: tuple[str, ...]
    closed_keys: tuple[str, ...]


def rehearse(settings: Settings, folder: Path, *, wait: float = RECEIVE_SECONDS) -> Rehearsed:
    """Raises BackupError where the log of writes is not received up to now within `wait` seconds."""
    with store.at_rest(settings.owner_database_url) as (connection, place):
        live = store.sums(connection)
    acknowledged, end = time.monotonic(), store.mark(settings.owner_database_url)
    if not whole.received(settings.backup_database_url, end, wait=wait):
        raise BackupError(f"nobody receives the log of writes: is `servicepunkt backup follow {folder}` running?")
    rpo, began = time.monotonic() - acknowledged, time.monotonic()
    programs = settings.postgres_programs
    with whole.recovered(folder, folder / ".rehearsal", until=place, programs=programs) as (base, cluster):
        there = url_in(cluster, settings.owner_database_url)
        rto = time.monotonic() - began
        with store.at_rest(there) as (connection, _):
            restored = store.sums(connection)
        inside = asyncio.run(_look_inside(msgspec.structs.replace(
            settings, database_url=there, owner_database_url="", direct_database_url="", replica_database_url=""
        )))  # fmt: skip
    return Rehearsed(
        base=base,
        rpo_seconds=rpo,
        rto_seconds=rto,
        tenants=len({tenant for tenant, _ in live if tenant != store.SHARED}),
        rows=store.rows_in(live),
        audit_entries=inside.audit_entries,
        differences=model.differences(live, restored),
        broken_chains=inside.broken_chains,
        closed_keys=inside.closed_keys,
    )


def url_in(cluster: Cluster, url: str) -> str:
    """The same role and database on a server that came back."""
    asked = make_url(url)
    socket = {"host": str(cluster.sockets)}
    there = URL.create(asked.drivername, username=asked.username, database=asked.database, query=socket)
    return there.render_as_string(hide_password=False)


async def _look_inside(settings: Settings) -> _Inside:
    entries, broken, closed = 0, [], []
    async with deployments.running(settings) as deployment:
        for ctx in await deployment.directory.all():
            async with deployment.database.tenant(ctx) as tx:
                verdict = audit.verify_export([line async for line in audit.export(tx)])
                opens = await deployment.keyring.opens(tx)
            entries += verdict.entries
            broken += [ctx.slug] if verdict.faults else []
            closed += [] if opens else [ctx.slug]
    return _Inside(entries, tuple(broken), tuple(closed))
