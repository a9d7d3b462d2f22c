"""The table of screens, the limits of time, and forms with anything in them."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.controller import words
from servicepunkt.eid.controller.model import (
    GONE_SECONDS,
    LONGEST,
    MOVES,
    OVER,
    QUESTIONS,
    UNTOUCHED,
    Due,
    Event,
    Kind,
    Screen,
    due,
)
from servicepunkt.eid.controller.pages import TEMPLATES
from servicepunkt.eid.controller.visit import Visit, plain_digits
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.sdk.errors import GivenUpError, SlowError
from servicepunkt.eid.sdk.messages import AccessRight
from servicepunkt.eid.sdk.steps import Notice, Number, Occasion, Question


def test_what_is_over_stays_over() -> None:
    assert not [move for move in MOVES if move[0] in OVER]
    assert {to for (_, event), to in MOVES.items() if event is Event.FAILED} == {Screen.FAILED}


def test_every_screen_is_reached_and_can_be_left() -> None:
    reached = {Screen.STARTING}
    while more := {to for (screen, _), to in MOVES.items() if screen in reached} - reached:
        reached |= more
    assert reached == set(Screen)
    for screen in set(Screen) - OVER - {Screen.TAKE}:
        assert MOVES[screen, Event.FAILED] is Screen.FAILED


def test_every_screen_has_a_page_or_waits_with_words() -> None:
    assert set(TEMPLATES) | set(words.WAITING) == set(Screen)


def test_after_cancel_nothing_is_asked_any_more() -> None:
    assert not {MOVES.get((Screen.STOPPING, event)) for event in Event} & QUESTIONS


def test_every_right_has_words_and_every_error_says_what_to_do() -> None:
    assert set(words.RIGHTS) == set(AccessRight)
    kinds = [EidError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("servicepunkt.eid") and kind is not EidError:
            what, then = words.words_for(kind())
            assert all((what, then)), kind


@pytest.mark.parametrize(
    ("screen", "times", "expected"),
    [
        (Screen.PIN, (0, UNTOUCHED, 0), None),
        (Screen.PIN, (0, UNTOUCHED + 1, 0), Due.LEFT),
        (Screen.PIN, (0, 0, LONGEST + 1), Due.LEFT),
        (Screen.GONE, (GONE_SECONDS, 0, 0), None),
        (Screen.GONE, (GONE_SECONDS + 1, 0, 0), Due.CARD_STAYS_AWAY),
        (Screen.PIN, (GONE_SECONDS + 1, 0, 0), None),
    ],
)
def test_time_is_up(screen: Screen, times: tuple[float, float, float], expected: Due | None) -> None:
    assert due(screen, on_it=times[0], untouched=times[1], whole=times[2]) is expected


def test_the_limits_keep_what_the_law_says_of_warnings() -> None:
    assert UNTOUCHED > 120 + 30, "the page asks first, and waits long enough"


notices = st.builds(
    Notice,
    occasion=st.sampled_from(Occasion),
    progress=st.none() | st.integers(0, 100),
    number=st.none() | st.sampled_from(Number),
    tries=st.none() | st.integers(0, 3),
)


@given(st.lists(notices | st.sampled_from(Event), max_size=30))
def test_whatever_happens_a_visit_stands_on_a_screen(happenings: list[Any]) -> None:
    visit = Visit(Kind.IDENTIFY, name="a", clock=lambda: 0.0)
    over = False
    for happening in happenings:
        visit.show(happening) if isinstance(happening, Notice) else visit.happens(happening)
        assert visit.screen in Screen
        assert not over or visit.is_over
        over = visit.is_over


def test_the_first_reason_stays() -> None:
    visit = Visit(Kind.PIN, name="a", clock=lambda: 0.0)
    visit.fail(GivenUpError())
    visit.fail(SlowError())
    assert isinstance(visit.error, GivenUpError)


async def test_a_card_that_comes_back_finds_its_question_and_a_form_stays_good() -> None:
    visit = Visit(Kind.PIN, name="a", clock=lambda: 0.0)
    asking = asyncio.create_task(visit.ask_secret(Question(number=Number.PIN, lengths=(6,))))
    await asyncio.sleep(0)
    step = visit.step
    visit.show(Notice(occasion=Occasion.CARD_FOUND))
    assert (visit.screen, visit.step) == (Screen.PIN, step)
    visit.show(Notice(occasion=Occasion.CARD_TAKEN))
    assert visit.screen is Screen.GONE
    visit.show(Notice(occasion=Occasion.CARD_FOUND))
    assert visit.screen is Screen.PIN
    asking.cancel()
    await asyncio.wait({asking})
    assert visit.screen is Screen.WORKING


@given(st.text(max_size=60))
def test_anything_typed_is_digits_or_nothing(typed: str) -> None:
    found = plain_digits(typed)
    assert found is None or len(found) <= 40


FIELDS = ["step", "number", "card", "right-Address", "right-", "x", "language", "view", "next"]


async def test_forms_take_anything(place: Any) -> None:
    """Every form with anything in it: an answer in words, never a fault of ours, and nothing reaches the card."""
    random_ = random.Random(20261122)  # the same each time
    letters = "0123456789abc \x00\n\"'<>äß€😀%&=;\\/"
    async with place() as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.agree()
        await person.until("pin")
        asked = person.page
        for _ in range(150):
            action = random_.choice(["/rights", "/number", "/position", "/card", "/language", "/view"])
            names = random_.sample(
                ["step", "number", "card", "right-Address", "right-", "x", "language", "view", "next"], 3
            )
            fields = {name: "".join(random_.choices(letters, k=random_.randrange(30))) for name in names}
            if random_.random() < 0.3:
                fields["step"] = str(random_.choice([-1, 10**30, "1e3", 0]))
            person.page = asked
            await person.press(action, **fields)
            assert person.status in (200, 422, 400, 409), (action, fields)
        for query in ("x", "", "%00"):
            await person.go(f"/changed?seen={query}")
            assert person.status in (400, 422), query
        assert "SET_PIN" not in here.ausweisapp.received
