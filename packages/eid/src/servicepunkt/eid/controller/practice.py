"""Practising with a virtual card: the same questions as the AusweisApp's client asks, real protocols, and no network.

It is the published test person's card of `console.Practice`, laid on and taken away by pressing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import TypeVar

from servicepunkt.eid import groups
from servicepunkt.eid.card.terminal import BIRTH
from servicepunkt.eid.console import GROUPS, Practice
from servicepunkt.eid.errors import CardRemovedError, WrongSecretError
from servicepunkt.eid.model import Attributes, Secrets
from servicepunkt.eid.rights import Chat, Right, reading
from servicepunkt.eid.sdk.errors import GivenUpError
from servicepunkt.eid.sdk.messages import AccessRight, CertificateDescription, Validity
from servicepunkt.eid.sdk.steps import Mistake, Notice, Number, Occasion, Question, Request
from servicepunkt.eid.sdk.ui import Ui
from servicepunkt.eid.secret import Secret

#: What may be read of the card, by the right that allows it.
_RIGHTS: dict[str, frozenset[Right]] = {
    AccessRight.FAMILY_NAME: reading(5),
    AccessRight.GIVEN_NAMES: reading(4),
    AccessRight.DATE_OF_BIRTH: reading(8),
    AccessRight.ADDRESS: reading(17),
    AccessRight.AGE_VERIFICATION: frozenset({Right.AGE_VERIFICATION}),
}
REQUIRED = (AccessRight.FAMILY_NAME, AccessRight.GIVEN_NAMES)
OPTIONAL = (AccessRight.DATE_OF_BIRTH, AccessRight.ADDRESS, AccessRight.AGE_VERIFICATION)
_LENGTHS = {Number.PIN: 6, Number.CAN: 6, Number.PUK: 10}
_WRONG = {Number.PIN: Mistake.WRONG_PIN, Number.CAN: Mistake.WRONG_CAN, Number.PUK: Mistake.WRONG_PUK}
_AnswerT = TypeVar("_AnswerT")


class PracticeReader:
    """A reader without a card at first. `identify` asks a `Ui` as `SdkClient.identify` does."""

    def __init__(self, practice: Practice) -> None:
        self._practice = practice
        self._laid, self._away = asyncio.Event(), asyncio.Event()
        self._away.set()

    def lay(self) -> None:
        self._away.clear()
        self._laid.set()

    def take(self) -> None:
        self._laid.clear()
        self._away.set()

    async def identify(self, ui: Ui, *, today: date) -> tuple[Attributes, bool | None]:
        """What would have been read, and whether the person is of age, where that was allowed. Raises EidError."""
        ui.show(Notice(occasion=Occasion.STARTED))
        chosen = await ui.confirm_rights(_request(today))
        if chosen is None:
            raise GivenUpError()
        allowed = frozenset().union(*(_RIGHTS[name] for name in (*REQUIRED, *chosen)))
        while True:
            if not self._laid.is_set():
                ui.show(Notice(occasion=Occasion.INSERT_CARD))
                await self._laid.wait()
                ui.show(Notice(occasion=Occasion.CARD_FOUND))
            try:
                return await self._read(ui, Chat.of(allowed))
            except CardRemovedError:
                ui.show(Notice(occasion=Occasion.CARD_TAKEN))
            finally:
                self._practice.card.close()

    async def _read(self, ui: Ui, chat: Chat) -> tuple[Attributes, bool | None]:
        await self._unlock(ui, chat)
        ui.show(Notice(occasion=Occasion.PROGRESS, progress=50))
        await self._at_card(lambda: self._practice.identify(chat))
        wanted = [number for number in GROUPS if number in chat.groups()]
        found = groups.attributes_of(await self._at_card(lambda: self._practice.card.read(wanted)))
        if Right.AGE_VERIFICATION not in chat.rights:
            return found, None
        return found, (await self._at_card(lambda: self._practice.card.verify([BIRTH])))[BIRTH]

    async def _unlock(self, ui: Ui, chat: Chat) -> None:
        """The PIN, the CAN before its third try, the PUK after it; until it is right."""
        card, mistake = self._practice.card, None
        while True:
            state = await self._at_card(card.status)
            number = Number.PUK if state.is_blocked else Number.CAN if state.is_suspended else Number.PIN
            asked, kind = number, _KINDS[number]
            secret = await self._asked(ui, asked, state.tries, mistake)
            try:
                if number is Number.PUK:
                    await self._at_card(partial(card.unblock, secret))
                    mistake = None
                    continue
                await self._at_card(partial(card.open, kind, secret, chat=_chat(kind, chat)))
                if number is Number.PIN:
                    return
                asked = Number.PIN  # within the channel of the CAN
                pin = await self._asked(ui, asked, state.tries, None)
                await self._at_card(partial(card.open, Secrets.PIN, pin, chat=chat))
            except WrongSecretError:
                mistake = _WRONG[asked]
            else:
                return

    async def _asked(self, ui: Ui, number: Number, tries: int | None, mistake: Mistake | None) -> Secret:
        """Raises GivenUpError, CardRemovedError."""
        length = _LENGTHS[number]
        while True:
            question = Question(number=number, lengths=(length,), tries=tries, mistake=mistake)
            secret = await self._while_it_lies(ui, question)
            if secret is None:
                raise GivenUpError()
            if secret.is_digits(length):
                return secret
            mistake = Mistake.LETTER if number is Number.PIN and secret.is_digits(5) else Mistake.FORM
            secret.wipe()

    async def _while_it_lies(self, ui: Ui, question: Question) -> Secret | None:
        """The answer. Raises CardRemovedError as soon as the card is taken."""
        asking, gone = asyncio.ensure_future(ui.ask_secret(question)), asyncio.ensure_future(self._away.wait())
        try:
            await asyncio.wait({asking, gone}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            raise CardRemovedError()
        finally:
            for task in (asking, gone):
                task.cancel()
            await asyncio.wait({asking, gone})

    async def _at_card(self, work: Callable[[], _AnswerT]) -> _AnswerT:
        """Calculations in a thread: they take a moment. Raises EidError, CardRemovedError where the card is gone."""
        done = await asyncio.to_thread(work)
        if self._away.is_set():
            raise CardRemovedError()
        return done


_KINDS = {Number.PIN: Secrets.PIN, Number.CAN: Secrets.CAN, Number.PUK: Secrets.PUK}


def _chat(kind: Secrets, chat: Chat) -> Chat | None:
    return chat if kind is Secrets.PIN else None


def _request(today: date) -> Request:
    return Request(
        required=tuple(map(str, REQUIRED)),
        optional=tuple(map(str, OPTIONAL)),
        certificate=CertificateDescription(subject_name="Servicepunkt"),
        validity=Validity(effective_date=today, expiration_date=today),
    )
