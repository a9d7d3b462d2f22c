"""Read tenant files from disk: bounded in size and number, strict in encoding, never outside their folder."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.rules import Broken, rule
from servicepunkt.tenants import translations
from servicepunkt.tenants.model import MAIN
from servicepunkt.tenants.places import Place

LOGO = "theme/logo.svg"
#: Folders beside the file whose TOML files hold lists of the catalogue, and translations of them.
FOLDERS = ("catalogue", "partners", "points", translations.FOLDER)
MAX_FILE = 2 * 1024 * 1024
MAX_FILES = 200
MOST_BROKEN_LINES = 50
MOST_LEVELS = 32
GROUP = "servicepunkt.tenant_packs"
_HEADER = re.compile(r"^\s*(\[\[?)\s*([\w.-]+)\s*\]?\]?\s*$")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

TOO_MANY = rule("SP1002", "more than {most} files")
NOT_PLAIN = rule("SP1003", "links are not read", "Put the file itself here.")
TOO_LARGE = rule("SP1004", "files over {most} MiB are not read")
NO_UTF8 = rule("SP1005", "this is not UTF-8, from byte {at} on", "Save the file with the encoding UTF-8.")
NO_TOML = rule("SP1006", "this is not TOML: {why}")
NO_FOLDER = rule("SP1008", "{name} is a file, and should be a folder", "Its TOML files are read.")
TOO_DEEP = rule("SP1007", "tables and lists are nested too deeply")


class Document(msgspec.Struct, frozen=True):
    """A TOML file: its text, and what it says. `whole` is false where lines could not be read and were left out."""

    text: str
    content: dict[str, Any]
    whole: bool = True


class Unreadable(msgspec.Struct, frozen=True):
    """A file, or a line of it, that cannot be read."""

    file: str
    place: Place
    said: Broken


def documents_of(folder: Path) -> tuple[dict[str, Document], list[Unreadable]]:
    """The TOML files of a tenant by their names within `folder`, and what of them cannot be read.

    Raises NotFoundError without a tenant.toml.
    """
    if not (folder / MAIN).is_file():
        raise NotFoundError(f"there is no {MAIN} in {folder.name}")
    paths = [folder / MAIN, *(path for name in FOLDERS for path in sorted((folder / name).glob("*.toml")))]
    if len(paths) > MAX_FILES:
        return {}, [Unreadable(MAIN, Place(1, 1), TOO_MANY(most=MAX_FILES))]
    found: dict[str, Document] = {}
    broken: list[Unreadable] = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        text = _text(path)
        if isinstance(text, Broken):
            broken.append(Unreadable(name, Place(1, 1), text))
            continue
        document, lines = parse(text)
        found[name] = document
        broken += [Unreadable(name, place, said) for place, said in lines]
    broken += [
        Unreadable(name, Place(1, 1), NO_FOLDER(name=name))
        for name in FOLDERS
        if (folder / name).exists() and not (folder / name).is_dir()
    ]
    if (folder / LOGO).exists() or (folder / LOGO).is_symlink():
        _take_logo(folder / LOGO, found, broken)
    return found, broken


def _take_logo(path: Path, found: dict[str, Document], broken: list[Unreadable]) -> None:
    """The picture of the folder `theme` stands in the section of this name, as if it were written there."""
    picture = _text(path)
    if isinstance(picture, Broken):
        broken.append(Unreadable(LOGO, Place(1, 1), picture))
    elif MAIN in found:
        theme = found[MAIN].content.setdefault("theme", {})
        if isinstance(theme, dict):
            theme.setdefault("logo", picture)


def _text(path: Path) -> str:
    """The text of a file, or the rule that it breaks."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return NOT_PLAIN()
    with path.open("rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        return TOO_LARGE(most=MAX_FILE // (1024 * 1024))
    try:
        return content.decode("utf-8-sig")  # some editors put a mark of the order of bytes before it
    except UnicodeDecodeError as error:
        return NO_UTF8(at=error.start)


def parse(text: str) -> tuple[Document, list[tuple[Place, Broken]]]:
    """What a text says without the lines that are no TOML, and those lines."""
    lines = text.replace("\r\n", "\n").split("\n")
    broken: list[tuple[Place, Broken]] = []
    while len(broken) < MOST_BROKEN_LINES:
        try:
            content = tomllib.loads("\n".join(lines))
            if _is_deep(content):
                raise RecursionError
            return Document("\n".join(lines), content, whole=not broken), broken
        except RecursionError:
            return Document("", {}, whole=False), [*broken, (Place(1, 1), TOO_DEEP())]
        except ValueError as error:
            place, why = _where(str(error), lines)
            broken.append((place, NO_TOML(why=why)))
            if not lines[place.line - 1].strip():
                break  # nothing is left there that could be taken out
            lines[place.line - 1] = _mended(lines[place.line - 1])
    return Document("", {}, whole=False), broken


def _mended(line: str) -> str:
    """A header whose brackets are not right as it was meant, so that what follows stays in its table; else nothing."""
    header = _HEADER.match(line)
    meant = f"[[{header[2]}]]" if header and header[1] == "[[" else f"[{header[2]}]" if header else ""
    return meant if meant != line.strip() else ""


def _is_deep(content: Any) -> bool:
    """Whether tables and lists lie in each other deeper than anybody means it."""
    level = [content]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


def _where(said: str, lines: list[str]) -> tuple[Place, str]:
    """Where tomllib stopped, and its words without that. At the end stands what was opened and never closed."""
    found = _AT.search(said)
    why = said[: found.start()] if found else said
    if found and found[1]:
        line = min(int(found[1]), len(lines))
        return Place(line, int(found[2])), why
    last = max((number for number, line in enumerate(lines, start=1) if line.strip()), default=1)
    return Place(last, 1), why


def installed_packs() -> dict[str, Path]:
    """Tenant packs that are installed as packages: name → folder with its tenant.toml."""
    return dict(_packs())


def _packs() -> Iterator[tuple[str, Path]]:
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        yield point.name, Path(str(files(point.value))) / "tenant"


def folder_of(name: str) -> Path:
    """A folder by path, or an installed pack by name. Raises NotFoundError, InvalidInputError where it may be both."""
    packs, here = installed_packs(), Path(name)
    if (here / MAIN).is_file():
        if name in packs:
            raise InvalidInputError([(name, f"is a folder and an installed pack: ./{name} is the folder")])
        return here
    if name in packs:
        return packs[name]
    raise NotFoundError(f"{name!r} is neither a folder with a {MAIN} nor an installed pack: {', '.join(packs)}")
