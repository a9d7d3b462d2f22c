"""The answer card of agents: search, then everything about a service on one page, with who decides for the caller."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from servicepunkt.core.catalogue import competence
from servicepunkt.core.catalogue.search.service import CatalogueSearch
from servicepunkt.core.errors import NotFoundError
from servicepunkt.web import access
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page
from servicepunkt.web.terminal import content, figures
from servicepunkt.web.terminal.pages import first_day, sight_of

HREF = "/staff/answers"
MOST_FOUND = 12
MAX_TYPED = 100
Text = Annotated[str, Parameter(max_length=4096)]


@get(HREF, guards=[access.permission("catalogue.read")])
async def answers(request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], q: Text = "") -> Response[str]:
    """Services by the words of the caller; staff find, too, what is for them alone."""
    sight = await sight_of(request)
    typed, found = q[:MAX_TYPED], []
    if typed.strip():
        search: CatalogueSearch = request.app.state["search"]
        answer = await search.search(sight.published, typed, limit=MOST_FOUND, for_staff=True)
        found = content.found_here(sight, answer.found, upcoming=True)
    return await staff_page(request, visitor, "web/staff_answers.html", sight=sight, typed=typed, found=found)


@get(HREF + "/{service_id:str}", guards=[access.permission("catalogue.read")])
async def answer_card(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], service_id: FromPath[str], place: Text = ""
) -> Response[str]:
    """All about one service, and who decides where the caller lives. Raises NotFoundError."""
    sight = await sight_of(request)
    service = sight.catalogue.service(service_id)
    if service is None:
        raise NotFoundError
    place = place[:MAX_TYPED]
    said = competence.answer(sight.catalogue, service.id, place, day=sight.day)
    decided = said.competence or competence.Competence(level=None)
    offers = content.offers_of_service(sight, service)
    say = partial(access.deployment_of(request).texts.translate, sight.locale)
    return await staff_page(
        request,
        visitor,
        "web/staff_answer.html",
        sight=sight,
        service=service,
        offers=offers,
        modules=content.modules(sight, service, offers),
        channels=content.CHANNELS,
        fees=figures.fees(service.fees, say, sight.locale),
        durations=figures.durations(service.durations, say, sight.locale),
        ways=content.non_digital_ways(offers),
        over=content.is_over(sight, service),
        holds_from=first_day(sight, service),
        home=sight.catalogue.partner(service.competence),
        place_said=place,
        answer=said,
        decides=content.authorities(sight.catalogue, decided.decides),
        accepts=content.authorities(sight.catalogue, decided.accepts),
        contacts=content.contacts(sight, service),
    )


HANDLERS = (answers, answer_card)
