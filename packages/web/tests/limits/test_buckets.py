"""Token buckets: what they let through in any order of requests, and how much they keep."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.web.limits.model import BURST_SECONDS, Buckets, Proven


@given(
    rate=st.floats(0.1, 1000),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=200),
)
def test_never_more_than_the_burst_and_what_time_brought(rate: float, pauses: list[float]) -> None:
    buckets, now, passed = Buckets(), 0.0, 0
    for pause in pauses:
        now += pause
        passed += buckets.take("key", rate, now) == 0
    assert passed <= max(1.0, rate * BURST_SECONDS) + rate * now + 1e-6


@given(rate=st.floats(0.1, 1000), taken=st.integers(1, 500))
def test_who_waits_as_long_as_was_said_is_served(rate: float, taken: int) -> None:
    buckets = Buckets()
    waits = [buckets.take("key", rate, 0.0) for _ in range(taken)]
    assert buckets.take("key", rate, max(waits) + 1e-6) == 0 or not max(waits)


def test_a_burst_passes_and_then_the_rate() -> None:
    buckets = Buckets()
    assert [buckets.take("key", 2, 0.0) for _ in range(20)] == [0.0] * 20
    assert buckets.take("key", 2, 0.0) == 0.5
    assert buckets.take("key", 2, 0.5) == 0
    assert buckets.take("other", 2, 0.5) == 0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    buckets = Buckets()
    for _ in range(10):
        buckets.take("key", 1, 100.0)
    assert buckets.take("key", 1, 50.0) > 0


def test_no_limit_keeps_nothing() -> None:
    buckets = Buckets()
    assert [buckets.take(number, 0, 0.0) for number in range(10)] == [0.0] * 10
    assert len(buckets) == 0


def test_memory_is_bounded_and_the_quietest_is_forgotten() -> None:
    buckets, proven = Buckets(most=3), Proven(most=3)
    for number in range(5):
        buckets.take(number, 1, float(number))
        proven.note(bytes([number]), 0.0, free=True)
    assert len(buckets) == 3
    assert [proven.get(bytes([number]), 1.0) for number in range(5)] == [None, None, True, True, True]


def test_what_was_proven_is_not_believed_for_ever() -> None:
    proven = Proven(lifetime=10)
    proven.note(b"box", 0.0, free=True)
    assert (proven.get(b"box", 9.9), proven.get(b"box", 10.0)) == (True, None)
