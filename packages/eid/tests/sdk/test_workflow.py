"""The workflows, by their messages."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicepunkt.eid.sdk import errors
from servicepunkt.eid.sdk.errors import (
    BusyError,
    EndedError,
    GivenUpError,
    LevelError,
    NotOfferedError,
    OutOfOrderError,
    PukUsedUpError,
    RefusedError,
    SdkError,
    UnprovenError,
)
from servicepunkt.eid.sdk.messages import SetCard, SetNumber, parse, tag_of
from servicepunkt.eid.sdk.states import CHANGE_PIN, IDENTIFY, Event, State
from servicepunkt.eid.sdk.steps import (
    AskNumber,
    AskPosition,
    AskRights,
    End,
    Mistake,
    Number,
    Occasion,
    Question,
    Send,
    Show,
    Step,
)
from servicepunkt.eid.sdk.workflow import REASONS, Workflow
from servicepunkt.eid.secret import Secret

OK = {"major": "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#ok"}
ERROR = {"major": "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#error"}
BACK = "https://eid.example/?refID=1"
RIGHTS: dict[str, Any] = {
    "chat": {
        "effective": ["FamilyName", "Address", "Pseudonym"],
        "optional": ["Address", "Pseudonym"],
        "required": ["FamilyName"],
    }
}
CERTIFICATE = {
    "description": {"subjectName": "Stadt Musterhausen"},
    "validity": {"effectiveDate": "2026-01-01", "expirationDate": "2026-12-31"},
}


def reader(tries: int = 3, *, keypad: bool = False, **card: Any) -> dict[str, Any]:
    held = {"deactivated": False, "inoperative": False, "retryCounter": tries} | card
    return {"reader": {"name": "R", "attached": True, "keypad": keypad, "card": held}}


class Talk:
    """A workflow together with what it has wanted."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.steps: list[Step] = []
        self.did(workflow.start())

    @classmethod
    def identify(cls, level: int = 3, **options: Any) -> Talk:
        return cls(Workflow.identify("https://eid.example/token", level=level, **options))

    @classmethod
    def change_pin(cls, level: int = 3, **options: Any) -> Talk:
        return cls(Workflow.change_pin(level=level, **options))

    @classmethod
    def agreed(cls) -> Talk:
        """Identify, up to the card."""
        talk = cls.identify()
        talk.hear("AUTH")
        talk.hear("ACCESS_RIGHTS", **RIGHTS)
        talk.hear("CERTIFICATE", **CERTIFICATE)
        talk.did(talk.workflow.agree(["Address", "Pseudonym"]))
        talk.hear("ACCESS_RIGHTS", **RIGHTS)
        return talk

    @classmethod
    def started(cls) -> Talk:
        """Change the PIN, up to the card."""
        talk = cls.change_pin()
        talk.hear("CHANGE_PIN")
        return talk

    def did(self, steps: list[Step]) -> list[Step]:
        self.steps += steps
        return steps

    def hear(self, tag: str, **fields: Any) -> list[Step]:
        return self.did(self.workflow.receive(parse(json.dumps({"msg": tag, **fields}))))

    def type(self, number: str) -> list[Step]:
        return self.did(self.workflow.enter(Secret(number)))

    @property
    def sent(self) -> list[str]:
        return [tag_of(step.command) for step in self.steps if isinstance(step, Send)]

    @property
    def question(self) -> Question:
        assert isinstance(self.workflow.pending, AskNumber)
        return self.workflow.pending.question

    @property
    def shown(self) -> list[Occasion]:
        return [step.notice.occasion for step in self.steps if isinstance(step, Show)]

    @property
    def end(self) -> End:
        last = self.steps[-1]
        assert isinstance(last, End)
        assert self.workflow.is_over
        return last

    @property
    def error(self) -> SdkError:
        assert self.end.error is not None
        return self.end.error


# ---- the facts that a developer gets wrong ------------------------------------------------------------------


