"""What the online ID brings to the house: its command, and its words."""

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
def texts() -> Path:
    return HERE / "locale"
