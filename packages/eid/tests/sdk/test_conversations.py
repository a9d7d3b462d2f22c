"""Workflows and the scripted AusweisApp talk without a websocket: whole conversations of every sort of person, card and
mishap. Neither side does what the documentation forbids, and a success is one on the card, too."""

from __future__ import annotations

import json
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicepunkt.eid.sdk.errors import ConnectionLostError, SdkError
from servicepunkt.eid.sdk.messages import Command, SetCard, parse, tag_of, write
from servicepunkt.eid.sdk.states import State
from servicepunkt.eid.sdk.steps import AskNumber, AskPosition, AskRights, End, Number, Send, Show, Step
from servicepunkt.eid.sdk.workflow import Workflow
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.ausweisapp import (
    Claim,
    Conversation,
    Fail,
    FakeCard,
    HangUp,
    Hold,
    LoseReader,
    Say,
    Scenario,
    TakeCard,
    Words,
)

PIN, CAN, PUK, NEW = "123456", "500540", "1234567890", "654321"
RIGHT = {Number.PIN: PIN, Number.CAN: CAN, Number.PUK: PUK, Number.NEW_PIN: NEW}
WRONG = {Number.PIN: "111111", Number.CAN: "000000", Number.PUK: "0000000000", Number.NEW_PIN: "12"}
HAPPENINGS = [TakeCard(), TakeCard(then="again"), LoseReader(), Fail(reason="Card_Removed"), HangUp(), Claim(),
              Say('{"msg":"WEATHER"}'), Say('{"msg":"INSERT_CARD"}'), Say('{"msg":"STATUS","progress":3}')]  # fmt: skip
PLACES = ["AUTH", "CHANGE_PIN", "ACCESS_RIGHTS", "CERTIFICATE", "ACCEPT", "INSERT_CARD", "CONTINUE",
          "ENTER_PIN", "ENTER_CAN", "ENTER_PUK", "ENTER_NEW_PIN", "SET_PIN", "SET_CAN", "SET_PUK", "SET_NEW_PIN",
          "CANCEL"]  # fmt: skip


