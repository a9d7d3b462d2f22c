"""What the tenants' package brings to the house: its commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from servicepunkt.core.plugins import hookimpl

servicepunkt_api = "1"
HERE = Path(__file__).parent


@hookimpl
def commands() -> Sequence[click.Command]:
    from servicepunkt.tenants.cli import COMMANDS

    return COMMANDS


@hookimpl
def templates() -> Path:
    return HERE / "demo" / "templates"


@hookimpl
def static_files() -> Path:
    return HERE / "demo" / "static"


@hookimpl
def texts() -> Path:
    return HERE / "locale"
