"""The plugin that is checked: an installed one by name, or one in a folder with a pyproject.toml."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import msgspec

from servicepunkt.core import hookspecs
from servicepunkt.core.errors import NotFoundError

GROUP = hookspecs.PROJECT


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """`points` are the package's entry points by group and name, of all groups that begin with `servicepunkt`.

    `plugin` is what its entry point in the group `servicepunkt` names; None for a package that has none there.
    """

    name: str
    points: Mapping[str, Mapping[str, str]]
    plugin: Any = None

    @property
    def package(self) -> str:
        """The top of its modules: `servicepunkt_locker`; of the product's own areas the area."""
        module = next(iter(self.points[GROUP].values())) if GROUP in self.points else ""
        parts = module.partition(":")[0].split(".")
        return ".".join(parts[:2] if parts[0] == GROUP else parts[:1])

    @property
    def folder(self) -> Path | None:
        """Where its modules and files lie."""
        file = getattr(self.plugin, "__file__", None)
        return Path(file).resolve().parent if file else None


def candidate(wanted: str | Path) -> Candidate:
    """The plugin of this name or in this folder. Raises NotFoundError, and what its import raises."""
    folder = Path(wanted)
    if (folder / "pyproject.toml").is_file():
        return _in_folder(folder)
    return _installed(str(wanted))


def _in_folder(folder: Path) -> Candidate:
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
    groups = project.get("entry-points", {})
    points = {group: names for group, names in groups.items() if group.partition(".")[0] == GROUP}
    if not points:
        raise NotFoundError(f"{folder}: pyproject.toml has no entry point in the group `{GROUP}`")
    source = str((folder / "src" if (folder / "src").is_dir() else folder).resolve())
    if source not in sys.path:
        sys.path.insert(0, source)
        importlib.invalidate_caches()
    return _made(points)


def _installed(name: str) -> Candidate:
    found = [point for one in distributions() for point in one.entry_points if point.group.partition(".")[0] == GROUP]
    own = next((point for point in found if point.name == name), None)
    if own is None or own.dist is None:
        known = ", ".join(sorted({point.name for point in found}))
        raise NotFoundError(f"no plugin {name!r} is installed, and no folder of this name; known are: {known}")
    points: dict[str, dict[str, str]] = {}
    for point in own.dist.entry_points:
        if point.group.partition(".")[0] == GROUP:
            points.setdefault(point.group, {})[point.name] = point.value
    return _made(points)


def _made(points: Mapping[str, Mapping[str, str]]) -> Candidate:
    plugins = points.get(GROUP, {})
    name = next(iter(plugins or next(iter(points.values()))))
    return Candidate(name=name, points=points, plugin=loaded(plugins[name]) if plugins else None)


def loaded(reference: str) -> Any:
    """What `module:attribute` or `module` names."""
    module, _, attribute = reference.partition(":")
    found: Any = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found