def test_fact_1_ok_of_the_client_proves_nothing() -> None:
    """An `ok` for which no number was ever sent is an error, and the word success is in no result of the client."""
    for hear_before in (0, 1, 2, 3):
        talk = Talk.identify()
        for tag, fields in [("AUTH", {}), ("ACCESS_RIGHTS", RIGHTS), ("CERTIFICATE", CERTIFICATE)][:hear_before]:
            talk.hear(tag, **fields)
        talk.hear("AUTH", result=OK, url=BACK)
        assert isinstance(talk.error, UnprovenError)
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader())
    talk.hear("AUTH", result=OK, url=BACK)
    assert isinstance(talk.error, UnprovenError)
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader())
    talk.type("123456")
    talk.hear("AUTH", result=OK, url=BACK)
    assert talk.end == End(url=BACK)


def test_fact_2_a_pin_was_changed_only_after_our_own_new_pin() -> None:
    """AusweisApp2 1.26.2 says success when the card vanishes at the start."""
    talk = Talk.started()
    talk.hear("CHANGE_PIN", success=True)
    assert isinstance(talk.error, UnprovenError)
    talk = Talk.started()
    talk.hear("ENTER_PIN", **reader())
    talk.type("123456")
    talk.hear("CHANGE_PIN", success=True)
    assert isinstance(talk.error, UnprovenError)
    talk = new_pin_sent()
    talk.hear("CHANGE_PIN", success=True)
    assert talk.end == End()


def test_fact_2_a_new_pin_that_crossed_another_message_was_not_sent() -> None:
    for between in ({"tag": "INSERT_CARD"}, {"tag": "PAUSE", "cause": "BadCardPosition"}):
        talk = new_pin_sent()
        talk.hear(**between)
        talk.hear("BAD_STATE", error="SET_NEW_PIN")
        if between["tag"] == "PAUSE":
            talk.did(talk.workflow.proceed())
        talk.hear("CHANGE_PIN", success=True)
        assert isinstance(talk.error, UnprovenError)


def test_fact_4_a_reader_with_a_keypad_gets_no_number() -> None:
    talk = Talk.started()
    talk.hear("ENTER_PIN", **reader(2, keypad=True))
    talk.hear("ENTER_CAN", **reader(1, keypad=True))
    talk.hear("ENTER_PIN", **reader(1, keypad=True))
    talk.hear("ENTER_PUK", **reader(0, keypad=True))
    talk.hear("ENTER_PIN", **reader(3, keypad=True))
    talk.hear("ENTER_NEW_PIN", **reader(3, keypad=True))
    sent = [step.command for step in talk.steps if isinstance(step, Send)][1:]
    assert [tag_of(command) for command in sent] == (
        ["SET_PIN", "SET_CAN", "SET_PIN", "SET_PUK", "SET_PIN", "SET_NEW_PIN"]
    )
    assert all(isinstance(command, SetNumber) and command.value is None for command in sent)
    notices = [step.notice for step in talk.steps if isinstance(step, Show) and step.notice.number]
    assert [(notice.number, notice.mistake) for notice in notices] == [
        (Number.PIN, None),
        (Number.CAN, Mistake.WRONG_PIN),
        (Number.PIN, None),
        (Number.PUK, Mistake.WRONG_PIN),
        (Number.PIN, None),
        (Number.NEW_PIN, None),
    ]
    talk.hear("CHANGE_PIN", success=True)
    assert talk.end == End()


def test_fact_4_a_keypad_that_wants_a_number_is_not_served_for_ever() -> None:
    talk = Talk.started()
    talk.hear("ENTER_PIN", **reader(keypad=True))
    talk.hear("ENTER_PIN", error="Value cannot be undefined", **reader(keypad=True))
    assert talk.sent == ["RUN_CHANGE_PIN", "SET_PIN", "CANCEL"]


