"""A person in front of the screen, for tests: answers from a list, and remembers what was shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from servicepunkt.eid.sdk.steps import Notice, Occasion, Question, Request
from servicepunkt.eid.secret import Secret

WAIT = "wait"


class Person:
    """A `Ui` of the AusweisApp's client.

    `numbers`: what is typed, in turn; None gives up, and WAIT thinks about it for ever. `rights`: the optional ones
    that stay switched on; None disagrees. `waits` is set while the person thinks, `withdrawn` counts questions that
    were taken back meanwhile.
    """

    def __init__(self, *numbers: str | None, rights: Iterable[str] | None = (), lays_anew: bool = True) -> None:
        self.numbers = list(numbers)
        self.rights = rights
        self.lays_anew = lays_anew
        self.requests: list[Request] = []
        self.questions: list[Question] = []
        self.causes: list[str] = []
        self.notices: list[Notice] = []
        self.secrets: list[Secret] = []
        self.withdrawn = 0
        self.waits = asyncio.Event()

    @property
    def seen(self) -> list[Occasion]:
        return [notice.occasion for notice in self.notices if notice.occasion is not Occasion.PROGRESS]

    async def confirm_rights(self, request: Request) -> Iterable[str] | None:
        self.requests.append(request)
        return self.rights

    async def ask_secret(self, question: Question) -> Secret | None:
        self.questions.append(question)
        number = self.numbers.pop(0)
        if number == WAIT:
            await self._wait()
        if number is None:
            return None
        self.secrets.append(Secret(number))
        return self.secrets[-1]

    async def ask_position(self, cause: str) -> bool:
        self.causes.append(cause)
        return self.lays_anew

    def show(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def _wait(self) -> None:
        self.waits.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.withdrawn += 1
