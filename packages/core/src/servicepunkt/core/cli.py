"""The root of the `servicepunkt` command line: every plugin adds its commands to it.

Exit codes: 0 done, 1 refused with reasons, 2 wrong usage.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from copy import copy
from functools import wraps
from typing import Any

import click
from psycopg.errors import UndefinedColumn, UndefinedTable
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import ProgrammingError

from servicepunkt.core import logs
from servicepunkt.core.commands import PLUGIN
from servicepunkt.core.deployment import named_plugins
from servicepunkt.core.errors import InvalidInputError, NotFoundError, ServicepunktError, SettingsError
from servicepunkt.core.plugins import PluginError, PluginHost
from servicepunkt.core.settings import PREFIX

errors = Console(stderr=True)


def root(plugins: PluginHost) -> click.Group:
    """The group with the commands of all plugins; two commands of one name are a fault of the installation.

    Raises PluginError.
    """
    group = click.Group("servicepunkt", help="Service points: a city, its companies and a retailer serve citizens.")
    for answer in plugins.startup("commands"):
        for command in answer.value:
            _add(group, command, answer.plugin)
    return group


def _add(group: click.Group, command: click.Command, plugin: str) -> None:
    """Add a command; a group joins the group of its name. Plugins' own groups are copied, never changed."""
    existing = group.commands.get(command.name or "")
    if existing is None:
        group.add_command(_owned(command, plugin))
    elif isinstance(existing, click.Group) and isinstance(command, click.Group):
        for child in command.commands.values():
            _add(existing, child, plugin)
    else:
        raise PluginError(f"plugin {plugin}: there is already a command {command.name!r} in {group.name!r}")


def _owned(command: click.Command, plugin: str) -> click.Command:
    """A copy that says of itself whose it is while it runs: `tenant_or_refuse` asks whether that plugin is on."""
    added = copy(command)
    if isinstance(added, click.Group):
        added.commands = {name: _owned(child, plugin) for name, child in added.commands.items()}
    elif (callback := command.callback) is not None:

        @wraps(callback)
        def run(*arguments: Any, **options: Any) -> Any:
            click.get_current_context().meta[PLUGIN] = plugin
            return callback(*arguments, **options)

        added.callback = run
    return added


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: run a command, say refusals in sentences instead of tracebacks."""
    logs.configure(os.environ.get(f"{PREFIX}LOG_LEVEL", ""))
    try:
        plugins = PluginHost()
        # The switch that keeps a broken plugin out of the service keeps it out of the commands that would mend it.
        plugins.load_installed(only=named_plugins(os.environ.get(f"{PREFIX}PLUGINS", "")))
        root(plugins).main(args=list(arguments) if arguments is not None else None, prog_name="servicepunkt")
    except ServicepunktError as error:
        refuse(error)
        sys.exit(1)
    except ProgrammingError as error:
        if not isinstance(error.orig, (UndefinedTable, UndefinedColumn)):
            raise
        refuse(SettingsError("the database has not the tables of this version: run `servicepunkt db upgrade`"))
        sys.exit(1)


def refuse(error: ServicepunktError) -> None:
    """Say what was refused and why, on standard error."""
    sentence = error.staff if isinstance(error, InvalidInputError) else error.staff_sentence
    errors.print(f"[bold red]{error.code}[/] {escape(sentence)}", soft_wrap=True)
    if isinstance(error, InvalidInputError):
        for place, sentence in error.mistakes:
            errors.print(f"  {escape(place)}: {escape(sentence)}", soft_wrap=True)
    elif not isinstance(error, NotFoundError):  # on pages one goes back to the start
        errors.print(escape(error.next_step), style="dim", soft_wrap=True)
