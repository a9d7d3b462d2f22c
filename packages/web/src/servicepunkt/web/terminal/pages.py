"""The citizens' pages: start, theme, service; at a terminal below `/k`, and on the web with the same content."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.applications import service as application_service
from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.model import Point, Service, pick, point_hours
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.declarations import TerminalTile
from servicepunkt.core.errors import NotFoundError, ServicepunktError
from servicepunkt.core.hours.model import Calendar
from servicepunkt.core.hours.words import describe
from servicepunkt.core.texts import spoken_time, written_date
from servicepunkt.web import access
from servicepunkt.web.applications.links import COOKIE as APPLICATION_COOKIE
from servicepunkt.web.applications.links import apply_links
from servicepunkt.web.devices import model as devices
from servicepunkt.web.devices.model import Device
from servicepunkt.web.frame import CONTRAST_COOKIE, Frame, language, terminal_bar
from servicepunkt.web.navigation import cookie, forget_cookies, public_address, see_other
from servicepunkt.web.orders.links import order_links
from servicepunkt.web.qr import qr_image
from servicepunkt.web.sessions import model as sessions
from servicepunkt.web.sessions import service as session_service
from servicepunkt.web.speech import Speaker
from servicepunkt.web.terminal import content, figures, switches
from servicepunkt.web.terminal.content import Sight
from servicepunkt.web.terminal.days import days_seen
from servicepunkt.web.terminal.icons import theme_icons
from servicepunkt.web.terminal.lists import Listing, listing

PUBLIC = {"public": True}
Number = Annotated[int, QueryParameter(ge=1, le=9999)]
FEW, DAYS_SHOWN = 4, 7
LONG = 500  # letters of a description that stands at the top
# Browsers keep a cookie for 400 days at most; the start page renews it.
DEVICE_COOKIE_SECONDS = 400 * 24 * 3600


class TerminalNotReadyError(ServicepunktError):
    """The terminal is enrolled, but its point stands in no published catalogue."""

    code = "SP7004"
    status = 503
    citizen = "This terminal is not ready yet."
    staff = "The terminal's point is not in the published catalogue."
    next_step = "Please ask a member of staff."


async def sight_of(request: Request[Any, Any, Any], device: Device | None = None) -> Sight:
    """What the catalogue says here and now. Raises TerminalNotReadyError; on the web NotFoundError."""
    ctx, deployment = access.tenant_of(request), access.deployment_of(request)
    reader: CatalogueReader = request.app.state["catalogue"]
    try:
        published = await reader.current(ctx)
    except NotFoundError:
        if device is not None:
            raise TerminalNotReadyError from None
        raise
    catalogue = published.catalogue
    point: Point | None = None
    if device is not None and (point := catalogue.point(device.target)) is None:
        raise TerminalNotReadyError
    at, locale, calendar = deployment.clock.now(), language(request), Calendar(ctx.zone, ctx.subdivision)
    return Sight(
        published=published,
        point=point,
        at=at,
        calendar=calendar,
        locale=locale,
        describe=lambda state, because: describe(
            state, calendar, at, texts=deployment.texts, locale=locale, because=because
        ),
        clock=lambda instant: spoken_time(instant, locale, ctx.zone_info),
    )


def page(request: Request[Any, Any, Any], template: str, sight: Sight, **values: Any) -> Response[str]:
    """A citizens' page; at a terminal its header names the point."""
    frame: Frame = request.app.state["frame"]
    name = sight.point.name if sight.point else ""
    return frame.page(request, template, sight=sight, point_name=name, **values)


def start_page(
    request: Request[Any, Any, Any], sight: Sight, tiles: list[TerminalTile], **values: Any
) -> Response[str]:
    points = [sight.point] if sight.point else sight.catalogue.points_on(sight.day)
    themes = content.themes(sight)
    # A few tiles do not become towers: what they leave free is used.
    has_room = sight.point is not None and len(tiles) + len(themes) <= FEW
    texts = access.deployment_of(request).texts
    return page(
        request,
        "web/start.html",
        sight,
        points=[content.point_seen(sight, point) for point in points],
        themes=themes,
        icons=theme_icons(themes, taken=[tile.icon for tile in tiles]),
        tiles=tiles,
        has_room=has_room,
        days=days_seen(sight, point_hours(sight.catalogue, points[0]), texts, DAYS_SHOWN) if has_room else [],
        **values,
    )