def test_fact_5_with_an_error_the_input_was_bad_and_without_one_a_try_is_gone() -> None:
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader(3))
    assert (talk.question.tries, talk.question.mistake) == (3, None)
    talk.type("111111")
    talk.hear("ENTER_PIN", error="You must provide 6 digits", **reader(3))
    assert (talk.question.tries, talk.question.mistake) == (3, Mistake.FORM)
    talk.type("111111")
    talk.hear("ENTER_PIN", **reader(2))
    assert (talk.question.tries, talk.question.mistake) == (2, Mistake.WRONG_PIN)
    talk.type("111111")
    talk.hear("ENTER_PIN", **reader(2))  # asked again, and no try is gone: nobody knows why, and nobody is blamed
    assert talk.question.mistake is None


def test_fact_5_at_one_try_the_can_comes_first_and_taking_the_card_suspends_again() -> None:
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader(2))
    talk.type("111111")
    talk.hear("ENTER_CAN", **reader(1))
    assert (talk.question.number, talk.question.mistake) == (Number.CAN, Mistake.WRONG_PIN)
    talk.type("000000")
    talk.hear("ENTER_CAN", **reader(1))
    assert talk.question.mistake is Mistake.WRONG_CAN
    talk.type("500540")
    talk.hear("ENTER_PIN", **reader(1))
    assert (talk.question.number, talk.question.tries, talk.question.mistake) == (Number.PIN, 1, None)
    talk.hear("READER", name="R", attached=True, card=None)
    talk.hear("INSERT_CARD")
    talk.hear("ENTER_CAN", **reader(1))
    assert (talk.question.number, talk.question.mistake) == (Number.CAN, None)


def test_fact_8_the_puk_unblocks_and_sets_no_pin() -> None:
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader(1))
    talk.type("111111")
    talk.hear("ENTER_PUK", **reader(0))
    assert (talk.question.number, talk.question.tries, talk.question.mistake) == (Number.PUK, 0, Mistake.WRONG_PIN)
    talk.type("0000000000")
    talk.hear("ENTER_PUK", **reader(0))
    assert talk.question.mistake is Mistake.WRONG_PUK
    talk.type("1234567890")
    talk.hear("ENTER_PIN", **reader(3))
    assert (talk.question.number, talk.question.tries, talk.question.mistake) == (Number.PIN, 3, None)
    talk.hear("AUTH", result=OK, url=BACK)
    assert isinstance(talk.error, UnprovenError)


def test_fact_8_a_puk_that_was_used_ten_times_is_not_asked_for() -> None:
    talk = Talk.agreed()
    talk.hear("ENTER_PUK", **reader(0, inoperative=True))
    assert talk.sent[-1] == "CANCEL"
    talk.hear("AUTH", result=ERROR | {"minor": ".../sal#cancellationByUser"})
    assert isinstance(talk.error, PukUsedUpError)


def test_fact_8_five_digits_of_the_letter_change_the_pin_and_identify_nobody() -> None:
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader())
    typed = Secret("12345")
    talk.did(talk.workflow.enter(typed))
    assert "SET_PIN" not in talk.sent
    assert (talk.question.mistake, talk.question.lengths) == (Mistake.LETTER, (6,))
    with pytest.raises(ValueError, match="wiped"):
        typed.reveal()
    talk = Talk.started()
    talk.hear("ENTER_PIN", **reader())
    assert talk.question.lengths == (5, 6)
    talk.type("12345")
    assert talk.sent[-1] == "SET_PIN"


def new_pin_sent() -> Talk:
    talk = Talk.started()
    talk.hear("ENTER_PIN", **reader())
    talk.type("123456")
    talk.hear("ENTER_NEW_PIN", **reader())
    talk.type("654321")
    return talk


# ---- rights -------------------------------------------------------------------------------------------------


