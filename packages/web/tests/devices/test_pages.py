"""Enrolling a terminal in its browser; the devices that staff see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.testing import FixedClock
from servicepunkt.web.devices import model, service, store

if TYPE_CHECKING:
    from conftest import Town, Visit

ENROL = "/t/alpha/device/enrol"


async def test_a_code_makes_a_browser_a_terminal(here: Town, visit: Visit) -> None:
    code = await here.code(here.alpha)
    assert f'value="{code}"' in (await visit.get(f"{ENROL}?code={code}")).text, "scanned, so it stands there already"
    answer = await visit.submit(ENROL, ENROL, code=f" {code[:4].lower()}-{code[4:]} ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/alpha/k")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie, "the box's own pages lead back to the terminal"
    assert "path=/t/alpha" in cookie
    assert int(re.search(r"max-age=(\d+)", cookie)[1]) > 300 * 24 * 3600
    assert "secure" not in cookie, "this deployment says so for loopback"
    assert (await visit.get("/t/alpha/k")).status_code == 200


async def test_cookies_are_secure_unless_switched_off(here: Town, visit: Visit) -> None:
    import msgspec

    here.deployment.settings = msgspec.structs.replace(here.deployment.settings, secure_cookies=True)
    answer = await visit.submit(ENROL, ENROL, code=await here.code(here.alpha))
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("wrong", ["used", "unknown", "expired", "box", "other town"])
async def test_wrong_codes_get_the_same_words(here: Town, visit: Visit, clock: FixedClock, wrong: str) -> None:
    ctx = here.beta if wrong == "other town" else here.alpha
    code = await here.code(ctx, kind="box" if wrong == "box" else "terminal")
    if wrong == "used":
        await visit.submit(ENROL, ENROL, code=code)
    if wrong == "expired":
        clock.forward(hours=2)
    answer = await visit.submit(ENROL, ENROL, code="ABCDEFGH" if wrong == "unknown" else code)
    assert answer.status_code == 403
    assert "Dieses Gerät ist nicht angemeldet." in answer.text
    assert "set-cookie" not in answer.headers


async def test_attempts_are_limited_for_an_address_and_a_town(here: Town, visit: Visit, clock: FixedClock) -> None:
    for _ in range(20):
        assert (await visit.submit(ENROL, ENROL, code="ABCDEFGH")).status_code == 403
    code = await here.code(here.alpha)
    assert (await visit.submit(ENROL, ENROL, code=code)).status_code == 429
    api = {"code": code, "kind": "terminal"}
    assert (await visit.client.post("/t/alpha/api/v1/devices/enrol", json=api)).status_code == 429
    assert (await visit.submit("/t/beta/device/enrol", "/t/beta/device/enrol", code="ABCDEFGH")).status_code == 403
    clock.forward(minutes=1)
    assert (await visit.submit(ENROL, ENROL, code=code)).status_code == 303


async def test_staff_make_a_device_see_its_code_once_and_switch_it_off(here: Town, visit: Visit) -> None:
    await visit.sign_in()
    page = await visit.submit(
        "/t/alpha/staff/devices/new", "/t/alpha/staff/devices", kind="terminal", target="harbour", label="Am Eingang"
    )
    assert page.status_code == 200
    code = "".join(re.search(r'class="sp-code">(\w{4}) (\w{4})<', page.text).groups())
    assert "20:40 Uhr" in page.text, "the code lives for an hour"
    assert 'src="data:image/svg+xml' in page.text
    assert page.headers["cache-control"] == "no-store"
    listed = (await visit.get("/t/alpha/staff/devices")).text
    assert "Wartet auf seinen Code" in listed
    assert code not in listed

    async with here.client() as terminal:
        await terminal.submit(ENROL, ENROL, code=code)
        assert (await terminal.get("/t/alpha/k")).status_code == 200
        assert "Gesehen: 19:40 Uhr" in (await visit.get("/t/alpha/staff/devices")).text
        (path,) = re.findall(
            r'href="(/t/alpha/staff/devices/[0-9a-f-]+/revoke)"', (await visit.get("/t/alpha/staff/devices")).text
        )
        assert "Am Eingang abschalten?" in (await visit.get(path)).text
        answer = await visit.submit(path, path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/t/alpha/staff/devices")
        assert (await terminal.get("/t/alpha/k")).status_code == 403
    assert "Abgeschaltet" in (await visit.get("/t/alpha/staff/devices")).text


async def test_the_address_to_enrol_at_is_the_towns_own(here: Town) -> None:
    for base, address in (
        ("http://points.example.org", "http://127.0.0.1:8600/t/alpha/device/enrol"),
        ("http://alpha.example.org", "http://alpha.example.org:8600/device/enrol"),
    ):
        prefix = "/t/alpha" if "points" in base else ""
        async with here.client(base_url=base) as staff:
            await staff.sign_in(prefix=prefix)
            form = {"kind": "terminal", "target": "harbour", "label": "x"}
            page = await staff.submit(f"{prefix}/staff/devices/new", f"{prefix}/staff/devices", **form)
            assert address in page.text


async def test_a_device_that_is_silent_is_missing(here: Town, visit: Visit, clock: FixedClock) -> None:
    await here.terminal_token(here.alpha)
    await visit.sign_in()
    clock.forward(minutes=3)
    assert "Meldet sich nicht seit 19:40 Uhr" in (await visit.get("/t/alpha/staff/devices")).text
    clock.forward(minutes=20)
    assert "Meldet sich nicht seit 19:40 Uhr" in (await visit.get("/t/alpha/staff")).text


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": "terminal", "target": "nowhere", "label": "x"}, "Diesen Standort gibt es im Katalog nicht."),
        ({"kind": "toaster", "target": "harbour", "label": "x"}, "Diese Art von Gerät gibt es nicht."),
        ({"kind": "box", "target": "", "label": ""}, "Geben Sie dem Gerät einen Namen mit höchstens 100 Zeichen."),
        (
            {"kind": "box", "target": "a", "label": "b" * 101},
            "Geben Sie dem Gerät einen Namen mit höchstens 100 Zeichen.",
        ),
        ({"kind": "box", "target": "a", "label": "b", "state": "active"}, "Das Formular enthält etwas, das dort nicht"),
    ],
)
async def test_a_wrong_device_form_keeps_what_was_typed(visit: Visit, values: dict[str, str], sentence: str) -> None:
    await visit.sign_in()
    answer = await visit.submit("/t/alpha/staff/devices/new", "/t/alpha/staff/devices", **values)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'role="alert"' in answer.text
    assert f'value="{values["label"]}"' in answer.text
    assert "Es gibt noch keine Geräte." in (await visit.get("/t/alpha/staff/devices")).text


async def test_a_device_of_another_town_cannot_be_switched_off(here: Town, visit: Visit) -> None:
    token = await here.terminal_token(here.beta)
    device = model.parts_of_token(token)[0]
    await visit.sign_in()
    for name in (device, uuid4()):
        path = f"/t/alpha/staff/devices/{name}/revoke"
        assert (await visit.get(path)).status_code == 404
        assert (await visit.submit("/t/alpha/staff/devices/new", path)).status_code == 404
    async with here.deployment.database.tenant(here.beta) as tx:
        assert (await store.by_id(tx, device)).state == "active"


async def test_devices_are_for_those_who_manage_them(here: Town) -> None:
    async with here.client() as staff:
        await staff.sign_in("guide")
        assert (await staff.get("/t/alpha/staff/devices")).status_code == 403
        assert "/staff/devices" not in (await staff.get("/t/alpha/staff")).text


async def test_a_device_that_waits_gets_a_new_code_and_its_old_one_is_void(here: Town, visit: Visit) -> None:
    wanted = {"kind": "terminal", "target": "harbour", "label": "terminal at the door"}
    assert await service.waiting(here.deployment, here.alpha, **wanted) is None
    old = await here.code(here.alpha)
    waiting = await service.waiting(here.deployment, here.alpha, **wanted)
    assert waiting is not None
    new = await service.renew(here.deployment, here.alpha, actor="test", device_id=waiting.id)
    assert (await visit.submit(ENROL, ENROL, code=old)).status_code == 403
    assert (await visit.submit(ENROL, ENROL, code=new)).status_code == 303
    assert await service.waiting(here.deployment, here.alpha, **wanted) is None
    for ctx, device_id in ((here.alpha, waiting.id), (here.beta, waiting.id), (here.alpha, uuid4())):
        with pytest.raises(NotFoundError):
            await service.renew(here.deployment, ctx, actor="test", device_id=device_id)
