from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from servicepunkt.core.conformance import check
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt_kassel_tours.plugin import tours

KASSEL = TenantContext(id=1, slug="kassel", name="Kassel", subdivision="HE")
NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


def test_it_keeps_the_rules() -> None:
    assert check("kassel_tours").failed == ()


def test_tours_are_on_fridays_and_saturdays_but_not_on_holidays() -> None:
    found = tours(KASSEL, NOW)
    assert len(found) == 6  # of eight days two are holidays
    assert {one.at.astimezone(KASSEL.zone_info).strftime("%a %H:%M") for one in found if one.at} == {
        "Fri 14:30",
        "Sat 14:30",
    }
    assert {(one.price, one.limit) for one in found} == {(Decimal("10.00"), 20)}
    assert all({"de", "en"} <= set(one.words) for one in found)
