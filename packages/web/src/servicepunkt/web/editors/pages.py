"""Services as editors see them: a list with search, every value with its origin, and the form of one field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from servicepunkt.core.catalogue.editing import model, steps
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.editing.service import Sight, Value
from servicepunkt.core.catalogue.model import MODULES, Catalogue, Service, pick
from servicepunkt.core.catalogue.search.service import CatalogueSearch
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.catalogue.settings import settings_of
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.editors import forms, seen, words
from servicepunkt.web.editors.seen import EDIT, READ, Readers, ValueSeen, editors_page, readers
from servicepunkt.web.editors.tasks import HREF
from servicepunkt.web.forms import typed
from servicepunkt.web.frame import LANGUAGE_NAMES, language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor

READING, WRITING = [access.permission(READ)], [access.permission(EDIT)]
PAGE = 50
MOST_FOUND = 200
Text = Annotated[str, Parameter(max_length=200)]
Start = Annotated[int, Parameter(ge=0, le=1_000_000)]


@get(HREF, guards=READING)
async def services(
    request: Request[Any, Any, Any],
    visitor: NamedDependency[Visitor],
    q: Text = "",
    add: Text = "",
    start: Start = 0,
) -> Response[str]:
    """All services, or those that were meant by some words.

    `add`: what was looked for in vain, and shall be a hidden search word of the service that is chosen here.
    """
    found = await _found(request, q)
    if add and not q:
        # All of the words together have found nothing: what one of them finds comes before everything else.
        near = [one for word in add.split() for one in await _found(request, word)]
        found = list({one.id: one for one in (*near, *found)}.values())
    return await editors_page(
        request,
        visitor,
        "web/editors_services.html",
        q=q,
        add=add if visitor.may(EDIT) else "",
        services=found[start : start + PAGE],
        count=len(found),
        start=start,
        page=PAGE,
    )


async def _found(request: Request[Any, Any, Any], q: str) -> list[Service]:
    """What search finds for citizens comes first, then what holds the words in its id or its name."""
    reader: CatalogueReader = request.app.state["catalogue"]
    search: CatalogueSearch = request.app.state["search"]
    try:
        published = await reader.current(access.tenant_of(request))
    except NotFoundError:
        return []
    catalogue = published.catalogue
    locale = language(request)
    if not q.strip():
        return sorted(catalogue.services, key=lambda one: pick(one.name, locale).casefold())
    answer = await search.search(published, q, limit=MOST_FOUND)
    meant = {service.id: service for found in answer.found if (service := catalogue.service(found.id)) is not None}
    return list((meant | _with(catalogue, q.strip().casefold())).values())[:MOST_FOUND]


def _with(catalogue: Catalogue, part: str) -> dict[str, Service]:
    return {
        service.id: service
        for service in catalogue.services
        if part in service.id or any(part in name.casefold() for name in service.name.values())
    }


@get(f"{HREF}/services/{{service_id:str}}", guards=READING)
async def one_service(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    service_id: FromPath[str],
) -> Response[str]:
    """Every value of a service in every language, who says it, and what editors work on."""
    async with deployment.database.tenant(ctx) as tx:
        sight, reader = await editing.sight(tx, service_id), await readers(tx, request)
    own, others = seen.fields(sight, reader, ctx.languages)
    return await editors_page(
        request,
        visitor,
        "web/editors_service.html",
        service=sight.id,
        name=_name(sight),
        is_published=reader.catalogue.service(sight.id) is not None,
        fields=[one for one in own if any(value.text or value.waiting for value in one.values)],
        empty=[one for one in own if not any(value.text or value.waiting for value in one.values)],
        others=others,
        headings={code: heading for code, heading in MODULES.items() if code not in model.OWN_FIELDS},
        channels=words.CHANNELS,
        language_names=LANGUAGE_NAMES,
        sources=[words.source(one) for one in sight.sources],
    )


def _name(sight: Sight) -> Mapping[str, str]:
    name: Mapping[str, str] = sight.record.get("name") or {"": sight.id}
    return name


# --- one field ------------------------------------------------------------------------------------------------


async def field_form(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    service_id: str,
    field: str,
    *,
    sent: Mapping[str, str] | None = None,
    add: str = "",
    mistakes: Sequence[tuple[str, str]] = (),
    status: int = 200,
) -> Response[str]:
    """The form of a field. `sent`: what was typed and is shown again. `add`: a word more, where each line is one.

    Raises NotFoundError.
    """
    if not model.is_field(field):
        raise NotFoundError
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    async with deployment.database.tenant(ctx) as tx:
        sight, reader = await editing.sight(tx, service_id), await readers(tx, request)
        today = steps.today(tx)
    paths = forms.paths_of(sight, field, ctx.languages)
    heading, channel = words.heading(field)
    values = [sight.at(path) for path in paths]
    return await editors_page(
        request,
        visitor,
        "web/editors_field.html",
        status=status,
        mistakes=mistakes,
        service=sight.id,
        name=_name(sight),
        field=field,
        heading=heading,
        channel=channel,
        controls=[control(value, reader, sent, add=add, keeps_mark=not _is_stale(mistakes)) for value in values],
        rows=forms.rows(values[0], ctx.languages, sent) if field in forms.ROWS else [],
        choices=words.VISIBILITIES if field == "visibility" else {},
        language_names=LANGUAGE_NAMES,
        is_short=field in ("name", "official_name"),
        publish_on=_shown_day(values, sent),
        today=today.isoformat(),
        four_eyes=settings_of(ctx).four_eyes,
    )


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One value in the form: what stands in its control, what holds now, and what stands below."""

    name: str
    language: str
    mark: str
    text: str
    seen: ValueSeen
    below: str
    below_origin: str


