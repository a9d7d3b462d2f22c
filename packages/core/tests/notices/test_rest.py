"""One adapter, several providers: what is sent, what an answer means. Against a real HTTP server on this computer."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.notices.channels.profiles import PROFILES, RestShape
from servicepunkt.core.notices.channels.rest import MAX_ANSWER, RestChannel, minutes_left, read_answer
from servicepunkt.core.notices.model import DeliveryError, Message
from servicepunkt.core.testing import FixedClock

if TYPE_CHECKING:
    from conftest import Gateway

CLOCK = FixedClock()
MESSAGE = Message("01a1", "+4915112345678", "Code 123456", until=CLOCK.now() + timedelta(hours=5))


def channel(gateway: Gateway, shape: RestShape | None = None, **values: Any) -> RestChannel:
    return RestChannel(
        name="north",
        url=gateway.url,
        shape=shape or RestShape(),
        sender="STADT",
        longest=timedelta(hours=48),
        now=CLOCK.now,
        read_key=lambda: "geheim",
        **values,
    )


async def test_the_generic_shape(north: Gateway) -> None:
    assert await channel(north).send(MESSAGE) == "north-1"
    assert north.kept == [
        {"to": MESSAGE.recipient, "text": MESSAGE.text, "from": "STADT", "reference": "01a1", "minutes": 300}
    ]
    assert north.headers_seen[0]["authorization"] == "Bearer geheim"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://127.0.0.1:99999/", "geheim"),
        ("https://a..b/", "geheim"),
        ("http://127.0.0.1:1/", "schlüssel"),
        ("http://127.0.0.1:1/", "a\r\nb"),
        ("http://[::1/", "geheim"),
    ],
)
async def test_what_cannot_be_asked_is_a_provider_that_does_not_answer(url: str, key: str) -> None:
    """Whatever httpx and what lies below it raise: another provider has to be asked."""
    made = RestChannel(
        name="north", url=url, shape=RestShape(), sender="STADT", longest=timedelta(1), now=CLOCK.now,
        read_key=lambda: key,
    )  # fmt: skip
    with pytest.raises(DeliveryError, match="does not answer") as caught:
        await made.send(MESSAGE)
    assert not caught.value.permanent
    assert key not in str(caught.value)


async def test_seven(north: Gateway) -> None:
    north.answer = json.dumps({"success": "100", "messages": [{"id": "77149843739"}]}).encode()
    assert await channel(north, PROFILES["seven"].shape).send(MESSAGE) == "77149843739"
    assert north.kept == [
        {"to": MESSAGE.recipient, "text": MESSAGE.text, "from": "STADT", "foreign_id": "01a1", "ttl": 300}
    ]
    assert north.headers_seen[0]["x-api-key"] == "geheim"
    for result, permanent in ((202, True), ("900", False), ("500", False), (None, False)):
        north.answer = json.dumps({"success": result}).encode()
        with pytest.raises(DeliveryError) as caught:
            await channel(north, PROFILES["seven"].shape).send(MESSAGE)
        assert caught.value.permanent is permanent, result


async def test_sipgate(north: Gateway) -> None:
    north.status, north.answer = 204, b""
    assert await channel(north, PROFILES["sipgate"].shape, user="token-1").send(MESSAGE) == "01a1"
    assert north.kept == [{"recipient": MESSAGE.recipient, "message": MESSAGE.text, "smsId": "STADT"}]
    assert north.headers_seen[0]["authorization"] == "Basic " + base64.b64encode(b"token-1:geheim").decode()


async def test_lox24(north: Gateway) -> None:
    north.status = 201
    north.answer = json.dumps({"uuid": "d6c12ac4-cc7d-11ec-b6da-525400bbb7dc", "status_code": 100}).encode()
    assert await channel(north, PROFILES["lox24"].shape).send(MESSAGE) == "d6c12ac4-cc7d-11ec-b6da-525400bbb7dc"
    assert north.kept[0]["phone"] == MESSAGE.recipient
    assert north.kept[0]["callback_data"] == "01a1"
    assert north.headers_seen[0]["x-lox24-auth-token"] == "geheim"


@pytest.mark.parametrize("encoding", ["form", "query"])
async def test_a_gateway_that_wants_fields(north: Gateway, encoding: str) -> None:
    shape = RestShape(
        method="GET" if encoding == "query" else "POST",
        encoding=encoding,  # type: ignore[arg-type]
        auth="fields",
        fields={"to": "to", "text": "text", "from": "from", "user": "username", "key": "password"},
        fixed={"charset": "UTF-8"},
        plus=False,
        id="",
    )
    assert await channel(north, shape, user="tester").send(MESSAGE) == "01a1"
    assert north.kept == [
        {
            "to": "4915112345678",
            "text": "Code 123456",
            "from": "STADT",
            "username": "tester",
            "password": "geheim",
            "charset": "UTF-8",
        }
    ]


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (422, True), (401, False), (402, False), (404, False), (429, False), (500, False), (302, False)],
)
async def test_only_what_blames_the_message_is_permanent(north: Gateway, status: int, permanent: bool) -> None:
    north.status = status
    with pytest.raises(DeliveryError, match=str(status)) as caught:
        await channel(north).send(MESSAGE)
    assert caught.value.permanent is permanent


async def test_a_gateway_that_breaks_off_or_is_gone_is_a_passing_failure(north: Gateway) -> None:
    north.broken = True
    for _ in range(2):
        with pytest.raises(DeliveryError, match="does not answer") as caught:
            await channel(north).send(MESSAGE)
        assert caught.value.permanent is False
        assert MESSAGE.recipient not in str(caught.value)
        assert caught.value.__cause__ is None
        north.shutdown()
        north.server_close()


async def test_an_answer_without_end_is_not_read(north: Gateway) -> None:
    north.answer = b"x" * (MAX_ANSWER + 1)
    with pytest.raises(DeliveryError, match="too long"):
        await channel(north).send(MESSAGE)


def test_a_message_is_tried_for_as_long_as_it_helps() -> None:
    now, longest = CLOCK.now(), timedelta(hours=48)
    assert minutes_left(None, now, longest) == 2880
    assert minutes_left(now + timedelta(days=14), now, longest) == 2880
    assert minutes_left(now + timedelta(hours=1), now, longest) == 60
    assert minutes_left(now - timedelta(hours=1), now, longest) == 1


@pytest.mark.parametrize("body", [b'{"id": ""}', b'{"id": "a b"}', b'{"id": null}', b"[]", b'{"id": true}', b"7"])
def test_an_accepted_message_without_a_usable_reference_keeps_ours(body: bytes) -> None:
    assert read_answer(RestShape(), 200, body, own="own") == "own"


@given(st.sampled_from([profile.shape for profile in PROFILES.values()]), st.integers(100, 599), st.binary(max_size=80))
def test_whatever_a_provider_answers_it_is_a_reference_or_a_delivery_error(
    shape: RestShape, status: int, body: bytes
) -> None:
    with suppress(DeliveryError):
        assert 0 < len(read_answer(shape, status, body, own="own")) <= 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "success", "messages", "uuid", "0"]), inner, max_size=3)
    ),
)


@given(st.sampled_from([profile.shape for profile in PROFILES.values()]), JSON)
def test_whatever_json_a_provider_answers_it_is_a_reference_or_a_delivery_error(shape: RestShape, said: Any) -> None:
    with suppress(DeliveryError):
        assert 0 < len(read_answer(shape, 200, json.dumps(said).encode(), own="own")) <= 200


# --- receipts -------------------------------------------------------------------------------------------------

SEVEN = {
    "data": {"msg_id": "77149843739", "status": "DELIVERED", "timestamp": "2021-08-24 08:08:00.000000"},
    "webhook_event": "dlr",
    "webhook_timestamp": "2021-08-24T08:08:00+02:00",
}
LOX24 = {
    "id": "a3cd6e19-8af2-498d-ad07-c7840f1b4ac8",
    "api_version": "2022-05-25",
    "name": "sms.delivery",
    "created_at": 1653378603,
    "attempt_total": 4,
    "attempt_number": 1,
    "data": {"id": "d6c12ac4", "key_id": 8207, "dlr_code": 1, "status_code": 100, "callback_data": "x"},
}


@pytest.mark.parametrize(
    ("profile", "posted", "reference", "outcome"),
    [
        ("seven", SEVEN, "77149843739", "delivered"),
        ("seven", SEVEN | {"data": {"msg_id": 5, "status": "EXPIRED"}}, "5", "temporary-failure"),
        ("seven", SEVEN | {"data": {"msg_id": "5", "status": "NOTDELIVERED"}}, "5", "permanent-failure"),
        ("seven", SEVEN | {"data": {"msg_id": "5", "status": "SOMETHING NEW"}}, "5", "sent"),
        ("lox24", LOX24, "d6c12ac4", "delivered"),
        ("lox24", LOX24 | {"data": {"id": "x", "dlr_code": 16}}, "x", "permanent-failure"),
        (
            "lox24",
            LOX24 | {"name": "sms.delivery.dryrun", "data": {"id": "x", "dlr_code": 8}},
            "x",
            "temporary-failure",
        ),
        ("generic", {"id": "north-1", "status": "permanent-failure"}, "north-1", "permanent-failure"),
    ],
)
def test_what_a_receipt_says(profile: str, posted: dict[str, Any], reference: str, outcome: str) -> None:
    kind = PROFILES[profile].receipts
    assert kind is not None
    receipt = msgspec.json.decode(json.dumps(posted).encode(), type=kind).receipt()
    assert (receipt.reference, receipt.outcome) == (reference, outcome)


@pytest.mark.parametrize(
    ("profile", "posted"),
    [
        ("seven", SEVEN | {"webhook_event": "sms_mo"}),
        ("seven", SEVEN | {"data": {"msg_id": "", "status": "DELIVERED"}}),
        ("seven", SEVEN | {"data": {"msg_id": "a\x00", "status": "DELIVERED"}}),
        ("lox24", LOX24 | {"data": {"id": "x", "dlr_code": 3}}),
        ("lox24", LOX24 | {"name": "sms.inbound"}),
        ("generic", {"id": "1", "status": "lost"}),
        ("generic", {"id": "1", "status": "sent", "extra": 1}),
        ("generic", {"id": "x" * 201, "status": "sent"}),
    ],
)
def test_what_is_no_receipt_is_refused(profile: str, posted: dict[str, Any]) -> None:
    kind = PROFILES[profile].receipts
    assert kind is not None
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(posted).encode(), type=kind)
