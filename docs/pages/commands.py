"""The page of commands."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from pages.markdown import code, table, title
from servicepunkt.core import cli
from servicepunkt.core.plugins import PluginHost


def commands(host: PluginHost) -> Iterator[tuple[str, click.Command]]:
    """Every command with its path, groups before what is in them, by name."""
    yield from below("servicepunkt", cli.root(host))


def below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from below(f"{path} {name}", child)


def commands_page(host: PluginHost) -> str:
    intro = (
        "Exit codes: 0 done, 1 refused with reasons on standard error, 2 wrong usage. A box without the house around "
        "it has `python -m servicepunkt.dokbox` in place of `servicepunkt box`.\n"
    )
    return "\n".join([title("Commands"), intro, *(command_section(path, command) for path, command in commands(host))])


def command_section(path: str, command: click.Command) -> str:
    usage = " ".join([path, *command.collect_usage_pieces(click.Context(command, info_name=path))])
    depth = max(2, len(path.split()))
    text = inspect.cleandoc(command.help or "").replace("\f", "")
    options = [
        (code(parameter_name(parameter)), parameter.help or "", default_of(parameter))
        for parameter in command.params
        if isinstance(parameter, click.Option)
    ]
    parts = [title(f"`{path}`", depth), text + "\n", f"```text\n{usage}\n```\n"]
    return "\n".join([*parts, table(("Option", "Meaning", "Default"), options)] if options else parts)


def parameter_name(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.make_metavar(click.Context(click.Command('')))}"
    return ", ".join(option.opts) + value


def default_of(option: click.Option) -> str:
    return code(str(option.default)) if option.show_default else ("needed" if option.required else "")
