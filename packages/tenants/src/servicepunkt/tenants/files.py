"""Read tenant files from disk: bounded in size and number, strict in encoding, never outside their folder."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

from servicepunkt.core.errors import InvalidInputError, NotFoundError

MAX_FILE = 2 * 1024 * 1024
MAX_FILES = 200
GROUP = "servicepunkt.tenant_packs"


def documents_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Parsed TOML by file name, relative to `folder`. Raises InvalidInputError with every file that cannot be read."""
    if not (folder / "tenant.toml").is_file():
        raise NotFoundError(f"there is no tenant.toml in {folder.name}")
    paths = [folder / "tenant.toml", *sorted((folder / "catalogue").glob("*.toml"))]
    if len(paths) > MAX_FILES:
        raise InvalidInputError([("catalogue", f"more than {MAX_FILES} files")])
    found, mistakes = {}, []
    for path in paths:
        name = str(path.relative_to(folder))
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE:
            mistakes.append((name, "links and files over 2 MiB are not read"))
            continue
        try:
            found[name] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            mistakes.append((name, str(error)))
    if mistakes:
        raise InvalidInputError(mistakes)
    return found


def installed_packs() -> dict[str, Path]:
    """Tenant packs that are installed as packages: name → folder with its tenant.toml."""
    found = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        found[point.name] = Path(str(files(point.value))) / "tenant"
    return found


def folder_of(name: str) -> Path:
    """A folder by path, or an installed pack by name. Raises NotFoundError."""
    packs = installed_packs()
    if name in packs:
        return packs[name]
    if (Path(name) / "tenant.toml").is_file():
        return Path(name)
    raise NotFoundError(f"{name!r} is neither a folder with a tenant.toml nor an installed pack: {', '.join(packs)}")
