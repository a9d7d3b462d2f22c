"""What a card controller and the centre say to each other: JSON over HTTPS, and it is the controller that asks. Pure.

A number that a person types is in none of it, and nothing of what a card says.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

Ticket = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of messages: an unknown key is refused."""


class ReaderConfig(Strict, frozen=True, kw_only=True):
    """What a controller must know for its pages. `centre_url` is where the terminal's pages begin."""

    tenant_name: str
    reader: str
    point: str
    point_name: dict[str, str]
    languages: tuple[str, ...]
    centre_url: str
    help_phone: str = ""


class Claim(Strict, frozen=True, kw_only=True):
    """A terminal has sent somebody here: the ticket is good once, for a minute, and at the point of this reader."""

    ticket: Ticket


class Claimed(Strict, frozen=True, kw_only=True):
    """What is to be done: `purpose` by language, `tc_token_url` for the AusweisApp, and `back`, the path below
    `centre_url` at which the person goes on, however it ended. `seconds`: then the centre gives it up."""

    key: UUID
    purpose: dict[str, str]
    tc_token_url: str
    back: str
    seconds: int


class Ended(Strict, frozen=True, kw_only=True):
    """It has ended at the reader without success, or somebody went away."""

    key: UUID
    outcome: Literal["cancelled", "refused"]
