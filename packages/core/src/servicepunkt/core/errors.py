"""The tree of errors: each has a stable code, a sentence for the citizen, one for staff, and what to do next.

Codes: SP0nnn kernel, SP1nnn tenant file, SP2nnn catalogue, SP3nnn hand-over, SP4nnn eID, SP5nnn appointments,
SP6nnn 115, SP7nnn people and devices, SP8nnn orders, from SP8100
houses, and from SP8250 applications. The sentences are
English message ids; `texts` translates them.
`details` may be shown and logged, therefore they never hold personal data.
"""

from __future__ import annotations

from typing import ClassVar


class ServicepunktError(Exception):
    """Base of everything the product refuses on purpose."""

    code: ClassVar[str] = "SP0001"
    status: ClassVar[int] = 500
    citizen: ClassVar[str] = "Something went wrong on our side."
    staff: ClassVar[str] = "An unexpected fault occurred."
    next_step: ClassVar[str] = "Please ask a member of staff."

    def __init__(self, staff: str | None = None, **details: str | int) -> None:
        self.staff_sentence = staff or self.staff
        self.details = details
        super().__init__(f"{self.code}: {self.staff_sentence}")


class InvalidInputError(ServicepunktError):
    """What was sent does not fit; `mistakes` names every mistake at once as (place, sentence)."""

    code = "SP0002"
    status = 422
    citizen = "Something in what you entered does not fit."
    staff = "The input was refused."
    next_step = "Please correct the marked fields."

    def __init__(self, mistakes: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{place}: {sentence}" for place, sentence in mistakes))
        self.mistakes = mistakes


class NotFoundError(ServicepunktError):
    """There is no such thing, or not for this tenant: the two are never told apart."""

    code = "SP0003"
    status = 404
    citizen = "This page does not exist."
    staff = "Not found."
    next_step = "Go back to the start page."


class ForbiddenError(ServicepunktError):
    code = "SP0004"
    status = 403
    citizen = "This page is not open to you."
    staff = "Your role does not allow this."
    next_step = "Ask your administrator for the role that you need."


class ConflictError(ServicepunktError):
    code = "SP0005"
    status = 409
    citizen = "This was changed in the meantime."
    staff = "The state has changed in the meantime."
    next_step = "Load the page again and look at the current state."


class TooLargeError(ServicepunktError):
    code = "SP0006"
    status = 413
    citizen = "What was sent is too large."
    staff = "The request is larger than allowed."
    next_step = "Send less at once."


class TooManyRequestsError(ServicepunktError):
    code = "SP0007"
    status = 429
    citizen = "Too many attempts in a short time."
    staff = "The rate limit was reached."
    next_step = "Please wait a moment and try again."

    def __init__(self, staff: str | None = None, *, seconds: int = 0) -> None:
        """`seconds`: after how many another request is answered; 0 where nobody can say."""
        super().__init__(staff)
        self.seconds = seconds


class NoTenantError(ServicepunktError):
    """A query or a hook was tried without a tenant context: always a fault of ours."""

    code = "SP0010"
    staff = "There is no tenant context."


class TenantMismatchError(ServicepunktError):
    """A statement would have touched another tenant's rows, or all tenants' rows."""

    code = "SP0011"
    staff = "A statement without the predicate of its tenant was refused."


class SettingsError(ServicepunktError):
    """The deployment's settings do not fit together."""

    code = "SP0012"
    staff = "The settings of this deployment are not valid."
    next_step = "Correct the settings and start again."


class SecretError(SettingsError):
    code = "SP0013"
    staff = "A secret could not be read."


class MissingLibraryError(SettingsError):
    """Something that is optional to install is needed and absent."""

    code = "SP0015"
    staff = "A library that this needs is not installed."
    next_step = "Install it and start again."


class PluginOffError(ServicepunktError):
    """A command was given for a tenant that has not switched its plugin on."""

    code = "SP0021"
    status = 404
    staff = "This plugin is off for the tenant."
    next_step = "Name it under `plugins` in the tenant file and apply that, or leave it."


class MissingProgramError(SettingsError):
    """A program of PostgreSQL is needed in the server's version, and is not on this computer."""

    code = "SP0060"
    staff = "A program of PostgreSQL that this needs is not on this computer."
    next_step = "Install PostgreSQL of the server's version, or name its folder in SERVICEPUNKT_POSTGRES_PROGRAMS."


class ProgramFailedError(ServicepunktError):
    """A program of PostgreSQL ended with a fault; the sentence holds its last words."""

    code = "SP0061"
    staff = "A program of PostgreSQL ended with a fault."
    next_step = "Read what it said, mend the cause and start again; nothing was half replaced."


class NoCitusError(SettingsError):
    """The database is to be distributed and is no Citus."""

    code = "SP0062"
    staff = "The extension citus is not in this database."
    next_step = "Load Citus on every node, run CREATE EXTENSION citus, add the nodes, and start again."


class BusyTablesError(ServicepunktError):
    """The tables were in use whenever the upgrade wanted to change them."""

    code = "SP0065"
    staff = "The tables could not be changed, because somebody else has held them all the time."
    next_step = "Look for a transaction that stays open (pg_stat_activity), end it, and start again."


class UndistributableError(SettingsError):
    """A foreign key leads where Citus takes none."""

    code = "SP0063"
    staff = "A foreign key cannot be kept in a distributed database."
    next_step = "Change the plugin's tables so that the key stays among tenants' tables or leads to a shared one."
