"""What editors do: write, propose, approve, answer what sources have changed below their words.

Every change takes the tenant's lock of edits first, so that two people at one value come one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from servicepunkt.core.catalogue.editing import model, store
from servicepunkt.core.catalogue.editing.model import NOTHING, OPEN, DraftWaitsError, Edit, decoded, encoded, mark_of
from servicepunkt.core.catalogue.editing.steps import LOCK, audited, change, replace
from servicepunkt.core.catalogue.layers import Path, Sourced, merge, record_of, values
from servicepunkt.core.catalogue.settings import settings_of
from servicepunkt.core.catalogue.sources import current
from servicepunkt.core.catalogue.sources.composition import EDITORS
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.ids import new_id

#: The day of a publication: None for none, UNSET where nothing is said of it.
Day = date | None | UnsetType
NEEDS_REASON = "Say why, so that it can be done better."
CHANGED_MEANWHILE = "Somebody else has changed this in the meantime."


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a service: what holds and who says it, what stands below, and what editors do about it.

    `origin`: name of the source that says it. `live`: the edit that is in force, `waiting`: the one that somebody
    works on.
    """

    path: Path
    said: Any = None
    origin: str = ""
    below: Any = None
    below_origin: str = ""
    live: Edit | None = None
    waiting: Edit | None = None

    @property
    def shown(self) -> Any:
        """What stands in the form: what somebody works on, else what holds."""
        if self.waiting is None:
            return self.said
        return self.below if self.waiting.said is None else self.waiting.said

    @property
    def mark(self) -> str:
        """What a form shows and what it must still be when the form comes back."""
        edit = f"{self.waiting.id}/{self.waiting.changed_at.isoformat()}" if self.waiting else ""
        return mark_of(edit.encode() + encoded(self.said))


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """One service as editors see it. `record`: what sources and live edits say together."""

    id: str
    record: Mapping[str, Any]
    values: Mapping[Path, Value]
    sources: tuple[str, ...]

    def at(self, path: Path) -> Value:
        return self.values.get(path) or Value(path=path)


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A live edit and what stands below it now. `gone`: no source has its service any more. `waiting`: what somebody
    works on at the same value."""

    edit: Edit
    waiting: Edit | None = None
    now: bytes = NOTHING
    origin: str = ""
    gone: bool = False

    @property
    def mark(self) -> str:
        """What a form shows and what must still be so when the form comes back."""
        return mark_of(self.now)

    @property
    def below_now(self) -> Any:
        return decoded(self.edit.path, self.now)


# --- looking --------------------------------------------------------------------------------------------------


async def sight(tx: Transaction, service: str) -> Sight:
    """Everything that is known of a service's values. Raises NotFoundError where no source has it."""
    said = (await current.layers_of(tx, [service])).get(service)
    if said is None:
        raise NotFoundError(f"no source has a service {service!r}")
    below, above = said
    live = await store.edits(tx, ("live",), service=service)
    waiting = {edit.path: edit for edit in await store.edits(tx, OPEN, service=service)}
    overlay, _ = model.overlay(live)
    own = [Sourced(EDITORS, overlay["services", service])] if overlay else []
    merged, lower = merge([*below, *own, *above]), merge(below)
    holds, beneath = values(merged.record), values(lower.record)
    in_force = {edit.path: edit for edit in live}
    found = {
        path: Value(
            path=path,
            said=holds.get(path),
            origin=merged.origins.get(path, ""),
            below=beneath.get(path),
            below_origin=lower.origins.get(path, ""),
            live=in_force.get(path),
            waiting=waiting.get(path),
        )
        for path in sorted(holds.keys() | beneath.keys() | in_force.keys() | waiting.keys())
    }
    names = tuple(layer.source for layer in (*below, *own, *above))
    return Sight(id=service, record=merged.record, values=found, sources=names)


async def conflicts(tx: Transaction) -> list[Conflict]:
    """What sources have changed below live edits and nobody has answered yet."""
    live = await store.edits(tx, ("live",))
    if not live:
        return []
    said = await current.layers_of(tx, {edit.service for edit in live})
    waiting = {(edit.service, edit.path): edit for edit in await store.edits(tx, OPEN)}
    lower = {name: merge(below) for name, (below, _) in said.items()}
    beneath = {name: values(merged.record) for name, merged in lower.items()}
    found = []
    for edit in live:
        answer = waiting.get((edit.service, edit.path))
        if edit.service not in said:
            found.append(Conflict(edit=edit, waiting=answer, gone=True))
            continue
        now = encoded(beneath[edit.service].get(edit.path))
        if model.is_in_conflict(edit, now) and not model.is_answered(answer, now):
            origin = lower[edit.service].origins.get(edit.path, "")
            found.append(Conflict(edit=edit, waiting=answer, now=now, origin=origin))
    return found


# --- writing --------------------------------------------------------------------------------------------------


