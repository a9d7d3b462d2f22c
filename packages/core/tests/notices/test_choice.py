"""Weights move when a provider is slow or fails, come back when it is well, and never end a provider."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.notices.choice import (
    FLOOR,
    LOWER_EVERY,
    RAISE_EVERY,
    Move,
    Standing,
    moves,
    order,
    resting_points,
    trouble,
)

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def standing(**values: object) -> Standing:
    return Standing(**{"name": "north", "resting": 51, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"tried": 100, "failed": 14}, None),
        ({"tried": 100, "failed": 15}, "failing"),
        ({"tried": 1, "failed": 1}, "failing"),
        ({"tried": 100, "answered": 100, "slow": 14}, None),
        ({"tried": 100, "answered": 100, "slow": 15}, "slow"),
        ({"tried": 4, "answered": 4, "slow": 4}, None),
        ({"tried": 5, "answered": 5, "slow": 1}, "slow"),
        ({"tried": 9, "failed": 9, "answered": 9, "slow": 9}, "failing"),
    ],
)
def test_what_speaks_against_a_provider(values: dict[str, int], expected: str | None) -> None:
    assert trouble(standing(**values)) == expected


def test_a_failing_provider_loses_ten_points_a_minute_down_to_the_floor() -> None:
    weight, moved_at, seen = None, None, []
    for minute in range(8):
        now = NOW + minute * LOWER_EVERY
        (move,) = moves([standing(tried=3, failed=3, weight=weight, moved_at=moved_at)], now) or [None]
        assert moves([standing(tried=3, failed=3, weight=weight, moved_at=now)], now) == []
        if move is not None:
            weight, moved_at = move.weight, now
            assert move.reason == "failing"
            seen.append(move.weight)
    assert seen == [41, 31, 21, 11, FLOOR]


def test_a_provider_that_is_well_again_drifts_back_and_no_further() -> None:
    before = standing(weight=5, moved_at=NOW)
    assert moves([before], NOW + RAISE_EVERY - timedelta(seconds=1)) == []
    assert moves([before], NOW + RAISE_EVERY) == [Move("north", 15, "recovered")]
    assert moves([before], NOW + timedelta(days=3)) == [Move("north", 15, "recovered")], "a step at a time"
    assert moves([standing(weight=49, moved_at=NOW)], NOW + RAISE_EVERY) == [Move("north", 51, "recovered")]
    assert moves([standing(weight=51, moved_at=NOW)], NOW + timedelta(days=3)) == []


def test_a_tenant_file_that_lowers_a_weight_is_obeyed_at_once() -> None:
    assert standing(resting=20, weight=45).present == 20
    assert standing(resting=3, weight=3).floor == 3


def test_weights_of_a_file_become_shares_of_a_hundred() -> None:
    assert resting_points({"north": 51, "south": 49}) == {"north": 51, "south": 49}
    assert resting_points({"north": 1, "south": 1}) == {"north": 50, "south": 50}
    assert resting_points({"north": 100, "south": 1, "east": 100})["south"] >= 1


def test_the_draw_follows_the_weights_and_its_randomness() -> None:
    source = random.Random(7)
    first = Counter(order({"north": 60, "south": 30, "east": 10}, source.randbytes)[0] for _ in range(4000))
    assert 2250 < first["north"] < 2550
    assert 1080 < first["south"] < 1320
    assert 320 < first["east"] < 480
    again = [order({"north": 60, "south": 40}, random.Random(3).randbytes) for _ in range(3)]
    assert again[0] == again[1] == again[2]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 100), min_size=1), st.binary(min_size=8, max_size=8))
def test_every_name_is_drawn_once(weights: dict[str, int], drawn: bytes) -> None:
    assert sorted(order(weights, lambda _: drawn)) == sorted(weights)


@given(
    st.integers(1, 100),
    st.none() | st.integers(1, 100),
    st.integers(-3600, 10**6),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_no_move_leaves_the_bounds(
    resting: int, weight: int | None, ago: int, tried: int, failed: int, answered: int, slow: int
) -> None:
    moved_at = None if weight is None else NOW - timedelta(seconds=ago)
    each = standing(
        resting=resting,
        weight=weight,
        moved_at=moved_at,
        tried=tried,
        failed=min(failed, tried),
        answered=answered,
        slow=min(slow, answered),
    )
    for move in moves([each], NOW):
        assert min(each.floor, each.present) <= move.weight <= resting
        assert move.weight != each.present