class Play:
    """One workflow with one person, whose `mood` says for each question: right, wrong, or give up."""

    def __init__(self, workflow: Workflow, app: Conversation, moods: list[str]) -> None:
        self.workflow, self.app, self.moods = workflow, app, deque(moods)
        self.end: End | None = None
        self.sent: list[Command] = []
        self._to_app: deque[bytes] = deque()
        self._to_us: deque[str | bytes | None] = deque()

    def run(self) -> End:
        self._hear(self.app.connect())
        self._hear(self.app.receive('{"cmd":"SET_API_LEVEL","level":3}'))
        self._to_us.clear()
        self._do(self.workflow.start())
        for _ in range(500):
            if self.end is not None:
                return self.end
            if self._to_app:
                self._hear(self.app.receive(self._to_app.popleft()))
            elif self._to_us:
                text = self._to_us.popleft()
                lost = self.workflow.abandon(ConnectionLostError()) if text is None else None
                self._do(self.workflow.receive(parse(text)) if text is not None else lost or [])
            elif self.workflow.pending is not None:
                self._do(self._answer())
            else:
                self._do(self.workflow.cancel() or self.workflow.abandon(SdkError()))  # nobody says anything any more
        raise AssertionError("they talk for ever")

    def _hear(self, words: Words) -> None:
        self._to_us.extend(words)

    def _do(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Send(command):
                    self.sent.append(command)
                    self._to_app.append(bytes(write(command)))
                case End():
                    self.end = step
                case Show() | AskRights() | AskNumber() | AskPosition():
                    pass

    def _answer(self) -> list[Step]:
        mood = self.moods.popleft() if self.moods else "right"
        match self.workflow.pending:
            case _ if mood == "give up":
                return self.workflow.cancel()
            case AskRights(request):
                return self.workflow.agree(request.optional if mood == "right" else ())
            case AskPosition():
                return self.workflow.proceed()
            case AskNumber(question):
                numbers = RIGHT if mood == "right" else WRONG
                return self.workflow.enter(Secret(numbers[question.number]))
        raise AssertionError("nothing was asked")


CARDS = st.builds(
    FakeCard,
    tries=st.integers(0, 3),
    puk_uses=st.integers(0, 10),
    deactivated=st.sampled_from([False, False, False, True]),
    is_eid=st.sampled_from([True, True, True, False]),
)
SCENARIOS = st.builds(
    Scenario,
    card=CARDS,
    card_at=st.sampled_from(["start", "asked"]),
    keypad=st.booleans(),
    typed=st.lists(st.sampled_from([PIN, CAN, PUK, NEW, "111111"]), max_size=8).map(tuple),
    can_allowed=st.booleans(),
    happenings=st.dictionaries(
        st.sampled_from(PLACES),
        st.lists(st.sampled_from([*HAPPENINGS, Hold()]), min_size=1, max_size=3).map(tuple),
        max_size=2,
    ),
)


@settings(max_examples=400)
@given(
    scenario=SCENARIOS,
    identifies=st.booleans(),
    moods=st.lists(st.sampled_from(["right", "right", "wrong", "give up"]), max_size=12),
)
def test_every_conversation_ends_and_a_success_is_one_on_the_card(
    scenario: Scenario, identifies: bool, moods: list[str]
) -> None:
    app = Conversation(scenario)
    assert app.card is not None
    workflow = Workflow.identify("https://eid.example/t", level=3) if identifies else Workflow.change_pin(level=3)
    play = Play(workflow, app, moods)
    end = play.run()
    assert end.error is None or isinstance(end.error, SdkError)
    assert (workflow.state is State.DONE) == (end.error is None)
    claimed = any(isinstance(one, Claim) for these in scenario.happenings.values() for one in these)
    names = [tag_of(command) for command in play.sent]
    if end.error is None and not claimed:
        if identifies:
            assert app.card.tries == 3 or scenario.can_allowed
        else:
            assert app.card.pin != PIN or scenario.keypad
    if end.error is None:
        assert {*names} & ({"SET_PIN", "SET_CAN"} if identifies else {"SET_NEW_PIN"})
    if not identifies and app.card.pin == NEW and not scenario.keypad and not scenario.happenings:
        assert end.error is None  # what the card has done is told
    said = any(isinstance(one, Say | Claim) for these in scenario.happenings.values() for one in these)
    assert said or not app.violations, app.violations


@pytest.mark.parametrize(("moods", "puk_uses"), [("", 10), ("w", 10), ("ww", 10), ("wwrw", 9), ("wwrwww", 9)])
def test_the_play_reaches_its_ends(moods: str, puk_uses: int) -> None:
    """So that the property above is about something."""
    app = Conversation(Scenario())
    end = Play(Workflow.change_pin(level=3), app, ["wrong" if mood == "w" else "right" for mood in moods]).run()
    assert app.card is not None
    assert (end.error, app.card.pin, app.card.puk_uses) == (None, NEW, puk_uses)


def test_the_invented_card_is_laid_on() -> None:
    app = Conversation(Scenario(card=None, insertable=True))
    card = SetCard(name="Fake Reader 00 00")
    assert Play(Workflow.identify("https://eid.example/t", level=3, card=card), app, []).run().error is None


@pytest.mark.parametrize(
    ("commands", "blame"),
    [
        (["{"], "no command"),
        (["[]"], "no command"),
        (['{"cmd":"SING"}'], "SING is unknown at level 3"),
        (['{"cmd":"RUN_CHANGE_PIN"}'], "RUN_CHANGE_PIN without SET_API_LEVEL on this connection"),
        (['{"cmd":"SET_API_LEVEL","level":9}'], "a level that there is not"),
        (['{"cmd":"CANCEL"}'], "CANCEL at the wrong moment"),
        (['{"cmd":"SET_PIN","value":"123456"}'], "SET_PIN at the wrong moment"),
        (["LEVEL", '{"cmd":"RUN_AUTH"}'], "RUN_AUTH without an address"),
        (["LEVEL", "PIN", "PIN"], "RUN_CHANGE_PIN during a workflow"),
        (["LEVEL", "PIN", '{"cmd":"SET_PIN"}'], "SET_PIN without 6 digits"),
        (["LEVEL", "PIN", '{"cmd":"SET_PIN","value":"1234"}'], "SET_PIN without 6 digits"),
        (["LEVEL", "PIN", '{"cmd":"SET_NEW_PIN","value":"123456"}'], "SET_NEW_PIN at the wrong moment"),
        (["LEVEL", "AUTH", '{"cmd":"ACCEPT"}'], "accepted without a look at the certificate"),
        (
            ["LEVEL", "AUTH", '{"cmd":"SET_ACCESS_RIGHTS","chat":["FamilyName"]}'],
            "a right was chosen that is not optional",
        ),
        (["LEVEL", "AUTH", '{"cmd":"CONTINUE"}'], "CONTINUE at the wrong moment"),
    ],
)
def test_the_scripted_ausweisapp_sees_what_a_client_does_wrong(commands: list[str], blame: str) -> None:
    short = {
        "LEVEL": '{"cmd":"SET_API_LEVEL","level":3}',
        "PIN": '{"cmd":"RUN_CHANGE_PIN"}',
        "AUTH": '{"cmd":"RUN_AUTH","tcTokenURL":"https://eid.example/t"}',
    }
    app = Conversation(Scenario())
    said = [*app.connect()]
    for command in commands:
        said += app.receive(short.get(command, command))
    assert app.violations == [blame]
    assert all(parse(text) for text in said if text is not None)


def test_a_value_at_a_keypad_is_blamed() -> None:
    app = Conversation(Scenario(keypad=True))
    said: list[str | bytes | None] = []
    for command in (
        '{"cmd":"SET_API_LEVEL","level":3}',
        '{"cmd":"RUN_CHANGE_PIN"}',
        '{"cmd":"SET_PIN","value":"123456"}',
    ):
        said += app.receive(command)
    assert app.violations == ["SET_PIN with a value at a keypad"]
    assert json.loads(said[-1] or "")["error"] == "Value cannot be defined"
