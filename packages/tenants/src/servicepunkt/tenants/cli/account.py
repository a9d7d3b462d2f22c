"""Accounts of people who work with the system."""

from __future__ import annotations

import asyncio

import click
from rich.console import Console

from servicepunkt.core import deployment as deployments
from servicepunkt.core.commands import COMMAND_LINE, tenant_or_refuse
from servicepunkt.core.people import model as people_model
from servicepunkt.core.people import service as people
from servicepunkt.core.secrets import read_secret
from servicepunkt.core.settings import Settings

out = Console()
ROLE_HELP = f"{', '.join(sorted(people_model.ROLES))}; {', '.join(sorted(people_model.UNIT_ROLES))} also as ROLE@UNIT."


@click.group()
def account() -> None:
    """Accounts of people who work with the system."""


@account.command("create")
@click.option("--tenant", "slug", required=True, help="Slug of the tenant.")
@click.option("--login", required=True)
@click.option("--name", required=True)
@click.option("--role", "roles", multiple=True, required=True, help=ROLE_HELP)
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
