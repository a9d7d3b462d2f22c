"""Practising: the same pages, real protocols with a virtual card, and nothing that leaves the computer."""

from __future__ import annotations

from typing import Any


async def begin(place: Any, person: Any) -> None:
    await person.go("/practice")
    await person.press("/practice")
    await person.until("rights")


async def test_the_practice_ends_with_what_would_have_been_read(place: Any) -> None:
    async with place(app=False) as here, here.person() as person:
        fetched = here.centre.fetched
        await begin(here, person)
        assert "Practice – nothing is sent" in person.page
        await person.agree("DateOfBirth", "AgeVerification")
        page = await person.until("card")
        assert "Practice – nothing is sent" in page
        await person.press("/card", card="lay")
        page = await person.until("pin")
        assert "123456" in page
        await person.type("123456")
        page = await person.until("done")
        assert "Practice – nothing is sent" in page
        assert "MUSTERMANN" in page
        assert "1964-08-12" in page
        assert "Your address" not in page, "switched off"
        assert "Whether you are old enough" in page
        assert (here.centre.fetched, here.centre.ended) == (fetched, [])
        assert len(here.centre.tickets) == 1


async def test_everything_that_goes_wrong_with_a_real_card_goes_wrong_here(place: Any) -> None:
    async with place(app=False) as here, here.person() as person:
        await begin(here, person)
        await person.agree()
        await person.until("card")
        await person.press("/card", card="lay")
        await person.until("pin")
        await person.type("12345")
        assert "the one from the letter" in await person.until("pin")
        await person.type("000000")
        assert "The PIN was wrong." in await person.until("pin")
        await person.press("/card", card="take")
        assert "taken away too early" in await person.until("gone")
        await person.press("/card", card="lay")
        await person.until("pin")
        await person.type("000001")
        assert "The PIN was wrong twice." in await person.until("can")
        await person.type("111111")
        assert "The number on the card was wrong." in await person.until("can")
        await person.type("500540")
        await person.until("pin")
        await person.type("000002")
        await person.until("puk")
        await person.type("0000000000")
        assert "The PUK was wrong." in await person.until("puk")
        await person.type("9876543210")
        await person.until("pin")
        await person.type("123456")
        page = await person.until("done")
        assert "MUSTERMANN" in page


async def test_whoever_ends_the_practice_ends_it(place: Any) -> None:
    async with place(app=False) as here, here.person() as person:
        await begin(here, person)
        await person.agree()
        await person.until("card")
        await person.press("/end")
        await here.settle()
        assert here.desk._reader is None
        assert here.centre.ended == []