def test_rights_and_certificate_are_shown_before_anything_else() -> None:
    talk = Talk.identify()
    talk.hear("AUTH")
    talk.hear("ACCESS_RIGHTS", **RIGHTS, aux={"requiredAge": "18"}, transactionInfo="Az. 7")
    assert talk.workflow.pending is None
    talk.hear("CERTIFICATE", **CERTIFICATE)
    assert isinstance(talk.workflow.pending, AskRights)
    request = talk.workflow.pending.request
    assert (request.required, request.optional) == (("FamilyName",), ("Address", "Pseudonym"))
    assert (request.certificate.subject_name, request.transaction) == ("Stadt Musterhausen", "Az. 7")
    assert request.auxiliary is not None
    assert talk.sent == ["RUN_AUTH", "GET_CERTIFICATE"]


def test_optional_rights_are_switched_off_and_required_ones_are_not() -> None:
    talk = Talk.identify()
    talk.hear("AUTH")
    talk.hear("ACCESS_RIGHTS", **RIGHTS)
    talk.hear("CERTIFICATE", **CERTIFICATE)
    (step,) = talk.did(talk.workflow.agree(["Pseudonym"]))
    assert isinstance(step, Send)
    assert step.command.chat == ("Pseudonym",)  # type: ignore[attr-defined]
    effective = RIGHTS["chat"] | {"effective": ["FamilyName", "Pseudonym"]}
    talk.hear("ACCESS_RIGHTS", chat=effective)
    assert talk.sent[-1] == "ACCEPT"


@pytest.mark.parametrize(
    "answer",
    [
        RIGHTS,  # Address is still switched on
        {"chat": RIGHTS["chat"] | {"effective": ["Pseudonym"]}},  # what is required is off
        {"chat": RIGHTS["chat"] | {"effective": ["FamilyName", "Pseudonym"], "required": ["FamilyName", "Address"]}},
        {"chat": RIGHTS["chat"] | {"effective": ["FamilyName", "Pseudonym"]}, "transactionInfo": "another"},
        {"chat": RIGHTS["chat"] | {"effective": ["FamilyName", "Pseudonym"]}, "aux": {"communityId": "0276"}},
        {"chat": RIGHTS["chat"] | {"effective": ["FamilyName", "Pseudonym"]}, "error": "no"},
    ],
)
def test_nothing_is_accepted_but_what_was_seen(answer: dict[str, Any]) -> None:
    talk = Talk.identify()
    talk.hear("AUTH")
    talk.hear("ACCESS_RIGHTS", **RIGHTS)
    talk.hear("CERTIFICATE", **CERTIFICATE)
    talk.did(talk.workflow.agree(["Pseudonym"]))
    talk.hear("ACCESS_RIGHTS", **answer)
    assert "ACCEPT" not in talk.sent
    assert talk.sent[-1] == "CANCEL"


def test_rights_do_not_change_after_they_were_agreed_to() -> None:
    talk = Talk.agreed()
    talk.hear("ACCESS_RIGHTS", **RIGHTS)
    talk.hear("AUTH", result=ERROR)
    assert isinstance(talk.error, OutOfOrderError)


def test_a_right_that_nobody_asked_for_is_not_sent() -> None:
    talk = Talk.identify()
    talk.hear("AUTH")
    talk.hear("ACCESS_RIGHTS", **RIGHTS)
    talk.hear("CERTIFICATE", **CERTIFICATE)
    with pytest.raises(NotOfferedError):
        talk.workflow.agree(["WriteAddress"])
    assert talk.workflow.state is State.RIGHTS


# ---- card and reader ----------------------------------------------------------------------------------------


def test_the_card_is_asked_for_and_found() -> None:
    talk = Talk.agreed()
    talk.hear("INSERT_CARD")
    assert talk.workflow.waits_for == "card"
    talk.hear("READER", name="R", attached=True, card={})
    talk.hear("READER", name="R", attached=True, card={"deactivated": True, "retryCounter": 3})
    talk.hear("INSERT_CARD")
    talk.hear("READER", **reader()["reader"])
    talk.hear("ENTER_PIN", **reader())
    assert talk.shown[1:] == [
        Occasion.INSERT_CARD,
        Occasion.CARD_UNKNOWN,
        Occasion.CARD_OFF,
        Occasion.INSERT_CARD,
        Occasion.CARD_FOUND,
    ]


