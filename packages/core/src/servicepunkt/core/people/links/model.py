"""What links two accounts of one person, and what proves a wish to switch. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from servicepunkt.core.errors import ServicepunktError

CODE_LIFETIME = timedelta(minutes=10)
TICKET_LIFETIME = timedelta(seconds=30)


class LinkSide(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two accounts that the link `link` joins."""

    link: UUID
    tenant: int
    account: UUID


class LinkCode(msgspec.Struct, frozen=True, kw_only=True):
    """Waits to be entered at another tenant; `key` is the SHA-256 of the code."""

    key: bytes
    tenant: int
    account: UUID
    until: datetime


class SwitchTicket(msgspec.Struct, frozen=True, kw_only=True):
    """Opens a session of the account `account` of `tenant` once; `key` is the SHA-256 of the ticket.

    `browser` is the digest of what the browser has to show with it. `proof` and `began_at` are those of the session
    from which the switch was made.
    """

    key: bytes
    link: UUID
    tenant: int
    account: UUID
    browser: bytes
    proof: str
    began_at: datetime
    until: datetime


class LinkCodeError(ServicepunktError):
    """Unknown, used, over, of this tenant, or too many wrong ones: never told apart."""

    code = "SP7041"
    status = 403
    citizen = "This code was not accepted."
    staff = "The code for linking is not right, was used or has ended, or the account is locked after wrong ones."
    next_step = "Make a new code at the other service point and enter it here within ten minutes."


class SwitchError(ServicepunktError):
    """The ticket is unknown, used, over, or another browser's; or link or account are gone: never told apart."""

    code = "SP7042"
    status = 403
    citizen = "The switch did not succeed."
    staff = "The switch took too long, was made in another browser, or you may not enter there any more."
    next_step = "Sign in here, or go back and try again."


class FreshSignInError(ServicepunktError):
    """For what a stolen session must not be able to do."""

    code = "SP7043"
    status = 403
    citizen = "Please show once more who you are."
    staff = "The last sign-in was more than five minutes ago, or was made with a switch."
    next_step = "Enter your password, or sign out and in again, and then do this within five minutes."


class StrongerSignInError(ServicepunktError):
    """The tenant to which somebody switches demands a second factor."""

    code = "SP7044"
    status = 403
    citizen = "A second factor is needed there."
    staff = "The other service point demands a second factor, and you have shown none here."
    next_step = "Sign in here with a second factor or a passkey and switch again, or sign in there."
