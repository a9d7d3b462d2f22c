from __future__ import annotations

from decimal import Decimal

from servicepunkt.core.conformance import check
from servicepunkt_kassel_tram.plugin import TICKETS


def test_it_keeps_the_rules() -> None:
    assert check("kassel_tram").failed == ()


def test_what_is_sold_has_a_price() -> None:
    assert [(one.item, one.price) for one in TICKETS] == [
        ("single", Decimal("3.00")),
        ("child", Decimal("1.80")),
        ("day", Decimal("8.00")),
    ]
    assert all({"de", "en"} <= set(one.words) for one in TICKETS)
