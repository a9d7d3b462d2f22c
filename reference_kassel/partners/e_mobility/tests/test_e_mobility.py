from __future__ import annotations

from datetime import UTC, datetime

from servicepunkt.core.conformance import check
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt_kassel_e_mobility.plugin import hours

KASSEL = TenantContext(id=1, slug="kassel", name="Kassel", subdivision="HE")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_it_keeps_the_rules() -> None:
    assert check("kassel_e_mobility").failed == ()


def test_one_person_at_a_time_is_advised() -> None:
    found = hours(KASSEL, NOW)
    assert len(found) == 3 * 4
    assert {(one.price, one.most, one.limit) for one in found} == {(0, 1, 1)}
    assert all({"de", "en"} <= set(one.words) for one in found)