async def find(tx: Transaction, edit_id: UUID) -> Edit:
    """Raises NotFoundError."""
    if (edit := await store.find(tx, edit_id)) is None:
        raise NotFoundError
    return edit


async def write(
    tx: Transaction,
    service: str,
    typed: Mapping[Path, Any],
    *,
    actor: str,
    marks: Mapping[Path, str] | None = None,
    publish_on: Day = UNSET,
) -> list[Edit]:
    """Keep what was typed as drafts; returns the edits that somebody works on at these paths.

    What says nothing new ends a draft that was there; the same text for another day is a new draft. `marks`: what the
    form showed (`Value.mark`), by path. Raises InvalidInputError with every mistake; then nothing is kept. Raises
    NotFoundError.
    """
    await tx.lock(LOCK)
    found = await sight(tx, service)
    wanted = {path: value for path, value in typed.items() if _is_new(found.at(path), value, publish_on)}
    mistakes = [
        (path, CHANGED_MEANWHILE) for path in wanted if marks is not None and marks.get(path, "") != found.at(path).mark
    ]
    mistakes += model.mistakes(_record_with(found, wanted), wanted, tx.ctx.locale)
    if mistakes:
        raise InvalidInputError(mistakes)
    return [
        edit
        for path, value in typed.items()
        if (edit := await _write(tx, found, path, value, actor=actor, publish_on=publish_on, new=path in wanted))
    ]


def _is_new(value: Value, typed: Any, publish_on: Day) -> bool:
    if value.waiting is not None and value.waiting.publish_on != _day(publish_on, value.waiting):
        return True
    return encoded(typed) != encoded(value.shown) and not (_is_empty(typed) and _is_empty(value.shown))


def _day(said: Day, edit: Edit) -> date | None:
    """The day of an edit after somebody spoke of it, or did not."""
    return edit.publish_on if said is UNSET else said


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", ("", False), ("", True), [], ())


def _record_with(found: Sight, typed: Mapping[Path, Any]) -> dict[str, Any]:
    """The service as it would be with what waits and what was typed."""
    waiting = {path: one.shown for path, one in found.values.items() if one.waiting is not None}
    # What does not fit has been named by itself, and is not put together with the rest.
    fitting = {path: value for path, value in typed.items() if model.fits(path, value)}
    merged = {**values(found.record), **waiting, **fitting}
    return record_of({path: value for path, value in merged.items() if value is not None})


async def _write(
    tx: Transaction, found: Sight, path: Path, typed: Any, *, actor: str, publish_on: Day, new: bool
) -> Edit | None:
    value = found.at(path)
    waiting = value.waiting
    if not new:
        return waiting
    # What says the same as the layers below says nothing itself.
    is_below = encoded(typed) == encoded(value.below) or (_is_empty(typed) and _is_empty(value.below))
    said = None if is_below else typed
    if encoded(said) == (value.live.value if value.live else NOTHING):
        if waiting is not None:
            await _end(tx, waiting)
        return None
    if waiting is None:
        return await _draft(tx, found.id, value, said, actor=actor, publish_on=publish_on)
    changed: dict[str, Any] = {
        "value": encoded(said),
        "below": encoded(value.below),
        "state": model.move(waiting.state, "write"),
        "author": actor,
        "authors": tuple(dict.fromkeys((*waiting.authors, actor))),
        "approver": "",
        "remark": waiting.remark if waiting.state == "rejected" else "",
        "publish_on": _day(publish_on, waiting),
        "reason": "",
    }
    return await change(tx, waiting, **changed)


async def _draft(
    tx: Transaction, service: str, value: Value, said: Any, *, actor: str, publish_on: Day = UNSET
) -> Edit:
    """A new draft at this value."""
    at = tx.now()
    edit = Edit(
        id=new_id(),
        service=service,
        path=value.path,
        value=encoded(said),
        below=encoded(value.below),
        state=model.move(None, "write"),
        author=actor,
        authors=(actor,),
        publish_on=None if publish_on is UNSET else publish_on,
        created_at=at,
        changed_at=at,
    )
    await store.insert(tx, edit)
    return edit


async def _end(tx: Transaction, waiting: Edit) -> None:
    """What was worked on says nothing new any more."""
    if waiting.state in ("proposed", "approved"):
        waiting = await change(tx, waiting, state=model.move(waiting.state, "take_back"))
    await change(tx, waiting, state=model.move(waiting.state, "discard"))


# --- four eyes ------------------------------------------------------------------------------------------------
# `seen` of each step is the mark of what was shown (`Edit.mark`). Where it is another one now, nobody has looked at
# what the step would be about, and a ConflictError is raised.


async def propose(
    tx: Transaction, edit_id: UUID, *, actor: str, seen: str | None = None, publish_on: Day = UNSET
) -> Edit:
    """Ask for approval. Raises NotFoundError, ConflictError."""
    edit = await _as_seen(tx, edit_id, seen)
    state = model.move(edit.state, "propose")
    edit = await change(tx, edit, state=state, publish_on=_day(publish_on, edit), remark="")
    await audited(tx, edit, "propose", actor=actor)
    return edit


