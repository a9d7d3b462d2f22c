"""What the mayor is mailed: every screen, every message, sixty days, in one file that does nothing and asks nobody."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from lxml import html

from servicepunkt.core import deployment as deployments
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock
from servicepunkt.tenants import files
from servicepunkt.tenants.checking import check
from servicepunkt.tenants.preview import screens, service, styles

PACK = "hohen-neuendorf"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    made = deployments.without_database(Settings(home=tmp_path_factory.mktemp("home")))
    made.clock = FixedClock(datetime(2026, 12, 20, 9, tzinfo=UTC))
    return made


@pytest.mark.skipif(PACK not in files.installed_packs(), reason="the pack is not installed")
async def test_the_whole_file(deployment: Deployment) -> None:
    checked = check(deployment, files.folder_of(PACK))
    assert checked.file is not None
    said: list[str] = []
    page = await service.make(deployment, checked.file, checked.findings, "de", progress=said.append)
    document = html.document_fromstring(page)
    frames = document.xpath("//iframe")
    catalogue = checked.file.catalogue
    least = len(catalogue.services) * len(catalogue.points) * 2 + len(catalogue.themes) * 6
    assert len(frames) >= least
    assert len({frame.attrib["title"] for frame in frames}) > len(catalogue.services)
    assert document.xpath("//script") == []
    inner = [frame.attrib["srcdoc"] for frame in frames]
    for one in inner:
        assert "<script" not in one
        assert not re.search(r'(?:src|href|action)="(?!#|data:image/)', one), "something would be fetched or sent"
        assert "url(http" not in one
    assert any("Was möchten Sie erledigen?" in one for one in inner)
    assert any("What would you like to do?" in one for one in inner)
    assert any("data-contrast" in one for one in inner)
    assert len(page.encode()) < 12 * 1024 * 1024, "it has to go through a mail"
    text = document.text_content()
    assert "Feiertag Neujahr" in text
    assert "Niemand ist da, um zu helfen" in text
    assert "1 × GSM-7" in text
    assert len(document.xpath("//ol[@class='days']")) == len(catalogue.points)
    assert len(document.xpath("//ol[@class='days'][1]/li")) >= service.DAYS
    assert said[0] == "database"


def test_only_the_styles_that_are_used_stay() -> None:
    css = (
        ":root{--a:1px;--b:2px;--c:var(--a)}.x{margin:var(--c)}.y,.x.z{color:red}.x:hover{color:blue}"
        "@media (min-width:1px){.x{padding:0}.w{padding:1px}}@font-face{font-family:F;src:url(f.woff2)}p{top:0}"
    )
    kept = styles.used(css, {"x"})
    assert ".x{margin:var(--c)}" in kept
    assert "--a:1px" in kept
    assert "--b" not in kept
    assert ".y" not in kept
    assert ".z" not in kept
    assert "hover" not in kept
    assert "@media (min-width:1px){.x{padding:0}}" in kept
    assert "font-face" not in kept
    assert "p{top:0}" in kept


def test_a_page_of_the_preview_does_nothing() -> None:
    page = (
        '<html><head><link rel="stylesheet" href="/s.css"><script src="/x.js"></script></head><body><h1>Titel</h1>'
        '<form method="post" action="/send"><input name="_csrf_token" value="secret"><button>Los</button></form>'
        '<a href="https://example.org">x</a><img src="/y.png"></body></html>'
    )
    made = screens.screen(page, "/k", language="de", view="", place="p")
    assert made.title == "Titel"
    assert made.sheets == ("/s.css",)
    for gone in ("script", "secret", "/send", "example.org", "y.png", "s.css"):
        assert gone not in made.page
