"""Clusters of one's own: made, started, crashed, with the programs of the version that is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from servicepunkt.core.db import embedded
from servicepunkt.core.db.cluster import Cluster, programs_of, version_of
from servicepunkt.core.errors import MissingProgramError, ProgramFailedError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.testing import TEST_POSTGRES, database_server

PROGRAMS = embedded.programs()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because the path of a socket is; open to the account that runs PostgreSQL for root."""
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_what_was_committed_survives_a_crash_and_nothing_listens_afterwards(folder: Path) -> None:
    cluster = Cluster(folder / "one", PROGRAMS)
    cluster.create()
    with cluster.running(), psycopg.connect(cluster.conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 115 AS number")
    with cluster.running({"work_mem": "5MB"}), psycopg.connect(cluster.conninfo) as connection:
        assert connection.execute("SELECT number, current_setting('work_mem') FROM kept").fetchone() == (115, "5MB")
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(cluster.conninfo)


def test_a_long_path_is_no_obstacle_and_nothing_stays(folder: Path) -> None:
    cluster = Cluster(folder / ("long" * 25), PROGRAMS)
    cluster.create()
    with cluster.running():
        psycopg.connect(cluster.conninfo).close()
        sockets = cluster.sockets
        assert sockets != cluster.folder
    assert not sockets.exists()


def test_a_program_that_fails_is_quoted_and_one_that_is_absent_is_named(folder: Path) -> None:
    cluster = Cluster(folder / "one", PROGRAMS)
    with pytest.raises(ProgramFailedError, match=r"pg_ctl ended with 1: .*no-such-option"):
        cluster.run("pg_ctl", "--no-such-option")
    with pytest.raises(MissingProgramError, match="oid2name"):
        cluster.run("oid2name")


def test_programs_are_found_by_the_version_of_the_server(tmp_path: Path) -> None:
    assert programs_of(18, str(PROGRAMS)) == PROGRAMS
    assert programs_of(18) == PROGRAMS
    assert version_of(tmp_path) is None
    with pytest.raises(MissingProgramError, match="PostgreSQL 9 "):
        programs_of(9)
    with pytest.raises(MissingProgramError, match=r"PostgreSQL 17 .* looked in .*pginstall18"):
        programs_of(17, str(PROGRAMS))


def test_tests_run_on_the_server_that_is_named(
    folder: Path, plugins: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TEST_POSTGRES, str(PROGRAMS))
    with database_server(folder, plugins) as urls:
        assert str(folder / "cluster") in urls.application
        with psycopg.connect(urls.application.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT count(*) FROM tenant").fetchone() == (0,)
