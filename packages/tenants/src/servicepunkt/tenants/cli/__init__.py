"""`servicepunkt serve`, `servicepunkt tenant ...`, `servicepunkt account ...` and `servicepunkt demo`."""

from __future__ import annotations

import click

from servicepunkt.tenants.cli.account import account
from servicepunkt.tenants.cli.running import demo, serve
from servicepunkt.tenants.cli.tenant import tenant

COMMANDS: tuple[click.Command, ...] = (serve, tenant, account, demo)