def test_what_was_asked_is_withdrawn_when_the_card_goes() -> None:
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader())
    assert talk.workflow.pending
    talk.hear("INSERT_CARD")
    assert talk.workflow.pending is None
    with pytest.raises(OutOfOrderError):
        talk.workflow.enter(Secret("123456"))


@pytest.mark.parametrize(
    ("reader_said", "kind"),
    [
        ({"attached": True, "card": None}, errors.CardTakenError),
        ({"attached": False}, errors.ReaderLostError),
    ],
)
@pytest.mark.parametrize("reason", [None, "Card_Removed"])
def test_who_went_is_told(reader_said: dict[str, Any], kind: type[EndedError], reason: str | None) -> None:
    for talk, end in ((Talk.agreed(), {"tag": "AUTH", "result": ERROR | {"reason": reason}, "url": BACK}),
                      (Talk.started(), {"tag": "CHANGE_PIN", "success": False, "reason": reason})):  # fmt: skip
        talk.hear("ENTER_PIN", **reader())
        talk.hear("READER", name="R", **reader_said)
        talk.hear(**end)
        assert type(talk.error) is kind


def test_other_readers_do_not_matter() -> None:
    talk = Talk.started()
    talk.hear("ENTER_PIN", **reader())
    talk.hear("READER", name="Other", attached=True, card=None)
    talk.hear("READER", name="Other", attached=False)
    assert talk.shown == [Occasion.STARTED]
    talk.hear("CHANGE_PIN", success=False)
    assert type(talk.error) is EndedError


def test_a_card_that_lies_badly() -> None:
    talk = new_pin_sent()
    talk.hear("PAUSE", cause="BadCardPosition")
    assert talk.workflow.pending == AskPosition("BadCardPosition")
    talk.did(talk.workflow.proceed())
    assert talk.sent[-1] == "CONTINUE"
    talk.hear("CHANGE_PIN", success=True)
    assert talk.end == End()


def test_a_pause_belongs_to_level_3() -> None:
    talk = Talk.change_pin(level=2)
    talk.hear("CHANGE_PIN")
    talk.hear("PAUSE", cause="BadCardPosition")
    assert talk.sent[-1] == "CANCEL"


def test_the_invented_card_is_laid_on_once() -> None:
    talk = Talk.change_pin(card=SetCard(name="Simulator"))
    talk.hear("CHANGE_PIN")
    talk.hear("INSERT_CARD")
    talk.hear("INSERT_CARD")
    assert talk.sent == ["RUN_CHANGE_PIN", "SET_CARD"]
    talk.hear("INSERT_CARD", error="Unknown reader name")
    talk.hear("CHANGE_PIN", success=False)
    assert isinstance(talk.error, RefusedError)
    with pytest.raises(LevelError):
        Workflow.change_pin(level=1, card=SetCard(name="Simulator"))


# ---- ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "kind"), REASONS.items())
def test_reasons_that_mean_something_to_a_person(reason: str, kind: type[EndedError]) -> None:
    talk = Talk.agreed()
    talk.hear("AUTH", result=ERROR | {"reason": reason}, url=BACK)
    assert type(talk.error) is kind
    assert isinstance(talk.error, EndedError)
    assert talk.error.url == BACK
    assert BACK not in str(talk.error)


def test_a_failure_is_named_and_carries_no_text_of_others() -> None:
    talk = Talk.agreed()
    minor = "http://www.bsi.bund.de/ecard/api/1.1/resultminor/dp#trustedChannelEstablishmentFailed"
    talk.hear("AUTH", result=ERROR | {"minor": minor, "message": "Erika", "reason": "Erika Mustermann"}, url="http://a")
    assert str(talk.error) == ("SP4110: The AusweisApp ended with an error. (minor trustedChannelEstablishmentFailed)")
    assert talk.end.url is None


