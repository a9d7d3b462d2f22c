"""What staff see of providers: those that are avoided."""

from __future__ import annotations

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.notices import provider_store
from servicepunkt.core.notices.settings import NoticeSettings


class ProviderWell:
    """One of several providers: whether it carries its share."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._provider = name

    async def check(self, tx: Transaction) -> tuple[bool, str]:
        found = {weight.provider: weight for weight in await provider_store.weights(tx)}.get(self._provider)
        match found.reason if found else "recovered":
            case "failing":
                return False, "This provider did not take messages; others carry most of them."
            case "slow":
                return False, "This provider delivered late; others carry most of them."
            case _:
                return True, "This provider takes messages."


def shared_providers(settings: NoticeSettings) -> list[str]:
    """The names of those that stand in for each other."""
    kinds = [settings.names(kind) for kind in ("sms", "email")]
    return [name for names in kinds if len(names) > 1 for name in names]
