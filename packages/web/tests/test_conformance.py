"""The shell's rules of plugins find what breaks them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from litestar import MediaType, get
from litestar.params import FromPath

from servicepunkt.core import hookimpl
from servicepunkt.core.conformance import Report, check
from servicepunkt.core.conformance.candidate import Candidate
from servicepunkt.web import conformance


@get("/shelf", opt={"public": True}, media_type=MediaType.TEXT)
async def shelf() -> str:
    return "books"


@get("/shelf/anybody", media_type=MediaType.TEXT)
async def unsaid() -> str:
    return "books"


@get("/staff/shelf", opt={"public": True}, media_type=MediaType.TEXT)
async def staff() -> str:
    return "books"


@get("/shelf/{book:int}", opt={"public": True}, media_type=MediaType.TEXT)
async def breaks(book: FromPath[int]) -> str:
    raise LookupError(book)


def plugin(**answers: Any) -> Candidate:
    module = ModuleType("shelf_of_test")
    module.__file__ = __file__
    vars(module)["servicepunkt_api"] = "1"
    for hook, answer in answers.items():
        vars(module)[hook] = hookimpl(_named(hook, answer))
    return Candidate(name="shelf", points={"servicepunkt": {"shelf": "shelf_of_test"}}, plugin=module)


def _named(hook: str, answer: Any) -> Any:
    def function() -> Any:
        return answer

    function.__name__ = hook
    return function


def found(report: Report, rule: str) -> list[str]:
    (finding,) = [one for one in report.findings if one.rule == rule]
    return [f"{trouble.place}: {trouble.sentence}" for trouble in finding.troubles]


def test_a_plugin_with_a_page_and_files_keeps_the_rules(tmp_path: Path) -> None:
    (tmp_path / "shelf.css").write_text("p { color: inherit }")
    assert check(plugin(routes=(shelf,), static_files=tmp_path)).failed == ()


def test_routes_that_say_nothing_or_the_wrong_thing_and_one_that_breaks() -> None:
    report = check(plugin(routes=(shelf, unsaid, staff, breaks)))
    assert found(report, "rules-stated") == [
        "/shelf/anybody: says nothing of who may call it",
        "/staff/shelf: is a page of staff or terminals, and public",
    ]
    assert found(report, "routes-off") == ["/shelf/{book:int}: answers GET with 500 where the plugin is on"]


def test_routes_and_files_without_their_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shelf.css").write_text("p { color: inherit }")
    monkeypatch.setattr("servicepunkt.web.gate.require", lambda ctx, plugin: None)
    report = check(plugin(routes=(shelf,), static_files=tmp_path))
    assert "/shelf: answers GET with 200 where the plugin is off" in found(report, "routes-off")
    assert found(report, "files-off") == ["shelf.css: answers 200, not 404, where the plugin is off"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('<p style="color: red">', "holds style=, which no browser shows under our content policy"),
        ('<a onclick="x()">', "holds onclick=, which no browser shows under our content policy"),
        ('<img src="https://elsewhere.example/x.png">', 'holds src="https://, which no browser shows'),
        ("{% if %}", "Expected an expression"),
    ],
)
def test_templates_that_no_page_can_show(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "shelf.html").write_text(text)
    troubles = list(conformance._template(tmp_path / "shelf.html"))
    assert any(says in trouble.sentence for trouble in troubles), troubles
    (tmp_path / "shelf.html").write_text('<p class="sp-lead">{{ ctx.name }}</p>')
    assert list(conformance._template(tmp_path / "shelf.html")) == []
