"""Ask for a slot of a space, approve it, say no to it, give it up."""

from __future__ import annotations

from uuid import UUID

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.hosts.forms import the_same
from servicepunkt.core.hosts.settings import settings_of
from servicepunkt.core.hosts.space import model, store
from servicepunkt.core.hosts.space.model import Slot, Wish
from servicepunkt.core.ids import new_id


async def ask(tx: Transaction, wish: Wish, *, actor: str) -> Slot:
    """A new slot, or the one that was asked for with this key.

    Raises SpaceTakenError, InvalidInputError, and ConflictError for a key that was used for something else.
    """
    if known := await store.by_key(tx, wish.key):
        return the_same(known, wish, "slot")
    at = tx.now()
    model.check(wish, frozenset(space.id for space in settings_of(tx.ctx).spaces_of(wish.host)), at)
    made = Slot(
        id=new_id(),
        asked_by=actor,
        changed_by=actor,
        created_at=at,
        changed_at=at,
        **msgspec.structs.asdict(wish),
    )
    if not await store.add(tx, made):  # another request with the key was faster
        known = await store.by_key(tx, wish.key)
        assert known is not None
        return the_same(known, wish, "slot")
    await _audited(tx, made, actor=actor)
    return made


async def find(tx: Transaction, slot_id: UUID) -> Slot:
    """Raises NotFoundError."""
    return _there(await store.by_id(tx, slot_id))


async def decide(tx: Transaction, slot_id: UUID, event: str, *, actor: str, reason: str = "") -> Slot:
    """Approve, veto (with a reason) or withdraw a slot until it begins.

    Raises NotFoundError, ConflictError, SlotBegunError, InvalidInputError.
    """
    found = _there(await store.by_id(tx, slot_id, lock=True))
    state = model.move(found, event, tx.now())
    if event == "veto" and not 0 < len(reason) <= model.MOST_WORDS:
        raise InvalidInputError([("reason", model.NEEDS_REASON)])
    said = reason if event == "veto" else ""
    decided = msgspec.structs.replace(found, state=state, reason=said, changed_by=actor, changed_at=tx.now())
    await store.update(tx, decided)
    if state not in model.TAKING:
        await store.release(tx, slot_id)
    await _audited(tx, decided, actor=actor)
    return decided


async def _audited(tx: Transaction, slot: Slot, *, actor: str) -> None:
    await audit.record(
        tx,
        at=tx.now(),
        actor=actor,
        action=f"slot.{slot.state}",
        subject=f"slot:{slot.id}",
        host=slot.host,
        space=slot.space,
    )


def _there(slot: Slot | None) -> Slot:
    if slot is None:
        raise NotFoundError
    return slot
