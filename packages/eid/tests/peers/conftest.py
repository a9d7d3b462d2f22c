"""Peers of the online ID: programs and libraries of Debian. Absent ones are skipped loudly; in CI that is a failure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest

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
