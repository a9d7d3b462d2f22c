"""The command `servicepunkt catalogue`."""

from __future__ import annotations

import asyncio

import click
from rich.console import Console
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.catalogue.search.index import Answer
from servicepunkt.core.catalogue.search.service import CatalogueSearch
from servicepunkt.core.catalogue.service import CatalogueReader, Published
from servicepunkt.core.commands import tenant_or_refuse, write_json
from servicepunkt.core.settings import Settings

out = Console()


@click.group("catalogue")
def catalogue() -> None:
    """The catalogue of services."""


@catalogue.command("search")
@click.argument("tenant")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 100))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--language", default="de", show_default=True)
def search(tenant: str, words: tuple[str, ...], limit: int, as_json: bool, language: str) -> None:
    """Find services as citizens do: WORDS as they would type them."""
    with deployments.configured() as settings:
        published, answer = asyncio.run(_search(settings, tenant, " ".join(words), limit))
    if as_json:
        write_json({"revision": published.revision, "found": answer.found, "meant": answer.meant})
        return
    for typed, meant in answer.meant.items():
        out.print(f"[dim]{typed}: {meant}[/]")
    table = Table("score", "service", "name")
    for found in answer.found:
        service = published.catalogue.service(found.id)
        table.add_row(f"{found.score:.1f}", found.id, pick(service.name, language) if service else "")
    out.print(table if answer.found else "Nothing was found.")


async def _search(settings: Settings, slug: str, words: str, limit: int) -> tuple[Published, Answer]:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        published = await CatalogueReader(deployment.database).current(ctx)
        return published, await CatalogueSearch().search(published, words, limit=limit)
