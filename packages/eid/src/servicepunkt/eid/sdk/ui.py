"""What the client asks of a screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from servicepunkt.eid.sdk.steps import Notice, Question, Request
from servicepunkt.eid.secret import Secret


class Ui(Protocol):
    """The person at the screen. What is asked may be withdrawn at any time, by cancelling the question: the card was
    taken away, or the service has ended it. An exception in here cancels the workflow and comes out of the client."""

    async def confirm_rights(self, request: Request) -> Iterable[str] | None:
        """The optional rights that stay switched on; None: the person does not agree."""
        ...

    async def ask_secret(self, question: Question) -> Secret | None:
        """The number; the client sends and wipes it. None: the person gives up."""
        ...

    async def ask_position(self, cause: str) -> bool:
        """The card lies badly: True once it was laid anew, False if the person gives up."""
        ...

    def show(self, notice: Notice) -> None:
        """Show it and return at once."""
        ...