@pytest.mark.parametrize(
    "url", [None, "", "http://eid.example", "javascript:alert(1)", "https://eid.example/ x", "https://"]
)
def test_a_client_that_is_done_leads_back(url: str | None) -> None:
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader())
    talk.type("123456")
    talk.hear("AUTH", result=OK, url=url)
    assert isinstance(talk.error, UnprovenError)


def test_given_up() -> None:
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader())
    talk.did(talk.workflow.cancel())
    assert talk.sent[-1] == "CANCEL"
    assert talk.workflow.cancel() == []
    talk.hear("ENTER_PIN", **reader())  # was on its way
    talk.hear("READER", name="R", attached=True, card=None)
    assert not talk.workflow.is_over
    talk.hear("AUTH", result=OK, url=BACK)  # nothing was sent that this could be the success of
    assert isinstance(talk.error, GivenUpError)


def test_given_up_too_late() -> None:
    """The PIN is the new one, whoever wanted to stop: the person has to know it."""
    talk = new_pin_sent()
    talk.did(talk.workflow.cancel())
    talk.hear("CHANGE_PIN", success=True)
    assert talk.end == End()


def test_a_command_that_is_refused() -> None:
    talk = Talk.identify()
    talk.hear("AUTH", error="Validation of tcTokenURL failed")
    assert isinstance(talk.error, RefusedError)
    talk = Talk.change_pin()
    talk.hear("BAD_STATE", error="RUN_CHANGE_PIN")
    assert isinstance(talk.error, BusyError)
    talk = Talk.change_pin()
    talk.hear("UNKNOWN_COMMAND", error="RUN_CHANGE_PIN")
    assert isinstance(talk.error, RefusedError)
    talk = Talk.started()
    talk.hear("ENTER_PIN", **reader())
    talk.type("123456")
    talk.hear("BAD_STATE", error="SET_PIN")
    assert talk.sent[-1] == "CANCEL"
    talk.hear("BAD_STATE", error="CANCEL")
    assert isinstance(talk.error, RefusedError)


def test_what_was_said_to_a_workflow_before_does_not_matter() -> None:
    talk = Talk.started()
    talk.hear("BAD_STATE", error="CANCEL")
    talk.hear("BAD_STATE", error="SET_PIN")
    assert talk.sent == ["RUN_CHANGE_PIN"]


def test_a_number_that_crossed_the_end_of_the_card_is_asked_for_again() -> None:
    talk = Talk.agreed()
    talk.hear("ENTER_PIN", **reader())
    talk.type("123456")
    talk.hear("INSERT_CARD")
    talk.hear("BAD_STATE", error="SET_PIN")
    talk.hear("ENTER_PIN", **reader())
    assert talk.question.mistake is None


def test_a_refusal_that_comes_after_the_next_number_is_about_an_older_one() -> None:
    talk = new_pin_sent()
    talk.hear("BAD_STATE", error="SET_PIN")
    talk.hear("CHANGE_PIN", success=True)
    assert talk.end == End()
    talk = new_pin_sent()
    talk.hear("BAD_STATE", error="SET_NEW_PIN")
    assert talk.sent[-1] == "CANCEL"


@pytest.mark.parametrize("address", ["", "http://eid.example", "eid.example", "https://a b", "file:///etc/passwd"])
def test_only_https_is_opened(address: str) -> None:
    with pytest.raises(RefusedError):
        Workflow.identify(address, level=3)


