"""The count of attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from servicepunkt.core.errors import TooManyRequestsError
from servicepunkt.web.devices import attempts
from servicepunkt.web.devices.attempts import Attempts

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_twenty_in_a_minute_and_no_more() -> None:
    counted = Attempts()
    for second in range(20):
        counted.count(1, "a", NOW + timedelta(seconds=second))
    with pytest.raises(TooManyRequestsError):
        counted.count(1, "a", NOW + timedelta(seconds=59))
    counted.count(1, "b", NOW)
    counted.count(2, "a", NOW)
    counted.count(1, "a", NOW + timedelta(seconds=60))
    with pytest.raises(TooManyRequestsError):
        counted.count(1, "a", NOW + timedelta(seconds=60))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_KEYS", 3)
    counted = Attempts()
    for number in range(100):
        counted.count(1, str(number), NOW)
    assert len(counted._made) == 3
