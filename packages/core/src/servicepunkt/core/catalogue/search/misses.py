"""What people look for in vain, for editors, without anything about a person.

Somebody may type a name into a search field. Therefore nothing is written down that only one or two have asked: a
question counts once for each asker and part of a day, is held in memory alone, and is written when it was asked
`ENOUGH` times. What looks like a number, an address or a long sentence is never counted.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert

from servicepunkt.core.catalogue.search.words import STOP_WORDS, words
from servicepunkt.core.db.schema import tenant_table
from servicepunkt.core.db.session import Transaction

ENOUGH = 3  # askers before a question is written down
MAX_HELD = 20_000  # questions that are held in memory, of all tenants
MOST_WORDS, LONGEST, SHORTEST = 4, 40, 3
PART_OF_A_DAY = timedelta(minutes=10)  # one asker at one terminal is another one after this

search_miss = tenant_table(
    "search_miss",
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("last_on", sa.Date, nullable=False),
    key=("words",),
)


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """A question without an answer: how many asked it, and when the last one did."""

    words: str
    count: int
    last_on: date


def question(typed: str) -> str | None:
    """The words of a question in small letters and alphabetical order; None for one that is not counted."""
    if "@" in typed or any(sign.isdecimal() for sign in typed):
        return None
    found = sorted({word for word in words(typed) if word not in STOP_WORDS})
    said = " ".join(found)
    return said if found and len(found) <= MOST_WORDS and SHORTEST <= len(said) <= LONGEST else None


class Misses:
    """Counts askers in memory; one for a process."""

    def __init__(self, *, salt: Callable[[], bytes] = lambda: secrets.token_bytes(16)) -> None:
        self._salt = salt()
        self._asked: OrderedDict[tuple[int, str], set[bytes]] = OrderedDict()

    def note(self, tenant: int, typed: str, asker: str, at: datetime) -> tuple[str, int] | None:
        """The question with how many new askers it had, once that is enough to be written down; else None."""
        said = question(typed)
        if said is None:
            return None
        part = int(at.timestamp() // PART_OF_A_DAY.total_seconds())
        who = hashlib.blake2b(f"{asker}/{part}".encode(), key=self._salt, digest_size=8).digest()
        askers = self._asked.setdefault((tenant, said), set())
        self._asked.move_to_end((tenant, said))
        askers.add(who)
        while len(self._asked) > MAX_HELD:
            self._asked.popitem(last=False)
        if len(askers) < ENOUGH:
            return None
        del self._asked[tenant, said]
        return said, len(askers)


async def write(tx: Transaction, said: str, count: int, day: date) -> None:
    """Add askers to a question."""
    made = upsert(search_miss).values(tenant_id=tx.tenant_id, words=said, count=count, last_on=day)
    changed = {"count": search_miss.c.count + made.excluded["count"], "last_on": made.excluded["last_on"]}
    await tx.execute(made.on_conflict_do_update(index_elements=["tenant_id", "words"], set_=changed))


async def misses(tx: Transaction, *, limit: int = 200) -> list[Miss]:
    """The questions that most have asked come first."""
    query = sa.select(search_miss).where(search_miss.c.tenant_id == tx.tenant_id)
    return await tx.all(Miss, query.order_by(search_miss.c.count.desc(), search_miss.c.words).limit(limit))


async def settle(tx: Transaction, said: str) -> None:
    """An editor has dealt with a question."""
    await tx.execute(sa.delete(search_miss).where(search_miss.c.tenant_id == tx.tenant_id, search_miss.c.words == said))


async def delete_misses(tx: Transaction, before: datetime) -> int:
    """Forget what nobody has asked since."""
    gone = await tx.execute(
        sa.delete(search_miss).where(search_miss.c.tenant_id == tx.tenant_id, search_miss.c.last_on < before.date())
    )
    return int(gone.rowcount)
