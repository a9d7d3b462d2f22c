from __future__ import annotations

from servicepunkt.core.conformance import check
from servicepunkt_kassel_housing.plugin import FLATS


def test_it_keeps_the_rules() -> None:
    assert check("kassel_housing").failed == ()


def test_an_interest_costs_nothing_and_takes_a_flat_from_nobody() -> None:
    assert {one.price for one in FLATS} == {0}
    assert {one.limit for one in FLATS} == {None}
    assert all({"de", "en"} <= set(one.words) for one in FLATS)
