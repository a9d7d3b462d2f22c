"""Whether those who work with the system can: before a tenant goes live."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.people import store
from servicepunkt.core.rules import Broken, rule

NO_ADMIN = rule("SP1501", "no account has the role city_admin", "servicepunkt account create --role city_admin ...")
NO_SECOND_FACTOR = rule(
    "SP1502", "{count} accounts have no second factor", "Each person sets it up under Account.", warns=True
)
ONE_PERSON = rule("SP1503", "one person is the only one who can sign in", "Who stands in on a sick day?", warns=True)


class PeopleReady:
    """Accounts: somebody administers, everybody has a second factor, and nobody is alone."""

    title = "Accounts"

    async def look(self, tx: Transaction) -> Sequence[Broken]:
        active = [one for one in await store.all_accounts(tx) if one.active]
        # The city's provider asks for a second factor itself, or does not: what it does is not ours to see.
        without = sum(one.totp is None and one.external is None for one in active)
        return [
            *([] if any("city_admin" in one.roles for one in active) else [NO_ADMIN()]),
            *([NO_SECOND_FACTOR(count=without)] if without else []),
            *([ONE_PERSON()] if len(active) == 1 else []),
        ]
