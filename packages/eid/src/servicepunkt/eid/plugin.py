"""What the online ID brings to the house: its command, the pages of a card reader, and its words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from servicepunkt.core.plugins import hookimpl

servicepunkt_api = "1"
HERE = Path(__file__).parent


@hookimpl
def commands() -> Sequence[click.Command]:
    from servicepunkt.eid.cli import eid

    return (eid,)


@hookimpl
def templates() -> Path:
    return HERE / "templates"


@hookimpl
def static_files() -> Path:
    return HERE / "static"


@hookimpl
def texts() -> Path:
    return HERE / "locale"
