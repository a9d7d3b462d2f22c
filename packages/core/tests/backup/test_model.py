"""Names, order and differences of backups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.backup import model
from servicepunkt.core.backup.model import BackupError, Difference

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(timezone(timedelta(hours=1)))))  # noqa: DTZ001
def test_names_carry_the_moment_and_are_in_its_order(moment: datetime) -> None:
    assert model.moment_of(model.name_of(moment)) == moment
    assert model.name_of(moment) < model.name_of(moment + timedelta(microseconds=1))


def test_the_newest_copy_that_was_complete_then_is_taken() -> None:
    names = [model.name_of(NOON + timedelta(hours=hour)) for hour in (0, 2, 1)] + [".part", "notes"]
    assert model.newest(names) == names[1]
    assert model.newest(names, NOON + timedelta(minutes=90)) == names[2]
    assert model.newest(names, NOON) == names[0]
    with pytest.raises(BackupError, match="no copy of that time; the first one is of 20261122T12"):
        model.newest(names, NOON - timedelta(seconds=1))
    with pytest.raises(BackupError, match="no copy in this folder"):
        model.newest([".part"])


def test_parents_come_first_and_circles_are_refused() -> None:
    found = model.parents_first("cba", {"a": {"b", "a"}, "b": {"c", "elsewhere"}})
    assert found == ("c", "b", "a")
    with pytest.raises(BackupError, match="circle"):
        model.parents_first("ab", {"a": {"b"}, "b": {"a"}})


def test_everything_that_is_not_the_same_is_named() -> None:
    live = {("t", "a"): "1:5", ("t", "b"): "0:0", ("u", "a"): "2:2"}
    assert model.differences(live, live) == ()
    assert model.differences(live, {("t", "a"): "1:5", ("t", "b"): "1:9", ("v", "a"): "0:0"}) == (
        Difference("t", "b", "0:0", "1:9"),
        Difference("u", "a", "2:2", "absent"),
        Difference("v", "a", "absent", "0:0"),
    )
