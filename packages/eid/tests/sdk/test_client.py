"""The client against the scripted AusweisApp."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response

from servicepunkt.eid.sdk import errors
from servicepunkt.eid.sdk.client import ClientFinished, Limits, SdkClient
from servicepunkt.eid.sdk.errors import (
    BusyError,
    CardTakenError,
    ConnectionLostError,
    EndedError,
    GivenUpError,
    LevelError,
    MessageError,
    NotOfferedError,
    OutOfOrderError,
    ReaderLostError,
    RefusedError,
    SlowError,
    UnprovenError,
    UnreachableError,
)
from servicepunkt.eid.sdk.messages import SetCard
from servicepunkt.eid.sdk.steps import Mistake, Number, Occasion, Question, Request
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.ausweisapp import (
    Claim,
    Fail,
    FakeAusweisApp,
    FakeCard,
    HangUp,
    Happening,
    Hold,
    LoseReader,
    Say,
    Scenario,
    Silence,
    TakeCard,
)
from servicepunkt.eid.testing.screen import WAIT, Person

TOKEN = "https://eid.example/token?session=5f3a"
QUICK = Limits(connect=2, answer=2, app=2, person=2, card=2, cancel=0.1)


def after(name: str, *happenings: Happening, **options: object) -> Scenario:
    return Scenario(happenings={name: happenings}, **options)  # type: ignore[arg-type]


async def identify(scenario: Scenario, person: Person, **options: object) -> tuple[ClientFinished, FakeAusweisApp]:
    async with FakeAusweisApp(scenario) as app, SdkClient(app.url, limits=QUICK) as client:
        return await client.identify(TOKEN, ui=person, **options), app  # type: ignore[arg-type]


async def change_pin(scenario: Scenario, person: Person) -> FakeAusweisApp:
    async with FakeAusweisApp(scenario) as app, SdkClient(app.url, limits=QUICK) as client:
        await client.change_pin(ui=person)
        return app


# ---- the good ends ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [1, 2, 3])
async def test_somebody_identifies_at_every_level(level: int) -> None:
    person = Person("123456", rights=["Address"])
    scenario = Scenario(
        levels=tuple(range(1, level + 1)), auxiliary={"requiredAge": "18"}, transaction="Az. 7", card_at="asked"
    )
    finished, app = await identify(scenario, person)
    assert finished.url == "https://eid.example/done?refID=5f3a"
    assert "5f3a" not in repr(finished)
    (request,) = person.requests
    assert (request.required, request.optional) == (("FamilyName", "GivenNames"), ("Address", "AgeVerification"))
    assert (request.certificate.subject_name, request.transaction) == ("Stadt Musterhausen", "Az. 7")
    assert person.seen == [Occasion.STARTED, Occasion.INSERT_CARD, Occasion.CARD_FOUND]
    assert app.received[2:] == ["RUN_AUTH", "GET_CERTIFICATE", "SET_ACCESS_RIGHTS", "ACCEPT", "SET_PIN"]


async def test_wrong_pins_then_can_then_puk_then_the_right_one() -> None:
    person = Person("111111", "111111", "000000", "500540", "111111", "0000000000", "1234567890", "123456")
    _, app = await identify(Scenario(), person)
    assert [(question.number, question.tries, question.mistake) for question in person.questions] == [
        (Number.PIN, 3, None),
        (Number.PIN, 2, Mistake.WRONG_PIN),
        (Number.CAN, 1, Mistake.WRONG_PIN),
        (Number.CAN, 1, Mistake.WRONG_CAN),
        (Number.PIN, 1, None),
        (Number.PUK, 0, Mistake.WRONG_PIN),
        (Number.PUK, 0, Mistake.WRONG_PUK),
        (Number.PIN, 3, None),
    ]
    assert (app.card.tries, app.card.puk_uses) == (3, 9)


async def test_the_pin_of_the_letter_becomes_an_own_one() -> None:
    person = Person("1234", "12345", "65432", "654321")
    app = await change_pin(Scenario(card=FakeCard(pin="12345", letter=True)), person)
    assert (app.card.pin, app.card.letter, app.card.tries) == ("654321", False, 3)
    assert [question.mistake for question in person.questions] == [None, Mistake.FORM, None, Mistake.FORM]
    assert all(secret.is_digits(0) or "*" in repr(secret) for secret in person.secrets)


async def test_the_can_alone_where_the_service_may_read_on_site() -> None:
    person = Person("500540")
    await identify(Scenario(can_allowed=True, card=FakeCard(deactivated=True)), person)
    assert [question.number for question in person.questions] == [Number.CAN]


async def test_fact_4_numbers_are_typed_at_a_reader_with_a_keypad() -> None:
    person = Person()
    app = await change_pin(
        Scenario(keypad=True, typed=("111111", "12345", "654321"), card=FakeCard(pin="12345")), person
    )
    assert app.card.pin == "654321"
    assert [(notice.number, notice.mistake) for notice in person.notices if notice.occasion is Occasion.KEYPAD] == [
        (Number.PIN, None),
        (Number.PIN, Mistake.WRONG_PIN),
        (Number.NEW_PIN, None),
    ]
    with pytest.raises(GivenUpError):
        await change_pin(Scenario(keypad=True), person)
    with pytest.raises(errors.OwnPinNeededError):
        await identify(Scenario(keypad=True, typed=("12345",)), person)


async def test_the_invented_card() -> None:
    scenario = Scenario(card=None, insertable=True, reader="Simulator")
    _, app = await identify(scenario, Person("123456"), card=SetCard(name="Simulator"))
    assert "SET_CARD" in app.received
    with pytest.raises(RefusedError):
        async with FakeAusweisApp(scenario, strict=False) as app, SdkClient(app.url, limits=QUICK) as client:
            await client.change_pin(ui=Person(), card=SetCard(name="Other"))


async def test_fact_3_the_level_is_set_with_each_connection() -> None:
    """It belongs to the whole process: one connection at level 1 would silence the next one."""
    async with FakeAusweisApp() as app:
        async with SdkClient(app.url, level=1) as client:
            assert client.level == 1
            assert [reader.name for reader in await client.readers()] == ["Fake Reader 00 00"]
            with pytest.raises(LevelError):
                await client.status()
        async with SdkClient(app.url) as client:
            assert client.level == 3
            assert (await client.status()).workflow is None
            person = Person("123456")
            await client.identify(TOKEN, ui=person)
        assert app.received.count("SET_API_LEVEL") == 2
    assert [notice.progress for notice in person.notices if notice.progress is not None] == [0, 100]


async def test_questions_go_beside_a_workflow() -> None:
    async with FakeAusweisApp() as app, SdkClient(app.url, limits=QUICK) as client:
        person = Person(WAIT)
        task = asyncio.create_task(client.change_pin(ui=person))
        await person.waits.wait()
        assert (await client.status()).state == "ENTER_PIN"
        assert (await client.info()).implementation_version == "2.3.1"
        (reader,) = await client.readers()
        assert reader.card is not None
        assert reader.card.tries == 3
        with pytest.raises(BusyError):
            await client.identify(TOKEN, ui=Person())
        task.cancel()
        await asyncio.wait({task})
        assert app.received[-1] == "CANCEL"


# ---- the other ends -----------------------------------------------------------------------------------------


async def test_the_person_gives_up() -> None:
    for person in (Person(rights=None), Person(None)):
        with pytest.raises(GivenUpError) as caught:
            await identify(Scenario(), person)
        assert caught.value.url == "https://eid.example/done?errID=5f3a"
    with pytest.raises(GivenUpError):
        await change_pin(Scenario(), Person("123456", None))
    with pytest.raises(GivenUpError):
        await change_pin(after("SET_PIN", Hold()), Person("123456", lays_anew=False))


STEPS = ["ACCESS_RIGHTS", "SET_ACCESS_RIGHTS", "ACCEPT", "ENTER_PIN", "SET_PIN"]


@pytest.mark.parametrize("step", STEPS)
async def test_the_card_is_taken_for_good(step: str) -> None:
    with pytest.raises(CardTakenError):
        await identify(after(step, TakeCard()), Person(WAIT if step == "ENTER_PIN" else "123456"))


@pytest.mark.parametrize("step", ["ENTER_PIN", "SET_PIN", "ENTER_NEW_PIN", "SET_NEW_PIN"])
async def test_the_card_is_taken_and_laid_on_again(step: str) -> None:
    """Whatever was typed before, the numbers are asked for anew."""
    numbers = {"ENTER_PIN": [WAIT], "SET_PIN": ["123456"], "ENTER_NEW_PIN": ["123456", WAIT]}.get(
        step, ["123456", "654321"] if step == "SET_NEW_PIN" else []
    )
    person = Person(*numbers, "123456", "654321")
    app = await change_pin(after(step, TakeCard(then="again")), person)
    assert app.card.pin == "654321"
    assert person.withdrawn == numbers.count(WAIT)
    assert Occasion.CARD_TAKEN in person.seen


@pytest.mark.parametrize("step", STEPS)
async def test_the_reader_is_unplugged(step: str) -> None:
    numbers = [WAIT] if step == "ENTER_PIN" else ["123456"]
    with pytest.raises(EndedError) as caught:
        await identify(after(step, LoseReader()), Person(*numbers))
    assert type(caught.value) is (ReaderLostError if step.endswith("_PIN") else CardTakenError)


async def test_a_card_whose_online_function_is_off_waits_for_another_one() -> None:
    person = Person()
    limits = Limits(card=0.1, cancel=2)
    async with (
        FakeAusweisApp(Scenario(card=FakeCard(deactivated=True), card_at="asked")) as app,
        SdkClient(app.url, limits=limits) as client,
    ):
        with pytest.raises(SlowError) as caught:
            await client.identify(TOKEN, ui=person)
    assert caught.value.details == {"who": "card"}
    assert Occasion.CARD_OFF in person.seen


async def test_a_card_that_lies_badly_is_laid_anew() -> None:
    person = Person("123456", "123456", "654321")
    app = await change_pin(after("SET_PIN", Hold()), person)
    assert person.causes == ["BadCardPosition"]
    assert app.card.pin == "654321"


async def test_fact_2_a_claim_is_no_success() -> None:
    for step, numbers in {"CHANGE_PIN": [], "ENTER_PIN": [WAIT], "SET_PIN": ["123456"]}.items():
        with pytest.raises(UnprovenError):
            await change_pin(after(step, Claim()), Person(*numbers))


async def test_fact_1_a_claim_before_the_pin_is_no_end_of_the_client() -> None:
    for step, numbers in {"ACCESS_RIGHTS": [], "ACCEPT": [], "ENTER_PIN": [WAIT]}.items():
        with pytest.raises(UnprovenError):
            await identify(after(step, Claim()), Person(*numbers))


async def test_failures_have_their_reason() -> None:
    scenario = after("ACCEPT", Fail(reason="Generic_Send_Receive_Network_Error"))
    with pytest.raises(EndedError) as caught:
        await identify(scenario, Person())
    assert caught.value.details == {"reason": "Generic_Send_Receive_Network_Error", "minor": "internalError"}


# ---- time ---------------------------------------------------------------------------------------------------


async def test_a_person_who_takes_too_long() -> None:
    async with FakeAusweisApp() as app, SdkClient(app.url, limits=Limits(person=0.05)) as client:
        person = Person(WAIT)
        with pytest.raises(SlowError) as caught:
            await client.change_pin(ui=person)
        assert (caught.value.details, person.withdrawn) == ({"who": "person"}, 1)
        assert app.received[-1] == "CANCEL"
        await client.change_pin(ui=Person("123456", "654321"))  # it ended clean


async def test_an_ausweisapp_that_takes_long_but_not_too_long() -> None:
    await change_pin(Scenario(slow={"ENTER_NEW_PIN": 0.2}), Person("123456", "654321"))


async def test_an_ausweisapp_that_falls_silent() -> None:
    async with (
        FakeAusweisApp(after("SET_PIN", Silence())) as app,
        SdkClient(app.url, limits=Limits(app=0.05, cancel=0.05)) as client,
    ):
        with pytest.raises(SlowError) as caught:
            await client.change_pin(ui=Person("123456"))
        assert caught.value.details == {"who": "app"}
        with pytest.raises(ConnectionLostError):
            await client.info()


async def test_an_ausweisapp_that_answers_no_question() -> None:
    async def mute(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve(mute, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(SlowError):
            async with SdkClient(f"ws://127.0.0.1:{port}/eID-Kernel", limits=Limits(answer=0.05)):
                pass


async def test_who_cancels_the_task_cancels_the_workflow() -> None:
    async with FakeAusweisApp() as app, SdkClient(app.url) as client:
        person = Person(WAIT)
        task = asyncio.create_task(client.identify(TOKEN, ui=person))
        await person.waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (app.received[-1], person.withdrawn) == ("CANCEL", 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.identify(TOKEN, ui=Person(WAIT))
        await client.identify(TOKEN, ui=Person("123456"))


async def test_a_silent_ausweisapp_holds_nobody_who_cancels() -> None:
    async with (
        FakeAusweisApp(after("ENTER_PIN", Silence())) as app,
        SdkClient(app.url, limits=Limits(cancel=0.05)) as client,
    ):
        person = Person(WAIT)
        task = asyncio.create_task(client.change_pin(ui=person))
        await person.waits.wait()
        task.cancel()
        async with asyncio.timeout(2):
            with pytest.raises(asyncio.CancelledError):
                await task
        with pytest.raises(ConnectionLostError):
            await client.status()


# ---- the screen ---------------------------------------------------------------------------------------------


class Broken(Person):
    """A screen with a fault."""

    async def ask_secret(self, question: Question) -> Secret | None:
        raise KeyError("screen")


class Greedy(Person):
    async def confirm_rights(self, request: Request) -> Iterable[str] | None:
        return ["WriteAddress"]


async def test_a_fault_of_the_screen_comes_out_and_cancels() -> None:
    async with FakeAusweisApp() as app, SdkClient(app.url) as client:
        with pytest.raises(KeyError, match="screen"):
            await client.change_pin(ui=Broken())
        assert app.received[-1] == "CANCEL"
        with pytest.raises(NotOfferedError):
            await client.identify(TOKEN, ui=Greedy())
        assert app.received[-1] == "CANCEL"
        await client.change_pin(ui=Person("123456", "654321"))


async def test_no_number_is_logged_and_every_one_is_wiped(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("websockets").setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    person = Person("918273", "12", "123456", "654321")
    await change_pin(Scenario(), person)
    assert not any(number in caplog.text for number in ("918273", "123456", "654321"))
    assert len(person.secrets) == 4
    for secret in person.secrets:
        with pytest.raises(ValueError, match="wiped"):
            secret.reveal()


async def test_a_number_that_came_too_late_is_wiped() -> None:
    late: list[Secret] = []

    class Stubborn(Person):
        async def ask_secret(self, question: Question) -> Secret | None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                late.append(Secret("123456"))
            return late[-1]

    with pytest.raises(CardTakenError):
        await change_pin(after("ENTER_PIN", TakeCard()), Stubborn())
    with pytest.raises(ValueError, match="wiped"):
        late[0].reveal()


# ---- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["{", "[]", '{"msg":7}', '{"msg":"ENTER_PIN","reader":7}', '{"msg":"STATUS","progress":"half"}', b"\xff\xfe"],
)
async def test_what_cannot_be_read_cancels_the_workflow(words: str | bytes) -> None:
    async with FakeAusweisApp(after("SET_PIN", Say(words))) as app, SdkClient(app.url, limits=QUICK) as client:
        with pytest.raises(MessageError):
            await client.change_pin(ui=Person("123456", "654321"))
        assert app.received[-1] == "CANCEL"
        assert app.card.pin == "123456"
        await client.change_pin(ui=Person("123456", "654321"))


async def test_a_message_of_10_megabytes_ends_the_connection() -> None:
    async with (
        FakeAusweisApp(after("SET_PIN", Say('{"msg":"' + "A" * 10_000_000 + '"}'))) as app,
        SdkClient(app.url, limits=QUICK) as client,
    ):
        with pytest.raises(MessageError):
            await client.change_pin(ui=Person("123456", "654321"))
        with pytest.raises(ConnectionLostError):
            await client.info()


async def test_unknown_messages_and_fields_do_not_disturb() -> None:
    words = [Say('{"msg":"WEATHER","sun":1}'), Say('{"msg":"STATUS","progress":7,"mood":"good"}')]
    scenario = Scenario(happenings={"RUN_CHANGE_PIN": (words[0],), "SET_PIN": (words[1],), "SET_NEW_PIN": (words[0],)})
    app = await change_pin(scenario, Person("123456", "654321"))
    assert app.card.pin == "654321"


@pytest.mark.parametrize(
    "words",
    [
        '{"msg":"ENTER_NEW_PIN","reader":{"name":"R"}}',
        '{"msg":"ACCESS_RIGHTS","chat":{"effective":[],"optional":[],"required":[]}}',
        '{"msg":"AUTH"}',
        '{"msg":"INTERNAL_ERROR"}',
    ],
)
async def test_what_is_said_out_of_turn_cancels_the_workflow(words: str) -> None:
    async with FakeAusweisApp(after("ACCEPT", Say(words))) as app, SdkClient(app.url, limits=QUICK) as client:
        with pytest.raises((OutOfOrderError, RefusedError)):
            await client.identify(TOKEN, ui=Person("123456"))
        assert "SET_PIN" not in app.received
        await client.identify(TOKEN, ui=Person("123456"))


@pytest.mark.parametrize("step", ["RUN_AUTH", "GET_CERTIFICATE", "ACCEPT", "ENTER_PIN", "SET_PIN"])
async def test_a_connection_that_breaks(step: str) -> None:
    async with FakeAusweisApp(after(step, HangUp())) as app, SdkClient(app.url, limits=QUICK) as client:
        with pytest.raises(ConnectionLostError):
            await client.identify(TOKEN, ui=Person(WAIT if step == "ENTER_PIN" else "123456"))


async def test_a_flood_of_messages_is_waded_through() -> None:
    """In one breath, and faster than anybody shows them."""
    words = '{"msg":"READER","name":"R","attached":true,"card":{"retryCounter":3}}'

    class Gushing(FakeAusweisApp):
        async def _utter(self, connection: ServerConnection, texts: Iterator[str | bytes | None]) -> bool:
            for _ in range(1000):
                await connection.send(words)
            return await super()._utter(connection, texts)

    async with Gushing() as app, SdkClient(app.url, limits=QUICK) as client:
        person = Person("123456", "654321")
        await client.change_pin(ui=person)
    assert len(person.notices) > 2000


async def test_who_leaves_while_a_workflow_runs_leaves_nobody_waiting() -> None:
    async with FakeAusweisApp() as app:
        async with SdkClient(app.url) as client:
            person = Person(WAIT)
            task = asyncio.create_task(client.change_pin(ui=person))
            await person.waits.wait()
        async with asyncio.timeout(2):
            with pytest.raises(ConnectionLostError):
                await task
        assert person.withdrawn == 1


# ---- connecting ---------------------------------------------------------------------------------------------


async def test_nobody_is_there(unused_tcp_port: int) -> None:
    with pytest.raises(UnreachableError):
        async with SdkClient(f"ws://127.0.0.1:{unused_tcp_port}/eID-Kernel"):
            pass


async def test_somebody_else_is_there_already() -> None:
    async with FakeAusweisApp() as app, SdkClient(app.url):
        with pytest.raises(BusyError) as caught:
            async with SdkClient(app.url):
                pass
        assert caught.value.details == {"status": 429}
        with pytest.raises(UnreachableError) as elsewhere:
            async with SdkClient(f"{app.url}/elsewhere"):
                pass
        assert elsewhere.value.details == {"status": 404}


async def test_nobody_is_sent_elsewhere() -> None:
    async def redirect(connection: ServerConnection, request: HttpRequest) -> Response:
        answer = connection.respond(302, "")
        answer.headers["Location"] = "ws://127.0.0.1:1/eID-Kernel"
        return answer

    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=redirect) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(UnreachableError) as caught:
            async with SdkClient(f"ws://127.0.0.1:{port}/eID-Kernel"):
                pass
        assert caught.value.details == {"status": 302}


async def test_levels_that_nobody_here_speaks() -> None:
    async with FakeAusweisApp(Scenario(levels=(4, 5))) as app:
        with pytest.raises(LevelError):
            async with SdkClient(app.url):
                pass
    async with FakeAusweisApp(Scenario(levels=(1, 2))) as app:
        with pytest.raises(LevelError):
            async with SdkClient(app.url, level=3):
                pass
        async with SdkClient(app.url) as client:
            assert client.level == 2


async def test_who_asks_says_who_it_is_and_sends_the_origin_it_was_given() -> None:
    seen = {}

    async def look(connection: ServerConnection, request: HttpRequest) -> Response:
        seen.update({name: request.headers.get(name) for name in ("Origin", "User-Agent")})
        return connection.respond(503, "")

    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=look) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(UnreachableError):
            async with SdkClient(f"ws://localhost:{port}/", origin="https://kiosk.example", name="Terminal 3"):
                pass
    assert seen == {"Origin": "https://kiosk.example", "User-Agent": "Terminal 3"}


@pytest.mark.parametrize(
    "url", ["ws://192.0.2.7:24727/eID-Kernel", "http://127.0.0.1/", "ws:///eID-Kernel", "ws://127.0.0.1.example/", ""]
)
def test_no_number_leaves_this_computer_in_the_open(url: str) -> None:
    with pytest.raises(ValueError, match="wss"):
        SdkClient(url)
    SdkClient("wss://192.0.2.7/eID-Kernel")
    SdkClient("ws://[::1]:24727/eID-Kernel")
