"""The calendar of the spaces of a house: staff of the city ask for a slot, the host approves it or says no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue.model import Catalogue, Text
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.hosts.settings import Space, settings_of
from servicepunkt.core.hosts.space import model, service, store
from servicepunkt.core.hosts.space.model import NOISE, Slot, SpaceTakenError, Wish
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import spoken_date, spoken_time
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.hosts.house import (
    EDIT,
    EDITING,
    HREF,
    READING,
    host_page,
    house_of,
    key_in,
    points_for,
)
from servicepunkt.web.hosts.words import BADGES, SLOT_STATES
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.staff.overview import catalogue_of

STAFF = "/staff/space"
ASK = "space.ask"
FIELDS = ("organisation", "purpose", "equipment", "noise")
NO_MOMENT = "Enter a day and a time."
TAKEN = "The space is already taken at this time."


class DecideForm(msgspec.Struct, frozen=True, kw_only=True):
    do: Literal["approve", "veto"]
    reason: str = ""


class SlotSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A slot as it is read; `state` and `noise` are message ids, `events` what can be done with it."""

    slot: Slot
    space: Text
    house: str
    when: str
    noise: str
    state: str
    badge: str
    events: Sequence[str]


def slots_seen(
    request: Request[Any, Any, Any], found: Iterable[Slot], houses: Mapping[str, str] = {}
) -> list[SlotSeen]:
    """`houses`: names by id, where those of several are listed."""
    ctx, now = access.tenant_of(request), access.deployment_of(request).clock.now()
    names = {(space.host, space.id): space.name for space in settings_of(ctx).spaces}
    return [
        SlotSeen(
            slot=one,
            space=names.get((one.host, one.space), {"": one.space}),
            house=houses.get(one.host, ""),
            when=_when(request, one),
            noise=NOISE[one.noise],
            state=SLOT_STATES[one.state],
            badge=BADGES[one.state],
            events=model.events(one, now),
        )
        for one in found
    ]


def _when(request: Request[Any, Any, Any], slot: Slot) -> str:
    """'Samstag, 28. November, 11:00 Uhr bis 13:00 Uhr', with a second day where it ends on another one."""
    texts, locale = access.deployment_of(request).texts, language(request)
    zone = access.tenant_of(request).zone_info
    first, last = (spoken_date(at.astimezone(zone).date(), locale) for at in (slot.begins_at, slot.ends_at))
    begins, ends = (spoken_time(at, locale, zone) for at in (slot.begins_at, slot.ends_at))
    end = ends if first == last else f"{last}, {ends}"
    return texts.translate(locale, "{first} to {last}", first=f"{first}, {begins}", last=end)


# --- the host -------------------------------------------------------------------------------------------------


@get(f"{HREF}/{{host_id:str}}/space", guards=READING)
async def spaces(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], host_id: FromPath[str]
) -> Response[str]:
    """Who wants the spaces of a house when."""
    return await _host_page(request, visitor, host_id)


@post(f"{HREF}/{{host_id:str}}/space/{{slot_id:uuid}}", guards=EDITING)
async def decide(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    host_id: FromPath[str],
    slot_id: FromPath[UUID],
) -> Response[Any]:
    """Approve a slot, or say no with a reason, until it begins."""
    house = await house_of(request, visitor, host_id, EDIT)
    form = convert(await typed(request), DecideForm, {})
    try:
        async with deployment.database.tenant(ctx) as tx:
            if (await service.find(tx, slot_id)).host != host_id:
                raise NotFoundError
            await service.decide(tx, slot_id, form.do, actor=visitor.actor, reason=form.reason.strip())
    except InvalidInputError as error:
        # Each slot has a field for its own reason.
        found = [(f"{place}-{slot_id}", sentence) for place, sentence in error.mistakes]
        return await _host_page(request, visitor, host_id, found)
    return see_other(request, f"{house.href}/space")


async def _host_page(
    request: Request[Any, Any, Any], visitor: Visitor, host_id: str, mistakes: Sequence[tuple[str, str]] = ()
) -> Response[str]:
    house, ctx = await house_of(request, visitor, host_id), access.tenant_of(request)
    deployment = access.deployment_of(request)
    async with deployment.database.tenant(ctx) as tx:
        found = await store.listed(tx, hosts={host_id}, ending_after=deployment.clock.now())
    return await host_page(
        request,
        visitor,
        house,
        "web/host_space.html",
        mistakes=mistakes,
        slots=slots_seen(request, found),
        spaces=settings_of(ctx).spaces_of(host_id),
    )


