"""The card's door: what is asked of the eID service for a wish, what has to come back, and how it ends. Pure but for
the provider."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.identification import Identified, IdentityWish
from servicepunkt.eid.model import Level
from servicepunkt.eid.service.model import OPERATIONS, Result, UseId, Wish
from servicepunkt.eid.sessions import service
from servicepunkt.eid.sessions.model import Door
from servicepunkt.web.devices import service as devices

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

NAME: Door = "card"
BY_ATTRIBUTE = {attribute: operation for operation, attribute in OPERATIONS.items() if attribute}
LONGEST_PURPOSE = 1_000
#: How often the service is asked for a result before it is given up, and how long one question may take.
MOST_QUESTIONS, QUESTION = 60, timedelta(seconds=30)
Trouble = Literal["silent", "card", "level", "incomplete", "rights", "failed"]
#: What is said, and what to do next: message ids.
TROUBLES: dict[Trouble, tuple[str, str]] = {
    "silent": (
        "The service that reads the card does not answer.",
        "What you entered is still there. Try again, or choose another way.",
    ),
    "card": (
        "The service does not accept this card.",
        "It may have expired or be blocked after a loss. Your registration office knows more and helps you.",
    ),
    "level": ("This card does not prove who you are safely enough.", "Please choose another way."),
    "incomplete": (
        "Something that is needed was not given.",
        "Leave everything switched on that is marked as needed, or choose another way.",
    ),
    "rights": (
        "The town may not ask this of your card.",
        "This is our fault, not yours. Please choose another way and tell a member of staff.",
    ),
    "failed": ("Identifying did not work.", "What you entered is still there. Try again, or choose another way."),
}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the door remembers of an identification, sealed.

    `token`: the digest of what the AusweisApp has to show, once; `proof`: of what it brings back into the browser.
    `reader`: who took it over. `session` and `counter`: at the eID service, and the number of the last question;
    until `asking_until` somebody waits for its answer. `outcome`: how it ended at the reader; `trouble`: what was in
    the way.
    """

    token: bytes = b""
    proof: bytes = b""
    reader: str = ""
    session: str = ""
    counter: int = 0
    asking_until: datetime | None = None
    outcome: Literal["", "cancelled", "refused"] = ""
    trouble: Trouble | None = None

    def is_asking(self, at: datetime) -> bool:
        return self.asking_until is not None and at < self.asking_until


def wanted(wish: IdentityWish, locale: str) -> UseId:
    """What the service is asked; attributes that no card has are left out."""
    operations: dict[str, Wish] = {}
    for names, word in ((wish.optional, "ALLOWED"), (wish.required, "REQUIRED")):
        operations |= {BY_ATTRIBUTE[name]: word for name in names if name in BY_ATTRIBUTE}  # type: ignore[misc]
    if wish.age is not None:
        operations["AgeVerification"] = "REQUIRED"
    if wish.community:
        operations["PlaceVerification"] = "REQUIRED"
    return UseId(
        operations=operations,
        age=wish.age,
        community=wish.community,
        level=Level(max(wish.level, Level.LOW)),
        transaction=pick(dict(wish.purpose), locale)[:LONGEST_PURPOSE] if wish.purpose else "",
    )


def lacks(result: Result, wish: IdentityWish) -> Trouble | None:
    """Why a result does not do. What is not on the card does not count as withheld."""
    if result.level < wish.level:
        return "level"
    held = result.attributes.held()
    if any(
        name in BY_ATTRIBUTE and name not in held and result.allowed.get(BY_ATTRIBUTE[name]) != "NOTONCHIP"
        for name in wish.required
    ):
        return "incomplete"
    unanswered = (wish.age is not None and result.answers.old_enough is None) or (
        wish.community and result.answers.lives_there is None
    )
    return "incomplete" if unanswered else None


class CardDoor:
    """The online ID card: at a terminal by its reader, on the web by the AusweisApp of one's own."""

    name = NAME
    title = "With the online ID card"
    text = "You need your ID card, its PIN of six digits, and two minutes."
    level = int(Level.HIGH)

    async def begin(self, deployment: Deployment, tx: Transaction, wish: IdentityWish) -> str:
        """Raises ValueError for a question that the service does not know."""
        wanted(wish, tx.ctx.locale)
        terminal = await devices.find(tx, wish.device) if wish.device else None
        own = await service.begin(deployment, tx, NAME, wish, point=terminal.target if terminal else "")
        return f"/k/eid/{own.id}" if wish.device else f"/eid/{own.id}"

    async def take(self, deployment: Deployment, tx: Transaction, key: UUID) -> Identified | None:
        return await service.take(deployment, tx, NAME, key)

    async def forget(self, deployment: Deployment, tx: Transaction, key: UUID) -> None:
        await service.forget(deployment, tx, NAME, key)
