"""Peers of the online ID: programs and libraries of Debian. Absent ones are skipped loudly; in CI that is a failure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """The path of a program."""

    def found(name: str) -> str:
        place = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if place is None:
            absent(f"{name} is not installed")
        return str(place)

    return found


def absent(sentence: str) -> None:
    if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1" or os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)
