"""Whether those who work with the system can: before a tenant goes live."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.people import store
from servicepunkt.core.rules import Broken, rule

NO_ADMIN = rule("SP1501", "no account has the role city_admin", "servicepunkt account create --role city_admin ...")
ONE_PERSON = rule("SP1503", "one person is the only one who can sign in", "Who stands in on a sick day?", warns=True)


class PeopleReady:
    """Accounts: somebody administers, and nobody is alone."""

    title = "Accounts"

    async def look(self, tx: Transaction) -> Sequence[Broken]:
        active = [one for one in await store.all_accounts(tx) if one.active]
        return [
            *([] if any("city_admin" in one.roles for one in active) else [NO_ADMIN()]),
            *([ONE_PERSON()] if len(active) == 1 else []),
        ]
