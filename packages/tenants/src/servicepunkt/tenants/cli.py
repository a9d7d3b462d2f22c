"""`servicepunkt serve`, `servicepunkt tenant ...`, `servicepunkt account ...` and `servicepunkt demo`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.commands import COMMAND_LINE, tenant_or_refuse, write_json
from servicepunkt.core.people import model as people_model
from servicepunkt.core.people import service as people
from servicepunkt.core.secrets import read_secret
from servicepunkt.core.settings import Settings
from servicepunkt.tenants import files, service
from servicepunkt.web.app import create_app
from servicepunkt.web.server import serving, stop_on_signals

out = Console()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8600, show_default=True, type=click.IntRange(0, 65535))
def serve(host: str, port: int) -> None:
    """Serve web pages and the API of all tenants until stopped."""
    with deployments.configured() as settings:
        asyncio.run(_serve(settings, host, port))


async def _serve(settings: Settings, host: str, port: int) -> None:
    async with deployments.running(settings) as deployment:
        stop = stop_on_signals()
        async with serving(create_app(deployment), host=host, port=port):
            await stop.wait()


@click.group()
def tenant() -> None:
    """Tenants: apply a tenant file, list what is served."""


@tenant.command("apply")
@click.argument("pack")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--dry-run", is_flag=True, help="Read and check, change nothing.")
def tenant_apply(pack: str, as_json: bool, dry_run: bool) -> None:
    """Put the tenant file of a folder, or of an installed pack, into force."""
    with deployments.configured() as settings:
        asyncio.run(_apply(settings, files.folder_of(pack), as_json=as_json, dry_run=dry_run))


async def _apply(settings: Settings, folder: Path, *, as_json: bool, dry_run: bool) -> None:
    async with deployments.running(settings) as deployment:
        read = service.load(deployment, folder)
        if dry_run:
            out.print(f"{read.tenant.name}: the file is in order; nothing was changed.")
            return
        applied = await service.apply(deployment, read, actor=COMMAND_LINE)
    if as_json:
        write_json(applied)
    else:
        out.print(
            f"{read.tenant.name} is in force: {applied.services} services, {applied.offers} offers, "
            f"revision {applied.revision}, state {applied.state}."
        )


@tenant.command("list")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def tenant_list(as_json: bool) -> None:
    """List the tenants of this deployment and the packs that are installed."""
    with deployments.configured() as settings:
        rows = asyncio.run(_tenant_rows(settings))
    if as_json:
        write_json(rows)
        return
    table = Table("tenant", "name", "state", "plugins")
    for row in rows:
        table.add_row(row["slug"], row["name"], row["state"], row["plugins"])
    out.print(table)
    out.print("Installed packs: " + (", ".join(files.installed_packs()) or "none"))


async def _tenant_rows(settings: Settings) -> list[dict[str, str]]:
    async with deployments.running(settings) as deployment:
        return [
            {"slug": ctx.slug, "name": ctx.name, "state": ctx.state, "plugins": ", ".join(sorted(ctx.plugins))}
            for ctx in await deployment.directory.all()
        ]


@click.group()
def account() -> None:
    """Accounts of people who work with the system."""


@account.command("create")
@click.option("--tenant", "slug", required=True, help="Slug of the tenant.")
@click.option("--login", required=True)
@click.option("--name", required=True)
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(sorted(people_model.ROLES)))
@click.option("--password", "reference", required=True, help="env:NAME or file:PATH, never the password itself.")
def account_create(slug: str, login: str, name: str, roles: tuple[str, ...], reference: str) -> None:
    """Create an account."""
    with deployments.configured() as settings:
        asyncio.run(_create_account(settings, slug, login, name, roles, read_secret(reference).decode()))
    out.print(f"{login} can sign in.")


async def _create_account(
    settings: Settings, slug: str, login: str, name: str, roles: tuple[str, ...], password: str
) -> None:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        async with deployment.database.tenant(ctx) as tx:
            await people.create_account(
                tx,
                at=deployment.clock.now(),
                actor=COMMAND_LINE,
                login=login,
                name=name,
                password=password,
                roles=roles,
            )


@click.command()
@click.option("--base-port", default=8600, show_default=True, type=click.IntRange(0, 65000), help="0: any free ports.")
@click.option("--story", is_flag=True, help="Play the story against the running processes and end.")
@click.option("--tenant", "only", default="", help="Name of one installed pack; all if left out.")
def demo(base_port: int, story: bool, only: str) -> None:
    """Run everything on this computer: centre, worker, boxes with their cabinets, a telephone, all tenants."""
    from servicepunkt.tenants.demo.supervisor import run_demo

    sys.exit(run_demo(base_port=base_port, story=story, only=only))


COMMANDS: tuple[click.Command, ...] = (serve, tenant, account, demo)
