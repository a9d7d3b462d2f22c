"""The command `servicepunkt catalogue fetch`: what others give over the network, into a file that `import` reads."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import BinaryIO

import click
import httpx
import msgspec
from rich.console import Console

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.catalogue.sources import pvog
from servicepunkt.core.catalogue.sources.pvog import Feed, Position, Search
from servicepunkt.core.commands import tenant_or_refuse
from servicepunkt.core.errors import ConflictError, InvalidInputError
from servicepunkt.core.settings import Settings

out = Console(stderr=True)
Output = click.Path(dir_okay=False, path_type=Path)
CONNECTIONS = 2  # at once: a service of the nation is nobody's alone


@click.group("fetch")
def fetch() -> None:
    """Fetch what the Portalverbund says of services, to be imported."""


@fetch.command("services")
@click.option("--tenant", required=True, help="Slug of the tenant.")
@click.option(
    "--area", "areas", multiple=True, help="Key (ARS, 12 digits) of a municipality; the tenant's own if none."
)
@click.option("--url", default=Search().url, show_default=True, help="Address of the search service.")
@click.option("--client-id", default="", help="Name of who asks, where the operator gave one.")
@click.option("--output", required=True, type=Output, help="File to write, for `import --format pvog`.")
def services(tenant: str, areas: tuple[str, ...], url: str, client_id: str, output: Path) -> None:
    """Fetch the services of municipalities from the search service (Suchdienst)."""
    with deployments.configured() as settings:
        wanted = areas or asyncio.run(_home(settings, tenant))
    if not wanted:
        raise InvalidInputError([("area", "name a municipality; the published catalogue of the tenant has no home")])
    with out.status("fetching"), pvog.snapshot(output) as file:
        try:
            count = asyncio.run(_services(Search(url=url, client_id=client_id), wanted, file))
        except ValueError as error:
            raise InvalidInputError([("area", str(error))]) from error
    out.print(f"{count} answers are in {output}", highlight=False, markup=False)


async def _home(settings: Settings, slug: str) -> tuple[str, ...]:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        published = await CatalogueReader(deployment.database).current(ctx)
        return tuple(area.ars for area in published.catalogue.areas if area.home)


async def _services(search: Search, areas: tuple[str, ...], file: BinaryIO) -> int:
    async with _client() as client:
        return await pvog.fetch_services(client, search, areas, file)


@fetch.command("feed")
@click.option("--url", required=True, help="Address of the change feed.")
@click.option("--token-url", required=True, help="Address that gives tokens (OAuth2, client credentials).")
@click.option("--client-id", required=True, help="Name of the client, from the operator of the feed.")
@click.option("--secret", required=True, help="Where the client's secret is: env:NAME or file:PATH.")
@click.option("--output", required=True, type=Output, help="File to write, for `import --format pvog-feed`.")
@click.option("--position", required=True, type=Output, help="File that keeps where the feed goes on.")
def feed(url: str, token_url: str, client_id: str, secret: str, output: Path, position: Path) -> None:
    """Fetch what has changed since the last time from the change feed (Bereitstelldienst).

    A file that is there already has not been imported and removed: it is never overwritten, so that no change is lost.
    """
    if output.exists():
        raise ConflictError(f"{output} is there already: import it and remove it first")
    wanted = Feed(url=url, token_url=token_url, client_id=client_id, secret=secret)
    begin = read_position(position)
    with out.status("fetching"), pvog.snapshot(output) as file:
        reached = asyncio.run(_feed(wanted, begin, file))
    # Should the power fail here, the same changes come once more, which changes nothing.
    with pvog.snapshot(position) as kept:
        kept.write(msgspec.json.encode(reached))
    out.print(f"Changes from {begin.index} to {reached.index} are in {output}", highlight=False, markup=False)


def read_position(path: Path) -> Position:
    """Where a feed goes on; the beginning where nothing is kept. Raises InvalidInputError."""
    if not path.exists():
        return Position()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Position)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInputError([("position", f"{path}: {error}")]) from error


async def _feed(wanted: Feed, begin: Position, file: BinaryIO) -> Position:
    async with _client() as client:
        return await pvog.fetch_feed(client, wanted, begin, file)


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(limits=httpx.Limits(max_connections=CONNECTIONS), follow_redirects=False)
