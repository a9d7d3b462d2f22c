"""Section [eid]: every mistake that a schema cannot see is named when the file is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from servicepunkt.core.applications.settings import ApplicationSettings
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.settings import EidSettings, mistakes


@pytest.fixture
def codes(
    plugins: PluginHost, sections: dict[str, Any], make_catalogue: Callable[[], Catalogue]
) -> Callable[..., list[str]]:
    """Of the section with some of it changed, as 'place code'."""

    def found(*, readers: Any = (), service: Any = None, **changed: Any) -> list[str]:
        section = sections["eid"]
        values = {
            "readers": [*section["readers"], *readers],
            "service": {**section["service"], **changed} if service is None else service,
        }
        settings = {
            "eid": msgspec.convert({k: v for k, v in values.items() if v}, EidSettings),
            "applications": msgspec.convert(sections["applications"], ApplicationSettings),
        }
        ctx = TenantContext(id=1, slug="alpha", name="Alpha", settings=settings)
        draft = TenantDraft(plugins, ctx, make_catalogue(), date(2026, 11, 23))
        return [f"{place} {said.rule.code}" for place, said in mistakes(draft)]

    return found


def test_what_is_right_is_taken(codes: Callable[..., list[str]]) -> None:
    assert codes() == []
    assert codes(key="env:TENANT_ALPHA__EID_KEY", channel="attached", authorities="file:ca.pem") == []


@pytest.mark.parametrize(
    ("reader", "said"),
    [
        ({"id": "reader-north", "point": "north"}, ["readers.reader-north SP4421"]),
        ({"id": "other", "point": "west"}, ["readers.other.point SP4422"]),
        ({"id": "other", "point": "north", "local_url": "localhost:8630"}, ["readers.other.local_url SP4425"]),
        (
            {"id": "other", "point": "north", "local_url": "http://localhost:8630/?a"},
            ["readers.other.local_url SP4425"],
        ),
        ({"id": "other", "point": "north", "local_url": "http://reader.lan"}, ["readers.other.local_url SP4427"]),
        ({"id": "other", "point": "north", "local_url": "https://reader.lan"}, []),
    ],
)
def test_readers(codes: Callable[..., list[str]], reader: Any, said: list[str]) -> None:
    assert codes(readers=[reader]) == said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "http://service.invalid"}, ["service.url SP4424"]),
        ({"url": ""}, ["service.url SP4424"]),
        ({"server_address": "https://user:word@service.invalid"}, ["service.server_address SP4424"]),
        ({"address": "https://town.example.org:0"}, ["service.address SP4424"]),
        ({"error_address": "https://town .org"}, ["service.error_address SP4424"]),
        ({"key": "-----BEGIN PRIVATE KEY-----"}, ["service.key SP4423"]),
        ({"key": "file:/etc/shadow"}, ["service.key SP4423"]),
        ({"certificate": "env:TENANT_BETA__EID"}, ["service.certificate SP4423"]),
        ({"trusted": "", "authorities": "x"}, ["service.trusted SP4423", "service.authorities SP4423"]),
    ],
)
def test_the_service(codes: Callable[..., list[str]], changed: Any, said: list[str]) -> None:
    assert codes(**changed) == said


def test_readers_and_a_form_want_a_service(codes: Callable[..., list[str]]) -> None:
    assert codes(service=()) == ["service SP4426"]
