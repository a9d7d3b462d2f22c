"""What all sources say now, published or not: read from the store, and put together."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from servicepunkt.core.catalogue.editing import store as edit_store
from servicepunkt.core.catalogue.layers import Record, Sourced, merge
from servicepunkt.core.catalogue.sources import national, store
from servicepunkt.core.catalogue.sources.composition import (
    HOSTS,
    NATIONAL,
    PLACE_OF_EDITORS,
    RANKS,
    Composed,
    Source,
    by_key,
    compose_with,
    keys_of,
)
from servicepunkt.core.catalogue.sources.store import RecordRow, SourceRow
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.hosts.hours import store as host_hours
from servicepunkt.core.hosts.hours.model import record_of


async def composed(tx: Transaction) -> Composed:
    """The catalogue of all sources and of what editors have in force, as they are now, published or not."""
    found, live = await sources_of(tx), await edit_store.edits(tx, ("live",))
    made = await asyncio.to_thread(compose_with, found, live)
    missing = [(f"national.{name}", "no shared source has this name") for name in await national.unknown(tx)]
    return msgspec.structs.replace(made, left_out=(*made.left_out, *missing))


async def sources_of(tx: Transaction) -> list[Source]:
    """What each source says; of national sources that are shared only what concerns the tenant's services."""
    own = [_source(row, await store.records(tx, row.run)) for row in await store.sources(tx)]
    keys = {key for source in own if source.layer not in NATIONAL for key in national.keys_in(source.records)}
    return [*own, *await _of_hosts(tx), *await national.sources_for(tx, keys)]


async def _of_hosts(tx: Transaction) -> list[Source]:
    """What hosts say of their houses themselves, where any does."""
    records = {("hosts", own.host): record_of(own) for own in await host_hours.everything(tx)}
    return [Source(name=HOSTS, layer="tenant", rank=RANKS[HOSTS], records=records, partial=True)] if records else []


async def below_hosts(tx: Transaction, host_id: str) -> Record | None:
    """What sources say of a house, without its host; None where none names it."""
    rows = {row.run: row for row in await store.sources(tx) if row.layer not in NATIONAL}
    found = await store.records_named(tx, list(rows), "hosts", [host_id])
    ordered = sorted(found, key=lambda one: _place(rows[one.run]))
    layers = [Sourced(rows[one.run].name, msgspec.json.decode(one.content)) for one in ordered]
    return merge(layers).record if layers else None


async def layers_of(tx: Transaction, services: Iterable[str]) -> dict[str, tuple[list[Sourced], list[Sourced]]]:
    """What stands below and above the editors' words about some services, the lowest first; none that no source has."""
    rows = await store.sources(tx)
    by_run = {row.run: row for row in rows if row.layer not in NATIONAL}
    found: dict[str, tuple[list[Sourced], list[Sourced]]] = {}
    records = await store.records_named(tx, list(by_run), "services", services)
    for record in sorted(records, key=lambda one: _place(by_run[one.run])):
        row = by_run[record.run]
        below, above = found.setdefault(record.id, ([], []))
        (below if _place(row) < PLACE_OF_EDITORS else above).append(
            Sourced(row.name, msgspec.json.decode(record.content))
        )
    keys = {name: keys_of([*below, *above]) for name, (below, above) in found.items()}
    every = {key for some in keys.values() for key in some}
    imported = await _imported(tx, [row for row in rows if row.layer in NATIONAL], every)
    said = by_key(sorted([*imported, *await national.sources_for(tx, every)], key=lambda one: one.place))
    for name, (below, _) in found.items():
        below[:0] = [one for key in keys[name] for one in said.get(key, ())]
    return found


ByKey = dict[str, list[tuple[str, str, bytes]]]  # (source, id, content) of each record
#: What a tenant has imported of national sources by key, as it is stored: for each database of the tenants that were
#: asked for last. Records of a run that is in force do not change.
_kept: WeakKeyDictionary[Any, OrderedDict[Any, ByKey]] = WeakKeyDictionary()
KEPT_NATIONAL = 8


async def _imported(tx: Transaction, rows: Sequence[SourceRow], keys: Iterable[str]) -> list[Source]:
    """What national sources that the tenant has imported for itself say of services with these keys."""
    if not rows:
        return []
    kept = _kept.setdefault(tx.connection.engine.sync_engine, OrderedDict())
    which = (tx.tenant_id, tuple((row.name, row.run) for row in rows))
    if which not in kept:
        found: ByKey = {}
        for row in rows:
            for record in await store.records(tx, row.run):
                if record.kind == "services":
                    for key in national.keys_of_record(record.content):
                        found.setdefault(key, []).append((row.name, record.id, record.content))
        kept[which] = found
        while len(kept) > KEPT_NATIONAL:
            kept.popitem(last=False)
    kept.move_to_end(which)
    said: dict[str, dict[tuple[str, str], Record]] = {row.name: {} for row in rows}
    for key in keys:
        for name, record_name, content in kept[which].get(key, ()):
            said[name]["services", record_name] = msgspec.json.decode(content)
    return [msgspec.structs.replace(_source(row, ()), records=said[row.name]) for row in rows]


def _place(row: SourceRow) -> tuple[int, int, str]:
    return _source(row, ()).place


def _source(row: SourceRow, records: Iterable[RecordRow]) -> Source:
    said = {(one.kind, one.id): msgspec.json.decode(one.content) for one in records}
    return Source(name=row.name, layer=row.layer, rank=row.rank, records=said)  # type: ignore[arg-type]
