"""The commands `backup` and `restore`."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from servicepunkt.core import deployment as deployments
from servicepunkt.core.backup import model, rehearsal, tenants, whole
from servicepunkt.core.backup.model import Rehearsed
from servicepunkt.core.commands import COMMAND_LINE, out, require_owner, write_json
from servicepunkt.core.db.session import Database
from servicepunkt.core.errors import SettingsError
from servicepunkt.core.settings import Settings, read_settings

FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
BROUGHT = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


class Moment(click.ParamType[datetime]):
    """A moment as ISO 8601 has it; without an offset it is of UTC."""

    name = "moment"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment; write 2026-11-22T10:15:00+01:00", param, ctx)
        return read if read.tzinfo else read.replace(tzinfo=UTC)


@click.group()
def backup() -> None:
    """Copies of the whole server or of one tenant, and the rehearsal of bringing them back."""


@backup.command("take")
@FOLDER
@click.option("--tenant", help="Slug: copy this tenant alone.")
@JSON
def backup_take(folder: Path, tenant: str | None, as_json: bool) -> None:
    """Take a copy into FOLDER: of the whole server, or of one tenant."""
    folder.mkdir(parents=True, exist_ok=True)
    with deployments.configured() as settings:
        if tenant:
            require_owner(settings)
            place = tenants.take(settings.owner_database_url, folder, tenant, settings.clock)
        else:
            place = folder / "base" / whole.take(_source(settings), folder, settings.clock)
    if as_json:
        write_json({"copy": str(place)})
    else:
        out.print(f"The copy is in {place}. The master key is not in it: keep it in another place.")


@backup.command("follow")
@FOLDER
def backup_follow(folder: Path) -> None:
    """Receive what the server writes from now on into FOLDER, until stopped: then every moment comes back."""
    folder.mkdir(parents=True, exist_ok=True)
    with deployments.configured() as settings:
        code = whole.receive(_source(settings), folder)
    sys.exit(code)


@backup.command("rehearse")
@BROUGHT
@JSON
def backup_rehearse(folder: Path, as_json: bool) -> None:
    """Bring FOLDER back on a server beside and compare it with the database: nothing acknowledged may be missing."""
    with deployments.configured() as settings:
        require_owner(settings)
        _source(settings)
        found = rehearsal.rehearse(settings, folder)
    if as_json:
        write_json({"sound": found.sound, **msgspec.structs.asdict(found)})
    else:
        _say(found)
    if not found.sound:
        sys.exit(1)


def _say(found: Rehearsed) -> None:
    out.print(f"Copy {found.base}: {found.tenants} tenants, {found.rows} rows, {found.audit_entries} audit entries.")
    out.print(f"Not yet received when it was acknowledged (RPO): {found.rpo_seconds:.3f} s.")
    out.print(f"From the order to a database that answers (RTO): {found.rto_seconds:.1f} s.")
    for missing in found.differences:
        out.print(f"[red]{missing.tenant} {missing.table}[/]: {missing.live} here, {missing.restored} in the copy")
    for slug in found.broken_chains:
        out.print(f"[red]{slug}[/]: the audit chain does not verify")
    for slug in found.closed_keys:
        out.print(f"[red]{slug}[/]: this master key does not open the tenant's key")
    if found.sound:
        out.print("Everything that was acknowledged is there.")


@click.command()
@BROUGHT
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="The data folder to be made.")
@click.option("--tenant", help="Slug: bring this tenant alone back, into the running database.")
@click.option("--until", type=Moment(), help="The moment, as 2026-11-22T10:15:00+01:00; without it the last one.")
@click.option("--replace", is_flag=True, help="Give up the rows that the tenant has now.")
def restore(folder: Path, into: Path | None, tenant: str | None, until: datetime | None, replace: bool) -> None:
    """Bring back a copy: a data folder of a server (--into), or a tenant (--tenant)."""
    if (into is None) == (tenant is None):
        raise click.UsageError("say either --into or --tenant")
    if into:
        name = whole.restore(folder, into, until=until, programs=read_settings(os.environ).postgres_programs)
        out.print(f"{into} holds copy {name} with what was written after it. Start the server on it.")
        return
    with deployments.configured() as settings:
        require_owner(settings)
        manifest = _restore_tenant(settings, folder, str(tenant), until, replace=replace)
    rows = sum(table.rows for table in manifest.tables)
    out.print(f"{manifest.slug} is back as it was: {rows} rows of {manifest.at:%d.%m.%Y %H:%M:%S} UTC.")


def _restore_tenant(
    settings: Settings, folder: Path, slug: str, until: datetime | None, *, replace: bool
) -> model.Manifest:
    if until is None:
        place = folder / "tenants" / slug
        names = [path.name for path in place.iterdir()] if place.is_dir() else []
        return asyncio.run(_bring_back(settings, place / model.newest(names), replace=replace))
    with whole.recovered(folder, folder / ".restore", until=until, programs=settings.postgres_programs) as (_, there):
        url = rehearsal.url_in(there, settings.owner_database_url)
        return asyncio.run(
            _bring_back(settings, tenants.take(url, there.folder, slug, settings.clock), replace=replace)
        )


async def _bring_back(settings: Settings, copy: Path, *, replace: bool) -> model.Manifest:
    owner = Database(settings.owner_database_url, clock=settings.clock, pool_size=1)
    try:
        return await tenants.bring_back(owner, copy, replace=replace, at=settings.clock.now(), actor=COMMAND_LINE)
    finally:
        await owner.close()


def _source(settings: Settings) -> whole.Source:
    if not settings.backup_database_url:
        raise SettingsError("SERVICEPUNKT_BACKUP_DATABASE_URL names no role that may copy the server")
    return whole.source_of(settings.backup_database_url, settings.postgres_programs)


COMMANDS: tuple[click.Command, ...] = (backup, restore)
