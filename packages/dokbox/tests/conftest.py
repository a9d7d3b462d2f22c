"""What several tests share: a box on the bench.

In an environment that has only this package, the tests of the house around it are left out, and say so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from servicepunkt.dokbox.testing import Bench

LIGHT = find_spec("litestar") is None

# What needs the kernel, the shell or a web server.
collect_ignore = (
    [
        "centre",
        "test_box_pages.py",
        "test_channel.py",
        "test_dangers.py",
        "test_environment.py",
        "simulator/test_pages.py",
        "simulator/test_picture.py",
    ]
    if LIGHT
    else []
)


def pytest_report_header() -> str:
    return "without the house: " + ", ".join(collect_ignore) + " are left out" if LIGHT else "with the house"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A box whose doors were seen once."""
    made = Bench(tmp_path / "box")
    await made.look()
    yield made
    made.put_away()
