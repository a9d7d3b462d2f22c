"""Clocks: the real one is aware and in UTC, the rehearsal clock follows its file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from servicepunkt.core.clock import RehearsalClock, SystemClock

SECOND = timedelta(seconds=2)


def test_the_system_clock_tells_the_present_in_utc() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < SECOND


def test_two_processes_with_one_file_are_told_the_same_present(tmp_path: Path) -> None:
    saturday = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)
    mine, theirs = RehearsalClock(tmp_path / "shift"), RehearsalClock(tmp_path / "shift")
    assert abs(theirs.now() - datetime.now(UTC)) < SECOND
    mine.set(saturday)
    assert abs(mine.now() - saturday) < SECOND
    assert abs(theirs.now() - saturday) < SECOND
    assert [path.name for path in tmp_path.iterdir()] == ["shift"]


@pytest.mark.parametrize("content", ["", "morgen", "nan", "inf", "-inf", "1e300", "1e13", "12:00", "\0"])
def test_a_broken_file_means_no_shift(tmp_path: Path, content: str) -> None:
    (tmp_path / "shift").write_text(content)
    assert abs(RehearsalClock(tmp_path / "shift").now() - datetime.now(UTC)) < SECOND


def test_a_file_that_is_no_text_means_no_shift(tmp_path: Path) -> None:
    (tmp_path / "shift").write_bytes(b"\xff\xfe1")
    assert RehearsalClock(tmp_path / "shift").shift() == timedelta()
