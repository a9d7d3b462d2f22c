"""DLDB as real exports are: numbers as text, keys in one string, links to nothing, an envelope that is wrong."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.formats import dldb
from servicepunkt.core.catalogue.formats.model import Change, Limits, Refused, SourceError, Upsert
from servicepunkt.core.catalogue.sources.importing import record_mistakes

LIMITS = Limits()
SERVICE: dict[str, Any] = {
    "id": "120686",
    "name": "Anmeldung",
    "description": "<p>Wer umzieht, <b>meldet</b> sich an.</p><script>x</script>",
    "meta": {"locale": "de", "keywords": "Umzug, , Wohnung"},
    "leika": "99115005104000, 99115005070000,12",
    "authorities": [{"id": 1, "name": "Stadt", "webinfo": "https://example.org"}],
    "locations": [
        {"location": "7", "appointment": {"allowed": True, "link": "https://example.org/t"}, "hint": False},
        {"location": "8", "hint": "Nur freitags"},
    ],
    "fees": "gebührenfrei",
    "forms": [{"name": "Formular", "link": "https://example.org/f"}, {"name": "x", "link": "javascript:alert(1)"}],
    "links": [{"name": "Formular", "link": "https://example.org/f"}],
    "requirements": [{"name": "Ausweis", "description": "<p>gültig</p>"}],
    "legal": [{"name": "§ 17 BMG", "link": "https://example.org/bmg"}, {"name": "MRG", "link": ""}],
    "combinable": [1, 2],
    "maxQuantity": "3",
}
LOCATION = {
    "id": 7,
    "name": "Bürgeramt (KVR-II/1)",
    "displayName": "Bürgeramt",
    "address": {"street": "Weg", "house_number": 1, "postal_code": 1067, "city": "Ort", "hint": False},
    "contact": {"phone": "030 115", "email": "a@example.org", "webinfo": "none"},
}


def read(services: Any, locations: Any = None, limits: Limits = LIMITS) -> list[Change]:
    given = {"services": services} | ({"locations": locations} if locations is not None else {})
    bodies = {name: json.dumps({"data": data, "meta": {"datacount": 99}}) for name, data in given.items()}
    return list(dldb.read({name: io.BytesIO(body.encode()) for name, body in bodies.items()}, limits))


def record(changes: list[Change], kind: str) -> dict[str, Any]:
    (found,) = [one.record for one in changes if isinstance(one, Upsert) and one.kind == kind]
    return found


def test_a_service_with_everything() -> None:
    changes = read([SERVICE], [LOCATION])
    service = record(changes, "services")
    assert service["description"] == {"de": "<p>Wer umzieht, <strong>meldet</strong> sich an.</p>"}
    assert service["leika"] == ["99115005104000", "99115005070000"]
    assert service["keywords"] == ["Umzug", "Wohnung"]
    assert service["links"] == [{"kind": "form", "url": "https://example.org/f", "name": {"de": "Formular"}}]
    assert service["documents"] == [{"text": {"de": "Ausweis"}, "when": {"de": "gültig"}}]
    assert service["legal_basis"] == [{"citation": "§ 17 BMG", "url": "https://example.org/bmg"}, "MRG"]
    assert service["fee"] == {"de": "gebührenfrei"}
    (upsert,) = [one for one in changes if isinstance(one, Upsert) and one.kind == "services"]
    assert upsert.notes == (
        "description: scripts were taken out",
        "'12' is no LeiKa key",
        "'javascript:alert(1)' is no address",
    )
    assert record(changes, "responsibilities") == {
        "service": "dldb-120686",
        "authority": "dldb-location-7",
        "role": "contact",
        "booking": "https://example.org/t",
    }
    (refused,) = [one for one in changes if isinstance(one, Refused)]
    assert (refused.place, refused.reason) == ("services: data[0]", "there is no location 8")
    assert all(not record_mistakes(one) for one in changes if isinstance(one, Upsert))


def test_a_location_is_somebody_to_ask() -> None:
    (found, *_) = [one.record for one in read([], [LOCATION]) if isinstance(one, Upsert)]
    assert (found["name"], found["phone"], found["website"]) == ("Bürgeramt", "030 115", "")
    assert found["address"] == {"street": "Weg 1", "postcode": "1067", "town": "Ort"}


def test_one_bad_record_is_one_bad_record() -> None:
    changes = read([{"id": "1"}, SERVICE | {"locations": []}, SERVICE | {"locations": []}, 7])
    assert [(one.place, one.kind) for one in changes if isinstance(one, Refused)] == [
        ("services: data[0]", "services"),
        ("services: data[2]", "services"),
        ("services: data[3]", "services"),
    ]
    assert record(changes, "services")["id"] == "dldb-120686"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": 7}', b"\xff\xfe{}", b'{"data": [' + b"[" * 100_000])
def test_a_file_that_is_none_is_refused_whole(body: bytes) -> None:
    with pytest.raises(SourceError, match="services: "):
        list(dldb.read({"services": io.BytesIO(body)}, LIMITS))


def test_a_file_in_another_encoding_is_refused_whole() -> None:
    body = json.dumps({"data": [SERVICE, {"id": 1, "name": "Größe"}]}, ensure_ascii=False).encode("latin-1")
    with pytest.raises(SourceError, match=r"services: .*utf-8"):
        list(dldb.read({"services": io.BytesIO(body)}, LIMITS))


def test_a_record_that_cannot_be_read_says_which_it_is() -> None:
    [service] = read([{**SERVICE, "name": None}])
    [location, *_] = read([], [{**LOCATION, "name": None}])
    assert isinstance(service, Refused)
    assert isinstance(location, Refused)
    assert (service.kind, service.id) == ("services", "dldb-120686")
    assert (location.kind, location.id) == ("partners", "dldb-location-7")


def test_nobody_is_sent_to_a_location_that_is_not_for_the_public() -> None:
    found = read([SERVICE], [{**LOCATION, "public": False}, {**LOCATION, "id": "8"}])
    assert [one.id for one in found if one.kind == "partners"] == ["dldb-location-8", "dldb-authority-1"]
    assert [one.record["authority"] for one in found if isinstance(one, Upsert) and one.kind == "responsibilities"] == [
        "dldb-location-8"
    ]
    assert not [one for one in found if isinstance(one, Refused)]


def test_limits_hold() -> None:
    with pytest.raises(SourceError, match="more than 10 bytes"):
        read([SERVICE], limits=Limits(bytes=10))
    with pytest.raises(SourceError, match="more than 1 records"):
        read([SERVICE, SERVICE], limits=Limits(records=1))


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_a_spoilt_file_never_does_anything_else(noise: bytes, at: int) -> None:
    body = json.dumps({"data": [SERVICE]}).encode()
    spoilt = body[: at % len(body)] + noise + body[at % len(body) + len(noise) :]
    try:
        for one in dldb.read({"services": io.BytesIO(spoilt)}, LIMITS):
            assert not isinstance(one, Upsert) or isinstance(record_mistakes(one), list)
    except SourceError:
        pass
