"""The day at one glance: who waits for help, which devices are missing, what checks say, when points are open."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any, Literal

import msgspec
import structlog
from litestar import Request

from servicepunkt.core.catalogue.model import Catalogue, Point, Text, point_hours
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.hours.model import Calendar, Span, spans
from servicepunkt.core.plugins import service as plugin_service
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import spoken_date, spoken_time
from servicepunkt.web import access
from servicepunkt.web.devices import store as device_store
from servicepunkt.web.devices.model import MISSING_AFTER, Device
from servicepunkt.web.devices.service import kinds
from servicepunkt.web.frame import language
from servicepunkt.web.help.model import HelpCall

log = structlog.get_logger("servicepunkt.web")


class CallSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A help call as staff read it: the point's name, the terminal's label, the minutes that somebody waits."""

    call: HelpCall
    point: Text
    label: str
    minutes: int


class DeviceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A device as staff read it: `kind` is a message id, `when` the moment it was last seen, empty if it never was."""

    device: Device
    kind: str
    state: Literal["pending", "expired", "seen", "missing", "revoked"]
    when: str


class CheckSeen(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    well: bool
    sentence: str


class PluginSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin that failed lately: at which hooks, how often, and since which moment."""

    name: str
    hooks: list[str]
    count: int
    since: str


class TaskSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How much of something waits for staff; `count` is None where it could not be counted."""

    title: str
    href: str
    count: int | None


class PointToday(msgspec.Struct, frozen=True, kw_only=True):
    """A point and today's opening as wall-clock times."""

    point: Point
    times: list[tuple[str, str]]
    holiday: str | None


async def catalogue_of(request: Request[Any, Any, Any]) -> Catalogue:
    """The published catalogue; an empty one while nothing was published, so that staff pages work before."""
    reader: CatalogueReader = request.app.state["catalogue"]
    try:
        return (await reader.current(access.tenant_of(request))).catalogue
    except NotFoundError:
        return Catalogue()


async def all_devices(deployment: Deployment, ctx: TenantContext) -> list[Device]:
    async with deployment.database.tenant(ctx) as tx:
        return await device_store.all_devices(tx)


async def calls_seen(request: Request[Any, Any, Any], calls: Iterable[HelpCall]) -> list[CallSeen]:
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    catalogue, now = await catalogue_of(request), deployment.clock.now()
    labels = {device.id: device.label for device in await all_devices(deployment, ctx)}
    return [
        CallSeen(
            call=call,
            point=point.name if (point := catalogue.point(call.point)) else {"de": call.point},
            label=labels.get(call.device, "") if call.device else "",
            minutes=int((now - call.created_at) / timedelta(minutes=1)),
        )
        for call in calls
    ]


async def devices_seen(request: Request[Any, Any, Any]) -> list[DeviceSeen]:
    """All devices; those that were switched off come last."""
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    now, locale = deployment.clock.now(), language(request)
    known = kinds(deployment, ctx)
    found = [
        DeviceSeen(
            device=device,
            kind=known[device.kind].title if device.kind in known else device.kind,
            state=device_state(device, now),
            when=spoken_moment(device.seen_at, now, locale, ctx),
        )
        for device in await all_devices(deployment, ctx)
    ]
    return sorted(found, key=lambda seen: seen.state == "revoked")


def device_state(device: Device, now: datetime) -> Literal["pending", "expired", "seen", "missing", "revoked"]:
    match device.state:
        case "pending":
            return "expired" if device.code_until is None or now > device.code_until else "pending"
        case "active":
            return "missing" if device.seen_at is None or now - device.seen_at > MISSING_AFTER else "seen"
        case _:
            return "revoked"


def spoken_moment(instant: datetime | None, now: datetime, locale: str, ctx: TenantContext) -> str:
    """'19:40 Uhr', with the day in front when it is not today's."""
    if instant is None:
        return ""
    moment = spoken_time(instant, locale, ctx.zone_info)
    day = ctx.local_date(instant)
    return moment if day == ctx.local_date(now) else f"{spoken_date(day, locale)}, {moment}"


async def checks_seen(deployment: Deployment, ctx: TenantContext) -> list[CheckSeen]:
    """What the plugins' health checks say; a check that fails itself is a finding, not the end of the page."""
    found = []
    for check in deployment.plugins.flat(ctx, "health_checks"):
        try:
            async with deployment.database.tenant(ctx) as tx:
                well, sentence = await check.check(tx)
        except Exception:
            log.exception("health_check_failed", check=check.name)
            well, sentence = False, "This check could not be carried out."
        found.append(CheckSeen(name=check.name, well=well, sentence=sentence))
    return found


async def plugins_seen(deployment: Deployment, ctx: TenantContext, locale: str) -> list[PluginSeen]:
    """The plugins that failed lately in any process; those that were slow are for operators."""
    now = deployment.clock.now()
    found = [one for one in await plugin_service.lately(deployment, ctx) if one.fault == "failed"]
    return [
        PluginSeen(
            name=name,
            hooks=[one.hook for one in of_plugin],
            count=sum(one.count for one in of_plugin),
            since=spoken_moment(min(one.since for one in of_plugin), now, locale, ctx),
        )
        for name in sorted({one.plugin for one in found})
        for of_plugin in [[one for one in found if one.plugin == name]]
    ]


async def tasks_seen(deployment: Deployment, ctx: TenantContext, permissions: frozenset[str]) -> list[TaskSeen]:
    """What waits for this person, of every plugin; what cannot be counted is shown as such."""
    found = []
    for task in deployment.plugins.flat(ctx, "staff_tasks", permissions=permissions):
        try:
            async with deployment.database.tenant(ctx) as tx:
                count = await task.count(tx)
        except Exception:
            log.exception("staff_task_failed", task=task.title)
            count = None
        found.append(TaskSeen(title=task.title, href=task.href, count=count))
    return found


async def points_today(request: Request[Any, Any, Any]) -> list[PointToday]:
    deployment, ctx = access.deployment_of(request), access.tenant_of(request)
    calendar, locale = Calendar(ctx.zone, ctx.subdivision), language(request)
    today = ctx.local_date(deployment.clock.now())
    midnight = datetime.combine(today, time(), tzinfo=ctx.zone_info)
    catalogue = await catalogue_of(request)

    def wall(span: Span) -> tuple[str, str]:
        return spoken_time(span.start, locale, ctx.zone_info), spoken_time(span.end, locale, ctx.zone_info)

    return [
        PointToday(
            point=point,
            times=[
                wall(span)
                for span in spans(point_hours(catalogue, point), calendar, midnight, midnight + timedelta(days=1))
            ],
            holiday=calendar.holiday(today),
        )
        for point in catalogue.points
    ]
