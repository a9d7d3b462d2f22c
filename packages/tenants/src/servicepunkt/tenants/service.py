"""Put a tenant file into force: the tenant's row, its catalogue and its plugins' rows, in one transaction or not at
all. What would change is found by doing it and taking it back, so that it can never be another thing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import layers
from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.catalogue.editing import difference
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.records import records_of
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.catalogue.sources.composition import EDITORS, HOSTS, Composed
from servicepunkt.core.db.session import Database, Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError, ServicepunktError, SettingsError
from servicepunkt.core.tenancy import store, terms
from servicepunkt.core.tenancy.model import TENANT_STATES
from servicepunkt.tenants import exporting
from servicepunkt.tenants.checking import check, context_of
from servicepunkt.tenants.model import TenantFile
from servicepunkt.tenants.readiness import Answer, answers

#: The hooks that are asked before a tenant goes into a state.
ASKED = {"live": "go_live_checks", "retired": "retirement_checks"}


class StateError(ServicepunktError):
    """A tenant cannot go from its state into that of the file."""

    code = "SP1601"
    status = 409
    staff = "The tenant cannot go into this state."
    next_step = "Change `state` in the file, or go by way of the states between."


class NotReadyError(StateError):
    """What blocks the new state, by what was looked at."""

    code = "SP1602"
    staff = "The tenant is not ready for this state."
    next_step = "Run `servicepunkt tenant doctor`, and mend what blocks."

    def __init__(self, found: Sequence[Answer]) -> None:
        self.answers = found
        super().__init__("; ".join(f"{one.title}: {said}" for one in found for said in one.blocks))


class Difference(msgspec.Struct, frozen=True):
    """One value that a file changes; None where there is none. `place` is as in the file: dokbox.boxes[0].rows."""

    place: str
    before: Any
    after: Any


class Applied(msgspec.Struct, frozen=True):
    """What is in force after a file was applied, and what was changed by that.

    `kept`: values of the file that people have said otherwise: from what the file says to what stays in force.
    """

    tenant_id: int
    slug: str
    state: str
    revision: int
    services: int
    offers: int
    changed: tuple[Difference, ...] = ()
    kept: tuple[Difference, ...] = ()


def load(deployment: Deployment, folder: Path) -> TenantFile:
    """Read and check a tenant's folder. Raises InvalidInputError with every mistake; warnings do not stop it."""
    checked = check(deployment, folder)
    if checked.file is None:
        raise InvalidInputError([(one.where, one.sentence) for one in checked.errors])
    return checked.file


async def apply(deployment: Deployment, read: TenantFile, *, actor: str) -> Applied:
    """Put a file into force; what already is so is left alone. Needs the role that owns the tables.

    Raises SettingsError without that role, StateError, NotReadyError.
    """
    async with as_owner(deployment, "apply a tenant file") as (owner, connection):
        return await _apply(deployment, owner, connection, read, actor=actor)


async def compare(deployment: Deployment, read: TenantFile) -> Applied:
    """What `apply` would do: it is done and taken back. Raises as `apply`."""
    try:
        async with as_owner(deployment, "see what a tenant file would change") as (owner, connection):
            raise _TakenBack(await _apply(deployment, owner, connection, read, actor="compare"))
    except _TakenBack as done:
        return done.applied


class _TakenBack(Exception):  # noqa: N818 - ends a transaction that was only tried
    def __init__(self, applied: Applied) -> None:
        super().__init__()
        self.applied = applied


@asynccontextmanager
async def as_owner(deployment: Deployment, reason: str) -> AsyncIterator[tuple[Database, AsyncConnection]]:
    """A platform transaction of the role that owns the tables. Raises SettingsError without one."""
    if not deployment.settings.owner_database_url:
        raise SettingsError("SERVICEPUNKT_OWNER_DATABASE_URL names no role that owns the tables")
    owner = Database(deployment.settings.owner_database_url, clock=deployment.clock, pool_size=1)
    try:
        async with owner.platform(reason) as connection:
            yield owner, connection
    finally:
        await owner.close()
        deployment.directory.forget()


def row_of(read: TenantFile) -> dict[str, Any]:
    """The columns of the tenant's row that the file says."""
    part = read.tenant
    kept = {"ags": part.ags, "district": part.district, "serves": part.serves}
    return {
        "slug": part.slug,
        "name": part.name,
        "state": part.state,
        "hosts": list(part.hosts),
        "plugins": list(part.plugins),
        "locale": part.locale,
        "languages": list(part.languages),
        "zone": part.zone,
        "subdivision": part.subdivision,
        "settings": msgspec.json.decode(msgspec.json.encode({**read.sections, "tenant": kept})),
    }


