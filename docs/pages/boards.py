"""The page of lock boards: addresses, options, and the frames of each kind."""

from __future__ import annotations

import inspect

import msgspec

from pages.markdown import code, table, title
from servicepunkt.dokbox.boards import Kind, Options, kinds

INTRO = """\
A cabinet is named by its address, or by several, one for each line:

    KIND:PORT?OPTION=VALUE&OPTION=VALUE

`PORT` is a serial device, best the name under `/dev/serial/by-id` that stays when the adapter is plugged in again,
or `tcp://HOST:PORT` for a transparent gateway. `file:PATH` reads a wiring file as `servicepunkt box commission`
writes it. Compartments are numbered through, board by board; a wiring file numbers them as the doors are labelled.

No kind knows a command that opens every lock. How a kind is added: [](../how-to/board.md).
"""


def boards_page() -> str:
    known = sorted(kinds().values(), key=lambda kind: (kind.experimental, kind.name))
    rows = [(f"[{kind.name}](#{kind.name})", kind.title, "experimental" if kind.experimental else "") for kind in known]
    overview = table(("Kind", "Boards", ""), rows)
    common = "Every kind has these options, with more of its own:\n\n" + explained(Options)
    return "\n".join([title("Lock boards"), INTRO, overview, common, *map(kind_section, known)])


def kind_section(kind: Kind) -> str:
    about = f"{kind.title}.\n"
    if kind.experimental:
        about += "\nExperimental: known from one source, and not yet seen on steel.\n"
    options = [(code(field.name), default_of(field)) for field in msgspec.structs.fields(kind.options)]
    frames = [(row.name, row.sender, code(row.layout), code(row.example), row.meaning) for row in kind.frames]
    return "\n".join(
        [
            title(kind.name, 2),
            about,
            explained(kind.options),
            table(("Option", "Unless given"), options),
            table(("Frame", "From", "Bytes", "Example", "Meaning"), frames),
        ]
    )


def explained(options: type[Options]) -> str:
    """What the class says of its options, without its first line."""
    return inspect.cleandoc(vars(options)["__doc__"]).partition("\n\n")[2] + "\n"


def default_of(field: msgspec.structs.FieldInfo) -> str:
    match field.default:
        case None:
            return "all"
        case "":
            return "none"
        case bool(value):
            return "yes" if value else "no"
        case value:
            return str(value)