@pytest.mark.parametrize(
    ("talk", "tag", "fields"),
    [
        (Talk.identify, "ENTER_PIN", reader()),
        (Talk.identify, "ACCESS_RIGHTS", RIGHTS),
        (Talk.agreed, "AUTH", {}),
        (Talk.agreed, "AUTH", {"error": "late"}),
        (Talk.agreed, "CERTIFICATE", CERTIFICATE),
        (Talk.agreed, "ENTER_NEW_PIN", reader()),
        (Talk.agreed, "CHANGE_PIN", {"success": True}),
        (Talk.started, "ACCESS_RIGHTS", RIGHTS),
        (Talk.started, "ENTER_NEW_PIN", reader()),
        (Talk.started, "AUTH", {"result": OK, "url": BACK}),
        (new_pin_sent, "CHANGE_PIN", {}),
        (new_pin_sent, "INVALID", {"error": "?"}),
        (new_pin_sent, "INTERNAL_ERROR", {}),
    ],
)
def test_what_comes_at_the_wrong_moment_cancels(talk: Any, tag: str, fields: dict[str, Any]) -> None:
    said: Talk = talk()
    said.hear(tag, **fields)
    assert said.sent[-1] == "CANCEL"
    own = "AUTH" if "RUN_AUTH" in said.sent else "CHANGE_PIN"
    said.hear(own, **({"result": ERROR} if own == "AUTH" else {"success": False}))
    assert isinstance(said.error, OutOfOrderError | RefusedError)


@pytest.mark.parametrize("talk", [Talk.identify, Talk.agreed, Talk.started, new_pin_sent])
def test_what_nobody_knows_and_what_is_told_aside_ends_nothing(talk: Any) -> None:
    said: Talk = talk()
    before = said.workflow.state
    for tag, fields in {"WEATHER": {"rain": 1}, "INFO": {"VersionInfo": {}}, "API_LEVEL": {"current": 3},
                        "READER_LIST": {}, "STATUS": {"progress": 7}}.items():  # fmt: skip
        said.hear(tag, **fields)
    assert said.workflow.state is before
    assert "CANCEL" not in said.sent


# ---- the tables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moves", [IDENTIFY, CHANGE_PIN])
def test_success_is_reached_from_the_last_step_alone(moves: dict[tuple[State, Event], State]) -> None:
    good = {state for (state, event), to in moves.items() if to is State.DONE}
    assert good == {State.FINISHING, State.CANCELLING_LATE}
    into = {(state, event) for (state, event), to in moves.items() if to is State.FINISHING}
    number = (
        {(State.PIN, Event.NUMBER), (State.CAN, Event.NUMBER)} if moves is IDENTIFY else {(State.NEW_PIN, Event.NUMBER)}
    )
    assert into == number | {(State.PAUSED_FINISHING, Event.CONTINUE)}


@pytest.mark.parametrize("moves", [IDENTIFY, CHANGE_PIN])
def test_every_state_has_a_way_out_and_the_last_ones_none(moves: dict[tuple[State, Event], State]) -> None:
    reached = {State.STARTING}
    while more := {to for (state, _), to in moves.items() if state in reached} - reached:
        reached |= more
    assert {state for state, _ in moves} >= reached - {State.DONE, State.ENDED}
    assert not {state for state, _ in moves} & {State.DONE, State.ENDED}
    assert all((state, Event.FAILED) in moves for state in reached - {State.DONE, State.ENDED})


# ---- conversations in any order -----------------------------------------------------------------------------

