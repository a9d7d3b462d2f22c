"""Peers of the online ID: programs and libraries of Debian. Absent ones are skipped loudly; in CI that is a failure."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from servicepunkt.eid.testing.room import Room

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
Absent = Callable[[str], None]


@pytest.fixture(scope="session")
def absent() -> Absent:
    """Skip, or fail in CI."""

    def missing(sentence: str) -> None:
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1" or os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)

    return missing


@pytest.fixture(scope="session")
def program(absent: Absent) -> Callable[[str], str]:
    """The path of a program."""

    def found(name: str) -> str:
        place = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if place is None:
            absent(f"{name} is not installed")
        return str(place)

    return found


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


@pytest.fixture
def readers(program: Callable[[str], str], absent: Absent) -> Iterator[Room]:
    """A room in which pcscd runs, with vpcd's two readers."""
    pcscd = program("pcscd")
    program("ip")
    if not DRIVER.exists():
        absent("vsmartcard-vpcd is not installed")
    if os.geteuid() != 0:
        absent("a network of its own needs root")
    with Room() as made:
        made.start(pcscd, "--foreground", "--config", "/etc/reader.conf.d")
        yield made
