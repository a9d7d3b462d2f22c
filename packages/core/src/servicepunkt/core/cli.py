"""The root of the `servicepunkt` command line: every plugin adds its commands to it.

Exit codes: 0 done, 1 refused with reasons, 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.markup import escape

from servicepunkt.core import logs
from servicepunkt.core.errors import InvalidInputError, ServicepunktError
from servicepunkt.core.plugins import PluginHost

errors = Console(stderr=True)


def root(plugins: PluginHost) -> click.Group:
    """The group with the commands of all plugins; two commands of one name are a fault of the installation."""
    group = click.Group("servicepunkt", help="Service points: a city, its companies and a retailer serve citizens.")
    for answer in plugins.startup("commands"):
        for command in answer.value:
            existing = group.commands.get(command.name or "")
            if isinstance(existing, click.Group) and isinstance(command, click.Group):
                for child in command.commands.values():
                    existing.add_command(child)
            else:
                group.add_command(command)
    return group


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: run a command, say refusals in sentences instead of tracebacks."""
    logs.configure()
    try:
        plugins = PluginHost()
        plugins.load_installed()
        root(plugins).main(args=list(arguments) if arguments is not None else None, prog_name="servicepunkt")
    except ServicepunktError as error:
        refuse(error)
        sys.exit(1)


def refuse(error: ServicepunktError) -> None:
    """Say what was refused and why, on standard error."""
    sentence = error.staff if isinstance(error, InvalidInputError) else error.staff_sentence
    errors.print(f"[bold red]{error.code}[/] {escape(sentence)}")
    if isinstance(error, InvalidInputError):
        for place, sentence in error.mistakes:
            errors.print(f"  {escape(place)}: {escape(sentence)}")
    errors.print(escape(error.next_step), style="dim")
