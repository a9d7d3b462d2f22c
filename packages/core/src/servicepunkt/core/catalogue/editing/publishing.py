"""Publish what editors have approved, at once or on its day: with what all sources say, as one revision."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog

from servicepunkt.core.catalogue import checks
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue import store as revisions
from servicepunkt.core.catalogue.editing import model, store
from servicepunkt.core.catalogue.editing.model import Edit, mark_of
from servicepunkt.core.catalogue.editing.steps import LOCK, audited, change, replace, today
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.sources import current
from servicepunkt.core.catalogue.sources.composition import NATIONAL, Composed, Source, compose_with
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import ConflictError, InvalidInputError
from servicepunkt.core.jobs import job
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.catalogue")
JOB = "job:catalogue-publish"
MOST_REASONS = 5
NO_SOURCES = "The tenant's own files have not been taken over yet: its tenant file has to be applied once more."
HELD = "An earlier revision was brought back: until somebody has looked and published, nothing is published by itself."
GONE = "No source has this service any more."


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What the next publication would make: the catalogue, the edits that it takes in, and those that it could not
    with the reason. `live`: the edits that are in force until then; `mistakes`: why there can be no publication at
    all."""

    composed: Composed
    live: tuple[Edit, ...]
    taken: tuple[Edit, ...]
    refused: tuple[tuple[Edit, str], ...]
    mistakes: tuple[tuple[str, str], ...]

    @property
    def mark(self) -> str:
        """What was looked at, to be told from what would be published a moment later."""
        return mark_of(msgspec.json.encode(self.composed.catalogue))


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A publication: the revision in force, the edits that it took in, and those that it could not."""

    revision: int | None
    published: tuple[Edit, ...] = ()
    refused: tuple[Edit, ...] = ()


async def due(tx: Transaction) -> list[Edit]:
    """The edits that the next publication takes in."""
    day = today(tx)
    return [edit for edit in await store.edits(tx, ("approved",)) if model.is_due(edit, day)]


async def preview(tx: Transaction) -> Preview:
    """The catalogue as the next publication would make it."""
    found, live = await current.sources_of(tx), await store.edits(tx, ("live",))
    return await asyncio.to_thread(_preview, found, live, await due(tx), tx.ctx.locale)


def with_edits(live: Iterable[Edit], new: Iterable[Edit]) -> list[Edit]:
    """The edits that hold when new ones are published."""
    return list({(edit.service, edit.path): edit for edit in (*live, *new)}.values())


async def publish(tx: Transaction, *, actor: str, seen: str | None = None) -> Outcome:
    """Publish what sources say and every approved edit whose day has come.

    An edit with which the catalogue would not hold together stays approved, with the reason. `seen`: the mark of the
    preview that was looked at. Raises InvalidInputError where the catalogue does not hold together without any of
    them, ConflictError where something else would be published than was looked at; then nothing is published.
    """
    await _lock(tx)
    made = await preview(tx)
    if made.mistakes:
        raise InvalidInputError(list(made.mistakes))
    if seen is not None and made.mark != seen:
        raise ConflictError("something else would be published than was looked at")
    composed = made.composed
    revision = await catalogues.publish(tx, composed.catalogue, at=tx.now(), actor=actor, origins=composed.origins)
    published = [await _put_into_force(tx, edit, made.live) for edit in made.taken]
    unlucky = [await change(tx, edit, reason=reason) for edit, reason in made.refused]
    # The audit chain's lock comes after the catalogue's, as everywhere.
    for edit in published:
        await audited(tx, edit, "publish" if edit.state == "live" else "withdraw", actor=actor)
    return Outcome(revision=revision, published=tuple(published), refused=tuple(unlucky))


async def _lock(tx: Transaction) -> None:
    await tx.lock(LOCK)
    await catalogues.lock(tx)


async def _put_into_force(tx: Transaction, edit: Edit, live: Sequence[Edit]) -> Edit:
    for old in live:
        if (old.service, old.path) == (edit.service, edit.path):
            await replace(tx, old)
    edit = await change(tx, edit, state=model.move(edit.state, "publish"), reason="")
    # What lets others speak again says nothing itself.
    return await replace(tx, edit) if edit.said is None else edit


def _preview(found: Sequence[Source], live: Sequence[Edit], wanted: Sequence[Edit], locale: str) -> Preview:
    """The largest part of the wanted edits with which the catalogue holds together."""
    known = {key for source in found if source.layer not in NATIONAL for key in source.records}
    taken = [edit for edit in wanted if ("services", edit.service) in known]
    refused = [(edit, GONE) for edit in wanted if ("services", edit.service) not in known]
    while True:
        composed = compose_with(found, with_edits(live, taken))
        has_sources = any(not source.partial for source in found)
        mistakes = checks.mistakes(composed.catalogue) if has_sources else [("", NO_SOURCES)]
        mistakes += _nameless(composed.catalogue, taken, locale)
        if not mistakes or not taken:
            return Preview(
                composed=composed,
                live=tuple(live),
                taken=tuple(taken),
                refused=tuple(refused),
                mistakes=tuple(mistakes),
            )
        # Where no edit is to blame itself, all of them wait: the sources do not hold together.
        wrong = [edit for edit in taken if _concerning(edit, mistakes)] or taken
        refused += [(edit, _reason(_concerning(edit, mistakes) or mistakes)) for edit in wrong]
        taken = [edit for edit in taken if edit not in wrong]


def _nameless(catalogue: Catalogue, taken: Iterable[Edit], locale: str) -> list[tuple[str, str]]:
    """The services that edits would leave without a name in the tenant's language."""
    services = {edit.service: catalogue.service(edit.service) for edit in taken if model.names_it([edit.path], locale)}
    return [
        (f"services.{name}.name", model.MISSING_OWN_NAME)
        for name, service in services.items()
        if service is not None and not model.has_own_name(service, locale)
    ]


def _concerning(edit: Edit, mistakes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    place = f"services.{edit.service}"
    return [one for one in mistakes if one[0] == place or one[0].startswith(f"{place}.")]


def _reason(mistakes: Sequence[tuple[str, str]]) -> str:
    return "; ".join(f"{place}: {sentence}" for place, sentence in mistakes[:MOST_REASONS])


@job(plugin="core", name="core.catalogue.publish", every="3 * * * *")
async def publish_due(deployment: Deployment, ctx: TenantContext) -> None:
    """Publish what was approved for a day that has come; again and again it changes nothing more.

    Over an earlier revision that somebody brought back nothing is published: with it would come what was wrong.
    """
    async with deployment.database.tenant(ctx) as tx:
        if not await store.has_due(tx, today(tx)):
            return
        await _lock(tx)
        if await revisions.restored(tx) is not None:
            await _all_wait(tx, HELD)
            return
        try:
            outcome = await publish(tx, actor=JOB)
        except InvalidInputError as error:
            # The catalogue does not hold together even without them: whoever waits is told why.
            await _all_wait(tx, _reason(error.mistakes))
            log.warning("catalogue_not_published", mistakes=len(error.mistakes))
            return
        log.info("catalogue_published", revision=outcome.revision, edits=len(outcome.published))


async def _all_wait(tx: Transaction, reason: str) -> None:
    for edit in await due(tx):
        if edit.reason != reason:
            await change(tx, edit, reason=reason)