def theme_page(request: Request[Any, Any, Any], sight: Sight, theme_id: str, number: int = 1) -> Response[str]:
    """Raises NotFoundError."""
    theme = sight.catalogue.theme(theme_id)
    if theme is None:
        raise NotFoundError
    offers = content.offers_of_theme(sight, theme)

    def found() -> Listing:
        current = [seen for seen in offers if seen.status != "ended"]
        more = [service for service in content.unoffered(sight) if theme.id in service.themes]
        return listing(current, more, sight.locale, page=number, in_pages=sight.point is not None)

    def seen() -> dict[str, Any]:
        here = found()
        is_last = here.page == here.pages
        return {
            "theme": theme,
            "found": here,
            "gone": [seen for seen in offers if seen.status == "ended"] if is_last else [],
            "over": content.ended_services(sight, theme) if is_last else [],
        }

    frame: Frame = request.app.state["frame"]
    number = found().page if number > 1 else 1
    key = (*sight.key, theme.id, number, *(one.key for one in offers))
    return page(
        request,
        "web/theme.html",
        sight,
        # Another language or view stays on the same page of a list.
        path=f"{request.scope['path']}?page={number}" if number > 1 else request.scope["path"],
        theme=theme,
        part=frame.part(request, "web/theme_content.html", key, seen),
    )


def public_service_of(sight: Sight, service_id: str) -> Service:
    """A service that citizens may read. Raises NotFoundError."""
    service = sight.catalogue.service(service_id)
    if service is None or service.visibility != "public":
        raise NotFoundError
    return service


def first_day(sight: Sight, service: Service) -> str:
    """The first day of a service that is still to come, as it is read; else empty."""
    first = service.valid_from
    return written_date(first, sight.locale) if first and content.is_upcoming(sight, service) else ""


def service_page(request: Request[Any, Any, Any], sight: Sight, service_id: str) -> Response[str]:
    """Raises NotFoundError."""

    service = public_service_of(sight, service_id)
    speaker: Speaker = request.app.state["speech"]
    offers = content.offers_of_service(sight, service)
    aloud = speaker.address(f"/service/{service.id}/speech.wav", sight.locale)
    address = public_address(request, f"/service/{service.id}") if sight.point else ""
    say = partial(access.deployment_of(request).texts.translate, sight.locale)
    orders, applications = order_links(request, sight, offers), apply_links(request, offers)

    def seen() -> dict[str, Any]:
        return {
            "service": service,
            "offers": offers,
            "orders": orders,
            "applications": applications,
            "over": content.is_over(sight, service),
            "holds_from": first_day(sight, service),
            "ways": content.non_digital_ways(offers),
            "documents": content.documents(sight, service),
            "has_checklist": content.has_checklist(sight, service, offers),
            "channels": content.CHANNELS,
            "fees": figures.fees(service.fees, say, sight.locale),
            "durations": figures.durations(service.durations, say, sight.locale),
            "elsewhere": content.other_points(sight, service),
            # What fills a screen stands below what to bring, what it costs and where to go.
            "is_long": len(html.plain(pick(service.description, sight.locale))) > LONG,
            "modules": content.modules(sight, service, offers),
            "places": content.contacts(sight, service),
            "decides": sight.catalogue.partner(service.competence),
            "asks_place": bool(sight.catalogue.areas),
            "theme": sight.catalogue.theme(service.themes[0]) if service.themes else None,
            "code": qr_image(address) if address else "",
            "aloud": aloud,
        }

    frame: Frame = request.app.state["frame"]
    key = (*sight.key, service.id, aloud, address, *orders, "apply", *applications, *(one.key for one in offers))
    return page(
        request,
        "web/service.html",
        sight,
        service=service,
        aloud=aloud,
        part=frame.part(request, "web/service_content.html", key, seen),
    )


