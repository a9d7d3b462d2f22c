"""`servicepunkt serve`, `servicepunkt tenant ...`, `servicepunkt account ...` and `servicepunkt demo`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.commands import COMMAND_LINE, tenant_or_refuse, write_json
from servicepunkt.core.people import model as people_model
from servicepunkt.core.people import service as people
from servicepunkt.core.secrets import read_secret
from servicepunkt.core.settings import Settings, read_settings
from servicepunkt.core.texts import Texts, system_language
from servicepunkt.tenants import files, findings, service
from servicepunkt.tenants.checking import check
from servicepunkt.tenants.findings import Finding
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


@tenant.command("check")
@click.argument("pack")
@click.option("--language", default="", help="de or en; without it that of the system.")
@click.option("--format", "form", type=click.Choice(("table", "json", "sarif")), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--strict", is_flag=True, help="Warnings refuse, too.")
def tenant_check(pack: str, language: str, form: str, as_json: bool, strict: bool) -> None:
    """Name everything that is wrong with a tenant's folder, or an installed pack. Needs no database."""
    settings = read_settings(os.environ)
    deployment = deployments.without_database(settings)
    checked = check(deployment, files.folder_of(pack))
    found = findings.said_in(checked.findings, deployment.texts, language or system_language())
    match "json" if as_json else form:
        case "json":
            write_json({"in_order": checked.file is not None, "findings": found})
        case "sarif":
            write_json(findings.sarif(found, version=version("servicepunkt-tenants")))
        case _:
            _show(found, deployment.texts, language or system_language())
    if checked.file is None or (strict and found):
        sys.exit(1)


def _show(found: Sequence[Finding], texts: Texts, locale: str) -> None:
    """A line for each finding that editors can follow (file:line:column), and below it what helps."""
    colours = {"error": "bold red", "warning": "yellow"}
    for one in found:
        place = f"[bold]{one.file}:{one.line}:{one.column}[/] [cyan]{escape(one.path)}[/]"
        out.print(f"[{colours[one.level]}]{one.code}[/] {place}", soft_wrap=True)
        out.print(f"    {escape(one.sentence)}", soft_wrap=True)
        if one.near:
            out.print(
                "    " + texts.translate(locale, "Did you mean {near}?", near=one.near), style="green", markup=False
            )
        if one.advice:
            out.print("    " + one.advice, style="dim", markup=False, soft_wrap=True)
    counted = Counter(one.level for one in found)
    sentence = "{errors} mistakes, {warnings} warnings." if found else "The file is in order."
    out.print(texts.translate(locale, sentence, errors=counted["error"], warnings=counted["warning"]))


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
