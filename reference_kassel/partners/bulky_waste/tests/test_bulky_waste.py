from __future__ import annotations

from datetime import UTC, datetime

from servicepunkt.core.conformance import check
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt_kassel_bulky_waste.plugin import days

KASSEL = TenantContext(id=1, slug="kassel", name="Kassel", subdivision="HE")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_it_keeps_the_rules() -> None:
    assert check("kassel_bulky_waste").failed == ()


def test_waste_is_fetched_on_mondays_and_thursdays() -> None:
    found = days(KASSEL, NOW)
    assert {one.at.astimezone(KASSEL.zone_info).strftime("%a %H:%M") for one in found if one.at} == {
        "Mon 06:00",
        "Thu 06:00",
    }
    assert {(one.price, one.most, one.limit) for one in found} == {(0, 1, 12)}
    assert all({"de", "en"} <= set(one.words) for one in found)
