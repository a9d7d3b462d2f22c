"""Writes docs/reference from the code, so that a page can only say what is so: `python docs/generate.py [--check]`.

`--check` changes nothing and ends with 1 when a page is not what would be written. What is written depends on the
product's own packages alone, not on other plugins that happen to be installed, nor on the machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pages import boards, commands, errors, hooks, settings, simulation, states, xzufi
from pages.own import own_plugins

FOLDER = Path(__file__).parent / "reference"
NOTE = "% Written by docs/generate.py; changes made here are lost.\n"


def pages() -> dict[str, str]:
    """File name and content of everything in docs/reference."""
    host = own_plugins()
    return {
        "hooks.md": hooks.hooks_page(),
        "errors.md": errors.errors_page(host),
        "states.md": states.states_page(),
        "commands.md": commands.commands_page(host),
        "settings.md": settings.settings_page(host),
        "boards.md": boards.boards_page(),
        "simulation.md": simulation.simulation_page(),
        "xzufi.md": xzufi.xzufi_page(),
        **{f"{machine.name}.svg": machine.picture() for machine in states.MACHINES},
    }


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
