"""Peers of the online ID: programs and libraries of Debian. Absent ones are skipped loudly; in CI that is a failure."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Absent = Callable[[str], None]


@pytest.fixture(scope="session")
def peer(absent: Absent) -> ModuleType:
    """`libeac.py`, with the library behind it."""
    spec = importlib.util.spec_from_file_location("libeac_peer", Path(__file__).parent / "libeac.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    try:
        module.Libeac(module.CARD_ACCESS).close()
    except OSError as error:
        absent(f"libeac3 is not installed: {error}")
    return module
