"""The command `servicepunkt host`: what a host's own systems hand over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.console import Console

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.commands import COMMAND_LINE, tenant_or_refuse, write_json
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.hosts.footfall import service
from servicepunkt.core.hosts.footfall.model import MOST_BYTES
from servicepunkt.core.hosts.footfall.service import Imported
from servicepunkt.core.settings import Settings

out = Console()


@click.group("host")
def host() -> None:
    """Houses in which points stand."""


@host.group("footfall")
def footfall() -> None:
    """How many people came into a house."""


@footfall.command("import")
@click.argument("place", metavar="TENANT/HOST")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def footfall_import(place: str, file: Path, as_json: bool) -> None:
    """Take over a CSV file with the columns date, hour, count. Each day in it replaces what was known of that day."""
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    with deployments.configured() as settings:
        imported = asyncio.run(_import(settings, place, content))
    if as_json:
        write_json(imported)
    else:
        out.print(f"{imported.days} days read, {len(imported.changed)} of them new or changed.")


async def _import(settings: Settings, place: str, content: bytes) -> Imported:
    async with deployments.running(settings) as deployment:
        return await import_file(deployment, place, content)


async def import_file(deployment: Deployment, place: str, content: bytes) -> Imported:
    """Raises NotFoundError, InvalidInputError, TooLargeError."""
    slug, _, host_id = place.partition("/")
    ctx = await tenant_or_refuse(deployment, slug)
    async with deployment.database.tenant(ctx) as tx:
        catalogue = await catalogues.newest(tx)
        if catalogue.host(host_id) is None:
            known = ", ".join(one.id for one in catalogue.hosts) or "none yet"
            raise NotFoundError(f"there is no host {host_id!r}; known are: {known}")
        return await service.take_over(tx, host_id, content, actor=COMMAND_LINE)
