"""Planting a fault: the source of a module is changed while it is imported, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import msgspec

SOURCES = Path(__file__).resolve().parents[2] / "packages" / "dokbox" / "src"


class Change(msgspec.Struct, frozen=True):
    """In `module` the text `old`, which is there once, becomes `new`."""

    module: str
    old: str
    new: str


class Mutant(msgspec.Struct, frozen=True):
    """A fault, in a sentence and in the source."""

    name: str
    about: str
    changes: tuple[Change, ...]


class NotPlantedError(Exception):
    """The source has changed: the text is not there, or there more than once."""


def source_of(module: str) -> str:
    return (SOURCES / module.replace(".", "/")).with_suffix(".py").read_text("utf-8")


def planted(source: str, changes: Sequence[Change]) -> str:
    """The source with its faults. Raises NotPlantedError."""
    for change in changes:
        if (times := source.count(change.old)) != 1:
            raise NotPlantedError(f"{change.module} has {times} times: {change.old.strip()[:60]}")
        source = source.replace(change.old, change.new)
    return source


class _Planter(MetaPathFinder):
    """Loads the modules of a mutant with its changes."""

    def __init__(self, one: Mutant) -> None:
        self._changes: dict[str, list[Change]] = {}
        for change in one.changes:
            self._changes.setdefault(change.module, []).append(change)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname in self._changes else None
        if spec is not None and spec.origin is not None:
            spec.loader = _PlantedLoader(fullname, spec.origin, self._changes[fullname])
        return spec


class _PlantedLoader(SourceFileLoader):
    """Compiles the changed source; what lies compiled beside it is the unchanged one."""

    def __init__(self, fullname: str, path: str, changes: list[Change]) -> None:
        super().__init__(fullname, path)
        self._changes = changes

    def get_code(self, fullname: str) -> CodeType:
        text = planted(self.get_data(self.path).decode("utf-8"), self._changes)
        return compile(text, self.path, "exec", dont_inherit=True)


def plant(one: Mutant) -> None:
    """Plant a fault in this process. Raises NotPlantedError when one of its modules has been imported."""
    loaded = [change.module for change in one.changes if change.module in sys.modules]
    if loaded:
        raise NotPlantedError(f"already imported: {', '.join(loaded)}")
    sys.meta_path.insert(0, _Planter(one))
