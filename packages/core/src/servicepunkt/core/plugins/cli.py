"""`servicepunkt plugin`: what is installed, what a tenant has switched on and why, and how it does."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.commands import tenant_or_refuse, write_json
from servicepunkt.core.plugins import service
from servicepunkt.core.plugins.failures import Failure
from servicepunkt.core.plugins.host import PluginHost
from servicepunkt.core.plugins.listing import REASONS, Listed, listed
from servicepunkt.core.settings import Settings, read_settings

if TYPE_CHECKING:
    from servicepunkt.core.conformance.model import Report

out = Console()
COLOURS = {"passed": "green", "warned": "yellow", "failed": "red"}
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin with what went wrong with it lately; None where no tenant was named."""

    plugin: Listed
    failures: list[Failure] | None = None


@click.group()
def plugin() -> None:
    """Plugins: what is installed, what a tenant has switched on, how to write and to check one."""


@plugin.command("list")
@click.option("--tenant", help="Slug: say which plugins are on for this tenant and why, and what went wrong lately.")
@json_option
def plugin_list(tenant: str | None, as_json: bool) -> None:
    """List the plugins in the order in which they are asked."""
    rows = _rows_of(tenant) if tenant else [Row(plugin=one) for one in listed(_installed())]
    if as_json:
        write_json([_plain(row) for row in rows])
        return
    table = Table(*(Column(name, overflow="fold") for name in ("plugin", "from", "state", "lately", "hooks")))
    for row in rows:
        table.add_row(*(escape(cell) for cell in _cells(row)))
    out.print(table)


def _installed() -> PluginHost:
    return deployments.load_plugins(read_settings(os.environ))


def _rows_of(slug: str) -> list[Row]:
    with deployments.configured() as settings:
        return asyncio.run(_ask(settings, slug))


async def _ask(settings: Settings, slug: str) -> list[Row]:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        found = await service.lately(deployment, ctx)
        return [
            Row(plugin=one, failures=[failure for failure in found if failure.plugin == one.plugin])
            for one in listed(deployment.plugins, ctx)
        ]


def _plain(row: Row) -> dict[str, Any]:
    plain = msgspec.structs.asdict(row.plugin)
    if row.failures is not None:
        plain["failures"] = [
            {name: value for name, value in msgspec.structs.asdict(one).items() if name not in ("tenant", "plugin")}
            for one in row.failures
        ]
    return plain


def _cells(row: Row) -> tuple[str, ...]:
    one = row.plugin
    said = [f"{one.hook} {one.fault} {one.count} times since {one.since:%d %b %H:%M} UTC" for one in row.failures or ()]
    state = one.state if one.state == one.reason else f"{one.state}: {REASONS[one.reason]}"
    return one.plugin, f"{one.distribution} {one.version}".strip(), state, "; ".join(said), str(len(one.hooks))


@plugin.command("check")
@click.argument("wanted", metavar="NAME|FOLDER")
@json_option
def plugin_check(wanted: str, as_json: bool) -> None:
    """Ask the rules of plugins: one that is installed by its NAME, or one in a FOLDER with a pyproject.toml."""
    from servicepunkt.core.conformance import check

    report = check(wanted)
    if as_json:
        write_json({"plugin": report.plugin, "ok": not report.failed, "findings": report.findings})
    else:
        _show(report)
    if report.failed:
        sys.exit(1)


def _show(report: Report) -> None:
    table = Table("rule", "", "what is wanted, what was found, what to do")
    for one in report.findings:
        found = [f"{'' if not trouble.place else f'{trouble.place}: '}{trouble.sentence}" for trouble in one.troubles]
        said = escape("\n".join([one.wants, *(f"– {line}" for line in found), *([one.remedy] if one.remedy else [])]))
        table.add_row(one.rule, f"[{COLOURS[one.state]}]{one.state}[/]", said)
    out.print(table)
    out.print(f"{report.plugin}: {len(report.failed)} of {len(report.findings)} rules are broken.")


@plugin.command("new")
@click.argument("kind")
@click.argument("name")
@click.option("--folder", type=FOLDER, default=Path(), help="Where the package's folder is made; here unless given.")
@json_option
def plugin_new(kind: str, name: str, folder: Path, as_json: bool) -> None:
    """Write a plugin of this KIND, an installable package with its test: partner, tile, board, notice, source, table.

    NAME is what tenants put on their allow list: small letters, digits and _.
    """
    from servicepunkt.core.plugins.new import write

    target = write(_installed(), kind, name, folder)
    if as_json:
        write_json({"folder": str(target), "name": name})
        return
    out.print(f"Written: [bold]{escape(str(target))}[/]")
    out.print(escape(f"Next: pip install -e {target}, pytest {target}, servicepunkt plugin check {name}"))
