"""Whether messages reach people: before a tenant goes live."""

from __future__ import annotations

from collections.abc import Sequence

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.notices.settings import NoticeSettings
from servicepunkt.core.rules import Broken, rule
from servicepunkt.core.tenancy.model import TenantContext

PHONE = rule(
    "SP1504", "{kind} goes to the rehearsal's telephone", "Name a provider in [notices], with its key as env: or file:."
)
REHEARSAL = rule("SP1505", "messages reach only those who rehearse", "Take [notices.rehearsal] out of the file.")
ONE_WAY = rule("SP1506", "{kind} has one provider, and none that stands in for it", warns=True)


class MessagesReady:
    """Providers: real ones, and more than one for what must arrive."""

    title = "Messages"

    def __init__(self, ctx: TenantContext) -> None:
        self._settings = ctx.section("notices", NoticeSettings)

    async def look(self, tx: Transaction) -> Sequence[Broken]:  # noqa: ARG002 - the protocol's shape
        kinds = {kind: self._settings.names(kind) for kind in ("sms", "email")}
        return [
            *(PHONE(kind=kind) for kind, names in kinds.items() if "phone" in names),
            *([REHEARSAL()] if self._settings.rehearsal is not None else []),
            *(ONE_WAY(kind=kind) for kind, names in kinds.items() if kind == "sms" and len(names) == 1),
        ]
