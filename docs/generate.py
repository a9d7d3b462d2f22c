"""Writes docs/reference from the code, so that a page can only say what is so: `python docs/generate.py [--check]`.

`--check` changes nothing and ends with 1 when a page is not what would be written. What is written depends on the
product's own packages alone, not on other plugins that happen to be installed, nor on the machine.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from xml.sax.saxutils import escape

import click
import msgspec

import servicepunkt
from servicepunkt.core import cli, hookspecs
from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.notices import model as notice_model
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import PREFIX, Settings
from servicepunkt.core.texts import Texts
from servicepunkt.dokbox import model as deposit_model
from servicepunkt.dokbox.errors import DokboxError
from servicepunkt.web.help import model as help_model

FOLDER = Path(__file__).parent / "reference"
NOTE = "% Written by docs/generate.py; changes made here are lost.\n"
Row = Iterable[object]


def pages() -> dict[str, str]:
    """File name and content of everything in docs/reference."""
    host = own_plugins()
    return {
        "hooks.md": hooks_page(),
        "errors.md": errors_page(host),
        "states.md": states_page(),
        "commands.md": commands_page(host),
        "settings.md": settings_page(host),
        **{f"{machine.name}.svg": machine.picture() for machine in MACHINES},
    }


def own_plugins() -> PluginHost:
    """The plugins that the packages of this repository bring, and none of a third party."""
    host = PluginHost()
    host.load_installed(only=frozenset(own_modules_with_hooks()))
    return host


def own_modules_with_hooks() -> dict[str, ModuleType]:
    """Name and module of each of these plugins."""
    points = [point for point in entry_points(group=hookspecs.PROJECT) if point.value.startswith("servicepunkt.")]
    return {"core": core_plugin, **{point.name: point.load() for point in sorted(points, key=lambda one: one.name)}}


# --- hooks ----------------------------------------------------------------------------------------------------


def hooks() -> dict[str, FunctionType]:
    """Every hook in the order of its declaration."""
    return {
        name: value
        for name, value in vars(hookspecs).items()
        if inspect.isfunction(value) and hasattr(value, f"{hookspecs.PROJECT}_spec")
    }


def signature(hook: FunctionType) -> str:
    """`name(ctx: TenantContext) -> Path`, as it is declared."""
    return f"{hook.__name__}{inspect.signature(hook)}".replace("'", "")


def hooks_page() -> str:
    start_up = [hook for hook in hooks().values() if "ctx" not in inspect.signature(hook).parameters]
    tenant = [hook for hook in hooks().values() if hook not in start_up]
    intro = (
        'A plugin is a module with `servicepunkt_api = "1"` and functions of these names, each marked with '
        "`servicepunkt.core.hookimpl`. It is named in the entry-point group `servicepunkt` of its package. A function "
        "takes those of the arguments that it needs, in any order. Nothing here is asynchronous: what has to wait is "
        "done by the objects that a hook returns.\n"
    )
    parts = [title("Hooks"), intro, title("Start-up hooks", 2)]
    parts.append("Called once for each installed plugin while the process starts. One that raises ends the start.\n")
    parts += [hook_section(hook) for hook in start_up]
    parts.append(title("Tenant hooks", 2))
    parts.append(
        "Called for the plugins that the tenant has switched on, the kernel first, then by name. One that raises is "
        "logged and counted (`servicepunkt_plugin_failures`); the others' answers stand.\n"
    )
    parts += [hook_section(hook) for hook in tenant]
    return "\n".join(parts)


def hook_section(hook: FunctionType) -> str:
    what, when, example = (" ".join(part.split()) for part in (inspect.getdoc(hook) or "").split("\n\n"))
    called, _, since = when.rpartition(" Since ")
    users = [name for name, module in own_modules_with_hooks().items() if hasattr(module, hook.__name__)]
    rows = [
        ("When", called),
        ("Since", since.rstrip(".")),
        ("Example", example.removeprefix("Example: ")),
        ("Used by", ", ".join(users) or "none of the product's own plugins"),
    ]
    return title(f"`{signature(hook)}`", 3) + f"\n{what}\n\n" + definitions(rows)


# --- errors ---------------------------------------------------------------------------------------------------


def errors() -> list[type[ServicepunktError] | type[DokboxError]]:
    """Every error class of the installed packages that has a code, by code."""
    for module in own_modules():
        importlib.import_module(module)
    found = [*descendants(ServicepunktError), *descendants(DokboxError)]
    return sorted({kind for kind in found if is_own(kind)}, key=lambda kind: (kind.code, kind.__name__))


def is_own(kind: type) -> bool:
    return kind.__module__.startswith("servicepunkt.")


def own_modules() -> Iterator[str]:
    """Modules below `servicepunkt`; those that do something when they are imported are left out."""
    for module in pkgutil.walk_packages(servicepunkt.__path__, "servicepunkt."):
        if not re.search(r"\.(__main__|alembic|migrations|testing|demo)\b", module.name):
            yield module.name


def descendants(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


def errors_page(host: PluginHost) -> str:
    texts = Texts([answer.value for answer in host.startup("texts")])
    kinds = errors()
    intro = (
        "A code stays what it is: it may stand in a runbook, a ticket or a program. Over HTTP an error is problem+json "
        "(RFC 9457) or a page with the same words. Errors of the box stand on their own, because the box works "
        "without the house around it.\n"
    )
    rows = [(f"[{kind.code}](#{anchor(kind)})", f"`{kind.__name__}`", getattr(kind, "status", "")) for kind in kinds]
    overview = table(("Code", "Class", "HTTP status"), rows)
    sections = [error_section(kind, texts) for kind in kinds]
    return "\n".join([title("Errors"), intro, overview, *sections])


def anchor(kind: type[Any]) -> str:
    return f"{kind.code}-{kind.__name__}".lower()


def error_section(kind: type[Any], texts: Texts) -> str:
    head = title(f"{kind.code} {kind.__name__}", 2)
    about = inspect.cleandoc(vars(kind).get("__doc__") or "")
    sentences = (
        [("Says", kind.sentence)]
        if issubclass(kind, DokboxError)
        else [("To the citizen", kind.citizen), ("To staff", kind.staff), ("What to do next", kind.next_step)]
    )
    rows = [(name, sentence, german(texts, sentence)) for name, sentence in sentences]
    rows.append(("Defined in", f"`{kind.__module__}`", ""))
    return "\n".join(
        part for part in (head, about + "\n" if about else "", table(("", "English", "German"), rows)) if part
    )


def german(texts: Texts, sentence: str) -> str:
    return "" if texts.missing("de", [sentence]) else texts.translate("de", sentence)


# --- states ---------------------------------------------------------------------------------------------------


class Machine(msgspec.Struct, frozen=True):
    """A table of moves: (from, event, to); `None` is what is before the beginning."""

    name: str
    title: str
    about: str
    states: tuple[str, ...]
    moves: tuple[tuple[str | None, str, str], ...]

    @property
    def final(self) -> tuple[str, ...]:
        return tuple(state for state in self.states if not any(move[0] == state for move in self.moves))

    def picture(self) -> str:
        return draw(self)


def simple_moves(transitions: Mapping[str, frozenset[str]]) -> tuple[tuple[str | None, str, str], ...]:
    """Moves of a machine whose events are its states."""
    order = list(transitions)
    moves = [(state, "", to) for state, targets in transitions.items() for to in sorted(targets, key=order.index)]
    return ((None, "", order[0]), *moves)


MACHINES = (
    Machine(
        "deposit",
        "Deposit",
        "A document on its way through the box. The table is `MOVES` of `servicepunkt.dokbox.model`; the box and the "
        "mirror of it in the centre both follow it, and an event that is not in the row of its state is refused "
        "(SP3101).",
        tuple(str(state) for state in deposit_model.State),
        tuple(
            (None if state is None else str(state), str(event), str(to))
            for (state, event), to in deposit_model.MOVES.items()
        ),
    ),
    Machine(
        "notice",
        "Notice",
        "A message to a person: a row with a state before anything is sent. The table is `TRANSITIONS` of "
        "`servicepunkt.core.notices.model`; a move that is not there is a conflict (SP0005).",
        notice_model.STATES,
        simple_moves(notice_model.TRANSITIONS),
    ),
    Machine(
        "help-call",
        "Help call",
        "Somebody at a terminal asks for a person. The table is `TRANSITIONS` of `servicepunkt.web.help.model`; a move "
        "that is not there is a conflict (SP0005).",
        tuple(help_model.TRANSITIONS),
        simple_moves(help_model.TRANSITIONS),
    ),
)


def states_page() -> str:
    intro = (
        "Every state machine is one table in one place. In the pictures, moves onwards run on the right and moves back "
        "on the left; a double frame is an end. Moves that keep the state are only in the tables.\n"
    )
    return "\n".join([title("States"), intro, *(machine_section(machine) for machine in MACHINES)])


def machine_section(machine: Machine) -> str:
    order = {state: place for place, state in enumerate(machine.states)}
    moves = sorted(machine.moves, key=lambda move: (-1 if move[0] is None else order[move[0]], move[1], order[move[2]]))
    with_events = any(event for _, event, _ in moves)
    rows = [
        (code(state or "(nothing)"), *([code(event)] if with_events else []), code(to)) for state, event, to in moves
    ]
    columns = ("From", *(["Event"] if with_events else []), "To")
    picture = f"![The states of a {machine.title.lower()} and the moves between them]({machine.name}.svg)\n"
    return "\n".join([title(machine.title, 2), machine.about + "\n", picture, table(columns, rows)])


ROW, BOX_WIDTH, BOX_HEIGHT, MARGIN, REACH = 44, 168, 26, 24, 17


def draw(machine: Machine) -> str:
    """An arc diagram: the states from top to bottom, moves onwards on the right, moves back on the left."""
    order = {state: place for place, state in enumerate(machine.states)}
    events: dict[tuple[str | None, str], list[str]] = {}
    for state, event, to in machine.moves:
        if state != to:
            events.setdefault((state, to), []).append(event)
    spans = [(order[to] - order[state]) for state, to in events if state is not None]
    right, left = max([0, *spans]), -min([0, *spans])
    start_x = MARGIN + 12 + left * REACH
    width = start_x + BOX_WIDTH + right * REACH + MARGIN + 12
    height = MARGIN * 2 + ROW * len(machine.states)
    arcs = [arc(order, pair, names, start_x) for pair, names in events.items()]
    boxes = [box(state, place, start_x, final=state in machine.final) for state, place in order.items()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' font-family="sans-serif" font-size="13" role="img">',
            f"<title>{escape(machine.title)}</title>",
            '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
            '<path d="M0 0 L8 4 L0 8 z" fill="#35506b"/></marker></defs>',
            f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>',
            *arcs,
            *boxes,
            "</svg>\n",
        ]
    )


def middle(place: int) -> int:
    return MARGIN + ROW * place + ROW // 2


def arc(order: Mapping[str, int], pair: tuple[str | None, str], events: list[str], x: int) -> str:
    state, to = pair
    named = ": " + ", ".join(events) if any(events) else ""
    label = f"<title>{escape(f'{state} → {to}{named}' if state else to)}</title>"
    style = 'fill="none" stroke="#35506b" stroke-width="1.2" marker-end="url(#tip)"'
    if state is None:
        top = middle(order[to]) - BOX_HEIGHT // 2
        return f'<path d="M{x + 20} {top - 16} V{top - 1}" {style}>{label}</path>'
    distance = order[to] - order[state]
    edge = x + BOX_WIDTH if distance > 0 else x
    bend = edge + distance * REACH * 4 // 3
    # Arcs leave below the middle of a box and arrive above it, or the other way round on their way back.
    shift = 5 if distance > 0 else -5
    start, end = middle(order[state]) + shift, middle(order[to]) - shift
    return f'<path d="M{edge} {start} C{bend} {start} {bend} {end} {edge} {end}" {style}>{label}</path>'


def box(state: str, place: int, x: int, *, final: bool) -> str:
    y = middle(place) - BOX_HEIGHT // 2
    frame = 'fill="#eef3f8" stroke="#35506b"'
    inner = f'<rect x="{x + 3}" y="{y + 3}" width="{BOX_WIDTH - 6}" height="{BOX_HEIGHT - 6}" rx="3" {frame}/>'
    return (
        f'<g><rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" {frame}/>{inner if final else ""}'
        f'<text x="{x + BOX_WIDTH // 2}" y="{y + 17}" text-anchor="middle" fill="#14202c">{escape(state)}</text></g>'
    )


# --- commands -------------------------------------------------------------------------------------------------


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


# --- settings -------------------------------------------------------------------------------------------------


def settings_page(host: PluginHost) -> str:
    described = dict(re.findall(r"^(\w+) {2,}(\S.*)$", inspect.getdoc(Settings) or "", re.MULTILINE))
    rows = [
        (code(PREFIX + field.name.upper()), sentence(described[field.name]), setting_default(field))
        for field in msgspec.structs.fields(Settings)
    ]
    intro = (
        "One deployment is set up by environment variables. A variable that does not exist is refused with the names "
        "that do. A secret is never written down: its setting says where it is, as `env:NAME` or `file:PATH`.\n"
    )
    sections = [
        section_of(section.name, section.schema, answer.plugin)
        for answer in host.startup("tenant_sections")
        for section in answer.value
    ]
    tenant = (
        "What a tenant sets up stands in its tenant file. Each plugin declares the sections that it reads; a key that "
        "does not exist is refused.\n"
    )
    return "\n".join(
        [
            title("Settings"),
            title("The deployment", 2),
            intro,
            table(("Variable", "Meaning", "Without it"), rows),
            title("Sections of the tenant file", 2),
            tenant,
            *sections,
        ]
    )


def setting_default(field: msgspec.structs.FieldInfo) -> str:
    if isinstance(field.default, Path):
        return "the user's folder for data"
    return "" if field.default == "" else code(msgspec.json.encode(field.default).decode().strip('"'))


def section_of(name: str, schema: type[msgspec.Struct], plugin: str) -> str:
    """A section and, below it, the tables that stand in it."""
    about = " ".join([f"Read by {plugin}.", *first_sentence(schema)])
    parts = [title(f"`[{name}]`", 3), about + "\n", fields_table(schema)]
    for inner in nested(schema):
        about = "".join(f"{found}\n" for found in first_sentence(inner))
        parts += [title(f"`{inner.__name__}` in `[{name}]`", 4), about, fields_table(inner)]
    return "\n".join(parts)


def first_sentence(schema: type[msgspec.Struct]) -> list[str]:
    """The first paragraph of its docstring, if it has one."""
    paragraph = inspect.cleandoc(vars(schema).get("__doc__") or "").split("\n\n")[0]
    return [" ".join(paragraph.split())] if paragraph else []


def fields_table(schema: type[msgspec.Struct]) -> str:
    rows = [
        (code(field.name), code(type_name(field.type)), field_default(field))
        for field in msgspec.structs.fields(schema)
    ]
    return table(("Key", "Kind", "Without it"), rows)


def field_default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "needed"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return code(msgspec.json.encode(value).decode())


def type_name(kind: object) -> str:
    return re.sub(r"\b(?:\w+\.)+", "", kind.__name__ if inspect.isclass(kind) else str(kind))


def nested(schema: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    found: list[type[msgspec.Struct]] = []
    for field in msgspec.structs.fields(schema):
        for part in (field.type, *getattr(field.type, "__args__", ())):
            if inspect.isclass(part) and issubclass(part, msgspec.Struct):
                found += [part, *nested(part)]
    return found


# --- Markdown -------------------------------------------------------------------------------------------------


def title(text: str, depth: int = 1) -> str:
    return f"{'#' * depth} {text}\n"


def code(text: str | StrEnum) -> str:
    return f"`{text}`"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def table(columns: Row, rows: Iterable[Row]) -> str:
    head = [cell(column) for column in columns]
    lines = [head, ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def definitions(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"- {name}: {text}\n" for name, text in rows)


def main(arguments: list[str]) -> int:
    if set(arguments) - {"--check"}:
        sys.stderr.write("usage: generate.py [--check]\n")
        return 2
    FOLDER.mkdir(exist_ok=True)
    wanted = {name: (NOTE + content if name.endswith(".md") else content) for name, content in pages().items()}
    present = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir() if path.suffix in (".md", ".svg")}
    stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    if "--check" in arguments:
        sys.stdout.write("".join(f"docs/reference/{name} is not what the code says\n" for name in stale))
        return 1 if stale else 0
    for name in stale:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], "utf-8")
        else:
            (FOLDER / name).unlink()
    sys.stdout.write("".join(f"docs/reference/{name}\n" for name in stale))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
