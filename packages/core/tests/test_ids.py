"""Identifiers are UUIDs of version 7: ordered by time, also within one millisecond and between threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from servicepunkt.core.ids import NIL, new_id


def test_later_identifiers_sort_after_earlier_ones() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)
    assert len(set(made)) == len(made)


def test_an_identifier_is_of_version_7_and_carries_its_time() -> None:
    before = time.time_ns() // 1_000_000
    one = new_id()
    assert (one.version, one.variant) == (7, "specified in RFC 4122")
    assert before - 1 <= one.int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_threads_never_make_the_same_identifier() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = [one for part in threads.map(lambda _: [new_id() for _ in range(2_000)], range(4)) for one in part]
    assert len(set(made)) == 8_000


def test_no_new_identifier_is_the_tenants_own() -> None:
    assert NIL.int == 0
    assert new_id() != NIL
