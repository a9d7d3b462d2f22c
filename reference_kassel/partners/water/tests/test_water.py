from __future__ import annotations

from servicepunkt.core.conformance import check
from servicepunkt_kassel_water.plugin import METERS


def test_it_keeps_the_rules() -> None:
    assert check("kassel_water").failed == ()


def test_a_report_costs_nothing() -> None:
    assert {one.price for one in METERS} == {0}
    assert all({"de", "en"} <= set(one.words) for one in METERS)
