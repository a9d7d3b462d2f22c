"""The line to a card: bytes of a command go there, bytes of an answer come back."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """Blocks until the card has answered; call it in a thread of its own where others wait."""

    def transmit(self, command: bytes) -> bytes:
        """The answer with its status word. Raises CardRemovedError, and CardError for other faults of the line."""
        ...

    def close(self) -> None:
        """Let the card go; its power is taken away, so that nothing of a session is left on it."""
        ...
