"""The rehearsal telephone's page: bubbles in their order with the rehearsal's time, readable, and without a script."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from litestar.testing import AsyncTestClient

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.testing import FixedClock
from servicepunkt.core.texts import Texts
from servicepunkt.tenants import plugin as tenants_plugin
from servicepunkt.tenants.demo.desk import create_desk
from servicepunkt.tenants.demo.phone import Incoming, Phone
from servicepunkt.web import plugin as web_plugin
from servicepunkt.web.testing import LANDSCAPE, PORTRAIT, axe_violations, browser, serve

EVENING = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


@pytest.fixture
def demo(tmp_path: Path) -> Any:
    """As much of a demonstration as the telephone needs: one place, a clock that stands, no processes."""
    plugins = PluginHost()
    for plugin, name in ((core_plugin, "core"), (web_plugin, "web"), (tenants_plugin, "tenants")):
        plugins.register(plugin, name)
    plugins.freeze()
    texts = Texts(answer.value for answer in plugins.startup("texts"))
    stage = SimpleNamespace(ctx=SimpleNamespace(zone_info=ZoneInfo("Europe/Berlin")))
    return SimpleNamespace(
        deployment=SimpleNamespace(plugins=plugins, texts=texts),
        clock=FixedClock(EVENING),
        phone=Phone(tmp_path / "phone.jsonl"),
        stages=[stage],
    )


async def test_the_newest_stands_at_the_bottom_with_the_rehearsals_time(demo: Any) -> None:
    async with AsyncTestClient(create_desk(demo)) as client:
        for reference, text in (("1", "first"), ("2", "second")):
            body = {"reference": reference, "recipient": "+4915112345678", "text": text}
            assert (await client.post("/phone/messages", json=body)).json() == {"new": True}
            demo.clock.forward(minutes=5)
        page = (await client.get("/phone")).text
        assert page.index(">first</p>") < page.index(">19:40<") < page.index(">second</p>") < page.index(">19:45<")
        assert page.count("21.11.2026") == 1
        assert "2 SMS" in page
        assert (await client.get("/phone?seen=2")).status_code == 204
        assert (await client.get("/phone?seen=1")).status_code == 200


async def test_a_mail_shows_the_picture_for_the_scanner(demo: Any) -> None:
    async with AsyncTestClient(create_desk(demo)) as client:
        body = {"reference": "1", "recipient": "erika@example.org", "text": "Guten Tag", "qr": "12345.1234567"}
        await client.post("/phone/messages", json=body)
        page = (await client.get("/phone")).text
        assert 'src="data:image/svg+xml' in page
        assert "QR-Code für den Leser der Box" in page


@pytest.mark.parametrize("script", [True, False])
def test_the_telephone_shows_its_last_message_in_readable_type(demo: Any, script: bool) -> None:
    for number in range(30):
        demo.phone.receive(Incoming(str(number), "+4915112345678", f"Message {number} with a code."), shown=EVENING)
    with serve(create_desk(demo)) as base, browser() as chromium:
        page = chromium.new_context(java_script_enabled=script).new_page()
        for size in (PORTRAIT, LANDSCAPE, {"width": 390, "height": 844}):
            page.set_viewport_size(size)
            page.goto(f"{base}/phone")
            bubbles = page.locator(".sp-mobile__bubble")
            inside = page.locator(".sp-mobile__screen").bounding_box()
            last = bubbles.last.bounding_box()
            assert last["y"] > inside["y"] + inside["height"] / 2
            assert last["y"] + last["height"] < inside["y"] + inside["height"]
            assert bubbles.first.bounding_box()["y"] < inside["y"], "older ones are further up"
            if script:
                assert axe_violations(page) == []
                style = "getComputedStyle(document.querySelector('.sp-mobile__bubble'))"
                assert float(page.evaluate(f"{style}.fontSize").removesuffix("px")) >= 20
                assert page.evaluate(f"{style}.borderTopWidth") != "0px"
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
