"""Who is responsible where somebody lives: a page for each service, at a terminal and on the web."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from servicepunkt.core.catalogue import competence
from servicepunkt.core.catalogue.model import Responsibility, Service
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device
from servicepunkt.web.terminal.content import AuthoritySeen, Sight, authorities, contacts
from servicepunkt.web.terminal.pages import PUBLIC, page, public_service_of, sight_of
from servicepunkt.web.terminal.search import KEYS, pressed

MAX_PLACE = 60
MOST_PLACES = 3
Text = Annotated[str, Parameter(max_length=4096)]
Switch = Annotated[str, Parameter(max_length=8)]


def at_home(sight: Sight, service: Service) -> list[AuthoritySeen]:
    """Who decides for those who live in this town; nobody where it is not known."""
    own = Responsibility(service=service.id, authority=service.competence)
    return authorities(sight.catalogue, [own] if service.competence else [])


async def competence_page(request: Request[Any, Any, Any], sight: Sight, service_id: str, place: str) -> Response[str]:
    """Raises NotFoundError."""
    service = public_service_of(sight, service_id)
    place = "".join(sign for sign in place[:MAX_PLACE] if sign.isprintable())
    found = competence.answer(sight.catalogue, service.id, place, day=sight.day)
    decided = found.competence or competence.Competence(level=None)
    return page(
        request,
        "web/competence.html",
        sight,
        service=service,
        place_said=place,
        # Another language or view asks the same once more.
        path=f"{request.scope['path']}?{urlencode({'place': place})}" if place else request.scope["path"],
        found=found,
        decides=authorities(sight.catalogue, decided.decides),
        accepts=authorities(sight.catalogue, decided.accepts),
        contacts=authorities(sight.catalogue, decided.contacts),
        at_home=at_home(sight, service),
        places=contacts(sight, service)[:MOST_PLACES],
        is_certain=decided.is_certain,
        keys=KEYS,
    )


@get("/service/{service_id:str}/authority", opt=PUBLIC)
async def public_competence(
    request: Request[Any, Any, Any], service_id: FromPath[str], place: Text = ""
) -> Response[str]:
    """Who is responsible for a service where somebody lives."""
    return await competence_page(request, await sight_of(request), service_id, place)


@get("/k/service/{service_id:str}/authority", guards=[access.terminal])
async def terminal_competence(
    request: Request[Any, Any, Any],
    device: NamedDependency[Device],
    service_id: FromPath[str],
    place: Text = "",
    key: Switch = "",
) -> Response[str]:
    """The same at a terminal, with a keyboard on the screen."""
    return await competence_page(request, await sight_of(request, device), service_id, pressed(place, key))


HANDLERS = (public_competence, terminal_competence)
