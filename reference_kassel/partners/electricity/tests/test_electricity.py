from __future__ import annotations

from servicepunkt.core.conformance import check
from servicepunkt_kassel_electricity.plugin import TARIFFS


def test_it_keeps_the_rules() -> None:
    assert check("kassel_electricity").failed == ()


def test_a_contract_costs_nothing_here_and_is_begun_once() -> None:
    assert {one.price for one in TARIFFS} == {0}
    assert {one.most for one in TARIFFS} == {1}
    assert all({"de", "en"} <= set(one.words) for one in TARIFFS)