def control(value: Value, reader: Readers, sent: Mapping[str, str] | None, *, add: str, keeps_mark: bool) -> Control:
    """A value as the form shows it. `keeps_mark`: whether the form that was sent still knows what it was about."""
    name = forms.control(value.path)
    return Control(
        name=name,
        language=model.language_of(value.path),
        mark=sent.get(f"mark-{name}", "") if sent and keeps_mark else value.mark,
        text=sent.get(name, "") if sent else forms.shown_text(value, add),
        seen=reader.value(value, words.source(value.origin)),
        below=reader.shown(value.path, value.below) if value.live else "",
        below_origin=words.source(value.below_origin),
    )


def _shown_day(values: Sequence[Value], sent: Mapping[str, str] | None) -> str:
    if sent:
        return sent.get("publish_on", "")
    days = (value.waiting.publish_on for value in values if value.waiting)
    return next((day.isoformat() for day in days if day), "")


def _is_stale(mistakes: Sequence[tuple[str, str]]) -> bool:
    """Whether somebody else was faster: the next sending counts, because what stands there now is shown beside it."""
    return any(sentence == editing.CHANGED_MEANWHILE for _, sentence in mistakes)


@get(f"{HREF}/services/{{service_id:str}}/edit", guards=WRITING)
async def edit_form(
    request: Request[Any, Any, Any],
    visitor: NamedDependency[Visitor],
    service_id: FromPath[str],
    field: Text = "",
    code: Text = "",
    channel: Text = "000",
    add: Text = "",
) -> Response[str]:
    """The form of a field: `field`, or a module by its code and channel. `add`: a hidden search word to be added."""
    return await field_form(request, visitor, service_id, field or f"modules/{code}/{channel}", add=add)


@post(f"{HREF}/services/{{service_id:str}}/edit", guards=WRITING)
async def save(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    service_id: FromPath[str],
) -> Response[Any]:
    """Keep what was typed as a draft; propose it, or approve it and go on to the publication."""
    sent = await typed(request)
    field = sent.get("field", "")
    if not model.is_field(field):
        raise NotFoundError
    numbers: tuple[int, ...] = ()
    try:
        async with deployment.database.tenant(ctx) as tx:
            sight = await editing.sight(tx, service_id)
            form = forms.read(sent, sight, field, ctx.languages, today=steps.today(tx))
            numbers = form.numbers
            edits = await editing.write(
                tx, service_id, form.values, actor=visitor.actor, marks=form.marks, publish_on=form.publish_on
            )
            drafts = [edit for edit in edits if edit.state == "draft"]
            for edit in drafts:
                if form.verb == "propose":
                    await editing.propose(tx, edit.id, actor=visitor.actor, publish_on=form.publish_on)
                elif form.verb == "publish":
                    await editing.approve(tx, edit.id, actor=visitor.actor, publish_on=form.publish_on)
            is_due = not form.publish_on or form.publish_on <= steps.today(tx)
    except InvalidInputError as error:
        mistakes = [(forms.place_of(place, field, numbers), sentence) for place, sentence in error.mistakes]
        return await field_form(request, visitor, service_id, field, sent=sent, mistakes=mistakes, status=422)
    if form.verb == "publish" and drafts and is_due:
        return see_other(request, f"{HREF}/publish")
    return see_other(request, f"{HREF}/services/{quote(service_id, safe='')}")


HANDLERS = (services, one_service, edit_form, save)
