"""The order in which a tenant's providers are asked; weights move here, and every move is audited and counted."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.metrics import PROVIDER_WEIGHT
from servicepunkt.core.notices import choice, provider_store
from servicepunkt.core.notices.choice import Move, Standing
from servicepunkt.core.notices.provider_store import Weight
from servicepunkt.core.notices.settings import NoticeSettings

log = structlog.get_logger("servicepunkt.notices")
HOUSE_WEIGHT = 50


async def ordered(
    tx: Transaction, settings: NoticeSettings, kind: str, randomness: Callable[[int], bytes]
) -> list[str]:
    """The names of those that carry `kind`, drawn by weight; the first is asked first."""
    names = settings.names(kind)
    if len(names) == 1:
        return list(names)
    found = await _standings(tx, settings, kind)
    if choice.moves(found, tx.now()):
        # Two workers would each take a step; who comes second sees that it was taken.
        await tx.lock("notices/weights")
        found = await _standings(tx, settings, kind)
        moves = {move.name: move for move in choice.moves(found, tx.now())}
        for move in moves.values():
            await _note(tx, move)
        present = {each.name: moves[each.name].weight if each.name in moves else each.present for each in found}
    else:
        present = {each.name: each.present for each in found}
    return choice.order(present, randomness)


async def _standings(tx: Transaction, settings: NoticeSettings, kind: str) -> list[Standing]:
    names = settings.names(kind)
    providers = {name: settings.find(name) for name in names}
    # Channels of plugins and of the house have no weight in the tenant file.
    resting = choice.resting_points(
        {name: provider.weight if provider else HOUSE_WEIGHT for name, provider in providers.items()}
    )
    return await provider_store.standings(tx, resting, now=tx.now())


async def _note(tx: Transaction, move: Move) -> None:
    now = tx.now()
    weight = Weight(provider=move.name, weight=move.weight, moved_at=now, reason=move.reason)
    await provider_store.save_weight(tx, weight)
    await audit.record(
        tx,
        at=now,
        actor="job:notices",
        action="notice.weight",
        subject=f"provider:{move.name}",
        weight=move.weight,
        reason=move.reason,
    )
    log.warning("provider_weight_moved", channel=move.name, reason=move.reason, count=move.weight)
    PROVIDER_WEIGHT.labels(tenant=tx.ctx.slug, provider=move.name).set(move.weight)
