"""Changes on their way: proposals, four eyes, what sources have changed below, and the publication."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue import store as revisions
from servicepunkt.core.catalogue.editing import difference, model, publishing, steps, store
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.editing.model import DraftWaitsError, OwnEditError
from servicepunkt.core.catalogue.settings import settings_of
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError, ServicepunktError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.editors import forms, seen, words
from servicepunkt.web.editors.pages import WRITING, Start, Text
from servicepunkt.web.editors.seen import editors_page, readers
from servicepunkt.web.editors.tasks import HREF
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import LANGUAGE_NAMES
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor

PAGE = 20
TOO_LONG_REMARK = "A remark has at most 1000 letters."
UNKNOWN = "This cannot be chosen."
LOOK_AGAIN = "This page shows what stands there now: look at it once more, then decide."


class StepForm(msgspec.Struct, frozen=True, kw_only=True):
    """`seen`: the mark of the edit that the page showed."""

    do: Annotated[str, msgspec.Meta(max_length=20)]
    seen: Annotated[str, msgspec.Meta(max_length=40)]
    remark: Annotated[str, msgspec.Meta(max_length=model.LONGEST_REMARK)] = ""
    publish_on: Annotated[str, msgspec.Meta(max_length=20)] | msgspec.UnsetType = msgspec.UNSET


class AnswerForm(msgspec.Struct, frozen=True, kw_only=True):
    do: Annotated[str, msgspec.Meta(max_length=20)]
    seen: Annotated[str, msgspec.Meta(max_length=40)]


class PublishForm(msgspec.Struct, frozen=True, kw_only=True):
    seen: Annotated[str, msgspec.Meta(max_length=40)]


SENTENCES = {"remark": TOO_LONG_REMARK, "do": UNKNOWN}


@get(f"{HREF}/changes", guards=WRITING)
async def changes(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    show: Text = "mine",
) -> Response[str]:
    """Edits in lists: one's own, those that wait for approval, those that are approved, refused or in force."""
    show = show if show in words.SHOWN else "mine"
    async with deployment.database.tenant(ctx) as tx:
        every = await store.edits(tx, (*model.OPEN, "live"))
        reader = await readers(tx, request)
    lists = {name: [edit for edit in every if model.is_in(name, edit, visitor.actor)] for name in words.SHOWN}
    return await editors_page(
        request,
        visitor,
        "web/editors_changes.html",
        show=show,
        lists=[(name, title, len(lists[name])) for name, title in words.SHOWN.items()],
        edits=[reader.edit(edit) for edit in reversed(lists[show])],
        language_names=LANGUAGE_NAMES,
    )


async def change_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    edit_id: UUID,
    *,
    mistakes: list[tuple[str, str]] | None = None,
    sent: dict[str, str] | None = None,
    status: int = 200,
) -> Response[str]:
    """One edit: what it changes, and what can be done with it."""
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    async with deployment.database.tenant(ctx) as tx:
        edit, reader = await editing.find(tx, edit_id), await readers(tx, request)
        try:
            value = (await editing.sight(tx, edit.service)).at(edit.path)
        except NotFoundError:
            value = editing.Value(path=edit.path)
        four_eyes, today = settings_of(ctx).four_eyes, steps.today(tx)
    waiting = value.waiting if edit.state == "live" else None
    after = value.below if edit.said is None else edit.said
    before = value.below if edit.state == "live" else value.said
    own = visitor.actor in edit.authors
    return await editors_page(
        request,
        visitor,
        "web/editors_change.html",
        status=status,
        mistakes=mistakes or [],
        edit=reader.edit(edit),
        pieces=reader.pieces(edit.path, before, after),
        origin=words.source(value.origin),
        below_changed=edit.state in model.OPEN and model.encoded(value.below) != edit.below,
        can=model.verbs(edit, visitor.actor, four_eyes=four_eyes, waits=waiting is not None),
        waiting=reader.edit(waiting) if waiting else None,
        own=own,
        seen=edit.mark,
        four_eyes=four_eyes,
        remark=(sent or {}).get("remark", ""),
        publish_on=(sent or {}).get("publish_on", edit.publish_on.isoformat() if edit.publish_on else ""),
        today=today.isoformat(),
        language_names=LANGUAGE_NAMES,
    )


@get(f"{HREF}/changes/{{edit_id:uuid}}", guards=WRITING)
async def change(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], edit_id: FromPath[UUID]
) -> Response[str]:
    """One edit."""
    return await change_page(request, visitor, edit_id)


@post(f"{HREF}/changes/{{edit_id:uuid}}", guards=WRITING)
async def step(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    edit_id: FromPath[UUID],
) -> Response[Any]:
    """Propose, approve, reject, take back, give up or withdraw an edit."""
    sent = await typed(request)
    try:
        form = convert(sent, StepForm, SENTENCES)
        async with deployment.database.tenant(ctx) as tx:
            goes_on = await take_step(tx, edit_id, form, actor=visitor.actor)
    except ServicepunktError as error:
        if (wrong := mistakes_of(error)) is None:
            raise
        return await change_page(request, visitor, edit_id, mistakes=wrong, sent=sent, status=error.status)
    if goes_on:
        return see_other(request, f"{HREF}/publish")
    return see_other(request, f"{HREF}/changes?show={'waiting' if form.do in ('approve', 'reject') else 'mine'}")


