"""Receipts over HTTP: only what is proven counts, each once, and nobody learns anything from the answer."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from httpx import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.ids import new_id
from servicepunkt.core.notices import provider_store, service, store
from servicepunkt.core.notices.model import Notice
from servicepunkt.core.notices.provider_store import Attempt
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, make_tenant
from servicepunkt.web.notices import model

if TYPE_CHECKING:
    from conftest import Town, Visit

SECRET = "a secret of thirty-two characters"
NOW = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)
PUBLIC = "http://127.0.0.1:8600/t/alpha"
PATH = "/api/v1/notices/receipts/"


@pytest.fixture
async def alpha(here: Town, urls: Urls) -> TenantContext:
    """A town with a provider of each profile that answers."""
    folder = here.deployment.settings.home / "secrets" / "alpha"
    folder.mkdir(parents=True)
    (folder / "receipts").write_text(SECRET)
    (folder / "weak").write_text("short")

    def provider(name: str, profile: str, **more: str) -> dict[str, Any]:
        made = {"name": name, "protocol": "rest", "profile": profile, "sender": "STADT", "key": "file:receipts"}
        return made | {"url": "https://sms.example.org/", "receipts": "file:receipts"} | more

    providers = [
        provider("generic", "generic"),
        provider("seven", "seven"),
        provider("lox24", "lox24"),
        provider("weak", "generic", receipts="file:weak"),
        provider("gone", "generic", receipts="file:gone"),
        provider("mute", "generic", receipts=""),
    ]
    names = [each["name"] for each in providers]
    return await make_tenant(
        here.deployment, urls.owner, "alpha", settings={"notices": {"sms": names, "provider": providers}}
    )


@pytest.fixture
def sent(here: Town, alpha: TenantContext) -> Callable[..., Awaitable[Notice]]:
    """Makes a notice that a provider has accepted under a reference."""

    async def make(provider: str, reference: str = "m-1") -> Notice:
        deployment = here.deployment
        async with deployment.database.tenant(alpha) as tx:
            at = deployment.clock.now()
            notice = await service.create(
                tx, deployment.keyring, at=at, case=uuid4(), kind="sms", recipient="+4915112345678",
                template="x", locale="de", params={},
            )  # fmt: skip
            await store.update(tx, notice.id, at=at, state="sent", provider=provider, reference=reference, sent_at=at)
            await provider_store.add_attempt(
                tx,
                Attempt(
                    id=new_id(), notice=notice.id, provider=provider, at=at, outcome="accepted", answers=True,
                    reference=reference,
                ),
            )  # fmt: skip
        return notice

    return make


async def state(here: Town, ctx: TenantContext, notice: Notice) -> str:
    async with here.deployment.database.tenant(ctx) as tx:
        found = await store.find(tx, notice.id)
    assert found is not None
    return found.state


def signed(body: bytes, at: datetime = NOW, key: str = SECRET) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    signature = hmac.new(key.encode(), f"{timestamp}.".encode() + body, "sha256").hexdigest()
    return {"X-Timestamp": timestamp, "X-Signature": f"sha256={signature}", "Content-Type": "application/json"}


def signed_by_seven(body: bytes, url: str) -> dict[str, str]:
    timestamp, nonce = str(int(NOW.timestamp())), "fpPRhAd1s8GXacfR39mWqKPynmmXfJnc"
    text = "\n".join((timestamp, nonce, "POST", url, hashlib.md5(body).hexdigest()))
    signature = hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()
    return {"X-Timestamp": timestamp, "X-Nonce": nonce, "X-Signature": signature, "Content-Type": "application/json"}


def generic(reference: str = "m-1", status: str = "delivered") -> bytes:
    return json.dumps({"id": reference, "status": status}).encode()


async def post(visit: Visit, path: str, body: bytes, headers: dict[str, str] | None = None) -> Response:
    headers = headers or {"Content-Type": "application/json"}
    return await visit.client.post(f"/t/alpha{PATH}{path}", content=body, headers=headers)


async def test_a_signed_receipt_counts_once(here: Town, visit: Visit, alpha: TenantContext, sent: Any) -> None:
    notice = await sent("generic")
    body = generic()
    for _ in range(3):
        assert (await post(visit, "generic", body, signed(body))).status_code == 204
    assert await state(here, alpha, notice) == "delivered"
    later = generic(status="permanent-failure")
    assert (await post(visit, "generic", later, signed(later))).status_code == 204
    assert await state(here, alpha, notice) == "delivered"


async def test_seven_signs_the_address_that_it_was_given(
    here: Town, visit: Visit, alpha: TenantContext, sent: Any
) -> None:
    notice = await sent("seven", "77149843739")
    body = json.dumps(
        {"data": {"msg_id": "77149843739", "status": "NOTDELIVERED", "timestamp": "2021-08-24 08:08:00"},
         "webhook_event": "dlr", "webhook_timestamp": "2021-08-24T08:08:00+02:00"}
    ).encode()  # fmt: skip
    elsewhere = signed_by_seven(body, "https://other.example.org/")
    assert (await post(visit, "seven", body, elsewhere)).status_code == 403
    assert (await post(visit, "seven", body, signed_by_seven(body, f"{PUBLIC}{PATH}seven"))).status_code == 204
    assert await state(here, alpha, notice) == "permanent-failure"


async def test_a_provider_that_signs_nothing_shows_a_token(
    here: Town, visit: Visit, alpha: TenantContext, sent: Any
) -> None:
    notice = await sent("lox24", "d6c12ac4")
    body = json.dumps({"name": "sms.delivery", "data": {"id": "d6c12ac4", "dlr_code": 8}}).encode()
    for token in ("", "/wrong", f"/{SECRET}x", "/%C3%A4"):
        assert (await post(visit, f"lox24{token}", body)).status_code == 403
    assert await state(here, alpha, notice) == "sent"
    assert (await post(visit, f"lox24/{SECRET}", body)).status_code == 204
    assert await state(here, alpha, notice) == "temporary-failure"


@pytest.mark.parametrize("provider", ["generic", "nobody", "mute", "weak", "gone", "phone"])
async def test_what_is_not_proven_gets_one_answer(visit: Visit, alpha: TenantContext, provider: str) -> None:
    body = generic()
    key = {"weak": "short", "generic": "another key"}.get(provider, SECRET)
    answer = await post(visit, provider, body, signed(body, key=key))
    assert answer.status_code == 403
    assert answer.json()["code"] == "SP0004"
    assert provider not in answer.text


@pytest.mark.parametrize("seconds", [-301, 301, -86400, 10**9])
async def test_a_signature_has_its_time(visit: Visit, alpha: TenantContext, clock: FixedClock, seconds: int) -> None:
    body = generic()
    clock.forward(seconds=seconds)
    assert (await post(visit, "generic", body, signed(body))).status_code == 403
    clock.forward(seconds=-seconds)
    assert (await post(visit, "generic", body, signed(body))).status_code == 204


async def test_a_message_that_is_not_known_gets_the_answer_of_one_that_is(
    visit: Visit, alpha: TenantContext, sent: Any
) -> None:
    await sent("generic")
    known, unknown = generic(), generic("m-2")
    answers = [await post(visit, "generic", body, signed(body)) for body in (known, unknown)]
    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"[" * 20000, b'{"id": 1}', b'{"id": "a\\u0000", "status": "sent"}', b"\xff\xfe"],
    ids=repr,
)
async def test_what_is_no_receipt_is_refused_without_repeating_it(
    visit: Visit, alpha: TenantContext, body: bytes
) -> None:
    body = body[:16000]
    answer = await post(visit, "generic", body, signed(body))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"place": "", "message": "This is no receipt of this provider."}]


async def test_a_body_has_its_limit(visit: Visit, alpha: TenantContext) -> None:
    body = b" " * 20000 + generic()
    assert (await post(visit, "generic", body, signed(body))).status_code == 413


async def test_another_town_has_no_such_provider(visit: Visit, alpha: TenantContext) -> None:
    body = generic()
    answer = await visit.client.post(f"/t/beta{PATH}generic", content=body, headers=signed(body))
    assert answer.status_code == 403


HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["x-timestamp", "x-signature", "x-nonce"]), HEADER), st.binary(max_size=40))
def test_no_headers_prove_anything_by_chance(headers: dict[str, str], body: bytes) -> None:
    key = SECRET.encode()
    assert not model.proven_by_hmac(headers, body, key=key, now=NOW)
    assert not model.proven_by_seven(headers, body, key=key, now=NOW, url=PUBLIC)
    assert not model.proven_by_token(headers.get("x-nonce", ""), key=key)