@get("/", opt=PUBLIC)
async def public_start(request: Request[Any, Any, Any]) -> Response[str]:
    """The themes of all points, and whether the points are open."""
    return start_page(request, await sight_of(request), [])


@get("/theme/{theme_id:str}", opt=PUBLIC)
async def public_theme(request: Request[Any, Any, Any], theme_id: FromPath[str]) -> Response[str]:
    """What a theme offers at which point."""
    return theme_page(request, await sight_of(request), theme_id)


@get("/service/{service_id:str}", opt=PUBLIC)
async def public_service(request: Request[Any, Any, Any], service_id: FromPath[str]) -> Response[str]:
    """Everything about one service."""
    return service_page(request, await sight_of(request), service_id)


@get("/k", guards=[access.terminal])
async def terminal_start(request: Request[Any, Any, Any], device: NamedDependency[Device]) -> Response[str]:
    """The tiles of a terminal: what plugins offer, then the themes."""
    sight = await sight_of(request, device)
    ctx, plugins = access.tenant_of(request), access.deployment_of(request).plugins
    found = plugins.flat(ctx, "terminal_tiles", locale=sight.locale, point=device.target)
    # Nobody has to be warned where nothing would be forgotten.
    bar = terminal_bar(request, idle=60 if was_touched(request, ctx.locale) else 0)
    answer = start_page(request, sight, sorted(found, key=lambda tile: tile.order), bar=bar)
    token = request.cookies[devices.COOKIE]
    answer.set_cookie(device_cookie(request, token))
    return answer


@get("/k/theme/{theme_id:str}", guards=[access.terminal])
async def terminal_theme(
    request: Request[Any, Any, Any], device: NamedDependency[Device], theme_id: FromPath[str], page: Number = 1
) -> Response[str]:
    """What a theme offers at this point; a long list in pages."""
    return theme_page(request, await sight_of(request, device), theme_id, page)


@get("/k/service/{service_id:str}", guards=[access.terminal])
async def terminal_service(
    request: Request[Any, Any, Any], device: NamedDependency[Device], service_id: FromPath[str]
) -> Response[str]:
    """Everything about one service, and what of it can be done at this point."""
    return service_page(request, await sight_of(request, device), service_id)


@post("/k/end", guards=[access.terminal])
async def terminal_end(request: Request[Any, Any, Any]) -> Response[Any]:
    """Forget the person: what they began, all cookies but the terminal's own, and what scripts may have stored."""
    return await _ended(request)


@get("/k/left", guards=[access.terminal])
async def terminal_left(request: Request[Any, Any, Any]) -> Response[Any]:
    """The same for somebody who has ended at a box or a reader: their own pages lead here, and no form of ours."""
    return await _ended(request)


async def _ended(request: Request[Any, Any, Any]) -> Response[Any]:
    if begun := request.cookies.get(APPLICATION_COOKIE):
        await application_service.forget(access.deployment_of(request), access.tenant_of(request), begun)
    if session := request.cookies.get(sessions.COOKIE):
        await session_service.end(access.deployment_of(request), access.tenant_of(request), session)
    answer = see_other(request, "/k")
    # Not "cookies": that would take the terminal's own registration with it.
    answer.headers["clear-site-data"] = '"storage"'
    forget_cookies(request, answer, keep=devices.COOKIE)
    return answer


def device_cookie(request: Request[Any, Any, Any], token: str) -> Cookie:
    """What makes a browser a terminal; it is there, too, when the box's own pages lead back."""
    return cookie(request, devices.COOKIE, token, max_age=DEVICE_COOKIE_SECONDS, samesite="lax")


def was_touched(request: Request[Any, Any, Any], usual: str) -> bool:
    """Whether somebody left a language, a view or a draft behind, so that the start page has something to forget."""
    left = any(request.cookies.get(name) for name in (CONTRAST_COOKIE, APPLICATION_COOKIE))
    return left or language(request) != usual


HANDLERS = (
    public_start,
    public_theme,
    public_service,
    terminal_start,
    terminal_theme,
    terminal_service,
    terminal_end,
    terminal_left,
    *switches.HANDLERS,
)
