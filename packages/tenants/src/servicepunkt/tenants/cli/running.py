"""Run the centre, or everything on one computer."""

from __future__ import annotations

import asyncio
import sys

import click

from servicepunkt.core import deployment as deployments
from servicepunkt.core.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8600, show_default=True, type=click.IntRange(0, 65535))
def serve(host: str, port: int) -> None:
    """Serve web pages and the API of all tenants until stopped."""
    with deployments.configured() as settings:
        asyncio.run(_serve(settings, host, port))


async def _serve(settings: Settings, host: str, port: int) -> None:
    from servicepunkt.web.app import create_app
    from servicepunkt.web.server import serving, stop_on_signals

    async with deployments.running(settings) as deployment:
        stop = stop_on_signals()
        async with serving(create_app(deployment), host=host, port=port):
            await stop.wait()


@click.command()
@click.option("--base-port", default=8600, show_default=True, type=click.IntRange(0, 65000), help="0: any free ports.")
@click.option("--story", is_flag=True, help="Play the story against the running processes and end.")
@click.option("--tenant", "only", default="", help="Name of one installed pack; all if left out.")
def demo(base_port: int, story: bool, only: str) -> None:
    """Run everything on this computer: centre, worker, boxes with their cabinets, a telephone, all tenants."""
    from servicepunkt.tenants.demo.supervisor import run_demo

    sys.exit(run_demo(base_port=base_port, story=story, only=only))
