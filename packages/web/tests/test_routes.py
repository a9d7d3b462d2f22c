"""Every route has a rule; every answer has its headers; nothing that is sent breaks a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from litestar._parsers import parse_url_encoded_form_data
from litestar.handlers import HTTPRouteHandler

from servicepunkt.core.deployment import Deployment
from servicepunkt.web.app import create_litestar
from servicepunkt.web.settings import WebSettings

if TYPE_CHECKING:
    from conftest import Town, Visit


#: Through these people come in, or go.
DOORS = {
    *("/staff/sign-in", "/staff/sign-out", "/staff/first"),
    *("/staff/openid", "/staff/openid/return"),
    *("/staff/sign-in/passkey", "/staff/sign-in/passkey/begin"),
    "/staff/switch",
}
PLACES = {"uuid": "0" * 32, "int": "1", "str": "x"}


def handlers(deployment: Deployment) -> list[tuple[str, HTTPRouteHandler]]:
    app = create_litestar(deployment)
    return [
        (route.path, handler)
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if isinstance(handler, HTTPRouteHandler)
    ]


async def test_every_handler_states_its_rule(deployment: Deployment) -> None:
    found = handlers(deployment)
    assert len(found) > 25
    for path, handler in found:
        rules = [rule for guard in handler.resolve_guards() if (rule := getattr(guard, "rule", ""))]
        public = handler.opt.get("public") is True
        automatic = handler.http_methods == {"OPTIONS"}
        assert automatic or bool(rules) != public, f"{path} says {rules or 'nothing'}, public: {public}"


async def test_staff_and_terminal_pages_are_never_public(deployment: Deployment) -> None:
    for path, handler in handlers(deployment):
        if path.startswith(("/k", "/staff")) and path not in DOORS:
            assert not handler.opt.get("public"), path


async def test_whatever_changes_something_asks_for_the_forms_token(here: Town, terminal: Visit) -> None:
    await terminal.sign_in()
    checked = 0
    for path, handler in handlers(here.deployment):
        if "POST" not in handler.http_methods or handler.opt.get("exclude_from_csrf"):
            continue
        address = "/t/alpha" + re.sub(r"{\w+:(\w+)}", lambda place: PLACES[place[1]], path)
        for token in ({}, {"_csrf_token": "x" * 128}, {"_csrf_token": "ä" * 128}):
            answer = await terminal.client.post(address, data=token)
            assert answer.status_code == 403, (path, token)
            assert "Dieses Formular gilt nicht mehr." in answer.text
            checked += 1
    assert checked >= 30


async def test_only_the_api_does_without_the_forms_token(deployment: Deployment) -> None:
    for path, handler in handlers(deployment):
        if handler.opt.get("exclude_from_csrf") and "POST" in handler.http_methods:
            # Who arrives from another tenant's page has a ticket in the place of a token.
            assert path.startswith("/api/") or path == "/staff/switch", path


@pytest.mark.parametrize("path", ["/t/alpha/", "/t/alpha/none", "/t/none/", "/static/web/base.css", "/health/live"])
async def test_every_answer_carries_the_headers(visit: Visit, path: str) -> None:
    headers = (await visit.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert ("no-store" in headers["cache-control"]) != path.startswith("/static/")


async def test_no_page_has_inline_styles_scripts_or_foreign_addresses(here: Town, terminal: Visit) -> None:
    await terminal.sign_in()
    for path in ("", "/theme/energy", "/service/card", "/k", "/k/service/card", "/k/help", "/device/enrol", "/staff"):
        text = (await terminal.get(f"/t/alpha{path}")).text
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text), path


async def test_a_town_that_does_not_exist_is_a_page_not_found(visit: Visit) -> None:
    for path in ("/t/none/", "/t/none/staff", "/t/", "/"):
        answer = await visit.get(path)
        assert answer.status_code == 404, path
        assert "Diese Seite gibt es nicht." in answer.text


async def test_a_plugin_that_a_town_has_not_enabled_does_not_exist_there(here: Town, urls: Any) -> None:
    from servicepunkt.core.testing import make_tenant

    await make_tenant(here.deployment, urls.owner, "gamma", plugins=[])
    async with here.client() as visit:
        for path in ("/", "/k", "/staff/sign-in", "/device/enrol"):
            assert (await visit.get(f"/t/gamma{path}")).status_code == 404
        answer = await visit.client.post("/t/gamma/api/v1/devices/enrol", json={"code": "A", "kind": "box"})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/staff/catalogue/services/%00",
            "/staff/catalogue/services/x%00y/edit?field=summary",
            "/staff/answers?q=%00",
        ),
        *(
            "/staff/catalogue?q=a%00b",
            "/staff?%00=1",
            "/k/service/%00",
            "/k/search?q=%00",
            "/service/a%00",
            "/search?q=%00",
        ),
        *("/api/v1/catalogue/services/%00", "/api/v1/catalogue?q=%00", "/none%00", "/t/%00/"),
    ],
)
async def test_an_address_with_a_nul_is_refused(here: Town, terminal: Visit, path: str) -> None:
    await terminal.sign_in("editor")
    answer = await terminal.client.get(f"/t/alpha{path}")
    assert answer.status_code in (400, 404), answer.text
    assert "SP0009" in answer.text or "SP0003" in answer.text
    if "/api/" in path:
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_text_that_says_percent_zero_zero_is_a_text(visit: Visit) -> None:
    assert (await visit.get("/t/alpha/search?q=%2500")).status_code == 200


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/language", "/view", "/device/enrol", "/staff/sign-in"])
@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", {}),
        (b"\xff\xfe\x00", FORM),
        (b"_csrf_token=%FF%FE&language=%00", FORM),
        (b"&&&===%%%", FORM),
        (b"_csrf_token=" + b"a" * 5000, FORM),
        (b"{}", {"content-type": "application/json"}),
        (b"x", {"content-type": "multipart/form-data"}),
        (b"x", {"content-type": "multipart/form-data; boundary=x"}),
        (b"--x\r\nbroken", {"content-type": "multipart/form-data; boundary=x"}),
        (
            b'--x\r\nContent-Disposition: form-data; name="_csrf_token"; filename="a"\r\n\r\nb\r\n--x--\r\n',
            {"content-type": "multipart/form-data; boundary=x"},
        ),
        (b"a=b", {"content-type": "text/plain; charset=nonsense"}),
    ],
)
async def test_broken_forms_are_refused_and_never_our_fault(
    visit: Visit, path: str, content: bytes, headers: dict[str, str]
) -> None:
    await visit.get("/t/alpha/")
    answer = await visit.client.post(f"/t/alpha{path}", content=content, headers=headers)
    assert 400 <= answer.status_code < 500


async def test_a_file_in_place_of_text_is_refused(visit: Visit) -> None:
    await visit.get("/t/alpha/")
    token = visit.client.cookies["sp_csrf"]
    answer = await visit.client.post(
        "/t/alpha/view", data={"_csrf_token": token}, files={"view": ("large", b"large", "text/plain")}
    )
    assert answer.status_code == 422


async def test_nothing_that_was_typed_is_kept_beside_its_request(visit: Visit) -> None:
    kept = parse_url_encoded_form_data.cache_info().currsize
    answer = await visit.submit("/t/alpha/staff/sign-in", "/t/alpha/staff/sign-in", login="clerk", password="wrong one")
    assert answer.status_code == 403
    assert parse_url_encoded_form_data.cache_info().currsize == kept


async def test_an_oversized_form_is_refused(visit: Visit) -> None:
    await visit.get("/t/alpha/")
    token = visit.client.cookies["sp_csrf"]
    answer = await visit.client.post("/t/alpha/view", data={"_csrf_token": token, "view": "x" * 300_000})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/k/help?seen=%FF",
        "/device/enrol?code=%00",
        "/staff/sign-in?next=%0d%0aX:y",
        "/theme/%00",
        "/service/%FF",
        "/theme/..%2f..%2fetc",
        "/service/a%0d%0ab",
        "/%FF",
    ],
)
async def test_strange_addresses_are_never_our_fault(terminal: Visit, path: str) -> None:
    assert (await terminal.get(f"/t/alpha{path}")).status_code < 500


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_are_refused_as_a_page(visit: Visit, method: str) -> None:
    answer = await visit.client.request(method, "/t/alpha/")
    assert answer.status_code in (403, 405)


async def test_a_page_never_says_the_librarys_words(terminal: Visit) -> None:
    answer = await terminal.get("/t/alpha/k/help?seen=" + "x" * 100)
    assert answer.status_code == 422
    assert "In der Adresse dieser Seite steht etwas, das nicht passt." in answer.text
    assert "Expected" not in answer.text
    program = await terminal.get("/t/alpha/k/help?seen=" + "x" * 100, headers={"accept": "application/json"})
    assert program.json()["errors"] == [{"place": "seen", "message": "Expected `str` of length <= 80"}]


@pytest.mark.parametrize(
    "path", ["/t/alpha/api/v1/none", "/t/alpha/api/", "/t/alpha/api", "/t/none/api/v1/box", "/api/v1/none", "/t//api/x"]
)
async def test_whatever_is_missing_below_the_api_is_told_to_a_program(visit: Visit, path: str) -> None:
    for headers in ({}, {"accept": "text/html"}, {"authorization": "Bearer 99.x"}):
        answer = await visit.get(path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), headers
        assert answer.json()["code"] == "SP0003"


async def test_a_page_whose_name_begins_like_the_api_is_a_page(visit: Visit) -> None:
    assert "text/html" in (await visit.get("/t/alpha/apiary")).headers["content-type"]


async def test_the_foot_of_public_pages_leads_to_the_towns_own_papers(here: Town, visit: Visit, urls: Any) -> None:
    from servicepunkt.core.testing import make_tenant

    addresses = {"imprint": "https://town.example/imprint", "accessibility": "https://town.example/access?a=1&b=2"}
    delta = await make_tenant(here.deployment, urls.owner, "delta", settings={"web": addresses})
    assert delta.section("web", WebSettings).privacy == ""
    text = (await visit.get("/t/delta/device/enrol")).text
    assert '<a class="kern-link" href="https://town.example/imprint" rel="noreferrer">Impressum</a>' in text
    assert "https://town.example/access?a=1&amp;b=2" in text
    assert "Datenschutz" not in text, "what the tenant file leaves out has no link"
    assert "sp-foot__links" not in (await visit.get("/t/alpha/")).text


@pytest.mark.parametrize("address", ["http://town.example/", "javascript:x", "https://", "https:// x", "/imprint"])
def test_an_address_in_the_foot_is_a_whole_one(address: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"imprint": address}, WebSettings)
