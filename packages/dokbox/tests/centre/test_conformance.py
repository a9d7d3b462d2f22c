"""The box's rule of plugins: what it finds in lock boards of another package."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from servicepunkt.core.conformance.candidate import Candidate
from servicepunkt.dokbox import conformance
from servicepunkt.dokbox.boards import Request, kinds


def found(monkeypatch: pytest.MonkeyPatch, kind: object) -> list[str]:
    monkeypatch.setitem(sys.modules, "wooden", SimpleNamespace(KIND=kind))  # type: ignore[arg-type]
    candidate = Candidate(name="wood", points={"servicepunkt.boards": {"wood": "wooden:KIND"}})
    bench: Any = SimpleNamespace(candidate=candidate)
    return [trouble.sentence for trouble in conformance.boards(bench)]


@pytest.mark.parametrize("name", ["krcu16", "xor8a", "cu48", "modbus"])
def test_our_own_boards_keep_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = msgspec.structs.replace(kinds()[name], name="wood")
    assert found(monkeypatch, kind) == []


class Wooden:
    """The boards of a kind of ours, with one thing that is wrong."""

    def __init__(self, board: Any, **wrong: Any) -> None:
        self._board, self._wrong = board, wrong

    def __getattr__(self, name: str) -> Any:
        return self._wrong.get(name) or getattr(self._board, name)


class Raises:
    pending = b""

    def feed(self, data: bytes) -> Any:
        raise IndexError


ONE = Request(frame=b"\xaa", deadline=0.0, pulse=0.4)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"unlock": lambda compartment: ONE}, "one frame opens 1 and 2"),
        (
            {"unlock": lambda compartment: ONE},
            "opening a compartment that is not there raises no NoSuch",
        ),
        (
            {"unlock": lambda compartment: Request(frame=bytes([compartment]), deadline=0.0)},
            "opening 1 says not how long its lock draws current",
        ),
        ({"status": lambda board: ONE}, "asking board 0 moves a lock"),
        ({"status": lambda board: ONE}, "asking a board that is not there raises no NoSuchBoardError"),
        ({"decoder": lambda request: Raises()}, "the decoder raises IndexError for "),
    ],
)
def test_boards_that_break_it(wrong: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = kinds()["krcu16"]
    kind = msgspec.structs.replace(
        own, name="wood", build=lambda options, table: Wooden(own.build(options, table), **wrong)
    )
    assert any(sentence.startswith(says) for sentence in found(monkeypatch, kind))


def test_what_is_no_kind_or_calls_itself_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, object()) == ["a Kind is wanted, not object"]
    assert found(monkeypatch, kinds()["krcu16"]) == ["the kind calls itself 'krcu16'"]
