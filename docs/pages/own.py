"""What belongs to the packages of this repository, and not to a third party."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from types import ModuleType

import servicepunkt
from servicepunkt.core import hookspecs
from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.plugins import PluginHost


def own_plugins() -> PluginHost:
    """The plugins that the packages of this repository bring, and none of a third party."""
    host = PluginHost()
    host.load_installed(only=frozenset(own_modules_with_hooks()))
    return host


def own_modules_with_hooks() -> dict[str, ModuleType]:
    """Name and module of each of these plugins."""
    points = [point for point in entry_points(group=hookspecs.PROJECT) if point.value.startswith("servicepunkt.")]
    return {"core": core_plugin, **{point.name: point.load() for point in sorted(points, key=lambda one: one.name)}}


def own_modules() -> Iterator[str]:
    """Modules below `servicepunkt`; those that do something when they are imported are left out."""
    for module in pkgutil.walk_packages(servicepunkt.__path__, "servicepunkt."):
        if not re.search(r"\.(__main__|alembic|migrations|testing|demo)\b", module.name):
            yield module.name
