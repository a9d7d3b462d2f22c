"""The kernel's own commands: worker, db, audit."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.console import Console
from rich.markup import escape

from servicepunkt.core import deployment as deployments
from servicepunkt.core import jobs
from servicepunkt.core.audit import service as audit
from servicepunkt.core.db import check as db_check
from servicepunkt.core.db import distribute as distribution
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError, PluginOffError, SettingsError
from servicepunkt.core.notices.providers import lines_open
from servicepunkt.core.operators.service import metered
from servicepunkt.core.plugins.service import failures_written
from servicepunkt.core.settings import Settings
from servicepunkt.core.tenancy.model import TenantContext

out = Console()
#: Who acts at the command line, for the audit chain.
COMMAND_LINE = "command-line"
#: Where click's context says whose command is running; without it, it is the kernel's.
PLUGIN = "servicepunkt.plugin"


def write_json(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


async def tenant_or_refuse(deployment: Deployment, slug: str) -> TenantContext:
    """The tenant that a command names. Raises NotFoundError, and PluginOffError for a command of a plugin that this
    tenant has not switched on."""
    ctx = await deployment.directory.by_slug(slug)
    if ctx is None:
        known = ", ".join(tenant.slug for tenant in await deployment.directory.all()) or "none yet"
        raise NotFoundError(f"there is no tenant {slug!r}; known are: {known}")
    running = click.get_current_context(silent=True)
    plugin = running.meta.get(PLUGIN, "core") if running else "core"
    if not ctx.allows(plugin):
        raise PluginOffError(f"the plugin {plugin!r} is off for the tenant {slug!r}")
    return ctx


@click.command()
@click.option("--concurrency", default=4, show_default=True, type=click.IntRange(1, 64))
def worker(concurrency: int) -> None:
    """Run background jobs until stopped."""
    with deployments.configured() as settings:
        asyncio.run(_work(settings, concurrency))


async def _work(settings: Settings, concurrency: int) -> None:
    async with deployments.running(settings) as deployment:
        app = jobs.build_app(deployment)
        async with (
            app.open_async(),
            lines_open(deployment),
            failures_written(deployment),
            metered(deployment, "worker"),
        ):
            # Short polling is the net under LISTEN/NOTIFY; stalled jobs of a killed worker are taken up again.
            await jobs.run_worker(app, concurrency=concurrency)


@click.group()
def db() -> None:
    """The database: bring it up to date, check it."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the tables of every installed package to the newest revision."""
    from servicepunkt.core.db import migrate

    with deployments.configured() as settings:
        require_owner(settings)
        migrate.upgrade(settings.owner_database_url, deployments.load_plugins(settings))
    out.print("The database is at the newest revision.")


def require_owner(settings: Settings) -> None:
    if not settings.owner_database_url:
        raise SettingsError("SERVICEPUNKT_OWNER_DATABASE_URL names no role that owns the tables")


@db.command("check")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def db_check_command(as_json: bool) -> None:
    """Check revisions, the protection of every tenant table, the roles, the server and its replica."""
    from servicepunkt.core.db import migrate

    with deployments.configured() as settings:
        url = settings.listening_url
        current = migrate.at_head(url, deployments.load_plugins(settings))
        found = db_check.violations(url) + db_check.server_faults(url)
        if settings.replica_database_url:
            found += db_check.replica_faults(url, settings.replica_database_url)
    if as_json:
        write_json({"at_head": current, "violations": [{"rule": rule, "name": name} for rule, name in found]})
    else:
        out.print("Revision: " + ("newest" if current else "[red]behind, run `servicepunkt db upgrade`[/]"))
        for rule, name in found:
            out.print(f"[red]{rule}[/]: {escape(name)}")
        if not found:
            out.print("Every tenant table is protected; roles and server are sound.")
    if found or not current:
        sys.exit(1)


@db.command("distribute")
@click.option("--dry-run", is_flag=True, help="Write the statements, change nothing.")
def db_distribute(dry_run: bool) -> None:
    """Distribute the tables over the nodes of a Citus cluster by tenant; again after an upgrade with new tables."""
    with deployments.configured() as settings:
        require_owner(settings)
        if dry_run:
            plan = distribution.planned(settings.owner_database_url)
            for statement in (*plan.owner, *plan.application):
                click.echo(f"{statement};")
            return
        plan = distribution.distribute(settings.owner_database_url, settings.listening_url)
    out.print(f"{len(plan.owner) + len(plan.application)} statements; the database is distributed by tenant.")


@click.group("audit")
def audit_group() -> None:
    """The audit chain: export it, verify it."""


@audit_group.command("export")
@click.option("--tenant", required=True, help="Slug of the tenant.")
@click.option("--output", type=click.File("wb"), default="-", help="File for the JSON lines.")
def audit_export(tenant: str, output: BinaryIO) -> None:
    """Write a tenant's chain as JSON lines; `audit verify` reads it without a database."""
    with deployments.configured() as settings:
        asyncio.run(_export(settings, tenant, output))


async def _export(settings: Settings, slug: str, output: BinaryIO) -> None:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        async with deployment.database.tenant(ctx) as tx:
            async for line in audit.export(tx):
                output.write(line)


@audit_group.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def audit_verify(file: Path, as_json: bool) -> None:
    """Verify an exported chain offline: every change, gap, repetition, reordering or cut is named."""
    with file.open("rb") as lines:
        verdict = audit.verify_export(lines)
    if as_json:
        write_json(verdict)
    else:
        for fault in verdict.faults:
            out.print(f"[red]entry {fault.seq}[/]: {fault.reason}")
        out.print(f"{verdict.entries} entries, {len(verdict.faults)} faults.")
    if verdict.faults:
        sys.exit(1)


COMMANDS: tuple[click.Command, ...] = (worker, db, audit_group)
