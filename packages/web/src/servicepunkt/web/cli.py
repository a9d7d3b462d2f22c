"""`servicepunkt device`: announce, list and revoke devices from the command line."""

from __future__ import annotations

import asyncio
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.commands import COMMAND_LINE, tenant_or_refuse, write_json
from servicepunkt.core.settings import Settings
from servicepunkt.web.devices import service, store

out = Console()
tenant_option = click.option("--tenant", "slug", required=True, help="Slug of the tenant.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


@click.group()
def device() -> None:
    """Devices: terminals and boxes, known by a token."""


@device.command("new")
@tenant_option
@click.option("--kind", required=True, help="terminal, box, or a kind of another plugin.")
@click.option("--target", required=True, help="What it belongs to: the id of a point, or of a box.")
@click.option("--label", required=True, help="A name for people.")
@json_option
def device_new(slug: str, kind: str, target: str, label: str, as_json: bool) -> None:
    """Make a one-time code, valid for an hour, with which a device enrols itself."""
    with deployments.configured() as settings:
        code = asyncio.run(_announce(settings, slug, kind, target, label))
    if as_json:
        write_json({"code": code})
    else:
        out.print(f"One-time code: [bold]{code}[/]")


async def _announce(settings: Settings, slug: str, kind: str, target: str, label: str) -> str:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        _, code = await service.announce(deployment, ctx, actor=COMMAND_LINE, kind=kind, target=target, label=label)
    return code


@device.command("list")
@tenant_option
@json_option
def device_list(slug: str, as_json: bool) -> None:
    """List the devices of a tenant."""
    with deployments.configured() as settings:
        rows = asyncio.run(_rows(settings, slug))
    if as_json:
        write_json(rows)
        return
    table = Table("id", "kind", "target", "label", "state", "last seen")
    for row in rows:
        table.add_row(*(row[name] for name in ("id", "kind", "target", "label", "state", "seen_at")))
    out.print(table)


async def _rows(settings: Settings, slug: str) -> list[dict[str, str]]:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        async with deployment.database.tenant(ctx) as tx:
            found = await store.all_devices(tx)
    return [
        {
            "id": str(entry.id),
            "kind": entry.kind,
            "target": entry.target,
            "label": entry.label,
            "state": entry.state,
            "seen_at": entry.seen_at.isoformat(timespec="seconds") if entry.seen_at else "",
        }
        for entry in found
    ]


@device.command("revoke")
@tenant_option
@click.argument("device_id", type=click.UUID)
def device_revoke(slug: str, device_id: UUID) -> None:
    """Switch a device off; its token opens nothing from now on."""
    with deployments.configured() as settings:
        asyncio.run(_revoke(settings, slug, device_id))
    out.print("The device is switched off.")


async def _revoke(settings: Settings, slug: str, device_id: UUID) -> None:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        await service.revoke(deployment, ctx, actor=COMMAND_LINE, device_id=device_id)
