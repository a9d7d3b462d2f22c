"""The pages against a scripted AusweisApp and a centre: every way that an identification and a PIN can go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from litestar import Response

from servicepunkt.eid.controller.model import GONE_SECONDS, TAKE_SECONDS, UNTOUCHED
from servicepunkt.eid.controller.visit import DESERTED_SECONDS
from servicepunkt.eid.testing.ausweisapp import (
    Claim,
    Fail,
    FakeCard,
    HangUp,
    Hold,
    LoseReader,
    Say,
    Scenario,
    Silence,
    TakeCard,
)

TICKET = "a" * 64
BACK = "/t/alpha/k/apply/conduct?lang=en&view=large"


async def to_pin(here: Any, person: Any, *rights: str) -> None:
    await here.identify(person)
    await person.until("rights")
    await person.agree(*rights)
    await person.until("pin")


async def gone_home(here: Any, person: Any) -> None:
    """It has worked: take the card, and go back."""
    await person.until("take")
    assert "Take your card" in person.page
    here.ausweisapp._conversation._lies = False
    await person.until("centre")
    assert person.at.endswith(BACK)


async def test_somebody_identifies_and_goes_back_to_the_centre(place: Any) -> None:
    async with place() as here, here.person() as person:
        await here.identify(person)
        page = await person.until("rights")
        assert "Stadt Musterhausen asks for this" in page
        assert "Apply for a certificate of conduct" in page
        assert "Your family name" in page
        assert 'name="right-Address"' in page
        assert "FamilyName" not in page, "what is needed cannot be switched off"
        await person.agree("Address")
        await person.until("pin")
        await person.type("123456")
        await gone_home(here, person)
        await here.settle()
        assert here.centre.ended == []
        assert here.ausweisapp._conversation._effective == ["FamilyName", "GivenNames", "Address"]


async def test_the_card_that_nobody_takes_is_waited_for_for_a_while(place: Any) -> None:
    async with place() as here, here.person() as person:
        await to_pin(here, person)
        await person.type("123456")
        await person.until("take")
        here.clock.now += TAKE_SECONDS + 1
        await person.until("centre")


async def test_wrong_pins_lead_to_the_number_on_the_card_and_to_the_puk(place: Any) -> None:
    async with place() as here, here.person() as person:
        await to_pin(here, person)
        await person.type("000000")
        page = await person.until("pin")
        assert "The PIN was wrong." in page
        assert "two more tries" in page
        await person.type("000001")
        page = await person.until("can")
        assert "The PIN was wrong twice." in page
        await person.type("111111")
        page = await person.until("can")
        assert "The number on the card was wrong." in page
        await person.type("500540")
        await person.until("pin")
        await person.type("000002")
        page = await person.until("puk")
        assert "blocked now" in page
        await person.type("1234567890")
        await person.until("pin")
        await person.type("123456")
        await gone_home(here, person)


async def test_what_is_no_pin_costs_no_try(place: Any) -> None:
    async with place() as here, here.person() as person:
        await to_pin(here, person)
        await person.type("12345678")
        page = await person.until("pin")
        assert "No try was lost" in page
        assert here.ausweisapp.card.tries == 3
        await person.type("")
        assert person.screen == "pin"
        await person.type("12 34 56")
        await gone_home(here, person)


async def test_the_pin_of_the_letter_is_replaced_first_and_then_one_goes_on(place: Any) -> None:
    card = FakeCard(pin="12345", letter=True)
    async with place(Scenario(card=card)) as here, here.person() as person:
        await to_pin(here, person)
        await person.type("12345")
        page = await person.until("pin")
        assert "the one from the letter" in page
        await person.press("/pin")
        await person.until("pin")
        await here.settle()
        assert here.centre.ended == ["cancelled"]
        assert "CANCEL" in here.ausweisapp.received
        await person.type("12345")
        await person.until("new_pin")
        await person.type("12345")
        assert "right number of digits" in await person.until("new_pin")
        await person.type("654321")
        await person.until("again")
        await person.type("654322")
        assert "differ" in await person.until("new_pin")
        await person.type("654321")
        await person.until("again")
        await person.type("654321")
        await person.until("take")
        here.ausweisapp._conversation._lies = False
        page = await person.until("done")
        assert "Your new PIN is set." in page
        assert here.ausweisapp.card.pin == "654321"
        await person.go("/back")
        assert person.at.endswith(BACK)


async def test_a_pin_of_the_letter_at_the_keypad_ends_with_the_way_to_an_own_one(place: Any) -> None:
    scenario = Scenario(keypad=True, typed=("12345",), card=FakeCard(pin="12345", letter=True))
    async with place(scenario) as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.agree()
        page = await person.until("failed")
        assert "Choose my own PIN now" in page
        assert "Take your card" in page
        await here.settle()
        assert here.centre.ended == ["refused"]


async def test_with_keys_at_the_reader_the_screen_asks_for_nothing(place: Any) -> None:
    scenario = Scenario(keypad=True, typed=("000000", "123456"), slow={"AUTH": 0.0, "ENTER_PIN": 0.05})
    async with place(scenario) as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.agree()
        page = await person.until("keypad", "take")
        assert 'type="password"' not in page
        await gone_home(here, person)


@pytest.mark.parametrize(
    ("card", "screen", "words"),
    [
        (FakeCard(deactivated=True), "off", "switched off"),
        (FakeCard(is_eid=False), "unknown", "no German ID card"),
    ],
)
@pytest.mark.parametrize("when", ["start", "asked"])
async def test_a_card_that_cannot_help_is_named(place: Any, card: FakeCard, screen: str, words: str, when: Any) -> None:
    insertable = Scenario(card=card, card_at=when)
    async with place(insertable) as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.agree()
        page = await person.until(screen)
        assert words in page
        await person.press("/end")
        await here.settle()
        assert "CANCEL" in here.ausweisapp.received
        assert here.centre.ended == ["cancelled"]


@pytest.mark.parametrize(
    ("moment", "then", "screen"),
    [
        ("ENTER_PIN", TakeCard(then="again"), "pin"),
        ("SET_PIN", TakeCard(then="end"), "failed"),
        ("SET_PIN", TakeCard(then="again"), "pin"),
        ("ENTER_PIN", TakeCard(then="end"), "failed"),
        ("SET_PIN", LoseReader(), "failed"),
    ],
)
async def test_the_card_is_taken_away_at_some_moment(place: Any, moment: str, then: Any, screen: str) -> None:
    async with place(Scenario(happenings={moment: (then,)})) as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.agree()
        await person.until("pin", "failed")
        if moment == "SET_PIN":
            await person.type("123456")
        await person.until(screen)
        if screen == "failed":
            assert "/back" in person.page
            await here.settle()
            assert here.centre.ended == ["refused"]
        else:
            await person.type("123456")
            await gone_home(here, person)


async def test_where_the_ausweisapp_waits_for_ever_after_the_card_it_is_cancelled(place: Any) -> None:
    gone = '{"msg": "READER", "name": "Fake Reader 00 00", "attached": true, "keypad": false, "card": null}'
    scenario = Scenario(happenings={"ENTER_PIN": (Say(gone),), "CANCEL": (Silence(),)})
    async with place(scenario) as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.agree()
        page = await person.until("gone")
        assert "taken away too early" in page
        here.clock.now += GONE_SECONDS + 1
        here.desk.watch()
        await person.until("failed")
        assert "CANCEL" in here.ausweisapp.received
        await here.settle()
        assert here.centre.ended == ["refused"]


async def test_who_has_identified_waits_for_the_centre(place: Any) -> None:
    async with place() as here, here.person() as person:
        await to_pin(here, person)
        await person.type("123456")
        await person.until("take")
        here.centre.answers["config"] = lambda: Response(None, status_code=503)
        here.ausweisapp._conversation._lies = False
        page = await person.until("away")
        assert "Your card was read" in page
        assert 'content="5;url=/visit"' in page
        del here.centre.answers["config"]
        await person.until("centre")
        # While the centre thinks, the page before must not lead anywhere else; and a second look leads there again.
        answer = await person.client.get("/changed", params={"seen": "0"})
        assert (answer.status_code, answer.headers.get("hx-redirect")) == (204, None)
        await person.go("/visit")
        assert person.at.endswith(BACK)


async def test_a_reader_whose_browser_has_ended_is_free_again(place: Any) -> None:
    async with place() as here, here.person() as person, here.person() as another:
        await to_pin(here, person)
        here.centre.tickets.add(TICKET)
        await person.client.get("/changed", params={"seen": "0"})
        await another.go("/identify", ticket=TICKET)
        assert "Somebody else is using the card reader." in another.page
        here.clock.now += DESERTED_SECONDS + 1
        await another.go("/identify", ticket=TICKET)
        await another.until("rights")


async def test_other_hosts_are_refused(place: Any) -> None:
    async with place() as here, here.person() as person:
        assert (await person.client.get("/", headers={"host": "elsewhere.example"})).status_code == 400


async def test_a_card_that_lies_badly_is_laid_anew(place: Any) -> None:
    async with place(Scenario(happenings={"ENTER_PIN": (Hold(),)})) as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.agree()
        await person.until("badly")
        await person.answer("/position")
        await person.until("pin")
        await person.type("123456")
        await gone_home(here, person)


@pytest.mark.parametrize(
    "then", [Fail(reason="Card_Removed"), Claim(), HangUp(), Silence(), Say("nonsense"), Say('{"msg": "AUTH"}')]
)
async def test_whatever_the_ausweisapp_does_ends_in_words(place: Any, then: Any) -> None:
    async with place(Scenario(happenings={"ACCEPT": (then,)}), strict=False) as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.agree()
        page = await person.until("failed")
        assert "SP41" in page
        await here.settle()
        assert here.centre.ended == ["refused"]


async def test_whoever_goes_leaves_nothing_behind_and_the_ausweisapp_is_cancelled(place: Any) -> None:
    async with place() as here, here.person() as person:
        await to_pin(here, person)
        await person.press("/end")
        assert person.at.endswith("/t/alpha/k/left?lang=de&view=plain")
        await here.settle()
        assert "CANCEL" in here.ausweisapp.received
        assert here.centre.ended == ["cancelled"]
        await person.go("/visit")
        assert person.at == "/"


async def test_whoever_does_not_agree_finds_another_way(place: Any) -> None:
    async with place() as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.answer("/decline")
        page = await person.until("failed")
        assert "It was ended." in page
        assert "/help" in page
        await here.settle()
        assert here.centre.ended == ["cancelled"]
        assert "ACCEPT" not in here.ausweisapp.received
        await person.go("/back")
        assert person.at.endswith(BACK)


async def test_a_screen_that_nobody_touches_is_given_up(place: Any) -> None:
    async with place() as here, here.person() as person:
        await to_pin(here, person)
        here.clock.now += UNTOUCHED - 1
        here.desk.watch()
        await person.go("/stay")
        here.clock.now += UNTOUCHED - 1
        here.desk.watch()
        await person.until("pin")
        here.clock.now += 2
        here.desk.watch()
        await here.settle()
        assert "CANCEL" in here.ausweisapp.received
        assert here.centre.ended == ["cancelled"]
        await person.go("/visit")
        assert person.at == "/"


async def test_however_often_it_is_touched_a_visit_has_an_end(place: Any) -> None:
    async with place() as here, here.person() as person:
        await to_pin(here, person)
        for _ in range(19):
            here.clock.now += 100
            await person.go("/stay")
            here.desk.watch()
        await here.settle()
        assert "CANCEL" in here.ausweisapp.received


async def test_two_browsers_are_two_people(place: Any) -> None:
    async with place() as here, here.person() as first, here.person() as second:
        await to_pin(here, first)
        await second.go("/identify", ticket="a" * 64)
        assert second.status == 409
        assert "Somebody else" in second.page
        await second.go("/visit")
        assert second.at == "/"
        await second.press("/end")
        await first.until("pin")
        await first.type("123456")
        await gone_home(here, first)


async def test_a_ticket_is_good_once_and_nonsense_is_refused(place: Any) -> None:
    async with place() as here, here.person() as person:
        for ticket in ("b" * 64, "", "x", "../../etc", "a" * 65):
            await person.go("/identify", ticket=ticket)
            assert person.status == 409
            assert "SP4451" in person.page
        await to_pin(here, person)
        await person.press("/end")
        await here.settle()
        await here.identify(person)
        assert "SP4451" in person.page
        assert here.centre.ended == ["cancelled"]


async def test_without_an_ausweisapp_pages_say_so_and_practising_works(place: Any) -> None:
    async with place(app=False) as here, here.person() as person:
        await person.go("/")
        assert "not ready" in person.page
        assert 'href="/pin"' not in person.page
        assert 'href="/practice"' in person.page
        await here.identify(person)
        page = await person.until("failed")
        assert "SP4102" in page
        await here.settle()
        assert here.centre.ended == ["refused"]


async def test_without_the_centre_the_pin_is_changed_all_the_same(place: Any) -> None:
    async with place() as here, here.person() as person:
        here.link.config, here.link.connected = None, False
        await person.go("/")
        await person.go("/pin")
        await person.press("/pin")
        await person.until("pin")
        await person.type("123456")
        await person.until("new_pin")
        await person.type("111222")
        await person.until("again")
        await person.type("111222")
        await person.until("take")
        assert here.ausweisapp.card.pin == "111222"


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (FakeCard(), "may be entered three times"),
        (FakeCard(tries=2), "wrong once"),
        (FakeCard(tries=1), "wrong twice"),
        (FakeCard(tries=0), "the PIN is blocked"),
        (FakeCard(deactivated=True), "switched off"),
        (FakeCard(is_eid=False), "no German ID card"),
    ],
)
async def test_the_card_is_looked_at_and_nobody_is_read(place: Any, card: FakeCard, words: str) -> None:
    async with place(Scenario(card=card)) as here, here.person() as person:
        await person.go("/check")
        await person.press("/check")
        page = await person.until("checked")
        assert words in page
        assert not [name for name in here.ausweisapp.received if name.startswith(("RUN", "SET_PIN"))]


async def test_an_answer_to_an_older_screen_does_nothing(place: Any) -> None:
    """A number typed as the CAN must never be sent as a PIN."""
    async with place() as here, here.person() as person:
        await to_pin(here, person)
        old = person.step
        await person.press("/number", step=str(int(old) - 1), number="000000")
        await person.press("/number", step=str(int(old) + 1), number="000000")
        await person.press("/rights", step=old)
        await person.press("/position", step=old)
        await asyncio.sleep(0.05)
        assert here.ausweisapp.card.tries == 3
        assert "SET_PIN" not in here.ausweisapp.received


async def test_rights_that_nobody_offered_are_refused(place: Any) -> None:
    async with place() as here, here.person() as person:
        await here.identify(person)
        await person.until("rights")
        await person.agree("PlaceOfBirth")
        assert person.status == 422
        assert "SET_ACCESS_RIGHTS" not in here.ausweisapp.received


async def test_the_card_is_pressed_on_at_practising_only(place: Any) -> None:
    async with place() as here, here.person() as person:
        await to_pin(here, person)
        await person.press("/card", card="take")
        await person.until("pin")


async def test_every_screen_speaks_german(place: Any) -> None:
    async with place() as here, here.person("de") as person:
        await person.go("/identify", ticket="a" * 64, lang="de")
        page = await person.until("rights")
        assert "Führungszeugnis beantragen" in page
        assert "Ihr Familienname" in page
        await person.agree()
        page = await person.until("pin")
        assert "Wie lautet Ihre PIN?" in page
        assert '<html lang="de"' in page
