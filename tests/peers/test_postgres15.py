"""What rests on the database holds on the oldest PostgreSQL that we take as well; all of it by `nox -s postgres15`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path("/usr/lib/postgresql/15/bin")
PART = ("tenancy", "db/test_leaks.py", "test_database.py")


def test_the_databases_own_tests_on_15() -> None:
    if not (PROGRAMS / "postgres").exists():
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS"):
            pytest.fail("PostgreSQL 15 is not on this computer")
        pytest.skip("PostgreSQL 15 is not on this computer")
    paths = [str(ROOT / "packages" / "core" / "tests" / part) for part in PART]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *paths],
        cwd=ROOT,
        env={**os.environ, "SERVICEPUNKT_TEST_POSTGRES": str(PROGRAMS)},
        check=False, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert " passed" in ran.stdout
