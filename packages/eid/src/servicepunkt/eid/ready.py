"""Whether people may identify: readers report, and somebody has come through to the end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from servicepunkt.core.audit.store import audit_entry
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.rules import Broken, Term, rule
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.sessions import readers
from servicepunkt.eid.sessions.card import NAME
from servicepunkt.eid.settings import settings_of

NOT_WELL = rule("SP4428", "{reader!r}: {why}")
NOBODY_YET = rule(
    "SP4429",
    "nobody has identified with a card yet",
    "Identify once with a test card, to the end: then the eID service answers as it should.",
)


class CardReady:
    """Each reader of the file reports, and somebody has identified from beginning to end."""

    title = "Online ID"

    def __init__(self, ctx: TenantContext) -> None:
        self._settings = settings_of(ctx)

    async def look(self, tx: Transaction) -> Sequence[Broken]:
        found = []
        for one in self._settings.readers:
            now = await readers.seen(tx, one)
            if now.state != "online":
                found.append(NOT_WELL(reader=one.id, why=Term(now.words)))
        if self._settings.service and not await _ever_identified(tx):
            found.append(NOBODY_YET())
        return found


async def _ever_identified(tx: Transaction) -> bool:
    query = sa.select(audit_entry.c.details).where(
        audit_entry.c.tenant_id == tx.tenant_id, audit_entry.c.action == "identification.identified"
    )
    return any(msgspec.json.decode(said).get("door") == NAME for said in (await tx.execute(query)).scalars())
