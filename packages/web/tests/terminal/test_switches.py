"""Language and view by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from litestar import Request

from servicepunkt.web.frame import CONTRAST_COOKIE, LANGUAGE_COOKIE
from servicepunkt.web.tenancy import TENANT_KEY
from servicepunkt.web.terminal.switches import toggled, with_choices

if TYPE_CHECKING:
    from conftest import Town, Visit


async def test_the_language_changes_and_the_page_stays(visit: Visit) -> None:
    answer = await visit.submit("/t/alpha/service/card", "/t/alpha/language", language="en", next="/service/card")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/t/alpha/service/card"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie, "who comes back from the box's pages goes on in the same language"
    assert "path=/t/alpha" in cookie
    assert "max-age" not in cookie
    assert "Identity card" in (await visit.get("/t/alpha/service/card")).text
    assert "Personalausweis" in (await visit.get("/t/beta/service/card")).text, "the other town has its own cookie"


@pytest.mark.parametrize("language", ["fr", "", "de-x-leicht", "x" * 50])
async def test_only_the_towns_languages_can_be_chosen(visit: Visit, language: str) -> None:
    answer = await visit.submit("/t/alpha/", "/t/alpha/language", language=language, next="/")
    assert answer.status_code == 422
    assert "Diese Sprache wird nicht angeboten." in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil",
        "javascript:x",
        "/t/beta/",
        "/../beta/",
        "/%2e%2E/beta/",
        "x",
    ],
)
async def test_nobody_is_sent_elsewhere(visit: Visit, target: str) -> None:
    answer = await visit.submit("/t/alpha/", "/t/alpha/language", language="en", next=target)
    assert answer.headers["location"] == "/t/alpha/"


async def test_views_can_be_combined_and_put_back(visit: Visit) -> None:
    await visit.submit("/t/alpha/", "/t/alpha/view", view="contrast", next="/")
    await visit.submit("/t/alpha/", "/t/alpha/view", view="large", next="/")
    text = (await visit.get("/t/alpha/")).text
    assert "data-contrast data-large" in text
    assert text.count('aria-pressed="true"') == 2
    await visit.submit("/t/alpha/", "/t/alpha/view", view="plain", next="/")
    assert "data-contrast" not in (await visit.get("/t/alpha/")).text


@pytest.mark.parametrize(
    ("before", "wish", "after"),
    [
        ("", "large", "large"),
        ("large", "contrast", "contrast-large"),
        ("contrast-large", "large", "contrast"),
        ("contrast", "contrast", ""),
        ("contrast-large", "plain", ""),
        ("<script>", "large", "large"),
    ],
)
def test_toggled(before: str, wish: str, after: str) -> None:
    assert toggled(before, wish) == after


async def test_a_foreign_view_cookie_shows_the_usual_page(visit: Visit) -> None:
    answer = await visit.get("/t/alpha/", headers={"cookie": "sp_view=%22%3E%3Cscript%3E; sp_language=../../x"})
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert '<html lang="de"' in answer.text


@pytest.mark.parametrize(
    "values", [{"view": "other"}, {}, {"view": "large", "more": "x"}, {"view": "large", "next": "/" * 600}]
)
async def test_a_form_that_does_not_fit_is_refused(visit: Visit, values: dict[str, str]) -> None:
    answer = await visit.submit("/t/alpha/", "/t/alpha/view", **values)
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


# --- from the terminal to the box's own pages and back --------------------------------------------------------------


def asked(town: Town, **cookies: str) -> Request[Any, Any, Any]:
    header = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
    scope: Any = {"type": "http", "path": "/k/box/1", "headers": [(b"cookie", header)], TENANT_KEY: town.alpha}
    return Request(scope)


async def test_language_and_view_go_along(here: Town) -> None:
    cookies = {LANGUAGE_COOKIE: "en", CONTRAST_COOKIE: "contrast-large"}
    assert with_choices(asked(here, **cookies), "http://box.local/") == "http://box.local/?lang=en&view=contrast-large"
    assert with_choices(asked(here), "http://box.local/?a=b") == "http://box.local/?a=b&lang=de&view=plain"
    strange = {LANGUAGE_COOKIE: "fr", CONTRAST_COOKIE: "x&y=z"}
    assert with_choices(asked(here, **strange), "http://box.local/") == "http://box.local/?lang=de&view=plain"


async def test_what_is_brought_along_is_kept_and_leaves_the_address(terminal: Visit) -> None:
    answer = await terminal.get("/t/alpha/k?lang=en&view=contrast-large")
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/alpha/k")
    text = (await terminal.get("/t/alpha/k")).text
    assert '<html lang="en"' in text
    assert "data-contrast data-large" in text
    assert 'data-idle="60"' in text, "there is something to forget again"
    answer = await terminal.get("/t/alpha/k/help?seen=none&lang=de&view=plain")
    assert answer.headers["location"] == "/t/alpha/k/help?seen=none"
    text = (await terminal.get("/t/alpha/k/help")).text
    assert '<html lang="de"' in text
    assert "data-contrast" not in text
    assert "data-large" not in text


@pytest.mark.parametrize(
    "query", ["lang=fr", "lang=", "view=huge", "view=large-contrast", "view=", "lang=EN", "lang[]=en"]
)
async def test_values_that_are_not_known_are_as_if_they_were_not_there(terminal: Visit, query: str) -> None:
    answer = await terminal.get(f"/t/alpha/k?{query}")
    assert answer.status_code == 200
    assert "sp_language" not in terminal.client.cookies
    assert "sp_view" not in terminal.client.cookies


async def test_a_known_value_counts_beside_an_unknown_one(terminal: Visit) -> None:
    assert (await terminal.get("/t/alpha/k?lang=fr&view=large")).status_code == 303
    assert (terminal.client.cookies["sp_view"], terminal.client.cookies.get("sp_language")) == ("large", None)


async def test_only_an_enrolled_terminal_takes_them(visit: Visit) -> None:
    assert (await visit.get("/t/alpha/k?lang=en")).status_code == 403
    assert (await visit.get("/t/alpha/?lang=en")).status_code == 200
    assert "sp_language" not in visit.client.cookies
