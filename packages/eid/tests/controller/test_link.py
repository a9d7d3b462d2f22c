"""What the centre may say, and what becomes of what it may not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Response

from servicepunkt.eid import wire
from servicepunkt.eid.controller.errors import CentreAwayError, CentreMessageError, TicketRefusedError
from servicepunkt.eid.controller.link import MAX_ANSWER, Link

from .conftest import KEY, TICKET


def claimed(**changes: Any) -> bytes:
    good = {
        "key": str(KEY),
        "purpose": {"de": "Zweck"},
        "tc_token_url": "https://eid.example/token",
        "back": "/k/apply",
        "seconds": 600,
    }
    return msgspec.json.encode(good | changes)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        b"x" * (MAX_ANSWER + 1),
        b"\xff",
        claimed(more=1),
        claimed(seconds="soon"),
        claimed(tc_token_url="http://eid.example/token"),
        claimed(tc_token_url="javascript:alert(1)"),
        claimed(back="https://elsewhere.example"),
        claimed(back="//elsewhere.example"),
        claimed(back="k/apply"),
        claimed(back="/k/../../staff"),
    ],
)
async def test_what_the_centre_may_not_say_is_refused(place: Any, said: bytes) -> None:
    async with place() as here:
        here.centre.answers["claim"] = lambda: Response(said, media_type="application/json")
        with pytest.raises(CentreMessageError) as caught:
            await here.link.claim(TICKET)
        assert "eid.example" not in str(caught.value)
        here.centre.answers["claim"] = lambda: Response(claimed(), media_type="application/json")
        assert (await here.link.claim(TICKET)).key == KEY


@pytest.mark.parametrize(
    ("status", "error"), [(404, TicketRefusedError), (403, TicketRefusedError), (500, CentreAwayError)]
)
async def test_refusals_and_outages_are_told_apart(place: Any, status: int, error: type[Exception]) -> None:
    async with place() as here:
        here.centre.answers["claim"] = lambda: Response("no", status_code=status)
        with pytest.raises(error):
            await here.link.claim(TICKET)


async def test_a_configuration_that_has_not_changed_is_not_sent_again(place: Any) -> None:
    async with place() as here:
        before = here.link.config
        await here.link.fetch_config()
        assert here.link.config is before


async def test_the_last_configuration_stays_while_the_centre_is_away(place: Any) -> None:
    async with place() as here:
        here.centre.answers["config"] = lambda: Response("no", status_code=502)
        running = asyncio.create_task(here.link.run())
        await until(lambda: not here.link.connected)
        assert here.link.config is not None
        here.centre.answers.clear()
        await until(lambda: here.link.connected)
        running.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never is")


async def test_nobody_waits_for_a_centre_that_does_not_hear_of_the_end() -> None:
    async def nothing(_: float) -> None:
        return None

    async with httpx.AsyncClient(base_url="http://127.0.0.1:9", timeout=1) as client:
        link = Link(client, sleep=nothing)
        await link.tell(wire.Ended(key=KEY, outcome="cancelled"))
        with pytest.raises(CentreAwayError):
            await link.claim(TICKET)
