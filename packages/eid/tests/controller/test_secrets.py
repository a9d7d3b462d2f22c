"""Nothing that was typed, and nothing of the person, is left when a visit is over."""

from __future__ import annotations

import gc
import logging
import secrets
from typing import Any

import pytest
import structlog

from servicepunkt.eid.controller.visit import Visit
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.heap import digest, on_the_heap, pieces


def test_the_search_finds_what_is_there() -> None:
    digits = "".join(secrets.choice("0123456789") for _ in range(9))
    wanted = digest(digits.encode())
    kept = [{"form": f"number={digits}"}]
    del digits
    assert on_the_heap(wanted, 9)
    del kept
    assert not on_the_heap(wanted, 9)


async def test_what_was_typed_is_nowhere_after_the_visit(
    place: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with place() as here:
        with structlog.testing.capture_logs() as logs:
            async with here.person() as person:
                await here.identify(person)
                await person.until("rights")
                await person.agree("Address")
                await person.until("pin")
                wanted = await typed_wrong(person)
                page = await person.until("pin")
                assert "wrong" in page
                shown = page
                await person.press("/end")
                await here.settle()
            del person
        visits = [found for found in gc.get_objects() if type(found) is Visit]
        assert not [visit for visit in visits if visit.request or visit.question]
        del visits
        assert not [found for found in gc.get_objects() if type(found) is Secret and not found._wiped]
        assert on_the_heap(wanted, 6) == []
        said = str(logs) + caplog.text + "".join(capfd.readouterr()) + shown
        assert not any(digest(piece) == wanted for piece in pieces(said, 6))
        assert "eid.example" not in str(logs) + shown


async def typed_wrong(person: Any) -> str:
    """Type a PIN that is forgotten at once; returns its digest."""
    pin = f"9{secrets.randbelow(100_000):05}"
    wanted = digest(pin.encode())
    await person.type(pin)
    return wanted


def test_a_visit_shows_nothing_of_itself() -> None:
    from servicepunkt.eid.controller.model import Kind

    assert repr(Visit(Kind.PIN, name="abc", clock=lambda: 0.0)) == "Visit(kind=pin, screen=starting)"
