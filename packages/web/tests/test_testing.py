"""The helpers for page tests find what they are made to find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from servicepunkt.web import testing
from servicepunkt.web.testing import axe_violations, browser, scrolls, serve, small_targets

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as chromium:
        yield chromium.new_page(viewport={"width": 800, "height": 600})


def show(page: Page, body: str) -> Page:
    page.set_content(f"<!doctype html><html lang=en><title>t</title><body style='margin:0'><main>{body}</main>")
    return page


def test_axe_finds_a_picture_without_words(page: Page) -> None:
    assert axe_violations(show(page, "<h1>t</h1>")) == []
    assert any("image-alt" in found for found in axe_violations(show(page, "<h1>t</h1><img src=x>")))


def test_small_targets_are_found_and_stretched_ones_are_not(page: Page) -> None:
    small = "<button style='width:60px;height:40px'>a</button>"
    assert len(small_targets(show(page, small), 48)) == 1
    assert small_targets(show(page, small), 40) == []
    assert small_targets(show(page, "<p>a <a href=x>link</a> in a sentence</p>"), 48) == []
    label = "<input type=radio id=r><label for=r style='display:inline-block;width:90px;height:50px'>r</label>"
    assert small_targets(show(page, label), 48) == []


def test_a_page_that_is_too_large_scrolls(page: Page) -> None:
    assert not scrolls(show(page, "<div style='height:500px'></div>"))
    assert scrolls(show(page, "<div style='height:700px'></div>"))
    assert scrolls(show(page, "<div style='width:900px;height:9px'></div>"))


def test_a_missing_browser_is_loud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(testing, "CHROMIUM", tmp_path / "nothing")
    monkeypatch.delenv("SERVICEPUNKT_REQUIRE_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="NOT RUN"), browser():
        pass
    monkeypatch.setenv("SERVICEPUNKT_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="NOT RUN"), browser():
        pass


def test_a_server_answers_and_stops() -> None:
    closed = []

    async def app(scope: dict, receive: object, send: object) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def close() -> None:
        closed.append(True)

    with serve(app, closing=close) as base:
        assert httpx.get(base).status_code == 204
    assert closed == [True]
    with pytest.raises(httpx.ConnectError):
        httpx.get(base)
