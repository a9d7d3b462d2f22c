"""Who somebody is: one kind of identity for the card, the wallet and BundID, with where it comes from and how far it
can be trusted. Pure.

What stands in an identity is personal: its `repr` names the attributes and never their values.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import IntEnum
from typing import Any, Literal, Self

import msgspec

from servicepunkt.eid.errors import MalformedError

Origin = Literal["card", "wallet", "bundid"]
_DATE = re.compile(r"(\d{4}| {4})(\d\d|  )(\d\d|  )")


class Level(IntEnum):
    """Level of assurance of eIDAS, article 8 (2); comparable: HIGH is more than SUBSTANTIAL."""

    NONE = 0
    LOW = 1
    SUBSTANTIAL = 2
    HIGH = 3


class Secrets(IntEnum):
    """What opens a card by PACE: printed on it (MRZ, CAN), known (PIN), or from the letter (PUK).

    The numbers are those of the standard (TR-03110-3 §B.14.1).
    """

    MRZ = 1
    CAN = 2
    PIN = 3
    PUK = 4


class RetryState(msgspec.Struct, frozen=True, kw_only=True):
    """What the card says of its PIN before any is entered. `tries`: 3 to 0; None where it does not say."""

    tries: int | None = 3
    active: bool = True

    @property
    def is_suspended(self) -> bool:
        """One try is left: first the CAN, then the PIN."""
        return self.active and self.tries == 1

    @property
    def is_blocked(self) -> bool:
        """No try is left: only the PUK helps, ten times in the life of a card."""
        return self.active and self.tries == 0

    @classmethod
    def of_status(cls, status: int) -> Self:
        """From the status word of MSE:Set AT for the PIN (TR-03110-3 §B.1). Raises MalformedError for another one."""
        match status:
            case 0x9000:
                return cls()
            case 0x63C0 | 0x63C1 | 0x63C2 | 0x63C3:
                return cls(tries=status & 0x0F)
            case 0x6283:
                return cls(tries=None, active=False)
        raise MalformedError(what="retry counter", why=f"status {status:04X}")


class PartialDate(msgspec.Struct, frozen=True, order=True):
    """A day of which parts may be unknown: some people know only the year of their birth. 0 is unknown."""

    year: int = 0
    month: int = 0
    day: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """'19640812', with spaces for what is unknown (TR-03110-4 §2.2.3). Raises MalformedError."""
        found = _DATE.fullmatch(text)
        if found is None:
            raise MalformedError(what="date", why="not YYYYMMDD")
        year, month, day = (int(part) if part.strip() else 0 for part in found.groups())
        made = cls(year, month, day)
        try:
            if made.encode() != text or (day and not month):
                raise ValueError("zeros, or a day without its month")
            date(year or 2000, month or 1, day or 1)
        except ValueError as error:
            raise MalformedError(what="date", why="no day of the calendar") from error
        return made

    @property
    def day_known(self) -> date | None:
        """The day, where all of it is known."""
        return date(self.year, self.month, self.day) if self.year and self.month and self.day else None

    @property
    def latest(self) -> date | None:
        """The last day that it can have been; None where not even the year is known. Who must be old enough is so
        from the day on that follows from this one."""
        if not self.year:
            return None
        if not self.month:
            return date(self.year, 12, 31)
        if not self.day:
            after = date(self.year + (self.month == 12), self.month % 12 + 1, 1)
            return date.fromordinal(after.toordinal() - 1)
        return date(self.year, self.month, self.day)

    def __str__(self) -> str:
        """'1964-08-12', '1964-08', '1964' or nothing."""
        parts = [f"{self.year:04}" if self.year else "", f"{self.month:02}" if self.month else "",
                 f"{self.day:02}" if self.day else ""]  # fmt: skip
        return "-".join(part for part in parts if part)

    def encode(self) -> str:
        """As `parse` reads it."""
        return "".join(
            f"{value:0{width}}" if value else " " * width
            for value, width in ((self.year, 4), (self.month, 2), (self.day, 2))
        )


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An address or a place of birth. `free` holds what was given without structure; all empty: none was given."""

    street: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    zip_code: str = ""
    free: str = ""

    def __str__(self) -> str:
        town = " ".join(part for part in (self.zip_code, self.city) if part)
        return self.free or ", ".join(part for part in (self.street, town, self.state, self.country) if part)


class Masked(msgspec.Struct, frozen=True, kw_only=True):
    """A struct whose `repr` says which of its fields hold something, and never what."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.held())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # what rich asks for, and tracebacks with locals
        return [("holds", self.held())]

    def held(self) -> tuple[str, ...]:
        """The names of the fields that hold something."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) not in (None, "", b"", ()))


class Attributes(Masked, frozen=True, kw_only=True):
    """What is known about a person; None or nothing where it was not asked for, not given, or is not on the document.

    `country` and `nationality`: 'D' as the card says it, ISO 3166-1 alpha-3 for others. `pseudonym`: the same for a
    service each time, another for each service, and a new one with a new card. `community_id`: the key of the
    municipality of residence.
    """

    given_names: str = ""
    family_names: str = ""
    birth_name: str = ""
    artistic_name: str = ""
    doctoral_degree: str = ""
    date_of_birth: PartialDate | None = None
    place_of_birth: Place | None = None
    nationality: str = ""
    sex: str = ""
    address: Place | None = None
    community_id: str = ""
    residence_permit: str = ""
    document_type: str = ""
    issuing_country: str = ""
    valid_until: date | None = None
    pseudonym: bytes = b""
    email: str = ""
    phone: str = ""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Questions that were answered with yes or no and nothing else; None: not asked, or not allowed."""

    old_enough: bool | None = None
    lives_there: bool | None = None


class Identity(Masked, frozen=True, kw_only=True):
    """A person that was identified. `proof` names the transaction by which the origin can show it again, without any
    datum of the person: the session of the eID service, the digest of a presentation, the id of an assertion."""

    origin: Origin
    level: Level
    at: datetime
    proof: str
    attributes: Attributes = Attributes()
    answers: Answers = Answers()

    def held(self) -> tuple[str, ...]:
        return (f"origin={self.origin!r}", f"level={self.level.name}", *self.attributes.held())
