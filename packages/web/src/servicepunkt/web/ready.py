"""Whether the pages are what the law wants, and terminals stand at every point: before a tenant goes live."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.rules import Broken, rule
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.devices import store as devices
from servicepunkt.web.devices.model import TERMINAL
from servicepunkt.web.settings import WebSettings

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
