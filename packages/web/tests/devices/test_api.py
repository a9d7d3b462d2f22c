"""What devices call: enrolment and heartbeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from servicepunkt.web.devices import model, store

if TYPE_CHECKING:
    from conftest import Town, Visit

ENROL = "/t/alpha/api/v1/devices/enrol"
BEAT = "/t/alpha/api/v1/devices/heartbeat"
KEY = "ab" * 32


async def enrol_box(here: Town, visit: Visit) -> dict[str, Any]:
    body = {"code": await here.code(here.alpha, kind="box", target="box-1"), "kind": "box", "public_key": KEY}
    answer = await visit.client.post(ENROL, json={**body, "info": {"version": "0.1.0"}})
    assert answer.status_code == 200
    return answer.json()


async def test_a_box_gets_a_token_and_says_that_it_is_alive(here: Town, visit: Visit) -> None:
    found = await enrol_box(here, visit)
    assert set(found) == {"token", "tenant", "device", "target"}
    assert (found["tenant"], found["target"]) == ("alpha", "box-1")
    bearer = {"authorization": f"Bearer {found['token']}"}
    assert (await visit.client.post(BEAT, json={"info": {"version": "0.2.0"}}, headers=bearer)).status_code == 204
    async with here.deployment.database.tenant(here.alpha) as tx:
        device = await store.by_id(tx, model.parts_of_token(found["token"])[0])
    assert device.info == {"version": "0.2.0"}
    assert device.public_key == bytes.fromhex(KEY)


async def test_the_token_alone_says_which_town(here: Town, visit: Visit) -> None:
    found = await enrol_box(here, visit)
    bearer = {"authorization": f"Bearer {found['token']}"}
    assert (await visit.client.post("/api/v1/devices/heartbeat", json={}, headers=bearer)).status_code == 204
    other = await visit.client.post("/t/beta/api/v1/devices/heartbeat", json={}, headers=bearer)
    assert other.status_code == 404


@pytest.mark.parametrize("token", ["", "x", "1.2.3", "1." + "0" * 32 + "." + "0" * 64])
async def test_a_wrong_token_is_refused(visit: Visit, token: str) -> None:
    answer = await visit.client.post(BEAT, json={}, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "SP7003"


async def test_a_terminals_cookie_is_no_bearer_token_for_the_box_api(here: Town, visit: Visit) -> None:
    await visit.become_terminal(here.alpha)
    assert (await visit.client.post(BEAT, json={})).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "terminal"},
        {"public_key": None},
        {"code": "ABCDEFGH"},
    ],
)
async def test_what_is_wrong_about_a_code_is_not_told(here: Town, visit: Visit, change: dict[str, Any]) -> None:
    body = {"code": await here.code(here.alpha, kind="box"), "kind": "box", "public_key": KEY, **change}
    answer = await visit.client.post(ENROL, json=body)
    assert (answer.status_code, answer.json()["title"]) == (403, "Dieses Gerät ist nicht angemeldet.")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "A", "kind": "box", "more": 1},
        {"code": 1, "kind": "box"},
        {"code": "A", "kind": "box", "public_key": "xyz"},
        {"code": "A", "kind": "box", "info": {"a": 1}},
        {"code": "A", "kind": "box", "info": {str(n): "x" for n in range(21)}},
        {"code": "A", "kind": "box", "info": {"a": "\0"}},
        {"code": "A" * 41, "kind": "box"},
        [],
        None,
        "text",
    ],
)
async def test_a_body_that_does_not_fit_is_refused_whole(visit: Visit, body: Any) -> None:
    answer = await visit.client.post(ENROL, json=body)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 5000, b'{"code": "\\ud800", "kind": "box"}'])
async def test_a_body_that_cannot_be_read_is_refused(visit: Visit, content: bytes) -> None:
    answer = await visit.client.post(ENROL, content=content, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_is_too_large_is_refused(here: Town, visit: Visit) -> None:
    answer = await visit.client.post(ENROL, json={"code": "A" * 300_000, "kind": "box"})
    assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "nonsense"])
async def test_another_content_type_is_no_fault_of_ours(visit: Visit, kind: str) -> None:
    answer = await visit.client.post(ENROL, content=b"code=A&kind=box", headers={"content-type": kind})
    assert 400 <= answer.status_code < 500
