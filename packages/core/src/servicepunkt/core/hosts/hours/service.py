"""Look at a change of a house's hours, and publish it: for pages, phone and terminals at once.

What a host says is a source of the catalogue above the tenant's files, so that applying a file does not take it back.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import checks
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.editing.model import mark_of
from servicepunkt.core.catalogue.model import Catalogue, Host
from servicepunkt.core.catalogue.records import said
from servicepunkt.core.catalogue.sources import current
from servicepunkt.core.catalogue.sources.composition import FILES, HOSTS
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.hosts.hours import model, store
from servicepunkt.core.hosts.hours.model import Changed, Draft, OwnHours, Stretch
from servicepunkt.core.hours.model import Calendar

NOTHING_CHANGES = "Nothing of this would change anything."
TOO_MANY = "There are too many exceptions; take away those that are over."


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """A house as it is in force, what the town's sources say of it, and what its host says itself."""

    catalogue: Catalogue
    host: Host
    below: Host
    own: OwnHours | None

    @property
    def mark(self) -> str:
        """What a form was made of, and what must still be so when it comes back."""
        return mark_of(msgspec.json.encode(self.host))

    @property
    def is_asked(self) -> bool:
        """Whether the town has changed what stands below since the host has spoken."""
        return bool(self.own and self.own.said and self.own.below != model.own_fields(self.below))


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A house as a draft would make it, and what that changes."""

    sight: Sight
    after: Host
    changes: list[Changed]


async def sight(tx: Transaction, host_id: str) -> Sight:
    """Raises NotFoundError where no such house is in force."""
    catalogue = await catalogues.newest(tx)
    host = catalogue.host(host_id)
    if host is None:
        raise NotFoundError
    own, record = await store.of_host(tx, host_id), await current.below_hosts(tx, host_id)
    if record is None:  # no source names it: what the host itself has not said is what stands below
        others = {field: value for field, value in said(host).items() if field not in model.FIELDS}
        record = {**others, **own.below} if own else said(host)
    return Sight(catalogue=catalogue, host=host, below=msgspec.convert(record, Host), own=own)


async def preview(tx: Transaction, host_id: str, draft: Draft) -> Preview:
    """What a draft would change within the next days. Raises InvalidInputError, NotFoundError."""
    found, today = await sight(tx, host_id), tx.ctx.local_date(tx.now())
    after = _changed(found, draft, tx)
    stretch = Stretch(Calendar(tx.ctx.zone, tx.ctx.subdivision), today)
    pair = found.catalogue, model.with_host(found.catalogue, after)
    return Preview(sight=found, after=after, changes=await asyncio.to_thread(model.changes, *pair, host_id, stretch))


async def publish(tx: Transaction, host_id: str, draft: Draft, *, key: UUID, seen: str, actor: str) -> int | None:
    """Put a draft into force; returns the revision, None for a key with which this was done before.

    `seen`: the mark of what was looked at. Raises ConflictError where the house is another one by now,
    InvalidInputError, NotFoundError.
    """
    await catalogues.lock(tx)
    found = await sight(tx, host_id)
    if found.own and found.own.key == key:
        return None
    if found.mark != seen:
        raise ConflictError("the house has other hours than were looked at")
    after = _changed(found, draft, tx)
    own = OwnHours(
        host=host_id,
        said=model.difference(after, found.below),
        below=model.own_fields(found.below),
        key=key,
        changed_by=actor,
        changed_at=tx.now(),
    )
    await store.save(tx, own)
    origins = {field: HOSTS if field in own.said else FILES for field in said(after)}
    exchanged = model.with_host(found.catalogue, after)
    revision = await catalogues.exchange(tx, exchanged, {("hosts", host_id): origins}, actor=actor)
    await audit.record(tx, at=tx.now(), actor=actor, action="host.hours", subject=f"host:{host_id}", revision=revision)
    return revision


def _changed(found: Sight, draft: Draft, tx: Transaction) -> Host:
    """Raises InvalidInputError."""
    after = model.changed(found.host, found.below, draft, tx.ctx.local_date(tx.now()))
    if after == found.host and not (draft.as_below and found.own and found.own.said):
        raise InvalidInputError([("", NOTHING_CHANGES)])
    if len(after.exceptions) > model.MOST_EXCEPTIONS:
        raise InvalidInputError([("first", TOO_MANY)])
    place = f"hosts.{found.host.id}."
    wrong = checks.mistakes(model.with_host(found.catalogue, after))
    if mistakes := [(where, sentence) for where, sentence in wrong if where.startswith(place)]:
        raise InvalidInputError(mistakes)
    return after
