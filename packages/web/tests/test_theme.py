"""A town's colour and logo: readable for everybody, and nothing in a picture runs."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant
from servicepunkt.web import theme

if TYPE_CHECKING:
    from conftest import Town, Visit

LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><path d="M0 0h4v4z" fill="#003064"/></svg>'
COLOURS = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)


def wrong(plugins: PluginHost, **section: Any) -> list[str]:
    settings = {"theme": msgspec.convert(section, theme.ThemeSettings)}
    ctx = TenantContext(id=1, slug="alpha", name="Alpha", plugins=frozenset({"web"}), settings=settings)
    draft = TenantDraft(plugins, ctx, Catalogue(), date(2026, 11, 22))
    return [f"{place} {said.rule.code}" for place, said in theme.mistakes(draft)]


def test_contrast_as_wcag_counts_it() -> None:
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert theme.contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
    assert theme.contrast("#767676", "#ffffff") == pytest.approx(4.542, abs=0.001)


@given(COLOURS, COLOURS)
def test_contrast_is_the_same_both_ways(one: str, other: str) -> None:
    assert theme.contrast(one, other) == theme.contrast(other, one)
    assert 1 <= theme.contrast(one, other) <= 21


def test_what_cannot_be_read_is_refused(plugins: PluginHost) -> None:
    assert wrong(plugins, action="#003064", logo=LOGO, logo_text="Wappen") == []
    assert wrong(plugins) == []
    assert wrong(plugins, action="#777777") == ["action SP1201"]
    assert wrong(plugins, action="#003064", on_action="#224466") == ["action SP1201"]
    assert wrong(plugins, logo=LOGO) == ["logo_text SP1204"]


@pytest.mark.parametrize(
    "picture",
    [
        "no picture", "<html/>", '<?xml version="1.0"?><svg/>',
        LOGO.replace("<path", "<script>alert(1)</script><path"),
        LOGO.replace("<path", '<path onload="alert(1)"'),
        LOGO.replace("<path", '<image href="https://example.org/x.png"/><path'),
        LOGO.replace("<path", '<a href="javascript:alert(1)"><path').replace("</svg>", "</a></svg>"),
        LOGO.replace('fill="#003064"', 'fill="url(https://example.org/x)"'),
        LOGO.replace('fill="#003064"', 'style="background:url(//x)"'),
        LOGO.replace("<path", "<foreignObject><b/></foreignObject><path"),
        LOGO.replace("<path", "<style>@import url(//x)</style><path"),
        '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + LOGO.replace("<path", "<text>&x;</text><path"),
        '<!DOCTYPE svg [<!ENTITY a "' + "b" * 50 + '"><!ENTITY b "' + "&a;" * 50 + '">]>' + LOGO,
    ],
)  # fmt: skip
def test_a_picture_that_could_do_something_is_refused(plugins: PluginHost, picture: str) -> None:
    assert {line.split(" ")[1] for line in wrong(plugins, logo=picture, logo_text="x")} <= {"SP1202", "SP1203"}
    assert wrong(plugins, logo=picture, logo_text="x") != []


async def test_pages_wear_what_the_tenant_has_and_no_other(here: Town, visit: Visit) -> None:
    settings = {"theme": {"action": "#7a0019", "logo": LOGO, "logo_text": "Wappen der Stadt"}}
    await make_tenant(here.deployment, here._urls.owner, "alpha", name="Seeburg", settings=settings)
    page = (await visit.get("/t/alpha/")).text
    assert 'alt="Wappen der Stadt"' in page
    css = page.partition("/theme.css?v=")[2].partition('"')[0]
    answer = await visit.get(f"/t/alpha/theme.css?v={css}")
    assert "#7a0019" in answer.text
    assert answer.headers["content-type"].startswith("text/css")
    assert "set-cookie" not in answer.headers
    again = await visit.get("/t/alpha/theme.css", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    logo = await visit.get("/t/alpha/logo.svg")
    assert logo.text == LOGO
    assert "script-src" not in logo.headers["content-security-policy"]
    assert "default-src 'none'" in logo.headers["content-security-policy"]
    other = (await visit.get("/t/beta/")).text
    assert "theme.css" not in other
    assert (await visit.get("/t/beta/theme.css")).status_code == 404
    assert (await visit.get("/t/beta/logo.svg")).status_code == 404
