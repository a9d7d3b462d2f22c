"""Section [people]: of whom a second factor is demanded, and what is wrong with a file."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.people.settings import SECTION, PeopleSettings, demands_second_factor, mistakes
from servicepunkt.core.tenancy.model import TenantContext


def tenant(**values: Any) -> TenantContext:
    return TenantContext(id=1, slug="alpha", name="Alpha", settings={SECTION: PeopleSettings(**values)})


@pytest.mark.parametrize(
    ("values", "roles", "demanded"),
    [
        ({}, ("city_admin",), False),
        ({"second_factor": "required"}, ("clerk",), True),
        ({"second_factor": "required", "second_factor_roles": ("city_admin",)}, ("clerk",), False),
        ({"second_factor": "required", "second_factor_roles": ("city_admin",)}, ("clerk", "city_admin"), True),
        ({"second_factor": "required", "second_factor_roles": ("point_staff",)}, ("point_staff@hall",), True),
        ({"second_factor": "optional", "second_factor_roles": ("city_admin",)}, ("city_admin",), False),
    ],
)
def test_of_whom_it_is_demanded(values: dict[str, Any], roles: tuple[str, ...], demanded: bool) -> None:
    assert demands_second_factor(tenant(**values), roles) is demanded


def broken(**values: Any) -> list[tuple[str, str]]:
    draft = TenantDraft(None, tenant(**values), Catalogue(), date(2026, 11, 22))  # type: ignore[arg-type]
    return [(place, one.rule.code) for place, one in mistakes(draft)]


def test_roles_are_known_and_something_is_demanded_of_them() -> None:
    assert broken(second_factor="required", second_factor_roles=("city_admin",)) == []
    assert broken(second_factor="required", second_factor_roles=("operator", "clark")) == [
        ("second_factor_roles", "SP1331"),
        ("second_factor_roles", "SP1331"),
    ]
    assert broken(second_factor_roles=("clerk",)) == [("second_factor_roles", "SP1332")]
