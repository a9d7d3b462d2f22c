"""One person in front of the reader: what the AusweisApp's client asks becomes a screen, what is pressed an answer.

Numbers go from the form into a `Secret` and on to the client, which wipes them; nothing typed stays here.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from servicepunkt.eid import wire
from servicepunkt.eid.controller.model import ASKED, MOVES, NOTICED, OVER, Due, Event, Kind, Screen, due
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.sdk.messages import Card
from servicepunkt.eid.sdk.steps import Mistake, Notice, Number, Occasion, Question, Request
from servicepunkt.eid.secret import Secret

_Answer = Secret | tuple[str, ...] | bool | None
NEW_PIN_DIGITS = 6
DESERTED_SECONDS = 15.0


class Visit:
    """A `Ui` of the AusweisApp's client whose screen is a page.

    `name`: random, in the browser's cookie. `step` counts screens: an answer is for the one that it names and for no
    later one. `claimed`: what the centre wants, if somebody identifies. `back`: where the person goes on at the
    centre, also after an own PIN was chosen in between.
    """

    def __init__(
        self, kind: Kind, *, name: str, clock: Callable[[], float], claimed: wire.Claimed | None = None, back: str = ""
    ) -> None:
        self.kind, self.name, self.claimed = kind, name, claimed
        self.back = claimed.back if claimed else back
        self.screen, self.step = Screen.STARTING, 0
        self.request: Request | None = None
        self.question: Question | None = None
        self.notice: Notice | None = None
        self.different = False
        self.progress = 0
        self.leaving = False
        self.card: Card | None = None
        self.lies = False
        self.found: tuple[tuple[str, str], ...] = ()
        self.error: EidError | None = None
        self._clock = clock
        self._begun = self._touched = self._since = clock()
        self._heard: float | None = None
        self._answer: asyncio.Future[_Answer] | None = None
        self._asked: Event | None = None
        self._first: Secret | None = None

    def __repr__(self) -> str:
        return f"Visit(kind={self.kind}, screen={self.screen})"

    @property
    def is_over(self) -> bool:
        return self.screen in OVER

    def heard(self) -> None:
        """The page has asked for news."""
        self._heard = self._clock()

    @property
    def is_deserted(self) -> bool:
        """The page asked for news each second, and does so no more: its browser has ended."""
        return self._heard is not None and self._clock() - self._heard > DESERTED_SECONDS

    @property
    def mistake(self) -> Mistake | None:
        """What was wrong with the number before."""
        shown = self.notice if self.screen is Screen.KEYPAD else self.question
        return shown.mistake if shown else None

    # ---- the client's Ui ------------------------------------------------------------------------------------

    async def confirm_rights(self, request: Request) -> Iterable[str] | None:
        self.request = request
        answer = await self._ask(Event.ASKED_RIGHTS)
        return answer if isinstance(answer, tuple) else None

    async def ask_secret(self, question: Question) -> Secret | None:
        self.question, self.different = question, False
        answer = await self._ask(ASKED[question.number])
        return answer if isinstance(answer, Secret) else None

    async def ask_position(self, cause: str) -> bool:
        del cause  # there is one
        return await self._ask(Event.ASKED_POSITION) is True

    def show(self, notice: Notice) -> None:
        if notice.occasion is Occasion.PROGRESS:
            self.progress = max(self.progress, notice.progress or 0)
        if notice.occasion is Occasion.KEYPAD:
            self.notice = notice
        if (event := NOTICED.get(notice.occasion)) is not None:
            self.happens(event)
        if notice.occasion is Occasion.INSERT_CARD and self.card is not None:
            self._look_at(self.card)  # it lay there before it was asked for
        if notice.occasion is Occasion.CARD_TAKEN:
            self.card = None
        if self.screen is Screen.WORKING and self._asked is not None and not self._is_answered:
            self.happens(self._asked)  # what was asked before the card went is asked still

    @property
    def _is_answered(self) -> bool:
        return self._answer is None or self._answer.done()

    def _look_at(self, card: Card) -> None:
        if not card.is_known:
            self.happens(Event.CARD_UNKNOWN)
        elif card.deactivated:
            self.happens(Event.CARD_OFF)

    async def _ask(self, event: Event) -> _Answer:
        self._answer, self._asked = asyncio.get_running_loop().create_future(), event
        self.happens(event)
        try:
            return await self._answer
        finally:
            self._answer = self._asked = None
            self._forget_first()
            self.happens(Event.WITHDRAWN)

    # ---- the person -----------------------------------------------------------------------------------------

    def touch(self) -> None:
        """Somebody is there."""
        self._touched = self._clock()

    def agree(self, step: int, rights: tuple[str, ...]) -> None:
        """These optional rights stay."""
        if self._waits(step, Screen.RIGHTS):
            self._give(rights)

    def decline(self, step: int) -> None:
        """Nothing may be read."""
        if self._waits(step, Screen.RIGHTS):
            self._give(None)

    def lies_well(self, step: int) -> None:
        if self._waits(step, Screen.BADLY):
            self._give(True)

    def enter(self, step: int, secret: Secret) -> None:
        """A number; a new PIN is asked for twice. One that nobody waits for is wiped."""
        if self._waits(step, Screen.NEW_PIN):
            self._enter_first(secret)
        elif self._waits(step, Screen.AGAIN):
            self._enter_again(secret)
        elif self._waits(step, Screen.PIN, Screen.CAN, Screen.PUK):
            self._give(secret)
        else:
            secret.wipe()

    def _enter_first(self, secret: Secret) -> None:
        self.different = False
        self._forget_first()
        if secret.is_digits(NEW_PIN_DIGITS):
            self._first = secret
            self._note(None)
            self.happens(Event.FIRST)
        else:
            secret.wipe()
            self._note(Mistake.FORM)
            self.happens(Event.REFUSED)

    def _enter_again(self, secret: Secret) -> None:
        assert self._first is not None  # the table leads here by FIRST
        same = hmac.compare_digest(self._first.reveal(), secret.reveal())
        self._forget_first()
        if same:
            self._give(secret)
        else:
            secret.wipe()
            self.different = True
            self.happens(Event.REFUSED)

    def _note(self, mistake: Mistake | None) -> None:
        if self.question is not None:
            self.question = msgspec.structs.replace(self.question, mistake=mistake)

    def _forget_first(self) -> None:
        if self._first is not None:
            self._first.wipe()
        self._first = None

    def _waits(self, step: int, *screens: Screen) -> bool:
        return step == self.step and self.screen in screens and not self._is_answered

    def _give(self, answer: _Answer) -> None:
        if self._answer is not None:
            self._answer.set_result(answer)
        self.happens(Event.ANSWERED)

    # ---- how it goes on -------------------------------------------------------------------------------------

    def happens(self, event: Event) -> None:
        """Show what the table says; nothing where it says nothing."""
        after = MOVES.get((self.screen, event))
        if after is None or (after is self.screen and event is Event.WITHDRAWN):
            return
        self.screen, self._since = after, self._clock()
        self.step += 1

    def fail(self, error: EidError) -> None:
        """It has ended otherwise. The first reason stays."""
        self.error = self.error or error
        self.happens(Event.FAILED)

    def due(self) -> Due | None:
        """Whether, and why, it has to end now."""
        now = self._clock()
        return due(self.screen, on_it=now - self._since, untouched=now - self._touched, whole=now - self._begun)

    def forget(self) -> None:
        """What was shown of anybody."""
        self._forget_first()
        self.request = self.question = self.notice = self.card = None
        self.found = ()

    @property
    def number(self) -> Number | None:
        """Which number is entered at the reader."""
        return self.notice.number if self.notice else None


def plain_digits(typed: Any) -> Secret | None:
    """What was typed without spaces; None for what can be no number at all."""
    try:
        return Secret("".join(str(typed)[:40].split()))
    except ValueError:
        return None
