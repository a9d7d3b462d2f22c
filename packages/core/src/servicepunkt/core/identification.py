"""Who somebody is, between the areas: what asks for it (an application, a login) and what finds it out (the online ID,
the wallet) know only this. Pure.

Names of attributes are those of `servicepunkt.eid.model.Attributes`: given_names, family_names, date_of_birth, ...
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from servicepunkt.core.db.session import Transaction
    from servicepunkt.core.deployment import Deployment

#: Levels of assurance of eIDAS, article 8 (2): low, substantial, high. 0 asks for none.
LEVELS = ("none", "low", "substantial", "high")
#: What may be asked of a person and be known of them.
ATTRIBUTES = (
    *("given_names", "family_names", "birth_name", "artistic_name", "doctoral_degree", "date_of_birth"),
    *("place_of_birth", "nationality", "sex", "address", "community_id", "residence_permit", "document_type"),
    *("issuing_country", "valid_until", "pseudonym", "email", "phone"),
)


class IdentityWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a person, for what, and where they go on afterwards.

    `purpose`: by language, as the person reads it before anything is read. `age`, `community`: questions that are
    answered with yes or no and nothing else. `return_path`: a path within the tenant; `key` is put behind it.
    `device`: the terminal at which it is asked; None on the web.
    """

    key: UUID
    purpose: Mapping[str, str]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    age: int | None = None
    community: str = ""
    level: int = 3
    return_path: str = "/"
    device: UUID | None = None


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """A person, as far as it was asked for. `attributes` are texts as they are shown: a day as 1964-08-12.

    `proof` names the transaction with which the provider can show it again, and holds no datum of the person. The
    `repr` names the attributes and never their values.
    """

    provider: str
    level: int
    at: datetime
    proof: str
    attributes: Mapping[str, str] = {}
    old_enough: bool | None = None
    lives_there: bool | None = None

    def __repr__(self) -> str:
        return f"Identified(provider={self.provider!r}, level={self.level}, attributes={sorted(self.attributes)})"


#: Whom the Federal Office for Information Security shows on specimens of the ID card: for practice and for checks.
TEST_PERSON: Mapping[str, str] = {
    "given_names": "Erika",
    "family_names": "Mustermann",
    "birth_name": "Gabler",
    "date_of_birth": "1964-08-12",
    "place_of_birth": "Berlin",
    "nationality": "D",
    "address": "Heidestraße 17, 51147 Köln, D",
}


class IdentityProvider(Protocol):
    """A door by which a person identifies: `name` is stable, `title` and `text` are English message ids.

    `level`: the highest level of assurance that comes through it. What ends an identification is told to
    `servicepunkt.core.doors.closed`.
    """

    name: str
    title: str
    text: str
    level: int

    async def begin(self, deployment: Deployment, tx: Transaction, wish: IdentityWish) -> str:
        """The path within the tenant at which the person goes on; what was begun under a key before is ended."""
        ...

    async def take(self, deployment: Deployment, tx: Transaction, key: UUID) -> Identified | None:
        """What came of it, once: it is forgotten with this. None while nothing did, and where it was given up."""
        ...

    async def forget(self, deployment: Deployment, tx: Transaction, key: UUID) -> None:
        """Whoever has asked does not ask any more: what was begun under the key is ended, and nothing of it is kept."""
        ...


class IdentificationListener(Protocol):
    """Is told of every identification that has ended, however it did."""

    async def closed(self, tx: Transaction, key: UUID, outcome: str) -> None:
        """`outcome`: identified, cancelled, refused or expired."""
        ...
