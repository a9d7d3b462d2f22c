"""The client of an eID service: sessions, polling, numbers of questions, signatures, and answers that lie."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from servicepunkt.eid.errors import CryptoError, EidError, MalformedError
from servicepunkt.eid.model import Answers, Attributes, Level, PartialDate, Place
from servicepunkt.eid.service import soap
from servicepunkt.eid.service.client import EidService, ServiceSettings
from servicepunkt.eid.service.model import (
    BusyError,
    DocumentRefusedError,
    NotYetError,
    RightsError,
    ServiceError,
    SessionGoneError,
    UnreachableError,
    UseId,
)
from servicepunkt.eid.service.soap import Signer
from servicepunkt.eid.testing.eid_server import EidServer

WANTED = UseId(
    operations={
        "GivenNames": "REQUIRED", "FamilyNames": "REQUIRED", "DateOfBirth": "REQUIRED", "PlaceOfResidence": "ALLOWED",
        "PlaceOfBirth": "ALLOWED", "DateOfExpiry": "ALLOWED", "RestrictedID": "ALLOWED", "AgeVerification": "REQUIRED",
        "PlaceVerification": "REQUIRED",
    },
    age=18,
    community="02760611",
)  # fmt: skip
ERIKA = Attributes(
    given_names="ERIKA",
    family_names="MUSTERMANN",
    birth_name="GABLER",
    date_of_birth=PartialDate(1964, 8),
    place_of_birth=Place(free="BERLIN"),
    address=Place(street="HEIDESTRASSE 17", city="KÖLN", country="D", zip_code="51147"),
    valid_until=date(2031, 10, 31),
    pseudonym=bytes(range(32)),
)


class Pauses:
    """Waits without waiting, and does something meanwhile."""

    def __init__(self) -> None:
        self.count = 0
        self.after: dict[int, Callable[[], None]] = {}

    async def __call__(self, seconds: float) -> None:
        self.count += 1
        self.after.pop(self.count, lambda: None)()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def client(server: EidServer, town: Signer, service: Signer, clock: Any, pauses: Pauses) -> Any:
    settings = ServiceSettings(
        url="https://service.invalid/eid", tls=ssl.create_default_context(), signer=town, trusted=service.certificate
    )
    made = EidService(settings, now=clock, pause=pauses)
    await made._http.aclose()

    async def answer(request: httpx.Request) -> httpx.Response:
        status, body = server.answer(request.content)
        return httpx.Response(status, content=body)

    made._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with made:
        yield made


async def test_a_person_is_identified(client: EidService, server: EidServer, pauses: Pauses, clock: Any) -> None:
    session = await client.open(WANTED)
    pauses.after[3] = lambda: server.finish(session.id, ERIKA, Answers(old_enough=True, lives_there=False))
    found = await client.result(session)
    assert pauses.count == 3
    expected = {name: getattr(ERIKA, name) for name in ERIKA.held() if name != "birth_name"}
    assert {name: getattr(found.attributes, name) for name in found.attributes.held()} == expected
    assert found.answers == Answers(old_enough=True, lives_there=False)
    assert found.allowed["BirthName"] == "PROHIBITED"
    identity = found.identity(session, clock())
    assert (identity.origin, identity.level, identity.proof) == ("card", Level.HIGH, session.id)
    for said in (repr(found), repr(identity), repr(session)):
        assert "ERIKA" not in said
        assert session.psk.hex() not in said


async def test_a_result_is_given_out_once(client: EidService, server: EidServer) -> None:
    session = await client.open(WANTED)
    server.finish(session.id, ERIKA)
    await client.ask(session)
    with pytest.raises(SessionGoneError):
        await client.ask(session)


async def test_numbers_go_up_even_when_an_answer_is_lost(client: EidService, server: EidServer) -> None:
    session = await client.open(WANTED)
    with pytest.raises(NotYetError):
        await client.ask(session)

    async def lost(request: httpx.Request) -> httpx.Response:
        server.answer(request.content)
        raise httpx.ReadTimeout("the answer was lost")

    working, client._http = client._http, httpx.AsyncClient(transport=httpx.MockTransport(lost))
    with pytest.raises(UnreachableError):
        await client.ask(session)
    await client._http.aclose()
    client._http = working
    server.finish(session.id, ERIKA)
    assert (await client.ask(session)).attributes.given_names == "ERIKA"


async def test_who_never_finishes_is_not_waited_for_for_ever(client: EidService, pauses: Pauses) -> None:
    session = await client.open(WANTED)
    with pytest.raises(NotYetError):
        await client.result(session, seconds=20)
    assert pauses.count == 10


@pytest.mark.parametrize(
    ("minor", "kind"),
    [
        ("/getResult#deniedDocument", DocumentRefusedError),
        ("/getResult#invalidDocument", DocumentRefusedError),
        ("/getResult#invalidSession", SessionGoneError),
        ("/common#internalError", ServiceError),
        ("/something#new", ServiceError),
    ],
)
async def test_refusals_of_the_service(
    client: EidService, server: EidServer, minor: str, kind: type[ServiceError]
) -> None:
    session = await client.open(WANTED)
    server.refuse(session.id, minor)
    with pytest.raises(kind) as caught:
        await client.ask(session)
    assert type(caught.value) is kind
    assert client._counters == {}, "nothing is kept of a session that has ended"


async def test_what_the_towns_certificate_does_not_allow(client: EidService, server: EidServer) -> None:
    server.denied = frozenset(["PlaceOfBirth"])
    with pytest.raises(RightsError):
        await client.open(WANTED)


async def test_too_many_sessions(client: EidService, server: EidServer) -> None:
    for _ in range(100):
        await client.open(WANTED)
    with pytest.raises(BusyError):
        await client.open(WANTED)


async def test_an_answer_that_somebody_else_signed_is_refused(
    client: EidService, server: EidServer, stranger: Signer
) -> None:
    server._signer = stranger
    with pytest.raises(CryptoError):
        await client.open(WANTED)


async def test_an_answer_of_yesterday_is_refused(client: EidService, server: EidServer, clock: Any) -> None:
    server._now = lambda: clock() - timedelta(minutes=20)
    clock_of_client = client._now
    client._now = lambda: clock() - timedelta(minutes=20)  # what is asked is fresh for the server
    request = soap.signed(soap.use_id(WANTED), client._settings.signer, client._now())
    _, answer = server.answer(request)
    client._now = clock_of_client
    with pytest.raises(CryptoError, match="of now"):
        soap.verified(answer, client._settings.trusted, clock())


@pytest.mark.parametrize("old", [b"ERIKA", b"MUSTERMANN", b"true", b"ALLOWED", b"1964", b"hoch", b"resultmajor#ok"])
async def test_every_change_on_the_way_is_noticed(
    client: EidService, server: EidServer, old: bytes, clock: Any
) -> None:
    session = await client.open(WANTED)
    server.finish(session.id, ERIKA, Answers(old_enough=True, lives_there=True))
    request = soap.signed(soap.get_result(session.id, 1), client._settings.signer, clock())
    _, answer = server.answer(request)
    assert old in answer
    soap.verified(answer, client._settings.trusted, clock())
    with pytest.raises(CryptoError):
        soap.verified(answer.replace(old, old[:-1] + b"x", 1), client._settings.trusted, clock())


async def test_a_second_body_is_never_read(client: EidService, server: EidServer, clock: Any) -> None:
    """Signature wrapping: what is signed is put aside, and another body stands where it was."""
    session = await client.open(WANTED)
    server.finish(session.id, ERIKA)
    _, answer = server.answer(soap.signed(soap.get_result(session.id, 1), client._settings.signer, clock()))
    root = etree.fromstring(answer)
    body = root.find("s:Body", soap.NAMES)
    assert body is not None
    forged = etree.fromstring(etree.tostring(body).replace(b"ERIKA", b"MALLORY"))
    forged.set(soap._ID, "other")
    root.replace(body, forged)
    header = root.find("s:Header", soap.NAMES)
    assert header is not None
    etree.SubElement(header, "aside").append(body)
    read = soap.result(soap.verified(etree.tostring(root), client._settings.trusted, clock()))
    assert read.attributes.given_names == "ERIKA", "what was signed counts, wherever it stands"
    forged.set(soap._ID, "body")
    with pytest.raises(EidError):
        soap.verified(etree.tostring(root), client._settings.trusted, clock())


def change(path: str, text: str | None) -> Callable[[etree._Element], None]:
    def fault(message: etree._Element) -> None:
        for one in message.iterfind(path, soap.NAMES):
            one.text = text

    return fault


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("eid:PersonalData/eid:DateOfBirth/eid:DateString", "19641399"),
        ("eid:PersonalData/eid:DateOfExpiry", "soon"),
        ("eid:PersonalData/eid:RestrictedID/eid:ID", "xyz"),
        ("eid:PersonalData/eid:GivenNames", "x" * 5000),
        ("eid:FulfilsAgeVerification/eid:FulfilsRequest", "maybe"),
        ("eid:LevelOfAssuranceResult", "http://bsi.bund.de/eID/LoA/sehr-hoch"),
        ("dss:Result/dss:ResultMajor", None),
    ],
)
async def test_answers_that_make_no_sense(client: EidService, server: EidServer, path: str, text: str | None) -> None:
    session = await client.open(WANTED)
    server.finish(session.id, ERIKA, Answers(old_enough=True))
    server.fault = change(path, text)
    with pytest.raises(MalformedError):
        await client.ask(session)


@pytest.mark.parametrize("status", [301, 400, 404, 503])
async def test_what_is_no_answer_of_a_service(client: EidService, status: int) -> None:
    await client._http.aclose()
    client._http = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(status)))
    with pytest.raises(UnreachableError):
        await client.open(WANTED)


async def test_an_answer_without_end_is_cut_off(client: EidService) -> None:
    await client._http.aclose()
    client._http = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda request: httpx.Response(200, content=bytes(soap.MOST_BYTES + 1)))
    )
    with pytest.raises(MalformedError, match="long"):
        await client.open(WANTED)


@pytest.mark.parametrize(
    "wanted",
    [
        {"operations": {"Shoesize": "REQUIRED"}},
        {"operations": {"AgeVerification": "REQUIRED"}},
        {"operations": {}, "age": 18},
        {"operations": {"AgeVerification": "ALLOWED"}, "age": 200},
        {"operations": {"PlaceVerification": "ALLOWED"}, "community": "Kiel"},
    ],
)
def test_questions_that_nobody_can_answer(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="operation"):
        UseId(**wanted)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">&x;</s:Envelope>',
        b'<!DOCTYPE s:Envelope SYSTEM "file:///etc/passwd"><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>',
        b"<a>" * 10_000,
    ],
)
def test_other_xml_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        soap.parse(data)


@given(st.binary(max_size=500))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(EidError):
        soap.parse(data)
