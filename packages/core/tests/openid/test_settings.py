"""Section [oidc]: every mistake is named, with its code."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

import msgspec
import pytest

from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Partner, Point
from servicepunkt.core.declarations import Plugins, TenantDraft
from servicepunkt.core.openid.settings import OpenIdSettings, mistakes
from servicepunkt.core.rules import Broken
from servicepunkt.core.tenancy.model import TenantContext

FILE: dict[str, Any] = {
    "issuer": "https://login.town.example/realms/staff",
    "client_id": "servicepunkt",
    "client_secret": "env:TENANT_ALPHA__OPENID",
    "roles": {"desk": ["clerk", "point_staff@quay"], "chiefs": ["city_admin", "host@store", "partner@works"]},
}


def town() -> Catalogue:
    address = Address(street="Weg 1", postcode="1", town="Ort")
    return Catalogue(
        hosts=(Host(id="store", name="Store", kind="shop", hours="24/7"),),
        points=(Point(id="quay", name={"de": "Kai"}, host="store", address=address),),
        partners=(Partner(id="works", name="Works", kind="authority"),),
    )


def found(**changed: Any) -> list[tuple[str, str, object]]:
    """(place, code, what was probably meant)"""
    section = msgspec.convert(FILE | changed, OpenIdSettings)
    ctx = TenantContext(id=1, slug="alpha", name="Alpha", settings={"oidc": section})
    draft = TenantDraft(cast("Plugins", None), ctx, town(), date(2026, 11, 22))
    said = [(place, cast("Broken", broken)) for place, broken in mistakes(draft)]
    return [(place, broken.rule.code, broken.values.get("near")) for place, broken in said]


def test_a_good_section_has_none() -> None:
    assert found() == []
    ctx = TenantContext(id=1, slug="alpha", name="Alpha")
    assert mistakes(TenantDraft(cast("Plugins", None), ctx, town(), date(2026, 11, 22))) == []


@pytest.mark.parametrize(
    ("issuer", "code"),
    [
        ("login.town.example", "SP1321"),
        ("https://login.town.example/?a=b", "SP1321"),
        ("https://anna@login.town.example", "SP1321"),
        ("https://login.town.example:99999", "SP1321"),
        ("https://[", "SP1321"),
        ("ftp://login.town.example", "SP1321"),
        ("http://login.town.example", "SP1322"),
        ("http://127.0.0.1.town.example", "SP1322"),
    ],
)
def test_an_issuer_is_an_address_of_https(issuer: str, code: str) -> None:
    assert found(issuer=issuer) == [("issuer", code, None)]


def test_http_will_do_on_this_computer() -> None:
    assert found(issuer="http://127.0.0.1:4000") == []


@pytest.mark.parametrize("secret", ["geheim", "env:TENANT_BETA__OPENID", "env:PATH", "file:../beta/openid"])
def test_a_secret_is_a_reference_to_ones_own(secret: str) -> None:
    assert found(client_secret=secret) == [("client_secret", "SP1323", None)]


def test_without_openid_nobody_is_named() -> None:
    assert found(scopes=["profile"]) == [("scopes", "SP1324", None)]


@pytest.mark.parametrize(
    ("grant", "code", "near"),
    [
        ("clrk", "SP1325", "clerk"),
        ("operator", "SP1325", ""),
        ("clerk@quay", "SP1325", "clerk"),
        ("point_staff@", "SP1325", "point_staff"),
        ("point_staff@quey", "SP1326", "quay"),
        ("host@quay", "SP1326", ""),
        ("partner@store", "SP1326", ""),
    ],
)
def test_roles_are_ours_and_units_are_there(grant: str, code: str, near: str) -> None:
    assert found(roles={"desk": [grant, "city_admin"]}) == [("roles.desk", code, near)]


def test_somebody_has_to_come_in() -> None:
    assert found(roles={"desk": []}) == [("roles", "SP1327", None)]
    assert found(roles={"desk": ["clerk"]}, local_accounts=False) == [("roles", "SP1328", None)]
