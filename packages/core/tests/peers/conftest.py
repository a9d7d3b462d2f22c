"""Debian's PostgreSQL 15 as a server of its own, for what the embedded one has no part in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servicepunkt.core.db.cluster import programs_of
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.migrate import upgrade
from servicepunkt.core.errors import MissingProgramError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.testing import own_server

Absent = Callable[[str], None]


@pytest.fixture(scope="session")
def absent() -> Absent:
    """Skip loudly, or fail in CI."""

    def missing(sentence: str) -> None:
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)

    return missing


@pytest.fixture(scope="module")
def debian(absent: Absent) -> Path:
    """The folder of Debian's programs."""
    try:
        return programs_of(15)
    except MissingProgramError:
        absent("PostgreSQL 15 is not installed")
        raise


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short, for sockets; closed to nobody, for the account that runs PostgreSQL when root starts the tests."""
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def primary(debian: Path, folder: Path, plugins: PluginHost) -> Iterator[Urls]:
    with own_server(folder, debian, wal_keep_size="64MB") as urls:
        upgrade(urls.owner, plugins)
        yield urls