async def _apply(
    deployment: Deployment, owner: Database, connection: AsyncConnection, read: TenantFile, *, actor: str
) -> Applied:
    now, row = deployment.clock.now(), row_of(read)
    before = await store.by_slug(connection, read.tenant.slug)
    _check_state(before, read.tenant.state)
    changed = list(differences(before or {}, row))
    tenant_id = before["id"] if before and not changed else await store.save(connection, {**row, "updated_at": now})
    # What an operator has settled stands above the file that is applied here.
    ctx = terms.in_force(context_of(read.tenant, read.sections, tenant_id), await terms.of_one(connection, tenant_id))
    async with owner.within(connection, ctx) as tx:
        catalogue_before = await catalogue.newest(tx)
        await importing.put_files(tx, read.catalogue, at=now)
        revision, composed = await catalogue.publish_sources(tx, at=now, actor=actor)
        for answer in deployment.plugins.collect(ctx, "tenant_applied"):
            await answer.value.applied(tx)
        published = composed.catalogue
        changed += _of_catalogue(difference.changes(catalogue_before, published))
        if before is None or before["state"] != read.tenant.state:
            await _check_ready(deployment, tx, read.tenant.state)
        if changed:
            subject = f"tenant:{tenant_id}"
            await audit.record(tx, at=now, actor=actor, action="tenant.apply", subject=subject, revision=revision)
    counts = len(published.services), len(published.offers)
    kept = tuple(_kept(read.catalogue, composed))
    return Applied(tenant_id, read.tenant.slug, read.tenant.state, revision, *counts, tuple(changed), kept)


def _check_state(before: Mapping[str, Any] | None, state: str) -> None:
    """A new tenant begins as a draft or in rehearsal; others go the ways of the table. Raises StateError."""
    allowed = TENANT_STATES[before["state"]] | {before["state"]} if before else {"draft", "rehearsal"}
    if state not in allowed:
        came = before["state"] if before else "nothing"
        raise StateError(f"from {came} a tenant goes to {', '.join(sorted(allowed)) or 'nothing'}, not to {state}")


async def _check_ready(deployment: Deployment, tx: Transaction, state: str) -> None:
    found = await answers(deployment, tx, ASKED[state]) if state in ASKED else []
    if blocking := [one for one in found if one.blocks]:
        raise NotReadyError(blocking)


def differences(before: Any, after: Any, place: str = "") -> Iterator[Difference]:
    """Every value that differs between two trees, by its place."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*after, *(key for key in before if key not in after)):
            if key not in ("id", "revision", "updated_at") or place:
                yield from differences(before.get(key), after.get(key), f"{place}.{key}" if place else str(key))
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            one, other = (values[number] if number < len(values) else None for values in (before, after))
            yield from differences(one, other, f"{place}[{number}]")
    elif before != after:
        yield Difference(place, before, after)


def _of_catalogue(changes: Sequence[difference.EntryChange]) -> Iterator[Difference]:
    for change in changes:
        place = f"{change.kind}.{change.id}"
        if change.sign == "changed":
            yield from differences(change.before, change.after, place)
        else:
            yield Difference(place, change.before or None, change.after or None)


def _kept(own: Catalogue, composed: Composed) -> Iterator[Difference]:
    """What hosts and editors have said otherwise than the file does."""
    below, above = records_of(own), records_of(composed.catalogue)
    for (kind, name), origins in composed.origins.items():
        if (kind, name) in below and (kind, name) in above:
            for path, before, after in layers.difference(below[kind, name], above[kind, name]):
                if origins.get(path) in (HOSTS, EDITORS):
                    yield Difference(f"{kind}.{name}.{path}", before, after)


async def live(deployment: Deployment, slug: str) -> TenantFile:
    """A tenant in force as a file, with what is published. Raises NotFoundError."""
    ctx = await deployment.directory.by_slug(slug)
    async with deployment.database.platform("export a tenant") as connection:
        row = await store.by_slug(connection, slug)
    if ctx is None or row is None:
        raise NotFoundError(f"there is no tenant {slug!r}")
    async with deployment.database.tenant(ctx) as tx:
        return exporting.file_of(row, ctx.settings, await catalogue.newest(tx))
