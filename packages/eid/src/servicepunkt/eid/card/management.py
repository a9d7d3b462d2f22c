"""The PIN: changed, unblocked, switched on and off (TR-03110-3 §B.7, §B.8). What opened the channel decides what may
be done: the PIN changes itself, the PUK takes the block away, and only an authority with its certificate does more."""

from __future__ import annotations

from servicepunkt.eid.card.apdu import Command, Conversation
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.secret import Secret


def change_pin(new: Secret) -> Conversation[None]:
    """Set a PIN of six digits, in a channel that the present one (or the transport PIN) has opened.

    Raises ValueError for anything but six digits, and CardError.
    """
    if not new.is_digits(6):
        raise ValueError("a PIN has six digits")
    (yield Command(0x00, 0x2C, 0x02, Secrets.PIN, new.reveal())).require()


def unblock_pin() -> Conversation[None]:
    """Give the PIN three tries again, in a channel that the PUK has opened; the PIN stays what it was.

    Raises CardError.
    """
    (yield Command(0x00, 0x2C, 0x03, Secrets.PIN)).require()


def activate_pin() -> Conversation[None]:
    """Switch the online function on: with a certificate for PIN management. Raises CardError."""
    (yield Command(0x00, 0x44, 0x10, Secrets.PIN)).require()


def deactivate_pin() -> Conversation[None]:
    """Switch the online function off: with a certificate for PIN management. Raises CardError."""
    (yield Command(0x00, 0x04, 0x10, Secrets.PIN)).require()
