"""`servicepunkt operator`: what the console shows, for programs and for terminals."""

from __future__ import annotations

import asyncio

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.commands import write_json
from servicepunkt.core.operators import health, service, tenants
from servicepunkt.core.operators.health import Health
from servicepunkt.core.operators.tenants import Page, Wanted
from servicepunkt.core.settings import Settings

out = Console()


@click.group()
def operator() -> None:
    """The platform for whoever runs it: all tenants, and how it is."""


@operator.command("tenants")
@click.option("--q", default="", help="Part of the slug or the name.")
@click.option("--state", default="", type=click.Choice(["", *tenants.states()]), help="Only those in this state.")
@click.option("--plugin", default="", help="Only those that have this plugin on.")
@click.option("--sort", default="slug", show_default=True, type=click.Choice(tenants.SORTS))
@click.option("--down", is_flag=True, help="The largest first.")
@click.option("--minutes", default=5, show_default=True, type=click.IntRange(1, 120), help="Use of so many minutes.")
@click.option("--after", default="", help="What `next` of the page before said.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def operator_tenants(**options: object) -> None:
    """Fifty tenants with what they have, what waits for them and what they use."""
    as_json = options.pop("as_json")
    with deployments.configured() as settings:
        page = asyncio.run(_page(settings, msgspec.convert(options, Wanted)))
    if as_json:
        write_json(page)
        return
    table = Table("tenant", "name", "state", "accounts", "waiting", "requests", "seconds", "refused")
    for one in page.tenants:
        numbers = (one.counts.get("account", 0), one.waiting, one.used.requests, one.used.seconds, one.used.refused)
        table.add_row(one.slug, escape(one.name), one.state, *(f"{number:g}" for number in numbers))
    out.print(table)
    if page.next:
        out.print(f"More: --after {page.next}", soft_wrap=True)


async def _page(settings: Settings, wanted: Wanted) -> Page:
    async with deployments.running(settings) as deployment:
        return await service.page(deployment, wanted)


@operator.command("health")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def operator_health(as_json: bool) -> None:
    """Database, replica, copies, jobs and processes."""
    with deployments.configured() as settings:
        found = asyncio.run(_look(settings))
    if as_json:
        write_json(found)
        return
    for name in Health.__struct_fields__:
        if name != "processes":
            out.print(f"{name}: {escape(str(getattr(found, name)))}")
    for one in found.processes:
        out.print(f"{one.kind} {one.id}: {one.version}, since {one.started_at:%Y-%m-%d %H:%M}")


async def _look(settings: Settings) -> Health:
    async with deployments.running(settings) as deployment:
        return await health.look(deployment)