async def take_step(tx: Transaction, edit_id: UUID, form: StepForm, *, actor: str) -> bool:
    """Do what a form wants; returns whether the next publication takes it in. Raises as the steps of `editing`."""
    mistakes: list[tuple[str, str]] = []
    day = forms.read_day(form.publish_on, steps.today(tx), mistakes)
    if form.do not in model.VERBS:
        mistakes.append(("", UNKNOWN))
    if mistakes:
        raise InvalidInputError(mistakes)
    remark, seen_mark = model.written_plain(form.remark), form.seen
    match form.do:
        case "propose":
            edit = await editing.propose(tx, edit_id, actor=actor, seen=seen_mark, publish_on=day)
        case "approve":
            edit = await editing.approve(tx, edit_id, actor=actor, seen=seen_mark, remark=remark, publish_on=day)
        case "reject":
            edit = await editing.reject(tx, edit_id, actor=actor, seen=seen_mark, remark=remark)
        case "take_back":
            edit = await editing.take_back(tx, edit_id, actor=actor, seen=seen_mark)
        case "discard":
            edit = await editing.discard(tx, edit_id, actor=actor, seen=seen_mark)
        case _:
            edit = await editing.withdraw(tx, edit_id, actor=actor, seen=seen_mark)
    return model.is_due(edit, steps.today(tx))


def mistakes_of(error: ServicepunktError) -> list[tuple[str, str]] | None:
    """What a page says of a step that was refused; None for what is no matter of this page."""
    match error:
        case InvalidInputError():
            return error.mistakes
        case OwnEditError() | DraftWaitsError():
            return [("", error.citizen), ("", error.next_step)]
        case ConflictError():
            return [("", editing.CHANGED_MEANWHILE), ("", LOOK_AGAIN)]
    return None


# --- what sources have changed --------------------------------------------------------------------------------


async def questions_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    *,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    async with deployment.database.tenant(ctx) as tx:
        found, reader = await editing.conflicts(tx), await readers(tx, request)
    return await editors_page(
        request,
        visitor,
        "web/editors_questions.html",
        status=status,
        mistakes=mistakes or [],
        conflicts=[seen.conflict(one, reader) for one in found],
        language_names=LANGUAGE_NAMES,
    )


@get(f"{HREF}/questions", guards=WRITING)
async def questions(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """What sources have changed below edits that are in force: three values and three answers."""
    return await questions_page(request, visitor)


@post(f"{HREF}/questions/{{edit_id:uuid}}", guards=WRITING)
async def answer(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    edit_id: FromPath[UUID],
) -> Response[Any]:
    """Keep one's own text, or take the source's."""
    goes_on = False
    try:
        form = convert(await typed(request), AnswerForm, SENTENCES)
        async with deployment.database.tenant(ctx) as tx:
            match form.do:
                case "keep":
                    await editing.keep_mine(tx, edit_id, actor=visitor.actor, seen=form.seen)
                case "take":
                    taken = await editing.take_theirs(tx, edit_id, actor=visitor.actor, seen=form.seen)
                    goes_on = taken is not None and taken.state == "approved"
                case _:
                    raise InvalidInputError([("", UNKNOWN)])
    except InvalidInputError as error:
        return await questions_page(request, visitor, mistakes=error.mistakes, status=422)
    except DraftWaitsError as error:
        wrong = [("", error.citizen), ("", error.next_step)]
        return await questions_page(request, visitor, mistakes=wrong, status=error.status)
    except ConflictError as error:
        wrong = [("", editing.CHANGED_MEANWHILE), ("", error.next_step)]
        return await questions_page(request, visitor, mistakes=wrong, status=error.status)
    return see_other(request, f"{HREF}/publish" if goes_on else f"{HREF}/questions")


# --- publishing -----------------------------------------------------------------------------------------------


async def publish_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    *,
    start: int = 0,
    mistakes: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> Response[str]:
    """What the next publication changes."""
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    async with deployment.database.tenant(ctx) as tx:
        made, published = await publishing.preview(tx), await catalogues.newest(tx)
        restored = await revisions.restored(tx)
        reader = await readers(tx, request)
        planned = [edit for edit in await store.edits(tx, ("approved",)) if not model.is_due(edit, steps.today(tx))]
    found = [] if made.mistakes else difference.changes(published, made.composed.catalogue)
    return await editors_page(
        request,
        visitor,
        "web/editors_publish.html",
        status=status,
        mistakes=mistakes or [],
        changes=[seen.change(one, reader) for one in found[start : start + PAGE]],
        count=len(found),
        restored=restored,
        start=start,
        page=PAGE,
        wrong=list(made.mistakes)[:PAGE],
        left_out=list(made.composed.left_out)[:PAGE],
        left_out_count=len(made.composed.left_out),
        taken=[reader.edit(edit) for edit in made.taken],
        refused=[reader.edit(msgspec.structs.replace(edit, reason=reason)) for edit, reason in made.refused],
        planned=[reader.edit(edit) for edit in planned],
        seen=made.mark,
        language_names=LANGUAGE_NAMES,
    )


@get(f"{HREF}/publish", guards=WRITING)
async def publish_form(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], start: Start = 0
) -> Response[str]:
    """Look at what would be published."""
    return await publish_page(request, visitor, start=start)


@post(f"{HREF}/publish", guards=WRITING)
async def publish(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Publish what was looked at."""
    try:
        form = convert(await typed(request), PublishForm, {})
        async with deployment.database.tenant(ctx) as tx:
            await publishing.publish(tx, actor=visitor.actor, seen=form.seen)
    except InvalidInputError as error:
        mistakes = [("", sentence) for place, sentence in error.mistakes if place in ("", "seen")]
        return await publish_page(request, visitor, mistakes=mistakes, status=422)
    except ConflictError as error:
        wrong = [("", editing.CHANGED_MEANWHILE), ("", error.next_step)]
        return await publish_page(request, visitor, mistakes=wrong, status=error.status)
    return see_other(request, f"{HREF}/revisions")


HANDLERS = (changes, change, step, questions, answer, publish_form, publish)