TRIES = st.integers(-1, 3)
ANY_READER = st.builds(
    lambda tries, keypad, off, used: reader(tries, keypad=keypad, deactivated=off, inoperative=used)["reader"],
    TRIES, st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
EVENTS = st.one_of(
    st.sampled_from(
        [
            {"msg": "AUTH"},
            {"msg": "AUTH", "result": OK, "url": BACK},
            {"msg": "AUTH", "result": ERROR, "url": BACK},
            {"msg": "AUTH", "error": "?"},
            {"msg": "CHANGE_PIN"},
            {"msg": "CHANGE_PIN", "success": True},
            {"msg": "CHANGE_PIN", "success": False, "reason": "Card_Removed"},
            {"msg": "ACCESS_RIGHTS", **RIGHTS},
            {"msg": "CERTIFICATE", **CERTIFICATE},
            {"msg": "INSERT_CARD"},
            {"msg": "PAUSE", "cause": "BadCardPosition"},
            {"msg": "STATUS", "progress": 50},
            {"msg": "BAD_STATE", "error": "SET_PIN"},
            {"msg": "BAD_STATE", "error": "SET_NEW_PIN"},
            {"msg": "BAD_STATE", "error": "CANCEL"},
            {"msg": "INTERNAL_ERROR"},
            {"msg": "WEATHER"},
            "agree", "cancel", "proceed", "123456", "12345", "1234567890", "x",
        ]
    ),
    st.builds(lambda said: {"msg": "READER", **said}, ANY_READER),
    st.builds(
        lambda tag, said, error: {"msg": tag, "reader": said, **error},
        st.sampled_from(["ENTER_PIN", "ENTER_CAN", "ENTER_PUK", "ENTER_NEW_PIN"]),
        ANY_READER,
        st.sampled_from([{}, {}, {"error": "You must provide 6 digits"}]),
    ),
)  # fmt: skip
#: Often on the way, so that conversations get somewhere.
LIKELY = {
    State.STARTING: {"RUN_AUTH": {"msg": "AUTH"}, "RUN_CHANGE_PIN": {"msg": "CHANGE_PIN"}},
    State.STARTED: {"RUN_AUTH": {"msg": "ACCESS_RIGHTS", **RIGHTS}, "RUN_CHANGE_PIN": {"msg": "ENTER_PIN", **reader()}},
    State.CERTIFICATE: {"RUN_AUTH": {"msg": "CERTIFICATE", **CERTIFICATE}},
    State.RIGHTS: {"RUN_AUTH": "agree"},
    State.CHOOSING: {"RUN_AUTH": {"msg": "ACCESS_RIGHTS", **RIGHTS}},
    State.WORKING: {
        "RUN_AUTH": {"msg": "ENTER_PIN", **reader()},
        "RUN_CHANGE_PIN": {"msg": "ENTER_NEW_PIN", **reader()},
    },
    State.PIN: {"RUN_AUTH": "123456", "RUN_CHANGE_PIN": "123456"},
    State.NEW_PIN: {"RUN_CHANGE_PIN": "123456"},
}  # fmt: skip


def act(talk: Talk, event: dict[str, Any] | str) -> None:
    """One event; what a person does without having been asked is refused."""
    workflow = talk.workflow
    try:
        if isinstance(event, dict):
            talk.hear(event["msg"], **{name: value for name, value in event.items() if name != "msg"})
        elif event == "agree":
            talk.did(workflow.agree(["Address", "Pseudonym"]))
        elif event == "cancel":
            talk.did(workflow.cancel())
        elif event == "proceed":
            talk.did(workflow.proceed())
        else:
            talk.type(event)
    except OutOfOrderError:
        pass


@settings(max_examples=400)
@given(st.booleans(), st.sampled_from([1, 2, 3]), st.lists(st.tuples(st.booleans(), EVENTS), max_size=40))
def test_no_order_of_messages_makes_a_success_out_of_nothing(
    identifies: bool, level: int, events: list[tuple[bool, dict[str, Any] | str]]
) -> None:
    talk = Talk.identify(level) if identifies else Talk.change_pin(level)
    opening = talk.sent[0]
    for is_likely, event in events:
        before = talk.workflow.state
        likely = LIKELY.get(before, {}).get(opening) if is_likely else None
        act(talk, likely or event)  # type: ignore[arg-type]
        assert talk.workflow.is_over == (talk.workflow.state in (State.DONE, State.ENDED))
    ends = [step for step in talk.steps if isinstance(step, End)]
    assert len(ends) == talk.workflow.is_over
    assert talk.sent.count("CANCEL") <= 1
    if talk.workflow.state is State.DONE:
        assert ends[0].error is None
        assert ("SET_PIN" in talk.sent or "SET_CAN" in talk.sent) if identifies else "SET_NEW_PIN" in talk.sent
        assert not identifies or "ACCEPT" in talk.sent
    for one, next_one in pairwise(talk.sent):
        assert one != "CANCEL", next_one
    numbers = [name for name in talk.sent if name in ("SET_PIN", "SET_CAN", "SET_PUK")]
    if identifies and numbers:
        assert talk.sent.index("ACCEPT") < talk.sent.index(numbers[0])
