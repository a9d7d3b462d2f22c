"""Keeps a wheel of the web package from being built without the browser libraries that its pages need."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BrowserAssetsHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is not public
    """Called by hatchling before each build. An editable install may lack the libraries: they come with set-up."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  hatchling calls by name
        if version == "editable":
            return
        assets = runpy.run_path(str(Path(self.root) / "browser_assets.py"))
        if found := assets["problems"]():
            raise RuntimeError(
                f"This wheel would lack the libraries of its pages: {'; '.join(found)}. "
                "Run `python packages/web/browser_assets.py` first."
            )
