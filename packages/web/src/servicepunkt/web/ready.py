"""Whether the pages are what the law wants, terminals stand at every point, and nobody signs in with a password alone:
before a tenant goes live."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.people import store as people
from servicepunkt.core.rules import Broken, rule
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.devices import store as devices
from servicepunkt.web.devices.model import TERMINAL
from servicepunkt.web.passkeys import store as passkeys
from servicepunkt.web.settings import WebSettings

NO_SECOND_FACTOR = rule(
    "SP1502",
    "accounts without a second factor: {count}",
    "Each person sets one up under Account: a code from the phone, or a passkey.",
    warns=True,
)
NO_LEGAL_PAGE = rule("SP1507", "[web] names no address for: {page}", "The law asks for it in the foot of every page.")
NO_TERMINAL = rule("SP1508", "no terminal is registered at {point!r}", "Staff → Devices → New device.", warns=True)


class PagesReady:
    """Imprint, privacy and accessibility; a terminal at each point."""

    title = "Pages and terminals"

    def __init__(self, ctx: TenantContext) -> None:
        self._legal = ctx.section("web", WebSettings)

    async def look(self, tx: Transaction) -> Sequence[Broken]:
        pages = ("imprint", "privacy", "accessibility")
        stand = {
            one.target for one in await devices.all_devices(tx) if one.kind == TERMINAL.name and one.state == "active"
        }
        points = (await catalogue.newest(tx)).points
        return [
            *(NO_LEGAL_PAGE(page=page) for page in pages if not getattr(self._legal, page)),
            *(NO_TERMINAL(point=point.id) for point in points if point.id not in stand),
        ]


class SignInReady:
    """Everybody has a second factor: a code from the phone, or a passkey."""

    title = "Signing in"

    async def look(self, tx: Transaction) -> Sequence[Broken]:
        # The city's provider asks for a second factor itself, or does not: what it does is not ours to see.
        shown = await passkeys.accounts(tx)
        without = sum(
            one.active and one.external is None and one.totp is None and one.id not in shown
            for one in await people.all_accounts(tx)
        )
        return [NO_SECOND_FACTOR(count=without)] if without else []
