"""`plugin new`: writes an installable package from a pattern, which passes its own test and `plugin check` at once.

A pattern is a folder of files with ${places}; the ending `.txt` is taken off, NAME in a path becomes the plugin's name.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from string import Template

import msgspec

from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.plugins.host import PluginHost

COMMON = Path(__file__).parent / "patterns" / "common"
NAME = re.compile(r"[a-z][a-z0-9_]{1,38}[a-z0-9]")
ENDING = ".txt"


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of plugin that can be written.

    `about`: what such a plugin is, as the end of a sentence. `then`: what to do with it, for its README. `needs`:
    distributions. `group` and `reference`: its entry point, the latter below its own package.
    """

    kind: str
    about: str
    then: str
    folder: Path
    needs: tuple[str, ...] = ("servicepunkt-core",)
    group: str = "servicepunkt"
    reference: str = "plugin"


class NewPluginError(ServicepunktError):
    """A plugin cannot be written: no such kind, a name that is taken or is none, or a folder that is there."""

    code = "SP0022"
    status = 422
    staff = "The plugin cannot be written."
    next_step = "Choose another kind, name or folder, and try again."


OWN = (
    Pattern(
        kind="table",
        about="a table with its migration, how long its rows stay, a job, a command and a check",
        then="The table is in `store.py`; a change of it is a new file in `migrations/`.",
        folder=COMMON.parent / "table",
    ),
    Pattern(
        kind="notice",
        about="a way to deliver SMS over somebody's gateway",
        then="A tenant chooses it with `sms` in section `[notices]` and sets it up in the section of its name.",
        folder=COMMON.parent / "notice",
        needs=("servicepunkt-core", "httpx"),
    ),
    Pattern(
        kind="source",
        about="a format in which catalogues of services are read",
        then="The format is in `reading.py`: it yields one change after the other and never raises for a record.",
        folder=COMMON.parent / "source",
    ),
    Pattern(
        kind="identity",
        about="a door by which people identify, with a test person to practise",
        then="In `door.py` what really asks somebody takes the place of the test person.",
        folder=COMMON.parent / "identity",
    ),
)


def patterns(host: PluginHost) -> dict[str, Pattern]:
    """Every kind that can be written, by its name, in the order of the plugins that bring them."""
    return {one.kind: one for answer in host.startup("plugin_patterns") for one in answer.value}


def write(host: PluginHost, kind: str, name: str, folder: Path) -> Path:
    """Write the package into a new folder below `folder`, and return that. Raises NewPluginError; then nothing is."""
    known = patterns(host)
    if kind not in known:
        raise NewPluginError(f"there is no kind {kind!r}; known are: {', '.join(sorted(known))}")
    _refuse_name(host, name)
    target = folder / f"servicepunkt-{name.replace('_', '-')}"
    if target.exists():
        raise NewPluginError(f"{target} is already there")
    places = places_of(known[kind], name)
    for path, text in _files((COMMON, known[kind].folder)):
        file = target / str(path).replace("NAME", name).removesuffix(ENDING)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(text).substitute(places), "utf-8")
    return target


def _refuse_name(host: PluginHost, name: str) -> None:
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or "__" in name:
        raise NewPluginError(f"{name!r} is no name: 3 to 40 small letters, digits, _; no word of Python")
    if name in ("core", *host.points):
        raise NewPluginError(f"there is already a plugin {name!r}")


def places_of(pattern: Pattern, name: str) -> dict[str, str]:
    """What stands in the places of a pattern."""
    words = name.split("_")
    needs = (one if one == "httpx" else f"{one}>={version('servicepunkt-core')}" for one in pattern.needs)
    return {
        "name": name,
        "dashed": "-".join(words),
        "title": " ".join(word.title() for word in words),
        "camel": "".join(word.title() for word in words),
        "about": pattern.about,
        "then": pattern.then,
        "needs": ", ".join(f'"{one}"' for one in needs),
        "group": pattern.group,
        "reference": pattern.reference,
    }


def _files(folders: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted(folder.rglob(f"*{ENDING}")):
            yield path.relative_to(folder), path.read_text("utf-8")
