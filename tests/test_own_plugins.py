"""The product's own areas keep the rules that plugins of others are asked to keep."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from servicepunkt.core.conformance import check

OWN = sorted(point.name for point in entry_points(group="servicepunkt") if point.value.startswith("servicepunkt."))


@pytest.mark.parametrize("name", OWN)
def test_an_area_keeps_the_rules_of_plugins(name: str) -> None:
    report = check(name)
    assert [(one.rule, one.troubles) for one in report.failed] == []
    assert len(report.findings) > 14
    assert {one.rule for one in report.warned} <= {"commands-off", "quick"}


def test_there_are_areas() -> None:
    assert {"web", "dokbox", "tenants"} <= set(OWN)