# --- staff of the city ----------------------------------------------------------------------------------------


@get(STAFF, guards=[access.permission(ASK, per_unit=True)])
async def staff_spaces(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor]) -> Response[str]:
    """What was asked for, and the form for one more slot."""
    return await _staff_page(request, visitor)


@post(STAFF, guards=[access.permission(ASK, per_unit=True)])
async def ask(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[Any]:
    """Ask for a slot."""
    values = await typed(request)
    try:
        wanted = _wish(values, ctx, spaces_for(visitor, await catalogue_of(request), ctx))
        async with deployment.database.tenant(ctx) as tx:
            await service.ask(tx, wanted, actor=visitor.actor)
    except SpaceTakenError:
        return await _staff_page(request, visitor, values, [("begins", TAKEN)])
    except InvalidInputError as error:
        return await _staff_page(request, visitor, values, error.mistakes)
    return see_other(request, STAFF)


@post(f"{STAFF}/{{slot_id:uuid}}", guards=[access.permission(ASK, per_unit=True)])
async def withdraw(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    slot_id: FromPath[UUID],
) -> Response[Any]:
    """Give a slot up."""
    await typed(request)
    houses = {space.host for space in spaces_for(visitor, await catalogue_of(request), ctx)}
    async with deployment.database.tenant(ctx) as tx:
        if (await service.find(tx, slot_id)).host not in houses:
            raise NotFoundError
        await service.decide(tx, slot_id, "withdraw", actor=visitor.actor)
    return see_other(request, STAFF)


def spaces_for(visitor: Visitor, catalogue: Catalogue, ctx: TenantContext) -> list[Space]:
    """The spaces of those houses in which the points of this person stand."""
    houses = {point.host for point in points_for(visitor, catalogue, ASK)}
    return [space for space in settings_of(ctx).spaces if space.host in houses]


def _wish(values: Mapping[str, str], ctx: TenantContext, spaces: Sequence[Space]) -> Wish:
    """What was typed. Raises InvalidInputError."""
    begins, ends = (_instant(values.get(name, ""), ctx) for name in ("begins", "ends"))
    space = next((one for one in spaces if f"{one.host}/{one.id}" == values.get("space")), None)
    mistakes = [(name, NO_MOMENT) for name, at in (("begins", begins), ("ends", ends)) if at is None]
    if space is None:
        mistakes.append(("space", model.NO_SPACE))
    key = key_in(values.get("key", ""))
    if mistakes or begins is None or ends is None or space is None:
        raise InvalidInputError(mistakes)
    said = {name: values.get(name, "").strip() for name in FIELDS}
    return Wish(key=key, host=space.host, space=space.id, begins_at=begins, ends_at=ends, **said)


def _instant(text: str, ctx: TenantContext) -> datetime | None:
    """A moment as a browser sends it, on the clock of the place."""
    try:
        wall = datetime.fromisoformat(text.strip())
        return None if wall.tzinfo else wall.replace(tzinfo=ctx.zone_info).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


async def _staff_page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    values: Mapping[str, str] | None = None,
    mistakes: Sequence[tuple[str, str]] = (),
) -> Response[str]:
    ctx, deployment, catalogue = access.tenant_of(request), access.deployment_of(request), await catalogue_of(request)
    spaces = spaces_for(visitor, catalogue, ctx)
    houses = {host.id: host.name for host in catalogue.hosts}
    async with deployment.database.tenant(ctx) as tx:
        wanted = {space.host for space in spaces}
        found = await store.listed(tx, hosts=wanted, ending_after=deployment.clock.now())
    return await staff_page(
        request,
        visitor,
        "web/staff_space.html",
        status=422 if mistakes else 200,
        slots=slots_seen(request, found, houses),
        spaces=[(space, houses.get(space.host, space.host)) for space in spaces],
        noise=NOISE,
        values=values or {"noise": "talk"},
        mistakes=list(mistakes),
        key=str(uuid4()),
    )


HANDLERS = (spaces, decide, staff_spaces, ask, withdraw)