async def approve(
    tx: Transaction,
    edit_id: UUID,
    *,
    actor: str,
    seen: str | None = None,
    remark: str = "",
    publish_on: Day = UNSET,
) -> Edit:
    """Let it be published. Raises OwnEditError where four eyes are wanted, NotFoundError, ConflictError."""
    edit = await _as_seen(tx, edit_id, seen)
    state = model.approved(edit, actor, four_eyes=settings_of(tx.ctx).four_eyes)
    day = _day(publish_on, edit)
    edit = await change(tx, edit, state=state, approver=actor, remark=remark, publish_on=day, reason="")
    await audited(tx, edit, "approve", actor=actor)
    return edit


async def reject(tx: Transaction, edit_id: UUID, *, actor: str, remark: str, seen: str | None = None) -> Edit:
    """Give it back to who wrote it, with the reason. Raises InvalidInputError, NotFoundError, ConflictError."""
    edit = await _as_seen(tx, edit_id, seen)
    state = model.move(edit.state, "reject")
    if not remark:
        raise InvalidInputError([("remark", NEEDS_REASON)])
    edit = await change(tx, edit, state=state, approver=actor, remark=remark)
    await audited(tx, edit, "reject", actor=actor)
    return edit


async def take_back(tx: Transaction, edit_id: UUID, *, actor: str, seen: str | None = None) -> Edit:
    """Make a draft of what was proposed or approved. Raises NotFoundError, ConflictError."""
    edit = await _as_seen(tx, edit_id, seen)
    edit = await change(tx, edit, state=model.move(edit.state, "take_back"), approver="", reason="")
    await audited(tx, edit, "take_back", actor=actor)
    return edit


async def discard(tx: Transaction, edit_id: UUID, *, actor: str, seen: str | None = None) -> Edit:
    """Give a draft up. Raises NotFoundError, ConflictError."""
    edit = await _as_seen(tx, edit_id, seen)
    edit = await change(tx, edit, state=model.move(edit.state, "discard"))
    await audited(tx, edit, "discard", actor=actor)
    return edit


async def _as_seen(tx: Transaction, edit_id: UUID, seen: str | None) -> Edit:
    """The edit, which nobody else changes until this transaction ends. Raises NotFoundError, ConflictError."""
    await tx.lock(LOCK)
    edit = await find(tx, edit_id)
    if seen is not None and edit.mark != seen:
        raise ConflictError("this edit is another one than was shown")
    return edit


# --- what sources have changed --------------------------------------------------------------------------------


async def keep_mine(tx: Transaction, edit_id: UUID, *, actor: str, seen: str) -> None:
    """The edit holds, knowing what stands below now. `seen`: the mark of what was shown. Raises NotFoundError,
    ConflictError."""
    await tx.lock(LOCK)
    found = await _conflict(tx, edit_id, seen)
    await change(tx, found.edit, below=found.now)
    await audited(tx, found.edit, "keep", actor=actor)


async def take_theirs(tx: Transaction, edit_id: UUID, *, actor: str, seen: str) -> Edit | None:
    """What stands below shall hold again, from the next publication on; where four eyes are wanted, this is proposed.

    An edit of a service that is gone ends at once. `seen`: the mark of what was shown. Raises DraftWaitsError while
    somebody works on the value, NotFoundError, ConflictError.
    """
    await tx.lock(LOCK)
    found = await _conflict(tx, edit_id, seen)
    if found.gone:
        await replace(tx, found.edit)
        await audited(tx, found.edit, "withdraw", actor=actor)
        return None
    return await withdraw(tx, edit_id, actor=actor)


async def withdraw(tx: Transaction, edit_id: UUID, *, actor: str, seen: str | None = None) -> Edit:
    """Let what stands below a live edit hold again, from the next publication on.

    Where four eyes are wanted, this is only proposed: it changes what people read like any other edit. Raises
    DraftWaitsError while somebody works on the value, NotFoundError, ConflictError.
    """
    live = await _as_seen(tx, edit_id, seen)
    if live.state != "live":
        raise ConflictError("only an edit that is in force can be withdrawn")
    value = (await sight(tx, live.service)).at(live.path)
    if await store.open_at(tx, live.service, live.path) is not None:
        raise DraftWaitsError
    edit = await _draft(tx, live.service, value, None, actor=actor)
    if settings_of(tx.ctx).four_eyes:
        return await propose(tx, edit.id, actor=actor)
    return await approve(tx, edit.id, actor=actor)


async def _conflict(tx: Transaction, edit_id: UUID, seen: str) -> Conflict:
    found = next((one for one in await conflicts(tx) if one.edit.id == edit_id), None)
    if found is None:
        raise NotFoundError
    if found.mark != seen:
        raise ConflictError("the source has changed it once more")
    return found
