"""Language and view by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from servicepunkt.web.terminal.switches import toggled

if TYPE_CHECKING:
    from conftest import Visit


async def test_the_language_changes_and_the_page_stays(visit: Visit) -> None:
    answer = await visit.submit("/t/alpha/service/card", "/t/alpha/language", language="en", next="/service/card")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/t/alpha/service/card"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
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
    "target", ["//evil.example", "https://evil.example", "/\\evil", "javascript:x", "/t/beta/", "x"]
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
